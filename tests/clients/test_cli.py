"""The command line against a control plane that runs: what it does, and how it says what went wrong."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from andromede_sdk import Client
from tests.clients.cli import Inside, signed_in
from tests.clients.conftest import Live

pytestmark = pytest.mark.slow

CREATE = ("--flavor", "tiny", "--image", "tiny")


@pytest.fixture
def cli(commands: Path, tmp_path: Path, live: Live, client: Client) -> Inside:
    return signed_in(commands / "andromede", tmp_path, live)


@pytest.fixture
def operator(commands: Path, tmp_path: Path, live: Live) -> Inside:
    return signed_in(commands / "andromede", tmp_path, live, token=live.operator)


@pytest.fixture
def node_b_is_down(live: Live) -> Iterator[None]:
    live.cloud.stack.kill("agent-node-b")
    yield
    live.cloud.start_agent("node-b")


def test_instance_is_created_used_and_deleted(cli: Inside, client: Client) -> None:
    words = ("--network", "lan", "--label", "env=prod", "-o", "json")
    created = cli.apart.ok("instance", "create", "web", *CREATE, *words)
    assert (created.json["state"], created.json["labels"], created.err) == ("active", {"env": "prod"}, "")
    assert cli.ok("instance", "list", "-o", "name").out == "web\n"
    header, row = cli.ok("instance", "list").out.splitlines()
    assert header.split() == ["NAME", "STATE", "POWER", "ZONE", "ADDRESSES", "FLAVOR"]
    assert row.split()[:3] == ["web", "active", "running"]
    assert created.json["id"] in cli.ok("instance", "list", "-o", "wide", "-l", "env=prod").out
    assert cli.ok("instance", "list", "-l", "env!=prod", "-o", "json").json == []
    assert yaml.safe_load(cli.ok("instance", "show", "web", "-o", "yaml").out)["id"] == created.json["id"]
    cli.ok("instance", "update", "web", "--label", "tier=front", "--label", "env-")
    assert client.instances.get("web").labels == {"tier": "front"}
    cli.ok("instance", "power-off", "web")
    assert cli.ok("instance", "resize", "web", "--flavor", "small", "-o", "json").json["flavor"] == "small"
    cli.ok("instance", "start", "web")
    cli.ok("instance", "rebuild", "web", "--image", "tiny", "--yes")
    assert cli.apart.ok("instance", "delete", "web", "--yes").err == "web: deleted\n"
    assert cli.apart("instance", "show", "web").code == 3


def test_instance_is_relocated(cli: Inside, client: Client) -> None:
    cli.ok("instance", "create", "web", *CREATE)
    cli.ok("instance", "power-off", "web")
    here = client.instances.get("web").zone
    plan = cli.ok("instance", "relocation-plan", "web", "-o", "json").json
    there = next(each["zone"] for each in plan["zones"] if each["is_admitted"])
    assert (plan["zone"], there != here) == (here, True)
    cli.ok("instance", "relocate", "web", "--zone", there, "--dry-run")
    assert client.instances.get("web").zone == here
    assert cli.ok("instance", "relocate", "web", "--zone", there, "-o", "json").json["zone"] == there
    assert "in this zone" in cli("instance", "relocate", "web", "--zone", there).err
    cli.ok("instance", "delete", "web", "--yes")


def test_volume_is_relocated(cli: Inside, client: Client) -> None:
    cli.ok("volume", "create", "data", "--size", "1")
    here = client.volumes.get("data").zone
    plan = cli.ok("volume", "relocation-plan", "data", "-o", "json").json
    there = next(each["zone"] for each in plan["zones"] if each["is_admitted"])
    assert (plan["zone"], plan["copied_gib"], there != here) == (here, 1, True)
    cli.ok("volume", "relocate", "data", "--zone", there, "--dry-run")
    assert client.volumes.get("data").zone == here
    moved = cli.ok("volume", "relocate", "data", "--zone", there, "--max-mb-per-s", "50", "-o", "json").json
    assert moved["zone"] == there
    assert "already" in cli("volume", "relocate", "data", "--zone", there).err
    cli.ok("volume", "delete", "data", "--yes")


def test_volume_is_created_grown_attached_and_deleted(cli: Inside, client: Client) -> None:
    cli.ok("instance", "create", "web", *CREATE)
    cli.ok("volume", "create", "data", "--size", "1", "--near", "web")
    cli.ok("volume", "grow", "data", "--size", "2")
    assert "Leave share out" in cli("volume", "attach", "data", "web", "--share").err
    cli.ok("volume", "attach", "data", "web", "--read-only")
    assert cli.ok("volume", "attachments", "web", "-o", "json").json[0]["is_read_only"] is True
    assert cli.ok("volume", "list").out.splitlines()[1].split()[:2] == ["data", "in-use"]
    assert "data is not attached to other" in cli("volume", "detach", "data", "--instance", "other", "--yes").err
    detached = cli.ok("volume", "detach", "data", "--instance", "web", "--yes", "-o", "json")
    assert (detached.json["state"], detached.json["size_gib"]) == ("available", 2)
    assert "is not attached to an instance" in cli("volume", "detach", "data", "--yes").err
    cli.ok("volume", "delete", "data", "-y")


def test_other_resources_are_created_shown_and_deleted(cli: Inside, tmp_path: Path) -> None:
    key = tmp_path / "key.pub"
    key.write_text(f"ssh-ed25519 {'AAAAC3NzaC1lZDI1NTE5AAAAI' + 'A' * 43} me@here\n")
    assert cli.ok("ssh-key", "create", "laptop", str(key), "-o", "json").json["fingerprint"].startswith("SHA256:")
    cli.ok("ssh-key", "delete", "laptop", "-y")
    cli.ok("network", "create", "back", "--cidr", "10.50.0.0/24", "--dns", "192.0.2.53", "--label", "a=b")
    assert cli.ok("network", "show", "back", "-o", "json").json["dns_servers"] == ["192.0.2.53"]
    cli.ok("network", "update", "back", "--name", "rear")
    cli.ok("network", "delete", "rear", "-y")
    cli.ok("affinity-group", "create", "apart", "--wish")
    assert cli.ok("affinity-group", "list", "-o", "json").json[0]["is_strict"] is False
    cli.ok("affinity-group", "delete", "apart", "-y")
    file = tmp_path / "disk.raw"
    file.write_bytes(bytes(2**20))
    image = cli.ok("image", "create", "blank", "--format", "raw", "--file", str(file), "-o", "json").json
    assert (image["state"], image["size_bytes"]) == ("available", 2**20)
    cli.ok("image", "delete", "blank", "-y")
    secret = cli.ok("token", "create", "ci", "--role", "viewer", "--days", "1", "-o", "name").out.strip()
    assert cli("network", "create", "no", "--cidr", "10.51.0.0/24", ANDROMEDE_TOKEN=secret).code == 7
    token = next(each for each in cli.ok("token", "list", "-o", "json").json if each["name"] == "ci")
    cli.ok("token", "revoke", token["id"], "-y")
    assert cli("network", "list", ANDROMEDE_TOKEN=secret).code == 7


@pytest.mark.parametrize(
    "words",
    [
        "limits",
        "flavor list",
        "volume-type list",
        "region list",
        "zone list",
        "zone show fr-idf-1",
        "zone capacity fr-idf-1 --flavor tiny",
        "project list",
        "project show demo",
        "token list",
        "classification list",
        "policy show",
        "proposal list",
        "operation list --limit 2",
        "drift list",
        "plan list",
        "exemption list",
        "evidence list --limit 2",
        "profile list",
        "profile show",
    ],
)
def test_read_commands_print_plain_output(cli: Inside, words: str) -> None:
    result = cli.ok(*words.split())
    assert result.err == ""
    assert "\x1b" not in result.out


def test_operators_see_and_cordon_nodes(operator: Inside, cli: Inside) -> None:
    assert {row.split()[0] for row in operator.ok("node", "list").out.splitlines()[1:]} == {"node-a", "node-b"}
    assert operator.ok("node", "cordon", "node-a", "--reason", "a test", "-o", "json").json["is_cordoned"] is True
    assert operator.ok("node", "uncordon", "node-a", "-o", "json").json["is_cordoned"] is False
    operator.ok("node", "incidents", "node-a")
    where = ["--zone", "de-rhein-1", "--address", "10.0.7.11:7445"]
    operator.ok("announcer", "create", "announcer-1", *where)
    assert operator.ok("announcer", "list", "-o", "name").out.split() == ["announcer-1"]
    assert operator.ok("announcer", "show", "announcer-1", "-o", "json").json["address"] == "10.0.7.11:7445"
    operator.ok("announcer", "incidents", "announcer-1")
    operator.ok("announcer", "delete", "announcer-1", "--yes")
    operator.ok("storage-cluster", "create", "ceph-1", "--zone", "de-rhein-1", "--address", "10.0.7.21:7447")
    assert operator.ok("storage-cluster", "list", "-o", "name").out.split() == ["ceph-1"]
    assert operator.ok("storage-cluster", "show", "ceph-1", "-o", "json").json["pools"] == []
    operator.ok("storage-cluster", "incidents", "ceph-1")
    operator.ok("storage-cluster", "delete", "ceph-1", "--yes")
    operator.ok("incident", "list", "--state", "open")
    operator.ok("node", "instances", "node-a")
    pool = operator.ok("pool", "list", "-o", "json").json[0]
    assert operator.ok("pool", "show", pool["id"], "-o", "json").json["name"] == "shared"
    assert operator.ok("pool", "instances", pool["id"], "-o", "json").json == []
    assert operator.ok("pool", "volumes", pool["id"], "-o", "json").json == []
    rule = operator.ok(
        *("maintenance", "create", "--kind", "image.import", "--action", "pause", "--reason", "a test", "-o", "json")
    ).json["id"]
    assert cli.ok("maintenance", "show", rule, "-o", "json").json["state"] == "active"
    assert operator.ok("maintenance", "end", rule, "-o", "json").json["state"] == "ended"
    assert rule in cli.ok("maintenance", "list", "--state", "ended", "-o", "name").out
    assert operator.ok("operation", "list", "--platform", "--stuck", "-o", "json").json == []
    nothing = "01a210bb-0000-7000-8000-000000000000"
    assert operator("operation", "resolve", nothing, "--reason", "its node burnt").code == 3
    assert {row["kind"] for row in operator.ok("operation", "list", "--platform", "-o", "json").json}
    assert cli("node", "list").code == 7


def test_dry_run_creates_nothing(cli: Inside) -> None:
    result = cli.ok("instance", "create", "maybe", *CREATE, "--dry-run")
    assert result.out
    assert cli.ok("instance", "list", "-o", "name").out == ""


def test_no_wait_prints_the_operation_that_can_be_awaited(cli: Inside) -> None:
    begun = cli.ok("instance", "create", "web", *CREATE, "--no-wait", "-o", "json")
    operation = begun.json["operation"]["id"]
    assert begun.err == f"instance.create started. Wait for it with: andromede operation wait {operation}\n"
    assert cli.ok("operation", "wait", operation, "-o", "json").json["state"] == "succeeded"
    assert "it has succeeded" in cli("operation", "retry", operation).err
    by_resource = cli.ok("operation", "show", begun.json["id"], "-o", "json").json
    assert by_resource["id"] == operation and by_resource["steps"]


def test_destructive_command_needs_confirmation(cli: Inside, client: Client) -> None:
    cli.ok("volume", "create", "data", "--size", "1")
    asked = cli("volume", "delete", "data")
    assert asked.code == 2
    assert "The data on it is lost" in asked.err and "--yes" in asked.err
    assert client.volumes.get("data").state == "available"


def test_refusal_names_the_explain_command(cli: Inside, client: Client) -> None:
    refused = cli("volume", "create", "huge", "--size", "9000")
    assert (refused.code, refused.out) == (1, "")
    first, *rest = refused.err.splitlines()
    assert first.startswith("error: Not enough capacity: ")
    assert "code insufficient_capacity, request " in rest[-1]
    hint = next(line for line in rest if line.startswith("See why with: andromede "))
    tree = cli.ok(*hint.removeprefix("See why with: andromede ").split()).out
    assert tree.startswith("refused  volume.create\n")
    assert "Nodes that were left out" in tree and "capacity.disk_gib" in tree


def test_placement_is_printed_as_a_tree(cli: Inside) -> None:
    cli.ok("instance", "create", "web", *CREATE)
    tree = cli.ok("placement", "explain", "web").out
    assert tree.startswith("admitted  instance.create\n") and "✓ fr-idf-1" in tree
    simulated = cli.ok("placement", "simulate", "--flavor", "small", "--zone", "de-rhein-1").out
    assert "✓ de-rhein-1" in simulated and "memory_mib=512" in simulated
    assert cli.ok("placement", "explain", "web", "-o", "json").json["is_admitted"] is True


def test_policy_is_set_from_a_file(commands: Path, tmp_path: Path, live: Live) -> None:
    with live.new_client() as client:
        cli = Inside(
            commands / "andromede",
            tmp_path,
            {
                "ANDROMEDE_URL": live.url,
                "ANDROMEDE_TOKEN": client.scope.transport.http.headers["Authorization"].removeprefix("Bearer "),
                "ANDROMEDE_PROJECT": str(client.project),
            },
        )
        policy = tmp_path / "policy.yaml"
        policy.write_text("atoms:\n- {id: fr, attr: zone.id, op: in, value: [fr-idf-1]}\n")
        assert cli.ok("policy", "set", str(policy), "--dry-run", "-o", "json").json["change"] == "tighter"
        assert client.policy.get().version == 0
        cli.ok("policy", "set", str(policy))
        assert client.policy.get().atoms[0].id == "fr"
        refused = cli("volume", "create", "data", "--size", "1", "--zone", "de-rhein-1")
        assert refused.code == 1 and "policy_unsatisfiable" in refused.err
        decision = refused.err.partition("placement explain ")[2].split()[0]
        assert "✗ de-rhein-1" in cli.ok("placement", "explain", decision).out
        looser = cli("policy", "set", "-", "--reason", "a test", stdin="[]")
        assert looser.code == 0 and "needs a second person" in looser.err
        proposal = cli.ok("proposal", "list", "-o", "json").json[0]
        assert cli("proposal", "approve", proposal["id"]).code in (1, 7)
        cli.ok("proposal", "withdraw", proposal["id"])
        assert cli("policy", "set", str(policy), "--if-version", "77").code == 1
        assert cli("policy", "set", "-", stdin="no: atoms").code == 2


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (2, "instance"),
        (2, "instance create"),
        (2, "instance list --stat"),
        (2, "instance create web --flavor tiny --image tiny --label nonsense"),
        (2, "instance show .."),
        (1, "network create lan --cidr 10.60.0.0/24"),
        (3, "volume show nothing"),
        (3, "operation wait 01a210bb-0000-7000-8000-000000000000"),
        (1, "instance create web --flavor gigantic --image tiny"),
        (2, "--profile nowhere instance list"),
        (2, "--url http://cloud.example.org instance list"),
    ],
)
def test_failure_has_an_exit_code_and_a_message(cli: Inside, code: int, words: str) -> None:
    result = cli(*words.split())
    assert (result.code, result.out) == (code, "")
    assert result.err.strip()


def test_wrong_token_and_refused_image_have_exit_codes(cli: Inside, tmp_path: Path, live: Live) -> None:
    assert cli("instance", "list", ANDROMEDE_TOKEN="andromede_nobody").code == 7
    assert "andromede login" in cli("instance", "list", ANDROMEDE_TOKEN="andromede_nobody").err
    wrong = tmp_path / "wrong.qcow2"
    wrong.write_bytes(b"nothing of the kind" * 100)
    failed = cli("image", "create", "wrong", "--file", str(wrong))
    assert failed.code == 5 and "catalog.image.refused" in failed.err
    cli.ok("image", "delete", "wrong", "-y")
    debugged = cli("--debug", "flavor", "list")
    assert "GET /v1/flavors?limit=200 → 200" in debugged.err and live.token not in debugged.err
    silent = cli("instance", "list", ANDROMEDE_URL="https://127.0.0.1:9", ANDROMEDE_TOKEN="andromede_x")
    assert (silent.code, silent.out) == (6, "") and "No answer from the control plane" in silent.err


def test_missing_project_names_the_option(cli: Inside) -> None:
    result = cli("network", "list", ANDROMEDE_PROJECT="")
    assert (result.code, "--project" in result.err) == (2, True)
    assert cli.ok("network", "list", "--project", "demo", "-o", "name", ANDROMEDE_PROJECT="").out == "lan\n"


def test_wait_timeout_prints_the_next_command(cli: Inside, node_b_is_down: None) -> None:
    result = cli("instance", "create", "web", *CREATE, "--zone", "de-rhein-1", "--timeout", "0.2")
    assert result.code == 4
    operation = result.err.partition("andromede operation wait ")[2].split()[0]
    assert cli.ok("operation", "cancel", operation, "-o", "json").json["id"] == operation
    assert cli("operation", "wait", operation).code == 5


def test_output_is_in_french(cli: Inside) -> None:
    apart = cli.apart  # a process has one language
    for spoken in (
        apart("instance", "show", "rien", LANG="fr_FR.UTF-8"),
        apart("--language", "fr", "instance", "show", "rien"),
    ):
        assert spoken.err.startswith("erreur\N{NO-BREAK SPACE}: Introuvable")
    assert "Les instances du projet." in apart.ok("instance", "--help", LC_ALL="fr_FR.UTF-8").out
    assert "NOM" in apart.ok("network", "list", LANGUAGE="fr").out
    assert "NAME" in apart.ok("--language", "en", "network", "list", LANG="fr_FR.UTF-8").out


def test_closed_pipe_is_no_error(cli: Inside) -> None:
    line = f"'{cli.program}' zone list -o json | head -n 1"
    result = subprocess.run(["sh", "-c", line], env=cli.environment(), capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("[\n", "")
