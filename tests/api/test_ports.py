"""Routes of ports and subnets: refusals with their field, filters, and the versions of the resources."""

from typing import Any

import pytest

from andromede_core.permits.network_ports import Bandwidth
from controlplane.nodes.models import Node
from controlplane.reconcilers import port_rules as reconciler
from controlplane.signer import port_rules as signer
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.cases import in_one_cloud
from tests.world import Cloud

SUBNET = {"name": "more", "cidr": "10.30.0.0/24"}
WEB = {"name": "web", "flavor": "tiny", "image": "tiny"}


def test_port_is_attached_found_and_detached(api: Caller, cloud: Cloud) -> None:
    finish(api.post("instances", WEB | {"networks": ["lan"]}))
    created = api.post("ports", {"network": "lan", "name": "card", "addresses": [{"ip": "10.10.0.9"}]})
    assert (created.status, created.body["state"], created.body["instance"]) == (201, "free", None)
    answer = api.post("ports/card/actions/attach", {"instance": "web"})
    assert (answer.status, answer.operation["kind"], answer.body["state"]) == (202, "port.attach", "attached")
    finish(answer)
    assert api.get("ports/card").body["instance"]["name"] == "web"
    for query in ("instance=web", "address=10.10.0.9", "network=lan", f"instance={answer.body['instance']['id']}"):
        assert "card" in [each["name"] for each in api.get(f"ports?{query}").body["items"]], query
    assert api.get("ports?instance=nobody").body["items"] == []
    assert api.get("ports?address=x").problem[:2] == (400, "invalid_parameter")
    assert [each["ip"] for each in api.get("instances/web").body["addresses"]] == ["10.10.0.2", "10.10.0.9"]
    assert api.delete("ports/card").problem == (409, "network.port.attached", None)
    finish(api.post("ports/card/actions/detach"))
    assert api.post("ports/card/actions/detach").problem == (409, "compute.port.not_attached", None)
    assert api.delete("ports/card").status == 204


@in_one_cloud(
    ("path", "body", "problem"),
    [
        ("ports", {"network": "lan", "addresses": [{"ip": "10.10.0.1"}]}, (422, "network.address.not_usable")),
        ("ports", {"network": "lan", "addresses": [{"ip": "9.9.9.9"}]}, (422, "network.address.not_usable")),
        ("ports", {"network": "lan", "addresses": [{"ip": "10.10.0.2"}]}, (409, "network.address.taken")),
        ("ports", {"network": "lan", "addresses": []}, (422, "network.address.missing")),
        ("ports", {"network": "lan", "addresses": [{"subnet": "x"}]}, (422, "network.subnet.not_found")),
        ("ports", {"network": "wan"}, (422, "network.not_found")),
        ("ports", {"network": "lan", "addresses": [{"family": "ipv6"}]}, (422, "network.subnet.ipv6_missing")),
        ("ports", {"network": "dual", "addresses": [{"family": "ipv6"}]}, (422, "network.address.ipv4_missing")),
        ("ports", {"network": "dual", "addresses": [{"ip": "fd00::1"}, {}]}, (422, "network.address.not_usable")),
        ("ports", {"network": "dual", "addresses": [{"ip": "fd00::5%eth0"}, {}]}, (400, "invalid_request")),
        ("networks/dual/subnets", SUBNET | {"ipv6_cidr": "fd00::/64"}, (422, "network.subnet.overlaps")),
        ("networks/lan/subnets", SUBNET | {"ipv6_cidr": "2001:db8::/64"}, (400, "network.subnet.invalid")),
        ("networks/lan/subnets", SUBNET | {"ipv6_pool": "none"}, (422, "network.address_pool.not_found")),
        ("networks/lan/subnets", SUBNET | {"ipv6_pool": "a", "ipv6_cidr": "fd00::/64"}, (400, "invalid_request")),
        ("networks", {"name": "six", "ipv6_cidr": "fd00::/64"}, (400, "invalid_request")),
        ("networks/lan/subnets", {"name": "a", "cidr": "10.10.0.0/25"}, (422, "network.subnet.overlaps")),
        ("networks/lan/subnets", {"name": "default", "cidr": "10.11.0.0/25"}, (409, "network.subnet.name_taken")),
        ("instances", WEB | {"name": "other", "ports": ["plugged"]}, (409, "network.port.attached")),
        (
            "instances",
            WEB | {"name": "other", "ports": ["nothing"]},
            (422, "network.port.not_found"),
        ),
    ],
)
def test_impossible_requests_are_refused(
    api: Caller, cloud: Cloud, path: str, body: dict[str, object], problem: tuple[int, str]
) -> None:
    api.post("networks", {"name": "dual", "cidr": "10.12.0.0/24", "ipv6_cidr": "fd00::/64"})
    api.post("ports", {"network": "lan", "name": "plugged"})
    api.post("instances", WEB | {"ports": ["plugged"]})
    answer = api.post(path, body)
    assert answer.problem[:2] == problem, answer.text
    assert answer.problem[2] is not None, "it names the field"


def names(port: dict[str, Any]) -> list[str]:
    return [group["name"] for group in port["security_groups"]]


def test_groups_of_a_port_are_chosen_and_changed(api: Caller, cloud: Cloud) -> None:
    for name in ("one", "two"):
        api.post("security-groups", {"name": name})
    assert names(api.post("ports", {"network": "lan", "name": "plain"}).body) == ["default"]
    created = api.post("ports", {"network": "lan", "name": "card", "security_groups": ["two", "one"]})
    assert names(created.body) == ["one", "two"], created.text
    changed = api.patch("ports/card", {"security_groups": ["two"]})
    assert names(changed.body) == ["two"], changed.text
    assert names(api.patch("ports/card", {"name": "card2"}).body) == ["two"]
    assert names(api.patch("ports/card2", {"security_groups": []}).body) == []
    refused = api.patch("ports/card2", {"security_groups": ["nothing"]})
    assert refused.problem == (422, "network.security_group.not_found", "/security_groups/0"), refused.text
    assert api.delete("security-groups/two").status == 204


def test_bandwidth_of_a_port_is_limited_and_signed(api: Caller, cloud: Cloud) -> None:
    none = {"to_guest_mbit": None, "from_guest_mbit": None}
    assert api.post("ports", {"network": "lan", "name": "plain"}).body["bandwidth"] == none
    created = api.post("ports", {"network": "lan", "name": "card", "bandwidth": {"to_guest_mbit": 500}})
    assert created.body["bandwidth"] == none | {"to_guest_mbit": 500}, created.text
    finish(api.post("instances", WEB | {"ports": ["card"]}))
    (spec,) = cloud.fake.ports.values()
    assert spec.bandwidth == Bandwidth(500, None)
    changed = api.patch("ports/card", {"bandwidth": {"from_guest_mbit": 100}})
    assert changed.body["bandwidth"] == {"to_guest_mbit": 500, "from_guest_mbit": 100}, changed.text
    signer.sign_all()
    reconciler.reconcile()
    (spec,) = cloud.fake.ports.values()
    assert spec.bandwidth == Bandwidth(500, 100)
    api.patch("ports/card", {"bandwidth": none})
    signer.sign_all()
    reconciler.reconcile()
    (spec,) = cloud.fake.ports.values()
    assert spec.bandwidth is None


@pytest.mark.parametrize("value", [0, -1, 1_000_001, "many"])
def test_impossible_bandwidth_is_refused(api: Caller, cloud: Cloud, value: object) -> None:
    refused = api.post("ports", {"network": "lan", "bandwidth": {"to_guest_mbit": value}})
    assert refused.problem == (400, "invalid_request", "/bandwidth/to_guest_mbit"), refused.text


def test_node_of_the_release_before_limits_nothing(api: Caller, cloud: Cloud) -> None:
    finish(api.post("instances", WEB | {"networks": ["lan"]}))
    (port,) = api.get("ports?instance=web").body["items"]
    Node.objects.update(traits=[])
    refused = api.patch(f"ports/{port['id']}", {"bandwidth": {"to_guest_mbit": 5}})
    assert refused.problem == (409, "network.port.bandwidth_unsupported", "/bandwidth"), refused.text
