"""Egress addresses of networks over the API: attachment, moves, the gateway node, suspension, history."""

from collections.abc import Iterable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from andromede_core.documents.signed import read
from andromede_core.permits import network_ports
from controlplane.audit.models import AuditEntry
from controlplane.compute import egress_attachments
from controlplane.network.announced_prefixes import announced_routes
from controlplane.network.models import EgressAddress, PortRulesDocument, PublicAddress, PublicAddressUse
from controlplane.nodes.models import Node
from controlplane.placement.models import Decision
from controlplane.placement.policies import policy_set
from controlplane.reconcilers import egress_gateways
from tests import facts
from tests.api.client import Answer, Caller
from tests.api.conftest import finish
from tests.api.test_public_addresses import POOLS, V6, WEB, make_instance, make_pool, reserve, settle
from tests.cases import in_one_cloud
from tests.world import Cloud

LAN = "networks/lan"
IP = "203.0.113.0"


@pytest.fixture
def pool(operator: Caller, cloud: Cloud) -> dict[str, Any]:
    return make_pool(operator)


def attach(api: Caller, address: str = "www", network: str = "lan", **more: Any) -> Answer:
    return api.post(f"public-addresses/{address}/actions/attach", {"network": network, **more})


def code(answer: Answer) -> str:
    return answer.problem[1]


def listed() -> object:
    """Return the egress address in the newest list of the network's ports."""
    row = PortRulesDocument.objects.get(network__name="lan", zone="fr-idf-1")
    egress = network_ports.parse(read(bytes(row.document)).payload).egress
    return None if egress is None else egress.payload()


def gateway() -> str | None:
    row = EgressAddress.objects.select_related("gateway").get()
    return None if row.gateway is None else row.gateway.name


def uses(api: Caller) -> list[tuple[bool, bool, bool]]:
    """Return of each use whether a port had it, whether a network, and whether it lasts."""
    rows: Iterable[PublicAddressUse] = PublicAddressUse.objects.order_by("began_at")
    return [(row.port_id is not None, row.network_id is not None, row.ended_at is None) for row in rows]


def test_network_gets_an_egress_address(api: Caller, pool: dict[str, Any], cloud: Cloud) -> None:
    reserve(api)
    answer = attach(api)
    assert answer.status == 200, answer.text
    assert (answer.body["port"], answer.body["network"]["name"]) == (None, "lan")
    assert (answer.body["state"], answer.body["reason"]) == ("pending", "no-node")
    (shown,) = api.get(LAN).body["egress_addresses"]
    assert shown == {"id": answer.body["id"], "name": "www", "ip": IP, "zone": "fr-idf-1"}
    assert api.get(f"{LAN}/topology").body["egress_addresses"] == [shown]
    assert [each["ip"] for each in api.get("public-addresses?network=lan").body["items"]] == [IP]
    make_instance(api)
    assert egress_gateways.reconcile() == 1
    settle()
    assert listed() == {"address": IP, "gateway": str(Node.objects.get().pk)}
    assert api.get("public-addresses/www").body["state"] == "applied"
    (local,) = cloud.fake.public.egress
    assert (str(local.address), local.is_gateway) == (IP, True)


def test_node_of_an_earlier_release_gets_no_egress_address(api: Caller, pool: dict[str, Any], cloud: Cloud) -> None:
    """Its agent would refuse the list, and no list of other networks in the same call would reach it."""
    make_instance(api)
    Node.objects.update(traits=["security-groups"])
    reserve(api)
    assert (attach(api).body["reason"], gateway()) == ("node-outdated", None)
    settle()
    assert (listed(), cloud.fake.public.egress) == (None, ())
    assert code(api.post("instances", WEB | {"name": "second"})) == "placement.no_place"


def test_detached_address_is_listed_no_more(api: Caller, pool: dict[str, Any], cloud: Cloud) -> None:
    make_instance(api)
    reserve(api)
    attach(api)
    settle()
    assert listed() is not None
    assert api.post("public-addresses/www/actions/detach").body["state"] == "detached"
    settle()
    assert (listed(), cloud.fake.public.egress) == (None, ())
    assert api.get(LAN).body["egress_addresses"] == []
    assert code(api.post("public-addresses/www/actions/detach")) == "network.public_address.not_attached"
    assert uses(api) == [(False, True, False)]


def test_one_address_of_a_zone_and_one_holder(api: Caller, pool: dict[str, Any], cloud: Cloud) -> None:
    port = make_instance(api)
    reserve(api), reserve(api, "other")
    api.post("networks", {"name": "second", "cidr": "10.20.0.0/24"})
    assert attach(api).status == attach(api).status == 200
    assert code(attach(api, "other")) == "network.egress_taken"
    assert code(attach(api, "www", "second")) == "network.public_address.egress"
    assert code(api.delete("public-addresses/www")) == "network.public_address.egress"
    to_port = {"port": port.name}
    assert code(api.post("public-addresses/www/actions/attach", to_port)) == "network.public_address.egress"
    assert attach(api, "www", "second", move=True).body["network"]["name"] == "second"
    moved = api.post("public-addresses/www/actions/attach", to_port | {"move": True})
    assert (moved.body["port"]["name"], moved.body["network"]) == (port.name, None)
    assert code(attach(api)) == "network.public_address.attached"
    assert attach(api, move=True).body["port"] is None
    assert uses(api) == [(False, True, False), (False, True, False), (True, False, False), (False, True, True)]


@in_one_cloud(
    ("body", "problem"),
    [
        ({}, "invalid_request"),
        ({"network": "lan", "port": "web"}, "invalid_request"),
        ({"network": "lan", "mode": "nat"}, "invalid_request"),
        ({"network": "lan", "fixed_ip": "10.10.0.2"}, "invalid_request"),
        ({"network": "missing"}, "network.not_found"),
    ],
)
def test_impossible_attachment_is_refused(
    api: Caller, pool: dict[str, Any], body: dict[str, Any], problem: str
) -> None:
    reserve(api)
    assert code(api.post("public-addresses/www/actions/attach", body)) == problem


def test_ipv6_address_is_refused(api: Caller, operator: Caller, cloud: Cloud) -> None:
    assert operator.post(POOLS, V6).status == 201
    reserve(api, pool="public6")
    assert code(attach(api)) == "network.public_address.mode_impossible"


def test_address_ends_with_its_network(api: Caller, pool: dict[str, Any], cloud: Cloud) -> None:
    reserve(api)
    attach(api)
    assert api.delete(LAN).status == 204
    assert not EgressAddress.objects.exists()
    assert api.get("public-addresses/www").body["state"] == "detached"
    assert uses(api) == [(False, True, False)]


def test_previous_release_attaches_the_address_to_a_port(api: Caller, pool: dict[str, Any], cloud: Cloud) -> None:
    """The previous release does not know that a network has the address."""
    port = make_instance(api)
    reserve(api)
    attach(api)
    PublicAddress.objects.update(port=port)
    assert not EgressAddress.objects.exists()
    assert sorted(uses(api)) == [(False, True, False), (True, False, True)]


def test_policies_are_evaluated_for_each_instance(api: Caller, pool: dict[str, Any], cloud: Cloud) -> None:
    make_instance(api), make_instance(api, "second")
    reserve(api)
    assert attach(api).status == 200
    decisions = Decision.objects.filter(operation="public-address.attach")
    assert [(row.roles, row.is_admitted) for row in decisions] == [(["netedge"], True)] * 2
    api.post("public-addresses/www/actions/detach")
    facts.state_of("zone", "fr-idf-1", {"netedge.ip_countries": ["US"]})
    clause = {"id": "edge", "attr": "netedge.ip_countries", "op": "subset", "value": ["FR"], "roles": ["netedge"]}
    policy_set(cloud.tenant.actor, clauses=[clause], project=cloud.tenant.project)
    assert attach(api).status in (409, 422)
    assert not EgressAddress.objects.exists()


def test_audit_entry_of_an_attachment_names_the_first_decisions(
    api: Caller, pool: dict[str, Any], cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(egress_attachments, "DECISIONS_NAMED_MAX", 2)
    for name in ("web", "second", "third"):
        make_instance(api, name)
    reserve(api)
    attach(api)
    decisions = Decision.objects.filter(operation="public-address.attach").order_by("consumer_id")
    facts = AuditEntry.objects.get(verb="public_address.attach").facts
    assert facts["decisions"] == [str(each.pk) for each in decisions[:2]]
    assert facts["decision_count"] == 3


def test_attachment_takes_as_many_queries_for_many_instances(api: Caller, pool: dict[str, Any], cloud: Cloud) -> None:
    reserve(api)
    counts = []
    for names in (["web"], ["second", "third"]):
        for name in names:
            make_instance(api, name)
        attach(api)
        api.post("public-addresses/www/actions/detach")
        with CaptureQueriesContext(connection) as queries:
            assert attach(api).status == 200
        counts.append(len(queries))
        api.post("public-addresses/www/actions/detach")
    assert counts[0] == counts[1], counts
    assert Decision.objects.filter(operation="public-address.attach").count() == 2 * (1 + 3)


def test_suspended_address_lets_nothing_leave(
    api: Caller, operator: Caller, pool: dict[str, Any], cloud: Cloud
) -> None:
    make_instance(api)
    reserve(api)
    attach(api)
    Node.objects.update(underlay_ip="10.0.7.1")
    assert {str(address) for address in announced_routes("fr-idf-1")} == {IP}
    assert operator.post(f"/v1/public-addresses/{IP}/actions/suspend", {"reason": "spam"}).status == 200
    settle()
    assert listed() == {"address": IP}
    assert announced_routes("fr-idf-1") == {}
    (local,) = cloud.fake.public.egress
    assert local.gateway_mac is None
    assert operator.post(f"/v1/public-addresses/{IP}/actions/resume").status == 200
    settle()
    assert listed() == {"address": IP, "gateway": str(Node.objects.get().pk)}


def test_reachability_names_the_source_address(api: Caller, pool: dict[str, Any], cloud: Cloud) -> None:
    make_instance(api)
    reserve(api)
    question = {"source": {"instance": "web"}, "target": {"address": "198.51.100.7"}, "protocol": "tcp", "port": 443}

    def translation() -> Any:
        steps = api.post("reachability", question).body["steps"]
        return next(each for each in steps if each["kind"] == "translation")

    assert "by its own" in translation()["text"]
    attach(api)
    assert f"egress address {IP} of the network lan" in translation()["text"]
    EgressAddress.objects.update(gateway=None)
    assert translation()["outcome"] == "refused"


def test_dry_run_writes_nothing(api: Caller, pool: dict[str, Any], cloud: Cloud) -> None:
    reserve(api)
    answer = api.post("public-addresses/www/actions/attach?dry_run=true", {"network": "lan"})
    assert answer.status == 200, answer.text
    assert not EgressAddress.objects.exists()


# ── the gateway node ────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def nodes(api: Caller, pool: dict[str, Any], cloud: Cloud) -> list[Node]:
    """Two nodes with a guest each, the first of which is the gateway of the network."""
    first = Node.objects.get()
    port = make_instance(api)
    second = cloud.world.add_machine("fr-idf-1").row
    Node.objects.filter(pk=first.pk).update(admin_state="cordoned")
    other = make_instance(api, "second")
    Node.objects.filter(pk=first.pk).update(admin_state="in-service")
    assert [binding.node_id for each in (port, other) for binding in each.portbinding_set.all()] == [
        first.pk,
        second.pk,
    ]
    reserve(api)
    attach(api)
    EgressAddress.objects.update(gateway=first)
    return [first, second]


def test_gateway_stays_while_it_can(nodes: list[Node]) -> None:
    for state in ("in-service", "cordoned"):
        Node.objects.filter(pk=nodes[0].pk).update(admin_state=state)
        assert egress_gateways.reconcile() == 0
    assert gateway() == nodes[0].name


@pytest.mark.parametrize(
    "change",
    [
        {"admin_state": "draining"},
        {"admin_state": "maintenance"},
        {"admin_state": "fenced", "fenced_by": {}},
        {"state": "unreachable"},
        {"traits": []},
    ],
)
def test_gateway_moves_when_its_node_cannot_be_it(api: Caller, nodes: list[Node], change: dict[str, Any]) -> None:
    Node.objects.filter(pk=nodes[0].pk).update(**change)
    assert egress_gateways.reconcile() == 1
    assert gateway() == nodes[1].name
    Node.objects.filter(pk=nodes[1].pk).update(state="unreachable")
    assert egress_gateways.reconcile() == 1
    assert gateway() == (nodes[0].name if change == {"admin_state": "draining"} else None)
    Node.objects.filter(pk=nodes[1].pk).update(state="ready")
    egress_gateways.reconcile()
    assert gateway() == nodes[1].name
    kinds = [each["kind"] for each in api.get("/v1/events").body["items"]]
    assert "public_address.gateway-changed" in kinds


def test_gateway_moves_when_its_last_port_leaves(api: Caller, nodes: list[Node]) -> None:
    finish(api.delete("instances/web"))
    assert egress_gateways.reconcile() == 1
    assert gateway() == nodes[1].name
    settle()
    assert listed() == {"address": IP, "gateway": str(nodes[1].pk)}
