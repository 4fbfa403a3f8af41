"""Command line for owners, auditors and operators: roles, quotas, and the audit."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from andromede_sdk import Client
from tests.clients.cli import Inside, inside
from tests.clients.conftest import QUICK, Live

pytestmark = pytest.mark.slow


@pytest.fixture
def owner(tmp_path: Path, live: Live, token: str) -> Inside:
    return inside(tmp_path, live, token, ANDROMEDE_PROJECT="demo")


@pytest.fixture
def operator(tmp_path: Path, live: Live) -> Inside:
    return inside(tmp_path, live, live.operator)


@pytest.fixture
def client(live: Live, token: str) -> Iterator[Client]:
    with Client(live.url, token, project="demo", retry=QUICK) as created:
        yield created


def test_whoami_shows_the_signed_in_user(owner: Inside, operator: Inside) -> None:
    assert owner.ok("whoami", "-o", "json").json["user"]["email"] == "demo@example.org"
    assert operator.ok("whoami", "-o", "json").json["duty"] == "operator"
    assert owner.ok("health").out.split() == ["status", "ok"]
    assert "quota_exceeded" in owner.ok("problem", "show", "quota_exceeded").out
    assert owner.ok("organization", "list", "-o", "name").out == "demo\n"
    assert owner.ok("organization", "show", "demo", "-o", "json").json["name"] == "demo"


def test_project_is_created_updated_and_deleted(owner: Inside, operator: Inside) -> None:
    words = ("project", "create", "shop", "--label", "env=prod", "-o", "json")
    assert owner.ok(*words, "--dry-run", ANDROMEDE_PROJECT="shop").json["organization"]["name"] == "demo"
    created = owner.ok(*words).json
    assert (created["organization"]["name"], created["labels"]) == ("demo", {"env": "prod"})
    would = owner.ok("project", "update", "shop", "--name", "store", "--dry-run", "-o", "json")
    assert would.json["name"] == "store" and "nothing was changed" in would.err
    assert (
        owner.ok("project", "update", "shop", "--name", "store", "--label", "env-", "-o", "json").json["labels"] == {}
    )
    asked = owner("project", "delete", "store")
    assert asked.code == 2 and "--yes" in asked.err
    would = owner.ok("project", "delete", "store", "--dry-run")
    assert would.err == "store would be deleted.\nDry run: this is the result; nothing was changed.\n"
    assert owner.ok("project", "delete", "store", "--yes").err == "store: deleted\n"
    assert owner("project", "show", "store").code == 3
    assert owner("organization", "create", "mine").code == 7
    operator.ok("organization", "create", "other", "--owner", "demo@example.org")
    renamed = owner.ok("organization", "update", "other", "--name", "another", "--label", "env=prod", "-o", "json").json
    assert (renamed["name"], renamed["labels"]) == ("another", {"env": "prod"})
    assert owner("member", "list", ANDROMEDE_PROJECT="").code == 2  # of which of the two?
    operator.ok("organization", "delete", "another", "-y")


def test_members_and_invitations_are_managed(owner: Inside) -> None:
    invited = owner.ok("invitation", "create", "bob@example.org", "--role", "viewer", "--days", "1", "-o", "name")
    assert owner.ok("invitation", "list").out.splitlines()[1].split()[:2] == ["bob@example.org", "viewer"]
    accepted = owner.ok("invitation", "accept", "-o", "json", stdin=invited.out, ANDROMEDE_TOKEN="")
    assert accepted.json["user"]["email"] == "bob@example.org"
    assert set(owner.ok("member", "list", "-o", "name").out.split()) >= {"bob@example.org", "demo@example.org"}
    assert owner.ok("member", "update", "bob@example.org", "--role", "admin", "-o", "json").json["role"] == "admin"
    assert owner.ok("member", "show", "bob@example.org", "-o", "json").json["role"] == "admin"
    owner.ok("member", "remove", "bob@example.org", "-y", "--organization", "demo")
    invited = owner.ok("invitation", "create", "eve@example.org", "-o", "json").json
    owner.ok("invitation", "revoke", invited["id"], "-y")
    assert owner.ok("invitation", "list", "-o", "json").json == []


def test_service_accounts_and_tokens_are_managed(owner: Inside) -> None:
    created = owner.ok(
        "service-account", "create", "ci", "--grant", "demo=member", "--grant", "viewer", "-o", "json"
    ).json
    assert [each["role"] for each in created["grants"]] == ["member", "viewer"]
    limits = ("--verb", "read", "--kind", "networks", "--days", "1")
    secret = owner.ok("token", "create", "runner", "--service-account", "ci", *limits, "-o", "name").out.strip()
    assert owner.ok("network", "list", "-o", "name", ANDROMEDE_TOKEN=secret).out == "lan\n"
    assert owner.ok("service-account", "list", "-o", "name").out == "ci\n"
    assert owner.ok("service-account", "show", "ci", "-o", "json").json["grants"] == created["grants"]
    refused = owner("volume", "list", ANDROMEDE_TOKEN=secret)
    assert refused.code == 7 and "volumes:read" in refused.err
    owner.ok("service-account", "update", "ci", "--disable")
    assert owner("network", "list", ANDROMEDE_TOKEN=secret).code == 7
    owner.ok("service-account", "update", "ci", "--enable", "--grant", "viewer")
    listed = owner.ok("token", "list", "--service-account", "ci", "-o", "json").json
    assert [(each["name"], each["verbs"]) for each in listed] == [("runner", ["read"])]
    seen = owner.ok("token", "list", "--organization", "demo", "-o", "json").json
    assert listed[0]["id"] in {each["id"] for each in seen}
    owner.ok("token", "revoke", listed[0]["id"], "--organization", "demo", "-y")
    owner.ok("service-account", "delete", "ci", "-y")
    own = owner.ok("token", "create", "laptop", "--own", "--in-project", "demo", "-o", "json").json
    assert own["projects"] and own["secret"].startswith("andromede_")
    assert own["id"] in {each["id"] for each in owner.ok("token", "list", "--own", "-o", "json").json}
    owner.ok("token", "revoke", own["id"], "--own", "-y")
    wrong = owner("token", "create", "no", "--in-project", "demo")
    assert wrong.code == 2 and "--projects" in wrong.err


def test_quotas_are_shown_requested_and_set(owner: Inside, operator: Inside) -> None:
    rows = owner.ok("limits").out.splitlines()
    assert rows[0].split() == ["DIMENSION", "USED", "LIMIT"] and any("vcpus" in row for row in rows)
    assert owner.ok("limits", "--organization", "demo", "-o", "json").json
    owner.ok("quota", "set", "webhooks=7", "images=2")
    assert owner.ok("quota", "set", "webhooks=default", "-o", "json").json["limits"] == {"images": 2}
    owner.ok("quota", "set", "images=default")
    assert owner("quota", "set", "images=many").code == 2
    most = max(each["limit"] for each in owner.ok("limits", "--organization", "demo", "-o", "json").json)
    for answer, state, number in (
        ("quota-request approve", "approved", str(most * 2)),
        ("quota-request refuse", "refused", str(most * 3)),
    ):
        asked = owner.ok("quota-request", "create", "vcpus", "--to", number, "--reason", "A test.", "-o", "json").json
        decide = ("--organization", "demo", "--reason", "As agreed.", "-o", "json")
        assert operator.ok(*answer.split(), asked["id"], *decide).json["state"] == state
    asked = owner.ok("quota-request", "create", "images", "--to", "40", "--reason", "A test.", "-o", "json").json
    assert owner.ok("quota-request", "show", asked["id"], "-o", "json").json["state"] == "pending"
    owner.ok("quota-request", "withdraw", asked["id"])
    assert owner.ok("quota-request", "list", "--state", "withdrawn", "-o", "name").out.strip() == asked["id"]
    assert operator.ok("quota", "show", "--organization", "demo", "-o", "json").json["limits"]["vcpus"] == most * 2


def test_audit_is_searched_and_exported(owner: Inside, operator: Inside, tmp_path: Path) -> None:
    owner.ok("network", "create", "traced", "--cidr", "10.70.0.0/24")
    assert owner("network", "create", "traced", "--cidr", "10.70.0.0/24").code == 1
    owner.ok("network", "delete", "traced", "-y")
    for level in ((), ("--organization", "demo")):
        document = owner.ok("audit", "list", "--verb", "network_create", *level, "-o", "json").json
        assert {each["outcome"] for each in document} >= {"succeeded", "refused"}
        assert owner.ok("audit", "deeds", "--verb", "network.create", *level).code == 0
    assert owner.ok("audit", "list", "--outcome", "refused", "--limit", "1", "-o", "wide").out
    assert operator.ok("audit", "list", "--platform", "--limit", "1", "-o", "json").json
    file = tmp_path / "audit.jsonl"
    result = owner.ok("audit", "export", str(file), "--organization", "demo", "--verb", "network_delete")
    assert f"bytes in {file}" in result.err
    lines = file.read_text().splitlines()
    assert lines and all('"network_delete"' in line for line in lines)
    assert owner("audit", "export", str(file)).code == 2  # it is there already
    assert owner("audit", "export", str(tmp_path / "not-mine"), "--platform").code == 7
    assert not (tmp_path / "not-mine").exists()
    assert owner("audit", "list", "--organization", "demo", "--platform").code == 2


def test_events_are_listed_and_followed(owner: Inside, live: Live, client: Client) -> None:
    start = client.events.list(after="now").cursor
    owner.ok("network", "create", "told", "--cidr", "10.71.0.0/24")
    owner.ok("network", "delete", "told", "-y")
    listed = owner.ok("event", "list", "--after", start, "--kind", "network.*", "-o", "json").json
    assert [each["kind"] for each in listed] == ["network.created", "network.deleted"]
    assert (
        len(owner.ok("event", "list", "--after", start, "--kind", "network.*", "--limit", "1", "-o", "json").json) == 1
    )


def test_webhook_is_created_updated_and_deleted(owner: Inside) -> None:
    created = owner.ok(
        "webhook", "create", "ops", "--to", "https://ops.example.org/x", "--kind", "instance.*", "-o", "name"
    )
    assert created.out.startswith("whsec_")
    assert owner.ok("webhook", "show", "ops", "-o", "json").json["kinds"] == ["instance.*"]
    changed = owner.ok("webhook", "update", "ops", "--kind", "volume.*", "--kind", "drift.*", "-o", "json").json
    assert changed["kinds"] == ["volume.*", "drift.*"]
    pinged = owner.ok("webhook", "ping", "ops", "-o", "json").json
    assert pinged["id"] in owner.ok("webhook", "deliveries", "ops", "-o", "name").out
    assert owner.ok("webhook", "delivery", "ops", pinged["id"], "-o", "json").json["event"]["kind"] == "webhook.pinged"
    redelivered = owner.ok("webhook", "redeliver", "ops", pinged["id"], "--dry-run")
    assert "nothing was changed" in redelivered.err
    rotated = owner.ok("webhook", "rotate-secret", "ops", "--overlap-hours", "1", "-o", "name")
    assert rotated.out != created.out and rotated.out.startswith("whsec_")
    owner.ok("webhook", "end-rotation", "ops")
    assert owner.ok("webhook", "update", "ops", "--disable", "-o", "json").json["is_enabled"] is False
    owner.ok("webhook", "delete", "ops", "-y")
    assert owner.ok("webhook", "list", "-o", "json").json == []


def test_terraform_states_are_listed_and_deleted(owner: Inside, client: Client) -> None:
    document = {"version": 4, "serial": 1, "lineage": "01890000", "outputs": {}, "resources": []}
    path = f"{client.url}/v1/projects/demo/terraform-states/prod"
    client.scope.transport.http.post(path, json=document).raise_for_status()
    assert owner.ok("terraform-state", "list", "-o", "name").out == "prod\n"
    assert owner.ok("terraform-state", "show", "prod").json["serial"] == 1
    assert owner.ok("terraform-state", "versions", "prod", "-o", "name").out == "1\n"
    assert owner.ok("terraform-state", "version", "prod", "1").json["lineage"] == "01890000"
    lock = owner.ok("terraform-state", "lock", "prod", "--reason", "a test").out.strip()
    assert lock in owner.ok("terraform-state", "list", "-o", "wide").out
    assert owner("terraform-state", "lock", "prod").code == 1
    assert owner("terraform-state", "unlock", "prod").code == 2  # it asks
    owner.ok("terraform-state", "unlock", "prod", "--lock", lock)
    owner.ok("terraform-state", "delete", "prod", "-y")


@pytest.mark.parametrize(
    "words",
    [
        "fact list --limit 2",
        "fact list --of zone --subject fr-idf-1",
        "party list",
        "party show op-alpha",
        "node show node-a",
        "set list",
        "transparency jurisdictions",
        "transparency transfers",
        "transparency catalogue",
        "classification list --organization demo",
        "drift images",
        "identity providers",
        "policy simulate --change zone/fr-idf-1/network_class=0",
    ],
)
def test_read_commands_succeed(owner: Inside, operator: Inside, words: str) -> None:
    answers = [who(*words.split()) for who in (owner, operator)]
    assert any(result.code == 0 and result.out for result in answers), answers
