"""Public addresses and their pools over the API: reservation, attachment, moves, suspension, history."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.test import override_settings

from andromede_core.documents.signed import read
from andromede_core.permits import network_ports
from controlplane.identity.actor import SYSTEM
from controlplane.identity.services import project_delete
from controlplane.kernel import clock
from controlplane.network.models import (
    AddressPool,
    Port,
    PortAddress,
    PortRulesDocument,
    PublicAddress,
    PublicAddressUse,
    Subnet,
)
from controlplane.nodes.models import Node
from controlplane.operations.models import Operation
from controlplane.placement.models import Decision
from controlplane.placement.policies import policy_set
from controlplane.reconcilers import port_rules as reconciler
from controlplane.reconcilers import quota_drift
from controlplane.signer import port_rules as signer
from tests import facts
from tests.api.client import Answer, Caller
from tests.api.conftest import finish
from tests.cases import in_one_cloud
from tests.world import Cloud, make_tenant, make_zone, run

POOLS = "/v1/address-pools"
V4 = {"name": "public", "zone": "fr-idf-1", "family": "ipv4", "cidrs": ["203.0.113.0/29"]}
V6 = {"name": "public6", "zone": "fr-idf-1", "family": "ipv6", "cidrs": ["2001:db8:1::/120"]}
WEB = {"name": "web", "flavor": "tiny", "image": "tiny", "networks": ["lan"]}


@pytest.fixture
def pool(operator: Caller, cloud: Cloud) -> dict[str, Any]:
    return make_pool(operator)


def make_pool(operator: Caller, **more: Any) -> dict[str, Any]:
    created = operator.post(POOLS, {**V4, **more})
    assert created.status == 201, created.text
    return dict(created.body)


def reserve(api: Caller, name: str = "www", **more: Any) -> Any:
    created = api.post("public-addresses", {"name": name, "pool": "public", **more})
    assert created.status == 201, created.text
    return created.body


def make_instance(api: Caller, name: str = "web", **more: Any) -> Port:
    body = finish(api.post("instances", WEB | {"name": name} | more))
    return Port.objects.filter(instance_id=body["id"]).order_by("pk")[0]


def attach(api: Caller, address: str, port: Port, **more: Any) -> Answer:
    return api.post(f"public-addresses/{address}/actions/attach", {"port": port.name, **more})


def settle() -> None:
    """Let the signer and the reconciler do what they do after a change."""
    signer.sign_all()
    reconciler.reconcile()


def listed(port: Port) -> list[dict[str, object]]:
    """The public addresses of the port in the newest list of its network."""
    row = PortRulesDocument.objects.get(network=port.network_id, zone="fr-idf-1")
    rules = network_ports.parse(read(bytes(row.document)).payload).ports[str(port.pk)]
    return [each.payload() for each in rules.public]


def run_all() -> None:
    for operation in Operation.objects.filter(finished_at=None):
        run(operation)


# ── pools ───────────────────────────────────────────────────────────────────────────────────────


def test_pool_shows_its_used_space(api: Caller, operator: Caller, cloud: Cloud) -> None:
    created = make_pool(operator, reserved_ranges=["203.0.113.0", "203.0.113.6-203.0.113.7"], community="64500:1")
    assert (created["size"], created["used"], created["free"]) == (5, 0, 5)
    assert created["reserved_ranges"] == ["203.0.113.0-203.0.113.0", "203.0.113.6-203.0.113.7"]
    assert reserve(api)["ip"] == "203.0.113.1"
    body = operator.get(f"{POOLS}/public").body
    assert (body["used"], body["free"]) == (1, 4)
    assert operator.get(f"{POOLS}?zone=fr-idf-1&family=ipv4").body["items"] == [body]
    (usable,) = api.get("address-pools").body["items"]
    assert (usable["name"], usable["free"], usable["modes"]) == ("public", 4, ["nat", "routed"])
    assert not {"cidrs", "organization", "community", "size"} & usable.keys()


@in_one_cloud(
    ("change", "problem"),
    [
        ({"cidrs": []}, (400, "network.address_pool.invalid", "/cidrs")),
        ({"cidrs": ["203.0.113.1/24"]}, (400, "network.address_pool.invalid", "/cidrs/0")),
        ({"cidrs": ["2001:db8::/48"]}, (400, "network.address_pool.invalid", "/cidrs/0")),
        ({"cidrs": ["127.0.0.0/24"]}, (400, "network.address_pool.invalid", "/cidrs/0")),
        ({"cidrs": ["224.0.0.0/24"]}, (400, "network.address_pool.invalid", "/cidrs/0")),
        ({"cidrs": ["169.254.0.0/24"]}, (400, "network.address_pool.invalid", "/cidrs/0")),
        ({"cidrs": ["0.0.0.0/24"]}, (400, "network.address_pool.invalid", "/cidrs/0")),
        ({"cidrs": ["255.255.255.0/24"]}, (400, "network.address_pool.invalid", "/cidrs/0")),
        ({"cidrs": ["192.0.0.0/7"]}, (400, "network.address_pool.invalid", "/cidrs/0")),
        ({"cidrs": ["192.0.2.0/24", "192.0.2.128/25"]}, (400, "network.address_pool.invalid", "/cidrs/1")),
        ({"family": "ipv6", "cidrs": ["::1/128"]}, (400, "network.address_pool.invalid", "/cidrs/0")),
        ({"family": "ipv6", "cidrs": ["fe80::/64"]}, (400, "network.address_pool.invalid", "/cidrs/0")),
        ({"family": "ipv6", "cidrs": ["::ffff:10.0.0.0/120"]}, (400, "network.address_pool.invalid", "/cidrs/0")),
        ({"purpose": "subnets"}, (400, "network.address_pool.invalid", "/purpose")),
        (
            {"purpose": "subnets", "family": "ipv6", "cidrs": ["2001:db8::/65"]},
            (400, "network.address_pool.invalid", "/cidrs/0"),
        ),
        ({"reserved_ranges": ["203.0.114.1"]}, (400, "network.address_pool.invalid", "/reserved_ranges/0")),
        (
            {"reserved_ranges": ["203.0.113.2-203.0.113.1"]},
            (400, "network.address_pool.invalid", "/reserved_ranges/0"),
        ),
        ({"reserved_ranges": ["some"]}, (400, "network.address_pool.invalid", "/reserved_ranges/0")),
        ({"community": "70000:1"}, (400, "network.address_pool.invalid", "/community")),
        ({"community": "public"}, (400, "network.address_pool.invalid", "/community")),
        ({"community": "00001:1"}, (400, "network.address_pool.invalid", "/community")),
        ({"zone": "nowhere"}, (422, "catalog.zone.not_found", "/zone")),
        ({"organization": "nobody"}, (422, "identity.organization.not_found", "/organization")),
        ({"name": "Public"}, (400, "invalid_name", "/name")),
    ],
)
def test_impossible_pool_is_refused_with_its_field(
    operator: Caller, cloud: Cloud, change: dict[str, Any], problem: tuple[int, str, str]
) -> None:
    assert operator.post(POOLS, V4 | change).problem == problem


@pytest.mark.parametrize("community", ["64500:65536", "00100:1", "64500", "64500:1 "])
def test_community_of_a_pool_is_one_that_announcements_can_have(
    operator: Caller, pool: dict[str, Any], community: str
) -> None:
    expected = (400, "network.address_pool.invalid", "/community")
    assert operator.patch(f"{POOLS}/public", {"community": community}).problem == expected
    assert operator.patch(f"{POOLS}/public", {"community": "65535:65535"}).status == 200
    assert operator.patch(f"{POOLS}/public", {"community": ""}).status == 200


def test_pools_do_not_overlap(operator: Caller, pool: dict[str, Any]) -> None:
    refused = operator.post(POOLS, V4 | {"name": "other", "cidrs": ["198.51.100.0/24", "203.0.113.4/30"]})
    assert refused.problem == (422, "network.address_pool.overlaps", "/cidrs/1")
    assert "public" in refused.body["detail"] and "203.0.113.0/29" in refused.body["detail"]
    assert operator.post(POOLS, V4 | {"cidrs": ["198.51.100.0/24"]}).problem == (
        409,
        "network.address_pool.name_taken",
        "/name",
    )


def test_range_in_use_can_only_grow(api: Caller, operator: Caller, pool: dict[str, Any]) -> None:
    reserve(api, ip="203.0.113.5")
    refused = operator.patch(f"{POOLS}/public", {"cidrs": ["203.0.113.0/30"]})
    assert refused.problem == (409, "network.address_pool.in_use", "/cidrs")
    assert "203.0.113.5" in refused.body["detail"]
    grown = operator.patch(f"{POOLS}/public", {"cidrs": ["203.0.113.0/28"], "local_preference": 200})
    assert (grown.status, grown.body["size"], grown.body["local_preference"]) == (200, 16, 200)
    assert grown.body["generation"] == pool["generation"] + 1
    assert operator.delete(f"{POOLS}/public").problem[:2] == (409, "network.address_pool.in_use")
    api.delete("public-addresses/www")
    assert operator.delete(f"{POOLS}/public").status == 204
    assert operator.get(f"{POOLS}/public").status == 404


def test_pool_for_subnets_is_used_by_subnets(api: Caller, operator: Caller, cloud: Cloud) -> None:
    created = make_pool(operator, name="for-subnets", family="ipv6", purpose="subnets", cidrs=["2001:db8::/56"])
    assert created["size"] == 256
    pool = AddressPool.objects.get(name="for-subnets")
    Subnet.objects.filter(network=cloud.network).update(ipv6_cidr="2001:db8:0:1::/64", ipv6_pool=pool)
    assert operator.get(f"{POOLS}/for-subnets").body["used"] == 1
    assert operator.delete(f"{POOLS}/for-subnets").problem[:2] == (409, "network.address_pool.in_use")
    refused = api.post("public-addresses", {"pool": "for-subnets"})
    assert refused.problem == (409, "network.address_pool.for_subnets", "/pool")


def test_pool_of_another_organization_does_not_exist_for_a_project(api: Caller, operator: Caller, cloud: Cloud) -> None:
    make_tenant("beta")
    make_pool(operator, organization="beta-org")
    assert api.get("address-pools").body["items"] == []
    refused = api.post("public-addresses", {"pool": "public"})
    assert refused.problem == (422, "network.address_pool.not_found", "/pool")
    make_pool(operator, name="own", cidrs=["198.51.100.0/24"], organization="alpha-org")
    assert [each["name"] for each in api.get("address-pools").body["items"]] == ["own"]


def test_tenants_do_not_see_pools_of_the_platform(api: Caller, pool: dict[str, Any]) -> None:
    assert api.get(POOLS).status == 403
    assert api.get("/v1/public-addresses").status == 403
    assert api.get("/v1/public-address-uses").status == 403


# ── reservation ─────────────────────────────────────────────────────────────────────────────────


def test_lowest_free_address_is_reserved(api: Caller, pool: dict[str, Any]) -> None:
    assert [reserve(api, f"a{n}")["ip"] for n in range(3)] == ["203.0.113.0", "203.0.113.1", "203.0.113.2"]
    assert api.delete("public-addresses/a1").status == 204
    created = reserve(api, "again")
    assert (created["ip"], created["state"], created["mode"], created["port"]) == (
        "203.0.113.1",
        "detached",
        "nat",
        None,
    )
    assert created["zone"] == "fr-idf-1"
    assert api.get("public-addresses/203.0.113.1").body["name"] == "again"


def test_address_of_a_recent_holder_is_given_last(
    api: Caller, pool: dict[str, Any], cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = make_instance(api)
    reserve(api)
    assert attach(api, "www", port).status == 200
    assert api.post("public-addresses/www/actions/detach").status == 200
    assert api.delete("public-addresses/www").status == 204
    assert reserve(api, "a")["ip"] == "203.0.113.1"
    assert [reserve(api, f"b{n}")["ip"] for n in range(6)] == [f"203.0.113.{n}" for n in range(2, 8)]
    assert reserve(api, "last")["ip"] == "203.0.113.0", "no other is free"
    api.delete("public-addresses/last")
    api.delete("public-addresses/a")
    PublicAddressUse.objects.update(ended_at=clock.now() - timedelta(hours=1))
    assert reserve(api, "later")["ip"] == "203.0.113.0"


def test_address_is_reserved_by_value(api: Caller, operator: Caller, pool: dict[str, Any]) -> None:
    make_pool(operator, **V6)
    assert reserve(api, ip="203.0.113.3")["ip"] == "203.0.113.3"
    assert reserve(api, "six", pool="public6", ip="2001:DB8:1:0:0:0:0:a")["ip"] == "2001:db8:1::a"
    assert api.get("public-addresses/2001:db8:1::a").body["mode"] == "routed"
    answer = api.post("public-addresses", {"pool": "public", "ip": "203.0.113.3"})
    assert answer.problem == (409, "network.public_address.taken", "/ip")
    for ip in ("203.0.113.9", "2001:db8:1::1"):
        refused = api.post("public-addresses", {"pool": "public", "ip": ip})
        assert refused.problem == (422, "network.public_address.outside_pool", "/ip")
    assert api.post("public-addresses", {"pool": "public", "ip": "some"}).status == 400
    assert api.post("public-addresses", {"pool": "public", "name": "www"}).problem == (
        409,
        "network.public_address.name_taken",
        "/name",
    )


def test_empty_pool_is_named(api: Caller, operator: Caller, cloud: Cloud) -> None:
    make_pool(operator, cidrs=["203.0.113.0/31"], reserved_ranges=["203.0.113.0"])
    reserve(api)
    refused = api.post("public-addresses", {"pool": "public"})
    assert refused.problem == (409, "network.address_pool.empty", "/pool")
    assert "'public'" in refused.body["detail"]
    reserved = api.post("public-addresses", {"pool": "public", "ip": "203.0.113.0"})
    assert reserved.problem[:2] == (422, "network.public_address.outside_pool")


def test_quota_limits_addresses(api: Caller, pool: dict[str, Any], cloud: Cloud) -> None:
    with override_settings(QUOTA_DEFAULTS=settings.QUOTA_DEFAULTS | {"public_addresses": 1}):
        reserve(api)
        assert api.post("public-addresses", {"pool": "public"}).problem[:2] == (409, "quota_exceeded")
        assert quota_drift.reconcile() == []
        api.delete("public-addresses/www")
        reserve(api, "other")
    assert quota_drift.reconcile() == []
    with pytest.raises(Exception, match="other"):
        project_delete(SYSTEM, cloud.tenant.project)


@in_one_cloud("ptr", ["-a.example", "a..example", "a_b.example", "x" * 64, "a.b/c"])
def test_reverse_name_is_a_host_name(api: Caller, pool: dict[str, Any], ptr: str) -> None:
    reserve(api)
    assert api.patch("public-addresses/www", {"ptr": ptr}).problem == (
        400,
        "network.public_address.ptr_invalid",
        "/ptr",
    )


def test_name_labels_and_reverse_name_are_edited(api: Caller, pool: dict[str, Any]) -> None:
    created = reserve(api, labels={"a": "1"})
    edited = api.patch("public-addresses/www", {"name": "web", "ptr": "WWW.Example.org.", "labels": {"a": None}})
    assert (edited.body["name"], edited.body["ptr"], edited.body["labels"]) == ("web", "www.example.org", {})
    assert edited.body["generation"] == created["generation"] + 1
    stale = api.patch("public-addresses/web", {"name": "x"}, If_Match='"1"')
    assert stale.status == 412
    assert api.patch("public-addresses/web", {"ptr": ""}).body["ptr"] == ""


# ── attachment ──────────────────────────────────────────────────────────────────────────────────


def test_address_is_pending_until_its_node_has_the_list(api: Caller, pool: dict[str, Any], cloud: Cloud) -> None:
    port = make_instance(api)
    settle()
    reserve(api)
    created = attach(api, "www", port)
    assert created.status == 200, created.text
    assert (created.body["state"], created.body["reason"]) == ("pending", "signing")
    assert (created.body["port"]["name"], created.body["instance"]["name"]) == (port.name, "web")
    assert (created.body["mode"], created.body["fixed_ip"]) == ("nat", port.ip)
    signer.sign_all()
    assert listed(port) == [{"address": "203.0.113.0", "to": port.ip}]
    assert api.get("public-addresses/www").body["reason"] == "sending"
    reconciler.reconcile()
    assert (api.get("public-addresses/www").body["state"], signer.sign_all()) == ("applied", 0)
    Node.objects.update(traits=[])
    assert api.get("public-addresses/www").body["reason"] == "node-outdated"


def test_attachment_is_signed_after_the_commit(
    api: Caller, pool: dict[str, Any], cloud: Cloud, django_capture_on_commit_callbacks: Any
) -> None:
    port = make_instance(api)
    settle()
    reserve(api)
    with django_capture_on_commit_callbacks(execute=True):
        attach(api, "www", port)
    assert listed(port)
    with django_capture_on_commit_callbacks(execute=True):
        api.post("public-addresses/www/actions/detach")
    assert listed(port) == []


def test_address_moves_only_on_demand(api: Caller, pool: dict[str, Any], cloud: Cloud) -> None:
    one, two = make_instance(api), make_instance(api, "two")
    reserve(api)
    attach(api, "www", one)
    refused = attach(api, "www", two)
    assert refused.problem[:2] == (409, "network.public_address.attached")
    assert one.name in refused.body["detail"]
    moved = attach(api, "www", two, move=True)
    assert (moved.status, moved.body["instance"]["name"], moved.body["fixed_ip"]) == (200, "two", two.ip)
    settle()
    assert (listed(one), listed(two)) == ([], [{"address": "203.0.113.0", "to": two.ip}])
    assert attach(api, "www", two).status == 200, "the same again is no error"
    uses = api.get("public-address-uses?ip=203.0.113.0").body["items"]
    assert [UUID(use["port"]) for use in uses] == [two.pk, one.pk]
    assert [use["until"] is None for use in uses] == [True, False]


def test_routed_addresses_are_not_translated(api: Caller, operator: Caller, pool: dict[str, Any], cloud: Cloud) -> None:
    make_pool(operator, **V6)
    port = make_instance(api)
    reserve(api)
    reserve(api, "six", pool="public6")
    routed = attach(api, "www", port, mode="routed")
    assert (routed.body["mode"], routed.body["fixed_ip"]) == ("routed", None)
    assert attach(api, "six", port, mode="nat").problem == (422, "network.public_address.mode_impossible", "/mode")
    assert attach(api, "six", port).body["mode"] == "routed"
    settle()
    assert listed(port) == [{"address": "203.0.113.0"}, {"address": "2001:db8:1::"}]
    assert attach(api, "www", port, mode="nat").body["fixed_ip"] == port.ip, "the mode can change"


def test_fixed_address_is_one_of_the_port_and_translated_once(api: Caller, pool: dict[str, Any], cloud: Cloud) -> None:
    make_instance(api)
    created = api.post(
        "ports", {"network": "lan", "name": "two", "addresses": [{"ip": "10.10.0.8"}, {"ip": "10.10.0.9"}]}
    )
    port = Port.objects.get(pk=created.body["id"])
    for name in ("a", "b", "c"):
        reserve(api, name)
    refused = attach(api, "a", port, fixed_ip="10.10.0.7")
    assert refused.problem == (422, "network.public_address.fixed_ip_unknown", "/fixed_ip")
    assert "10.10.0.8, 10.10.0.9" in refused.body["detail"]
    assert attach(api, "a", port, fixed_ip="10.10.0.9").body["fixed_ip"] == "10.10.0.9"
    assert attach(api, "b", port).body["fixed_ip"] == "10.10.0.8"
    in_use = attach(api, "c", port)
    assert in_use.problem == (409, "network.public_address.fixed_ip_taken", "/fixed_ip")
    assert api.get("public-addresses/a").body["reason"] == "no-node", "the port is free"
    refused_change = api.patch("ports/two", {"addresses": [{"ip": "10.10.0.8"}]})
    assert refused_change.problem == (409, "network.public_address.translated", "/addresses")
    api.post("public-addresses/a/actions/detach")
    assert api.patch("ports/two", {"addresses": [{"ip": "10.10.0.8"}]}).status == 200


def test_port_has_a_limited_number_of_public_addresses(
    api: Caller, operator: Caller, pool: dict[str, Any], cloud: Cloud
) -> None:
    port = make_instance(api)
    make_pool(operator, **V6)
    six = AddressPool.objects.get(name="public6")
    reserve(api)
    PublicAddress.objects.bulk_create(
        PublicAddress(
            project=cloud.tenant.project, pool=six, name=f"p{n}", ip=f"2001:db8:1::{n:x}", port=port, mode="routed"
        )
        for n in range(32)
    )
    assert attach(api, "www", port).problem == (422, "network.port.public_addresses_exhausted", "/port")


def test_address_is_refused_in_another_zone(api: Caller, operator: Caller, cloud: Cloud) -> None:
    make_zone("de-fra-1")
    make_pool(operator, zone="de-fra-1")
    port = make_instance(api)
    reserve(api)
    refused = attach(api, "www", port)
    assert refused.problem[:2] == (422, "network.routed_elsewhere")
    assert "de-fra-1" in refused.body["detail"] and "fr-idf-1" in refused.body["detail"]
    free = Port.objects.get(pk=api.post("ports", {"network": "lan", "name": "free"}).body["id"])
    assert attach(api, "www", free).status == 200
    refused = api.post("ports/free/actions/attach", {"instance": "web"})
    assert refused.problem[:2] == (422, "network.routed_elsewhere")
    refused = api.post("instances", WEB | {"name": "new", "ports": ["free"], "zones": ["fr-idf-1"]})
    assert refused.problem == (422, "network.routed_elsewhere", "/ports")
    nowhere = api.post("instances", WEB | {"name": "new", "ports": ["free"]})
    assert nowhere.status in (409, 422), "no node is in the address's zone"


def test_address_stays_while_its_port_is_stopped_rebuilt_and_moved(
    api: Caller, pool: dict[str, Any], cloud: Cloud
) -> None:
    port = make_instance(api)
    reserve(api)
    attach(api, "www", port)
    for action in ("power-off", "start"):
        finish(api.post(f"instances/web/actions/{action}"))
    finish(api.post("instances/web/actions/rebuild", {"image": "tiny"}))
    settle()
    assert api.get("public-addresses/www").body["state"] == "applied"
    assert listed(port) == [{"address": "203.0.113.0", "to": port.ip}]


def test_deleted_instance_leaves_the_address_detached(api: Caller, pool: dict[str, Any], cloud: Cloud) -> None:
    port = make_instance(api)
    reserve(api)
    attach(api, "www", port)
    refused = api.delete("public-addresses/www")
    assert refused.problem[:2] == (409, "network.public_address.attached")
    finish(api.delete("instances/web"))
    body = api.get("public-addresses/www").body
    assert (body["state"], body["port"], body["instance"], body["fixed_ip"]) == ("detached", None, None, None)
    (use,) = api.get("public-address-uses").body["items"]
    assert (UUID(use["port"]), UUID(use["instance"])) == (port.pk, port.instance_id)
    assert use["until"] is not None
    assert api.delete("public-addresses/www").status == 204
    assert api.get("public-address-uses").body["items"] == [use], "it is kept after the release"


def test_use_follows_a_port_from_instance_to_instance(
    api: Caller, operator: Caller, pool: dict[str, Any], cloud: Cloud
) -> None:
    first, second = make_instance(api), make_instance(api, "two")
    card = Port.objects.get(pk=api.post("ports", {"network": "lan", "name": "card"}).body["id"])
    reserve(api)
    attach(api, "www", card)
    for instance in ("web", "two"):
        finish(api.post("ports/card/actions/attach", {"instance": instance}))
        finish(api.post("ports/card/actions/detach"))
    uses = operator.get("/v1/public-address-uses?sort=created_at").body["items"]
    holders = [None, first.instance_id, None, second.instance_id, None]
    assert [use["instance"] for use in uses] == [None if each is None else str(each) for each in holders]
    for use, following in zip(uses, uses[1:], strict=False):
        assert use["until"] == following["since"]
    when = uses[1]["since"]
    (then,) = operator.get(f"/v1/public-address-uses?ip=203.0.113.0&at={when}").body["items"]
    assert (then["instance"], then["project"]["name"]) == (str(first.instance_id), "alpha")


def test_port_is_deleted_without_its_addresses(api: Caller, pool: dict[str, Any], cloud: Cloud) -> None:
    card = Port.objects.get(pk=api.post("ports", {"network": "lan", "name": "card"}).body["id"])
    reserve(api)
    attach(api, "www", card)
    assert api.delete("ports/card").status == 204
    assert api.get("public-addresses/www").body["state"] == "detached"
    assert api.post("public-addresses/www/actions/detach").problem[:2] == (409, "network.public_address.not_attached")


def test_policy_is_evaluated_for_the_edge_of_the_network(api: Caller, pool: dict[str, Any], cloud: Cloud) -> None:
    port = make_instance(api)
    reserve(api)
    attached = attach(api, "www", port)
    assert attached.status == 200
    decision = Decision.objects.get(operation="public-address.attach")
    assert (decision.roles, decision.is_admitted) == (["netedge"], True)
    api.post("public-addresses/www/actions/detach")
    facts.state_of("zone", "fr-idf-1", {"netedge.ip_countries": ["US"]})
    clause = {"id": "edge", "attr": "netedge.ip_countries", "op": "subset", "value": ["FR"], "roles": ["netedge"]}
    policy_set(cloud.tenant.actor, clauses=[clause], project=cloud.tenant.project)
    refused = attach(api, "www", port)
    assert refused.status in (409, 422), refused.text
    assert "edge" in refused.text
    assert api.get("public-addresses/www").body["state"] == "detached"


# ── suspension, actions, events ─────────────────────────────────────────────────────────────────


def test_operator_suspends_an_address(api: Caller, operator: Caller, pool: dict[str, Any], cloud: Cloud) -> None:
    port = make_instance(api)
    reserve(api)
    attach(api, "www", port)
    settle()
    assert api.post("/v1/public-addresses/203.0.113.0/actions/suspend", {"reason": "spam"}).status == 403
    suspended = operator.post("/v1/public-addresses/203.0.113.0/actions/suspend", {"reason": "spam"}).body
    assert (suspended["state"], suspended["project"]["name"]) == ("suspended", "alpha")
    assert suspended["organization"]["name"] == "alpha-org"
    body = api.get("public-addresses/www").body
    assert (body["state"], body["suspended_reason"], body["port"]["name"]) == ("suspended", "spam", port.name)
    settle()
    assert listed(port) == []
    (item,) = operator.get("/v1/public-addresses?pool=public").body["items"]
    assert item["suspended_reason"] == "spam"
    assert api.post("public-addresses/www/actions/detach").status == 200
    attach(api, "www", port)
    operator.post(f"/v1/public-addresses/{suspended['id']}/actions/resume")
    settle()
    assert listed(port) == [{"address": "203.0.113.0", "to": port.ip}]
    assert operator.post("/v1/public-addresses/203.0.113.1/actions/resume").status == 404


def test_actions_that_are_allowed(api: Caller, pool: dict[str, Any], cloud: Cloud) -> None:
    def actions() -> dict[str, str | None]:
        allowed = api.get("public-addresses/www").body["allowed_actions"]
        return {each["name"]: each["problem"] and each["problem"]["code"] for each in allowed}

    port = make_instance(api)
    reserve(api)
    assert actions() == {"attach": None, "detach": "network.public_address.not_attached", "delete": None}
    attach(api, "www", port)
    attached = "network.public_address.attached"
    assert actions() == {"attach": attached, "detach": None, "delete": attached}
    found = api.get("public-addresses/www").body["allowed_actions"]
    details = {each["name"]: each["problem"]["detail"] for each in found if each["problem"]}
    assert details["attach"].endswith("Detach it first, or attach it with `move`.")
    assert details["delete"].endswith("Detach it first.")
    assert api.delete("public-addresses/www").body["detail"] == details["delete"]


def test_dry_run_writes_nothing(api: Caller, pool: dict[str, Any], cloud: Cloud) -> None:
    port = make_instance(api)
    assert api.post("public-addresses?dry_run=true", {"pool": "public"}).status == 200
    assert not PublicAddress.objects.exists()
    reserve(api)
    dry = api.post("public-addresses/www/actions/attach?dry_run=true", {"port": port.name})
    assert (dry.status, dry.body["port"]["name"]) == (200, port.name)
    assert api.get("public-addresses/www").body["port"] is None
    assert not PublicAddressUse.objects.exists()


def test_changes_are_events(api: Caller, operator: Caller, pool: dict[str, Any], cloud: Cloud) -> None:
    port = make_instance(api)
    reserve(api)
    api.patch("public-addresses/www", {"ptr": "www.example.org"})
    attach(api, "www", port)
    for action in ("suspend", "resume"):
        operator.post(f"/v1/public-addresses/203.0.113.0/actions/{action}", {"reason": "x"} if action[0] == "s" else {})
    api.post("public-addresses/www/actions/detach")
    api.delete("public-addresses/www")
    kinds = [event["kind"] for event in api.get("/v1/events").body["items"]]
    expected = ("created", "updated", "attached", "suspended", "resumed", "detached", "deleted")
    assert [kind for kind in kinds if kind.startswith("public_address")] == [
        f"public_address.{each}" for each in expected
    ]


def test_addresses_are_found(api: Caller, pool: dict[str, Any], cloud: Cloud) -> None:
    port = make_instance(api)
    reserve(api)
    reserve(api, "spare", labels={"env": "prod"})
    attach(api, "www", port)
    for query, names in {
        "instance=web": ["www"],
        f"instance={port.instance_id}": ["www"],
        f"port={port.name}": ["www"],
        "ip=203.0.113.1": ["spare"],
        "pool=public&sort=name": ["spare", "www"],
        "labels=env=prod": ["spare"],
        "pool=other": [],
    }.items():
        listed_names = [each["name"] for each in api.get(f"public-addresses?{query}").body["items"]]
        assert listed_names == names, query
    assert api.get("public-addresses?ip=x").problem[:2] == (400, "invalid_parameter")


def test_ports_of_public_subnets_are_listed_without_translation(api: Caller, operator: Caller, cloud: Cloud) -> None:
    make_pool(operator, name="for-subnets", family="ipv6", purpose="subnets", cidrs=["2001:db8::/56"])
    port = make_instance(api)
    subnet = Subnet.objects.get(network=cloud.network)
    PortAddress.objects.create(port=port, network=cloud.network, subnet=subnet, ip="2001:db8::5")
    Subnet.objects.update(ipv6_cidr="2001:db8::/64")
    settle()
    assert listed(port) == [], "the range is the network's own"
    Subnet.objects.update(ipv6_pool=AddressPool.objects.get(name="for-subnets"))
    settle()
    assert listed(port) == [{"address": "2001:db8::5"}]
