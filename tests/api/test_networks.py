from controlplane.nodes.models import Node
from tests.api.client import Caller
from tests.cases import in_one_cloud
from tests.world import Cloud, make_address_pool


def test_network_is_created_updated_and_deleted(api: Caller, cloud: Cloud) -> None:
    asked = {"name": "dmz", "cidr": "192.168.7.0/24", "dns_servers": ["9.9.9.9"], "labels": {"env": "prod"}}
    answer = api.post("networks", asked)
    body = answer.body
    assert answer.status == 201
    assert answer.headers["Location"] == f"/v1/projects/alpha/networks/{body['id']}"
    assert {name: body[name] for name in asked} == asked
    assert body["gateway_ip"] == "192.168.7.1"
    assert api.get("networks/dmz").body == body
    assert [each["name"] for each in api.get("networks?sort=name").body["items"]] == ["dmz", "lan"]
    changed = api.patch("networks/dmz", {"name": "outside", "labels": {"env": None}}).body
    assert (changed["name"], changed["labels"], changed["generation"]) == ("outside", {}, body["generation"] + 1)
    assert api.delete("networks/outside").status == 204
    assert api.get(f"networks/{body['id']}").problem == (404, "network.not_found", None)


def test_network_in_use_is_not_deleted(api: Caller, cloud: Cloud) -> None:
    api.post("instances", {"name": "web", "flavor": "tiny", "image": "tiny", "networks": ["lan"]})
    assert api.delete("networks/lan").problem == (409, "network.in_use", None)


def test_taken_name_is_refused(api: Caller, cloud: Cloud) -> None:
    answer = api.post("networks", {"name": "lan", "cidr": "10.0.0.0/24"})
    assert answer.problem == (409, "network.name_taken", "/name")


def test_ipv6_of_a_subnet_is_given_changed_and_removed(api: Caller, cloud: Cloud) -> None:
    make_address_pool("2001:db8::/48")
    asked = {"name": "dual", "cidr": "10.20.0.0/24", "ipv6_cidr": "fd00:20::/64", "dns_servers": ["2620:fe::9"]}
    network = api.post("networks", asked).body
    expected = {"ipv6_cidr": "fd00:20::/64", "ipv6_gateway": "fe80::1", "ipv6_pool": None}
    assert {name: network[name] for name in expected} == expected
    assert (network["dns_servers"], network["subnets"][0]["ipv6_cidr"]) == (["2620:fe::9"], "fd00:20::/64")
    path = "networks/dual/subnets/default"
    changed = api.patch(path, {"ipv6_pool": "public"}).body
    assert (changed["ipv6_cidr"], changed["ipv6_pool"]["name"]) == ("2001:db8::/64", "public")
    port = api.post("ports", {"network": "dual", "name": "card"}).body
    assert [each["ip"] for each in port["addresses"]] == ["10.20.0.2", "2001:db8::2"]
    assert api.patch(path, {"ipv6_cidr": ""}).problem == (409, "network.subnet.in_use", "/ipv6_cidr")
    fewer = api.patch("ports/card", {"addresses": [{"ip": "10.20.0.2"}]}).body
    assert [each["ip"] for each in fewer["addresses"]] == ["10.20.0.2"]
    removed = api.patch(path, {"ipv6_cidr": ""}).body
    assert [removed[name] for name in expected] == [None, None, None]
    assert api.get("networks/lan").body["ipv6_gateway"] is None
    more = {"addresses": [{"ip": "10.20.0.2"}, {"family": "ipv6", "subnet": "default"}]}
    assert api.patch("ports/card", more).problem == (422, "network.subnet.ipv6_missing", "/addresses/1/family")
    api.patch(path, {"ipv6_cidr": "fd00:30::/64"})
    assert [each["ip"] for each in api.patch("ports/card", more).body["addresses"]] == ["10.20.0.2", "fd00:30::2"]


def test_dhcp_options_of_a_subnet_are_given_changed_and_emptied(api: Caller, cloud: Cloud) -> None:
    routes = [{"destination": "10.40.0.0/16", "next_hop": "10.21.0.4"}]
    options = {"ntp_servers": ["10.21.0.5", "fd00::5"], "domain_search": ["a.example"], "static_routes": routes}
    asked = {"name": "more", "cidr": "10.21.0.0/24"}
    made = api.post("networks/lan/subnets", asked | options).body
    assert {name: made[name] for name in options} == options
    path = "networks/lan/subnets/more"
    assert api.patch(f"{path}?dry_run=true", {"ntp_servers": []}).body["ntp_servers"] == []
    assert api.get(path).body["ntp_servers"] == options["ntp_servers"]
    assert api.patch(path, dict.fromkeys(options, [])).body["static_routes"] == []
    code = "network.subnet.dhcp_option_invalid"
    bad = {"static_routes": [routes[0] | {"next_hop": "10.9.0.1"}]}
    assert api.patch(path, bad).problem == (422, code, "/static_routes/0/next_hop")
    assert api.patch(path, {"domain_search": ["a,b"]}).problem == (422, code, "/domain_search/0")
    for wrong in ({"ntp_servers": ["a"]}, {"domain_search": ["a"] * 9}, {"static_routes": [{"destination": "x"}]}):
        assert api.patch(path, wrong).status == 400


def test_mtu_is_chosen_at_the_creation(api: Caller, cloud: Cloud) -> None:
    asked = {"name": "small", "cidr": "10.21.0.0/24", "mtu": 1400}
    assert api.post("networks", asked).body["mtu"] == 1400
    assert api.get("networks/lan").body["mtu"] == 1500
    too_large = asked | {"name": "jumbo", "mtu": 8950}
    assert api.post("networks", too_large).problem == (422, "network.mtu_not_carried", "/mtu")
    for impossible in (1279, 8951, "large"):
        assert api.post("networks", too_large | {"mtu": impossible}).problem == (400, "invalid_request", "/mtu")
    Node.objects.update(max_mtu=8950)
    assert api.post("networks", too_large).body["mtu"] == 8950


def test_first_subnet_gets_all_that_a_subnet_gets(api: Caller, cloud: Cloud) -> None:
    options = {
        "gateway_ip": "10.30.0.254",
        "ntp_servers": ["10.30.0.5"],
        "domain_search": ["a.example"],
        "static_routes": [{"destination": "10.40.0.0/16", "next_hop": "10.30.0.4"}],
        "reserved_ranges": ["10.30.0.1-10.30.0.9"],
    }
    asked = {"name": "full", "cidr": "10.30.0.0/24"} | options
    network = api.post("networks", asked).body
    assert {name: network[name] for name in options} == options
    subnet = api.get("networks/full/subnets/default").body
    assert {name: subnet[name] for name in options} == options
    port = api.post("ports", {"network": "full", "name": "card"}).body
    assert [each["ip"] for each in port["addresses"]] == ["10.30.0.10"]
    api.patch("networks/full/subnets/default", {"domain_search": []})
    assert api.get("networks/full").body["domain_search"] == []
    without = api.post("networks", {"name": "bare", "cidr": "10.31.0.0/24"}).body
    assert [without[name] for name in options] == ["10.31.0.1", [], [], [], []]


@in_one_cloud(
    ("field", "value", "problem"),
    [
        ("gateway_ip", "10.31.0.1", (422, "network.subnet.gateway_invalid", "/gateway_ip")),
        ("reserved_ranges", ["10.31.0.1"], (422, "network.subnet.reserved_range_invalid", "/reserved_ranges/0")),
        ("domain_search", ["a,b"], (422, "network.subnet.dhcp_option_invalid", "/domain_search/0")),
        ("ntp_servers", ["224.0.1.1"], (422, "network.subnet.dhcp_option_invalid", "/ntp_servers/0")),
        (
            "static_routes",
            [{"destination": "10.40.0.0/16", "next_hop": "10.31.0.4"}],
            (422, "network.subnet.dhcp_option_invalid", "/static_routes/0/next_hop"),
        ),
    ],
)
def test_network_with_an_impossible_subnet_is_not_created(
    api: Caller, cloud: Cloud, field: str, value: object, problem: tuple[int, str, str]
) -> None:
    asked = {"name": "full", "cidr": "10.30.0.0/24", field: value}
    assert api.post("networks", asked).problem == problem
    refused = api.post("networks", {"name": "full", field: value})
    assert refused.problem == (400, "invalid_request", "/cidr")
    assert field in refused.body["detail"]
    assert api.get("networks/full").status == 404
