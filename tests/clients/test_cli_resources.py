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


def test_instance_and_volume_are_updated(cli: Inside) -> None:
    cli.ok("instance", "create", "web", "--flavor", "tiny", "--image", "tiny")
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
    return [cli.ok(kind, "list", "-o", "json").json for kind in KINDS]


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
    made = ("instance", "create", "web", "--flavor", "tiny", "--image", "tiny", "--network", "lan")
    cli.ok(*made, "--security-group", "web")
    (port,) = cli.ok("instance", "security-groups", "web", "-o", "json").json
    assert [group["name"] for group in port["security_groups"]] == ["web"]
    (port,) = cli.ok("instance", "set-security-groups", "web", "default", "-o", "json").json
    assert [group["name"] for group in port["security_groups"]] == ["default"]
    cli.ok("security-group", "rule", "remove", "web", rule["id"])
    cli.ok("security-group", "delete", "web", "--yes")
    assert [group["name"] for group in cli.ok("security-group", "list", "-o", "json").json] == ["default"]


def test_reachability_and_topology(cli: Inside) -> None:
    cli.ok("security-group", "rule", "add", "default", "--protocol", "tcp", "--port", "443")
    made = ("instance", "create", "--flavor", "tiny", "--image", "tiny", "--network", "lan")
    for name in ("web", "db"):
        cli.ok(*made, name)
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


def test_subnets_and_ports_are_created_attached_and_deleted(cli: Inside) -> None:
    cli.ok("network", "create", "back", "--cidr", "10.40.0.0/24")
    made = cli.ok("subnet", "create", "back", "more", "--cidr", "10.41.0.0/24", "--gateway", "10.41.0.9", "-o", "json")
    assert made.json["gateway_ip"] == "10.41.0.9"
    assert cli.ok("subnet", "update", "back", "more", "--dns", "9.9.9.9", "-o", "json").json["dns_servers"] == [
        "9.9.9.9"
    ]
    cli.ok("subnet", "update", "back", "more", "--reserved", "10.41.0.1-10.41.0.3", "--label", "env=prod")
    assert cli.ok("subnet", "show", "back", "more", "-o", "json").json["reserved_ranges"] == ["10.41.0.1-10.41.0.3"]
    assert cli.ok("subnet", "list", "back", "-o", "name").out == "default\nmore\n"
    cli.ok("port", "create", "card", "--network", "back", "--address", "10.40.0.7", "--address", "more")
    allowed = ("--allowed-address", "10.40.0.100=00:00:5e:00:01:01")
    changed = cli.ok("port", "update", "card", "--name", "nic", *allowed, "-o", "json").json
    assert [each["ip"] for each in changed["addresses"]] == ["10.40.0.7", "10.41.0.4"]
    assert changed["allowed_addresses"] == [{"cidr": "10.40.0.100/32", "mac": "00:00:5e:00:01:01"}]
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
