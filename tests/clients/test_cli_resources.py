"""The commands for instances, volumes and what they are made from that no other test of the command line needs."""

from pathlib import Path

import pytest

from andromede_sdk import Client
from tests.clients.cli import Inside, inside
from tests.clients.conftest import Live

pytestmark = pytest.mark.slow

KINDS = ("instance", "volume", "network", "ssh-key", "affinity-group", "image", "terraform-state", "operation")
TRIED = (
    "instance update web --name www",
    "instance power-off web",
    "instance rebuild web --image tiny",
    "instance delete web",
    "volume update data --name logs",
    "volume grow data --size 2",
    "volume attach data web",
    "volume delete data",
    "network create wan --cidr 10.99.0.0/24",
    "affinity-group create apart",
    "image create blank --format raw",
    "terraform-state lock prod",
)


@pytest.fixture
def cli(tmp_path: Path, live: Live, client: Client) -> Inside:
    return inside(tmp_path, live, live.token, ANDROMEDE_PROJECT="demo")


@pytest.fixture
def operator(tmp_path: Path, live: Live) -> Inside:
    return inside(tmp_path / "operator", live, live.operator)


def test_instance_and_volume_are_updated(cli: Inside) -> None:
    created = ("instance", "create", "web", "--flavor", "tiny", "--image", "tiny", "--no-start", "-o", "json")
    assert cli.ok(*created).json["state"] == "stopped"
    assert cli.ok("instance", "start", "web", "-o", "json").json["state"] == "active"
    assert "GUEST AGENT" in cli.ok("instance", "list", "-o", "wide").out.upper()
    assert cli.ok("instance", "reboot", "web", "-o", "json").json["power_state"] == "running"
    assert cli.ok("instance", "reset", "web", "-o", "json").json["power_state"] == "running"
    assert cli.ok("instance", "shutdown", "web", "-o", "json").json["power_state"] == "off"
    cli.ok("volume", "create", "data", "--size", "1", "--label", "env=prod")
    changed = cli.ok("volume", "update", "data", "--name", "logs", "--label", "env-", "-o", "json").json
    assert (changed["name"], changed["labels"]) == ("logs", {})
    assert cli.ok("volume", "show", "logs", "-o", "json").json["id"] == changed["id"]


def test_dry_run_changes_nothing(cli: Inside) -> None:
    cli.ok("instance", "create", "web", "--flavor", "tiny", "--image", "tiny")
    cli.ok("volume", "create", "data", "--size", "1", "--near", "web")
    before = everything(cli)
    for line in TRIED:
        assert "nothing was changed" in cli.ok(*line.split(), "--dry-run").err, line
    assert everything(cli) == before
    cli.ok("volume", "attach", "data", "web")
    before = everything(cli)
    assert "nothing was changed" in cli.ok("volume", "detach", "data", "--dry-run").err
    assert everything(cli) == before


def everything(cli: Inside) -> list[object]:
    """Return all resources, but for what nodes report of guests at any time."""
    listed = [cli.ok(kind, "list", "-o", "json").json for kind in KINDS]
    return [{name: each[name] for name in each.keys() - {"guest_agent"}} for rows in listed for each in rows]


def test_image_is_created_first_and_uploaded_later(cli: Inside, tmp_path: Path) -> None:
    file = tmp_path / "disk.raw"
    file.write_bytes(bytes(2**20))
    assert cli.ok("image", "create", "blank", "--format", "raw", "-o", "json").json["state"] == "awaiting-upload"
    assert cli("image", "upload", "blank", str(tmp_path / "missing.raw")).code == 2
    assert cli.ok("image", "upload", "blank", str(file), "-o", "json").json["state"] == "available"
    assert cli.ok("image", "update", "blank", "--name", "empty", "--dry-run", "-o", "json").json["name"] == "empty"
    cli.ok("image", "update", "blank", "--label", "os=none")
    assert cli.ok("image", "list", "--selector", "os=none", "-o", "name").out == "blank\n"
    assert cli.ok("image", "show", "blank", "-o", "json").json["labels"] == {"os": "none"}
    cli.ok("image", "delete", "blank", "-y")


def test_keys_and_groups_are_renamed(cli: Inside, tmp_path: Path) -> None:
    file = tmp_path / "key.pub"
    file.write_text(f"ssh-ed25519 {'AAAAC3NzaC1lZDI1NTE5AAAAI' + 'A' * 43} me@here\n")
    cli.ok("ssh-key", "create", "laptop", str(file))
    cli.ok("affinity-group", "create", "apart")
    for update, show, kind in (
        ("ssh-key update laptop", "ssh-key show other", "ssh-key"),
        ("affinity-group update apart", "affinity-group show other", "affinity-group"),
    ):
        assert "nothing was changed" in cli.ok(*update.split(), "--name", "other", "--dry-run").err
        cli.ok(*update.split(), "--name", "other", "--label", "env=prod")
        assert cli.ok(*show.split(), "-o", "json").json["labels"] == {"env": "prod"}
        assert cli.ok(kind, "list", "-o", "name").out == "other\n"
        cli.ok(kind, "delete", "other", "-y")
    assert cli.ok("ssh-key", "list").out.split() == ["NAME", "FINGERPRINT"]


def test_address_sets(cli: Inside) -> None:
    cli.ok("address-set", "create", "offices", "--cidr", "192.0.2.0/24", "--description", "Offices")
    changed = cli.ok(
        "address-set", "update", "offices", "--cidr", "192.0.2.0/25", "--cidr", "2001:db8::/32", "-o", "json"
    )
    assert changed.json["cidrs"] == ["192.0.2.0/25", "2001:db8::/32"]
    assert cli.ok("address-set", "show", "offices", "-o", "json").json["description"] == "Offices"
    rule = cli.ok("security-group", "rule", "add", "default", "--address-set", "offices", "-o", "json").json
    assert rule["address_set"]["name"] == "offices"
    assert "default" in cli("address-set", "delete", "offices", "--yes").err
    cli.ok("security-group", "rule", "remove", "default", rule["id"])
    assert cli.ok("address-set", "list", "-o", "name").out == "offices\n"
    cli.ok("address-set", "delete", "offices", "--yes")


def test_ports_have_groups_and_limits(cli: Inside) -> None:
    cli.ok("security-group", "create", "web")
    created = ("port", "create", "card", "--network", "lan", "--security-group", "web", "--to-guest-mbit", "500")
    port = cli.ok(*created, "-o", "json").json
    assert [group["name"] for group in port["security_groups"]] == ["web"]
    assert port["bandwidth"] == {"to_guest_mbit": 500, "from_guest_mbit": None}
    changed = (
        "port",
        "update",
        "card",
        "--security-group",
        "default",
        "--to-guest-mbit",
        "0",
        "--from-guest-mbit",
        "9",
    )
    port = cli.ok(*changed, "-o", "json").json
    assert [group["name"] for group in port["security_groups"]] == ["default"]
    assert port["bandwidth"] == {"to_guest_mbit": None, "from_guest_mbit": 9}
    cli.ok("port", "delete", "card", "--yes")
    cli.ok("security-group", "delete", "web", "--yes")


def test_security_groups_and_rules(cli: Inside) -> None:
    cli.ok("security-group", "create", "web", "--description", "Web servers")
    assert cli.ok("security-group", "show", "web", "-o", "json").json["description"] == "Web servers"
    cli.ok("security-group", "update", "web", "--label", "env=prod")
    rule = cli.ok(
        "security-group", "rule", "add", "web", "--protocol", "tcp", "--port", "8000-8080", "--cidr", "192.0.2.0/24",
        "-o", "json",
    ).json  # fmt: skip
    assert (rule["first_port"], rule["last_port"], rule["cidrs"]) == (8000, 8080, ["192.0.2.0/24"])
    assert cli.ok("security-group", "rule", "show", "web", rule["id"], "-o", "json").json == rule
    assert cli.ok("security-group", "rule", "list", "web", "-o", "json").json == [rule]
    assert "443 or 8000-8080" in cli("security-group", "rule", "add", "web", "--port", "http").err
    cli.ok("security-group", "rule", "add", "web", "--direction", "out", "--group", "default")
    created = ("instance", "create", "web", "--flavor", "tiny", "--image", "tiny", "--network", "lan")
    cli.ok(*created, "--security-group", "web")
    (port,) = cli.ok("instance", "security-groups", "web", "-o", "json").json
    assert [group["name"] for group in port["security_groups"]] == ["web"]
    (port,) = cli.ok("instance", "set-security-groups", "web", "default", "-o", "json").json
    assert [group["name"] for group in port["security_groups"]] == ["default"]
    cli.ok("security-group", "update", "web", "--selector", "env=prod")
    cli.ok("instance", "update", "web", "--label", "env=prod")
    (port,) = cli.ok("instance", "security-groups", "web", "-o", "json").json
    assert {group["name"]: group["is_selected"] for group in port["security_groups"]} == {"default": False, "web": True}
    cli.ok("security-group", "rule", "remove", "web", rule["id"])
    cli.ok("security-group", "delete", "web", "--yes")
    assert [group["name"] for group in cli.ok("security-group", "list", "-o", "json").json] == ["default"]


def test_reverse_zone_is_printed_as_it_is(cli: Inside, operator: Inside) -> None:
    operator.ok("address-pool", "create", "public", "--zone", "fr-idf-1", "--cidr", "203.0.113.0/28")
    cli.ok("public-address", "create", "--pool", "public", "--name", "www", "--ptr", "www.example.org")
    zone = operator.ok("address-pool", "reverse-zone", "public", "--name-servers", "ns1.example.net").out
    assert zone.startswith("$ORIGIN 0/28.113.0.203.in-addr.arpa.\n") and "\n0 IN PTR www.example.org.\n" in zone
    assert (
        "reverse_zones"
        in operator("address-pool", "reverse-zone", "public", "--name-servers", "a", "--origin", "b").err
    )
    cli.ok("public-address", "delete", "www", "--yes")
    operator.ok("address-pool", "delete", "public", "--yes")


def test_public_addresses_are_reserved_attached_and_released(cli: Inside, operator: Inside) -> None:
    pool = ("address-pool", "create", "public", "--zone", "fr-idf-1", "--cidr", "203.0.113.0/28")
    created = operator.ok(*pool, "--reserved", "203.0.113.0", "--community", "64500:1", "-o", "json").json
    assert (created["family"], created["free"]) == ("ipv4", 15)
    operator.ok("address-pool", "update", "public", "--local-preference", "200")
    assert operator.ok("address-pool", "show", "public", "-o", "json").json["local_preference"] == 200
    assert operator.ok("address-pool", "list", "--platform", "-o", "name").out == "public\n"
    assert cli.ok("address-pool", "list", "-o", "json").json[0]["modes"] == ["nat", "routed"]
    created = cli.ok("public-address", "create", "--pool", "public", "--name", "www", "-o", "json").json
    assert (created["ip"], created["state"]) == ("203.0.113.1", "detached")
    cli.ok("public-address", "update", "www", "--ptr", "www.example.org", "--label", "env=prod")
    cli.ok("instance", "create", "web", "--flavor", "tiny", "--image", "tiny", "--network", "lan", "--zone", "fr-idf-1")
    assert "--instance, --port and --network" in cli("public-address", "attach", "www").err
    attached = cli.ok("public-address", "attach", "www", "--instance", "web", "-o", "json").json
    assert (attached["instance"]["name"], attached["mode"]) == ("web", "nat")
    cli.ok("port", "create", "card", "--network", "lan")
    assert cli("public-address", "attach", "www", "--port", "card").code != 0
    cli.ok("public-address", "attach", "203.0.113.1", "--port", "card", "--mode", "routed", "--move")
    assert cli.ok("public-address", "show", "www", "-o", "json").json["port"]["name"] == "card"
    assert cli.ok("public-address", "list", "--pool", "public", "-o", "name").out == "www\n"
    assert operator.ok("public-address", "list", "--platform", "-o", "json").json[0]["project"]["name"] == "demo"
    operator.ok("public-address", "suspend", "203.0.113.1", "--reason", "spam")
    assert cli.ok("public-address", "show", "www", "-o", "json").json["suspended_reason"] == "spam"
    operator.ok("public-address", "resume", "203.0.113.1")
    cli.ok("public-address", "detach", "www", "--yes")
    cli.ok("public-address", "delete", "www", "--yes")
    assert len(cli.ok("public-address", "history", "--address", "203.0.113.1", "-o", "json").json) == 2
    assert len(operator.ok("public-address", "history", "--platform", "-o", "json").json) == 2
    operator.ok("address-pool", "delete", "public", "--yes")
    cli.ok("port", "delete", "card", "--yes")
    cli.ok("instance", "delete", "web", "--yes")


def test_volume_types_are_made_used_and_retired(cli: Inside, operator: Inside) -> None:
    made = operator.ok(
        *("volume-type", "create", "fast", "--description", "quick", "--iops", "500", "--only-for", "demo"),
        *("--mb-per-s-per-gib", "10", "--binding", "first_use", "-o", "json"),
    ).json
    assert made["binding"] == "first_use"
    together = ("volume-type", "create", "together", "--description", "for several", "--pool", "vms", "--multi-attach")
    assert operator.ok(*together, "-o", "json").json["is_multi_attach"] is True
    operator.ok("volume-type", "delete", "together", "--yes")
    assert (made["iops"], made["mb_per_s_per_gib"], made["organizations"][0]["name"]) == (500, 10, "demo")
    operator.ok("volume-type", "update", "fast", "--for-all", "--iops", "300")
    assert operator.ok("volume-type", "show", "fast", "-o", "json").json["iops"] == 300
    cli.ok("volume", "create", "typed", "--size", "1")
    retyped = cli.ok("volume", "retype", "typed", "--type", "fast", "-o", "json").json
    assert (retyped["volume_type"], retyped["limits"]) == ("fast", {"iops": 300, "mb_per_s": 10})
    assert operator.ok("volume-type", "update", "fast", "--retired", "-o", "json").json["is_retired"] is True
    assert cli("volume", "create", "more", "--size", "1", "--type", "fast").code != 0
    assert "Retire it instead" in operator("volume-type", "delete", "fast", "--yes").err
    cli.ok("volume", "retype", "typed", "--type", "local", "--max-mb-per-s", "5")
    plan = cli.ok("volume", "retype", "typed", "--type", "local", "--dry-run", "-o", "json").json
    assert (plan["copied_gib"], plan["new_volume_type"]) == (0, "local")
    cli.ok("volume", "delete", "typed", "--yes")
    operator.ok("volume-type", "delete", "fast", "--yes")
    assert "fast" not in cli.ok("volume-type", "list", "-o", "name").out.split()


@pytest.mark.nightly
def test_residency_of_an_address_that_moved_often_is_complete(cli: Inside, operator: Inside, client: Client) -> None:
    """One answer of the API has fifty uses at most. The history of an address stays: no other test has this one."""
    operator.ok("address-pool", "create", "public", "--zone", "fr-idf-1", "--cidr", "203.0.113.10/32")
    address = cli.ok("public-address", "create", "--pool", "public", "--name", "www", "-o", "json").json["id"]
    cli.ok("instance", "create", "web", "--flavor", "tiny", "--image", "tiny", "--network", "lan", "--zone", "fr-idf-1")
    for _ in range(51):
        client.public_addresses.attach("www", network="lan")
        client.public_addresses.detach("www")
    intervals = cli.ok("evidence", "residency", address, "-o", "json").json["intervals"]
    assert len(intervals) == 51 and intervals == sorted(intervals, key=lambda each: each["start"])
    assert len(cli.ok("evidence", "residency", address).out.splitlines()) == 1 + 51
    cli.ok("public-address", "delete", "www", "--yes")
    operator.ok("address-pool", "delete", "public", "--yes")
    cli.ok("instance", "delete", "web", "--yes")


def test_network_gets_an_egress_address(cli: Inside, operator: Inside) -> None:
    operator.ok("address-pool", "create", "public", "--zone", "fr-idf-1", "--cidr", "203.0.113.9/32")
    cli.ok("public-address", "create", "--pool", "public", "--name", "www")
    attached = cli.ok("public-address", "attach", "www", "--network", "lan", "-o", "json").json
    assert (attached["network"]["name"], attached["port"]) == ("lan", None)
    assert cli.ok("public-address", "list", "--network", "lan", "-o", "name").out == "www\n"
    assert cli.ok("network", "show", "lan", "-o", "json").json["egress_addresses"][0]["ip"] == "203.0.113.9"
    cli.ok("public-address", "detach", "www", "--yes")
    (use,) = cli.ok("public-address", "history", "--address", "203.0.113.9", "-o", "json").json
    assert use["port"] is None and use["until"]
    cli.ok("public-address", "delete", "www", "--yes")
    operator.ok("address-pool", "delete", "public", "--yes")


def test_ipv6_is_given_to_networks_subnets_and_ports(cli: Inside) -> None:
    created = cli.ok("network", "create", "six", "--cidr", "10.40.0.0/24", "--ipv6-cidr", "fd00:40::/64", "-o", "json")
    assert created.json["ipv6_cidr"] == "fd00:40::/64"
    cli.ok("subnet", "create", "six", "more", "--cidr", "10.41.0.0/24", "--ipv6-cidr", "fd00:41::/64")
    assert "network.address_pool.not_found" in cli("subnet", "update", "six", "more", "--ipv6-pool", "none").err
    chosen = ("--address", "more/ipv4", "--address", "ipv6", "--address", "fd00:41::9")
    port = cli.ok("port", "create", "card", "--network", "six", *chosen, "-o", "json").json
    assert [each["ip"] for each in port["addresses"]] == ["10.41.0.2", "fd00:40::2", "fd00:41::9"]
    cli.ok("port", "delete", "card", "-y")
    assert cli.ok("subnet", "update", "six", "more", "--no-ipv6", "-o", "json").json["ipv6_cidr"] is None
    cli.ok("network", "delete", "six", "-y")


def test_reachability_and_topology(cli: Inside) -> None:
    cli.ok("security-group", "rule", "add", "default", "--protocol", "tcp", "--port", "443")
    created = ("instance", "create", "--flavor", "tiny", "--image", "tiny", "--network", "lan")
    for name in ("web", "db"):
        cli.ok(*created, name)
    asked = ("reachability", "--from", "web", "--to", "db", "--port", "443")
    answer = cli(*asked, "-o", "json")
    assert answer.code == (0 if answer.json["verdict"] == "allowed" else 1)
    assert {"egress", "ingress"} <= {step["kind"] for step in answer.json["steps"]}
    refused = cli("reachability", "--from", "outside", "--to", "web", "--protocol", "icmp")
    assert refused.code == 1 and refused.out.startswith("refused\n") and "Attach a public address" in refused.out
    assert cli("reachability", "--from", "web", "--to", "192.168.9.9", "-o", "name").out == "refused\n"
    assert cli("reachability", "--from", "web", "--to", "port:none").code != 0
    ports = cli.ok("network", "topology", "lan", "-o", "json").json
    assert {port["instance"]["name"] for port in ports} == {"web", "db"}
    for name in ("web", "db"):
        cli.ok("instance", "delete", name, "--yes")


def test_dhcp_options_of_a_subnet_are_given_and_emptied(cli: Inside) -> None:
    cli.ok("network", "create", "timed", "--cidr", "10.42.0.0/24")
    cli.ok("subnet", "create", "timed", "more", "--cidr", "10.41.0.0/24", "--ntp-server", "10.41.0.9")
    assert cli.ok("subnet", "show", "timed", "more", "-o", "json").json["ntp_servers"] == ["10.41.0.9"]
    options = ("--ntp-server", "10.41.0.5", "--domain-search", "a.example", "--static-route", "10.50.0.0/16=10.41.0.6")
    given = cli.ok("subnet", "update", "timed", "more", *options, "-o", "json").json
    assert (given["ntp_servers"], given["domain_search"]) == (["10.41.0.5"], ["a.example"])
    assert given["static_routes"] == [{"destination": "10.50.0.0/16", "next_hop": "10.41.0.6"}]
    emptied = cli.ok("subnet", "update", "timed", "more", "--no-ntp-server", "--no-static-route", "-o", "json").json
    assert (emptied["ntp_servers"], emptied["domain_search"], emptied["static_routes"]) == ([], ["a.example"], [])
    cli.ok("network", "delete", "timed", "--yes")


def test_subnets_and_ports_are_created_attached_and_deleted(cli: Inside) -> None:
    cli.ok("network", "create", "back", "--cidr", "10.40.0.0/24")
    created = cli.ok(
        "subnet", "create", "back", "more", "--cidr", "10.41.0.0/24", "--gateway", "10.41.0.9", "-o", "json"
    )
    assert created.json["gateway_ip"] == "10.41.0.9"
    assert cli.ok("subnet", "update", "back", "more", "--dns", "9.9.9.9", "-o", "json").json["dns_servers"] == [
        "9.9.9.9"
    ]
    cli.ok("subnet", "update", "back", "more", "--reserved", "10.41.0.1-10.41.0.3", "--label", "env=prod")
    assert cli.ok("subnet", "show", "back", "more", "-o", "json").json["reserved_ranges"] == ["10.41.0.1-10.41.0.3"]
    emptied = cli.ok("subnet", "update", "back", "more", "--no-dns", "-o", "json").json
    assert "9.9.9.9" not in emptied["dns_servers"] and emptied["reserved_ranges"], "the other list stays"
    assert cli.ok("subnet", "update", "back", "more", "--no-reserved", "-o", "json").json["reserved_ranges"] == []
    cli.ok("subnet", "update", "back", "more", "--reserved", "10.41.0.1-10.41.0.3")
    assert cli.ok("subnet", "list", "back", "-o", "name").out == "default\nmore\n"
    cli.ok("port", "create", "card", "--network", "back", "--address", "10.40.0.7", "--address", "more")
    allowed = ("--allowed-address", "10.40.0.100=00:00:5e:00:01:01")
    changed = cli.ok("port", "update", "card", "--name", "nic", *allowed, "-o", "json").json
    assert [each["ip"] for each in changed["addresses"]] == ["10.40.0.7", "10.41.0.4"]
    assert changed["allowed_addresses"] == [{"cidr": "10.40.0.100/32", "mac": "00:00:5e:00:01:01"}]
    assert cli.ok("port", "update", "nic", "--no-allowed-address", "-o", "json").json["allowed_addresses"] == []
    cli.ok("instance", "create", "web", "--flavor", "tiny", "--image", "tiny", "--network", "lan")
    cli.ok("port", "create", "own", "--network", "lan")
    assert "nothing was changed" in cli.ok("port", "attach", "own", "web", "--dry-run").err
    assert cli.ok("port", "attach", "own", "web", "-o", "json").json["instance"]["name"] == "web"
    assert cli.ok("port", "list", "--instance", "web", "--network", "lan", "-o", "name").out.count("\n") == 2
    assert cli.ok("port", "show", "own", "-o", "json").json["state"] == "attached"
    assert cli.ok("port", "detach", "own", "-y", "-o", "json").json["state"] == "free"
    cli.ok("port", "delete", "own", "nic", "-y")
    assert "nothing was changed" in cli.ok("subnet", "delete", "back", "more", "-y", "--dry-run").err
    cli.ok("subnet", "delete", "back", "more", "-y")
    assert cli.ok("port", "list", "--address", "10.41.0.4", "-o", "json").json == []
    cli.ok("network", "delete", "back", "-y")


def test_network_is_created_with_all_options_of_its_subnet(cli: Inside) -> None:
    options = ("--ntp-server", "10.43.0.5", "--domain-search", "a.example", "--static-route", "10.50.0.0/16=10.43.0.6")
    ranges = ("--cidr", "10.43.0.0/24", "--gateway", "10.43.0.9", "--reserved", "10.43.0.1-10.43.0.8")
    made = cli.ok("network", "create", "full", *ranges, *options, "-o", "json").json
    assert (made["gateway_ip"], made["reserved_ranges"]) == ("10.43.0.9", ["10.43.0.1-10.43.0.8"])
    assert (made["ntp_servers"], made["domain_search"]) == (["10.43.0.5"], ["a.example"])
    assert made["static_routes"] == [{"destination": "10.50.0.0/16", "next_hop": "10.43.0.6"}]
    cli.ok("network", "delete", "full", "-y")
