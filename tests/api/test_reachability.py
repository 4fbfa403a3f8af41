"""Reachability and topology over the API."""

from typing import Any

import pytest

from controlplane.compute.models import Instance
from controlplane.kernel import clock
from controlplane.network.models import AddressPool, AllowedAddress, Port, PortAddress, PublicAddress
from controlplane.nodes.models import Node
from controlplane.reconcilers import port_rules as reconciler
from controlplane.signer import port_rules as signer
from tests.api.client import Answer, Caller
from tests.api.test_security_groups import SSH, add, make_group, make_instance
from tests.cases import in_one_cloud
from tests.world import Cloud, make_node, make_tenant

SQL = {"protocol": "tcp", "port": 5432}
OUTSIDE = {"outside": True}


@pytest.fixture
def tiers(api: Caller, cloud: Cloud) -> dict[str, str]:
    """Instances `web` and `db` with a group each, whose rules the node applies; returns their addresses."""
    make_group(api, "web")
    make_group(api, "data")
    add(api, "web", direction="out")
    add(api, "data", direction="in", protocol="tcp", first_port=5432, peer_group="web")
    for name, group in (("web", "web"), ("db", "data")):
        make_instance(api, name, security_groups=[group])
    Instance.objects.update(power_state="running")
    applied()
    return {name: api.get(f"instances/{name}").body["addresses"][0]["ip"] for name in ("web", "db")}


def applied() -> None:
    signer.sign_all()
    reconciler.reconcile()


def ask(api: Caller, source: dict[str, Any], target: dict[str, Any], **traffic: Any) -> Answer:
    answer = api.post("reachability", {"source": source, "target": target, **traffic})
    assert answer.status == 200, answer.text
    return answer


def verdict(api: Caller, source: dict[str, Any], target: dict[str, Any], **traffic: Any) -> tuple[str, list[str]]:
    """Return the verdict, and the kinds of the steps that do not allow it."""
    body = ask(api, source, target, **traffic).body
    return body["verdict"], [step["kind"] for step in body["steps"] if step["outcome"] != "allowed"]


def of(name: str) -> dict[str, Any]:
    return {"instance": name}


def test_answer_names_the_rules_that_allow_it(api: Caller, tiers: dict[str, str]) -> None:
    answer = ask(api, of("web"), of("db"), **SQL).body
    assert (answer["verdict"], answer["family"], answer["next_steps"]) == ("allowed", "ipv4", [])
    (rule,) = api.get("security-groups/data/rules").body["items"]
    ingress = next(step for step in answer["steps"] if step["kind"] == "ingress")
    assert (ingress["rule"], ingress["security_group"]["name"]) == (rule["id"], "data")
    assert [step["kind"] for step in answer["steps"]] == [
        "instance",
        "egress",
        "zone",
        "network",
        "ingress",
        "instance",
    ]
    assert answer["target"]["instance"]["name"] == "db" and answer["target"]["network"]["name"] == "lan"


def test_missing_rule_is_named_with_what_to_add(api: Caller, tiers: dict[str, str]) -> None:
    answer = ask(api, of("web"), of("db"), protocol="tcp", port=22).body
    assert answer["verdict"] == "refused"
    (step,) = answer["next_steps"]
    assert "data" in step and "port 22" in step and tiers["web"] in step
    assert verdict(api, of("db"), of("web"), **SQL) == ("refused", ["egress", "ingress"])
    french = api.post("reachability", {"source": of("db"), "target": of("web")}, Accept_Language="fr").body
    assert any("règle" in step["text"] for step in french["steps"])


def test_rule_that_the_node_does_not_apply_yet_is_unknown(api: Caller, tiers: dict[str, str]) -> None:
    add(api, "data", **SSH)
    assert verdict(api, of("web"), of("db"), protocol="tcp", port=22) == ("unknown", ["ingress"])
    applied()
    assert verdict(api, of("web"), of("db"), protocol="tcp", port=22) == ("allowed", [])


def test_stopped_instance_silent_node_and_free_port_are_unknown(api: Caller, tiers: dict[str, str]) -> None:
    Node.objects.update(state="unreachable")
    assert verdict(api, of("web"), of("db"), **SQL) == ("unknown", ["instance", "instance"])
    Node.objects.update(state="ready")
    Instance.objects.filter(name="db").update(state="stopped", power_state="off")
    assert verdict(api, of("web"), of("db"), **SQL) == ("unknown", ["instance"])
    created = api.post("ports", {"network": "lan", "name": "spare"})
    assert created.status == 201
    assert verdict(api, {"port": "spare"}, of("db"), **SQL)[0] in ("unknown", "refused")


def test_address_without_a_port_is_refused_except_the_gateway(api: Caller, tiers: dict[str, str]) -> None:
    assert verdict(api, of("web"), {"address": tiers["db"]}, **SQL) == ("allowed", [])
    assert verdict(api, {"address": tiers["web"]}, {"address": tiers["db"]}, **SQL) == ("allowed", [])
    gateway = {"address": api.get("networks/lan").body["gateway_ip"]}
    assert verdict(api, of("web"), gateway, protocol="icmp") == ("allowed", [])
    assert verdict(api, of("web"), gateway, protocol="tcp", port=80) == ("refused", ["gateway"])
    assert verdict(api, gateway, of("db"), protocol="tcp", port=22) == ("allowed", [])  # tunnels
    free = tiers["db"].rsplit(".", 1)[0] + ".200"
    assert verdict(api, of("web"), {"address": free}, **SQL) == ("refused", ["network"])
    assert verdict(api, {"address": free}, of("db"), **SQL) == ("refused", ["network"])
    AllowedAddress.objects.create(port=Port.objects.get(addresses__ip=tiers["db"]), cidr=f"{free}/32")
    applied()
    assert verdict(api, of("web"), {"address": free}, **SQL) == ("unknown", ["network"])


def test_path_to_outside_ends_at_special_addresses(api: Caller, tiers: dict[str, str]) -> None:
    assert verdict(api, of("web"), OUTSIDE, protocol="tcp", port=443) == ("allowed", [])
    assert verdict(api, of("web"), {"address": "9.9.9.9"}, protocol="udp", port=53) == ("allowed", [])
    for address in ("169.254.7.7", "192.168.7.7"):
        assert verdict(api, of("web"), {"address": address}) == ("refused", ["destination"])
    assert verdict(api, of("web"), {"address": "9.9.9.9"}, protocol="udp", port=4789) == ("refused", ["destination"])
    assert verdict(api, of("db"), OUTSIDE) == ("refused", ["egress"])


def test_names_and_metadata_are_reached_without_a_rule(api: Caller, tiers: dict[str, str]) -> None:
    gateway, metadata = {"address": api.get("networks/lan").body["gateway_ip"]}, {"address": "169.254.169.254"}
    assert verdict(api, of("db"), gateway, protocol="udp", port=53) == ("allowed", [])
    assert verdict(api, of("db"), metadata, protocol="tcp", port=80) == ("allowed", [])
    assert verdict(api, of("db"), metadata, protocol="tcp", port=443) == ("refused", ["egress", "gateway"])


def test_path_from_outside_needs_a_public_address_and_a_rule(api: Caller, cloud: Cloud, tiers: dict[str, str]) -> None:
    add(api, "web", direction="in", protocol="tcp", first_port=443)
    add(api, "web", direction="in", protocol="tcp", first_port=22, cidrs=["198.51.100.0/24"])
    applied()
    assert verdict(api, OUTSIDE, of("web"), protocol="tcp", port=443) == ("refused", ["public-address"])
    public = attach(cloud, tiers["web"], "203.0.113.7")
    applied()
    assert verdict(api, OUTSIDE, of("web"), protocol="tcp", port=443) == ("allowed", [])
    assert verdict(api, OUTSIDE, {"address": "203.0.113.7"}, protocol="tcp", port=443) == ("allowed", [])
    assert verdict(api, OUTSIDE, of("web"), protocol="tcp", port=22) == ("unknown", ["ingress"])
    office = {"address": "198.51.100.9"}
    assert verdict(api, office, of("web"), protocol="tcp", port=22) == ("allowed", [])
    public.suspended_at = clock.now()
    public.save()
    applied()
    assert verdict(api, OUTSIDE, of("web"), protocol="tcp", port=443) == ("refused", ["public-address"])


def attach(cloud: Cloud, address: str, ip: str, mode: str = "nat") -> PublicAddress:
    pool = AddressPool.objects.create(
        name="public", zone_id="fr-idf-1", family="ipv4", purpose="addresses", cidrs=["203.0.113.0/24"]
    )
    port = PortAddress.objects.get(ip=address).port
    more = {"mode": mode, "fixed_ip": address} if mode == "nat" else {"mode": mode}
    return PublicAddress.objects.create(project=cloud.tenant.project, name="way", pool=pool, ip=ip, port=port, **more)


def test_networks_have_no_route_to_each_other(api: Caller, tiers: dict[str, str]) -> None:
    api.post("networks", {"name": "other", "cidr": "10.77.0.0/24"})
    make_instance(api, "far", networks=["other"])
    answer = ask(api, of("web"), of("far"), **SQL).body
    assert answer["verdict"] == "refused"
    assert any("other" in step for step in answer["next_steps"])


def test_zones_are_a_boundary(api: Caller, tiers: dict[str, str]) -> None:
    far = make_node("far", zone="fr-est-1")
    Port.objects.get(addresses__ip=tiers["db"]).portbinding_set.update(node=far)
    assert "zone" in verdict(api, of("web"), of("db"), **SQL)[1]


def test_ports_of_other_projects_are_addresses_outside(api: Caller, cloud: Cloud, tiers: dict[str, str]) -> None:
    """The answer about an address is the same, whether another project has it or nobody."""
    question = {"source": of("web"), "target": {"address": "203.0.113.9"}, **SQL}
    before = api.post("reachability", question).body
    pool = AddressPool.objects.create(
        name="public", zone_id="fr-idf-1", family="ipv4", purpose="addresses", cidrs=["203.0.113.0/24"]
    )
    theirs = make_tenant("beta").project
    PublicAddress.objects.create(project=theirs, name="theirs", pool=pool, ip="203.0.113.9")
    assert api.post("reachability", question).body == before


@in_one_cloud(
    ("body", "problem"),
    [
        ({"source": {}, "target": OUTSIDE}, (400, "invalid_request", "/source")),
        ({"source": of("web") | OUTSIDE, "target": OUTSIDE}, (400, "invalid_request", "/source")),
        ({"source": OUTSIDE, "target": OUTSIDE}, (422, "network.reachability.end_invalid", "/source")),
        ({"source": of("web"), "target": of("web")}, (422, "network.reachability.end_invalid", "/target")),
        ({"source": of("nobody"), "target": OUTSIDE}, (422, "compute.instance.not_found", "/source/instance")),
        ({"source": of("web"), "target": {"port": "x"}}, (422, "network.port.not_found", "/target/port")),
        ({"source": of("web"), "target": OUTSIDE, "protocol": "tcp"}, (400, "invalid_request", "/port")),
        ({"source": of("web"), "target": OUTSIDE, "protocol": "icmp", "port": 1}, (400, "invalid_request", "/port")),
        (
            {"source": of("web"), "target": {"address": "2001:db8::1"}, "family": "ipv4"},
            (400, "invalid_request", "/family"),
        ),
        ({"source": of("web"), "target": {"address": "db"}}, (400, "invalid_request", "/target/address")),
    ],
)
def test_impossible_question_is_refused_with_its_field(
    api: Caller, tiers: dict[str, str], body: dict[str, Any], problem: tuple[int, str, str]
) -> None:
    assert api.post("reachability", body).problem == problem


def test_topology_has_what_is_on_the_network(api: Caller, cloud: Cloud, tiers: dict[str, str]) -> None:
    attach(cloud, tiers["web"], "203.0.113.7")
    api.post("ports", {"network": "lan", "name": "spare"})
    body = api.get("networks/lan/topology").body
    assert [subnet["name"] for subnet in body["subnets"]] == ["default"]
    ports = {port["addresses"][0]["ip"]: port for port in body["ports"]}
    web = ports[tiers["web"]]
    assert (web["instance"]["name"], web["instance"]["state"], web["instance"]["zone"]) == ("web", "active", "fr-idf-1")
    assert [group["name"] for group in web["security_groups"]] == ["web"]
    assert web["public_addresses"] == [{"ip": "203.0.113.7", "is_suspended": False}]
    assert [port["instance"] for port in body["ports"] if port["name"] == "spare"] == [None]


def test_topology_of_a_large_network_is_refused(api: Caller, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlplane.compute.topology.PORTS_MAX", 1)
    for name in ("one", "two"):
        api.post("ports", {"network": "lan", "name": name})
    assert api.get("networks/lan/topology").problem[:2] == (422, "network.topology_too_large")
