"""dry_run=true on every write there is: everything is checked, nothing is written, and no node is called."""

import json
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from django.db import connection, transaction

from controlplane.audit.models import RequestRecord
from controlplane.compliance.models import RemediationPlan
from controlplane.identity import credentials
from controlplane.identity.models import User
from controlplane.identity.services import organization_create, project_create, token_issue, user_create
from controlplane.kernel import clock
from controlplane.operations.models import Operation
from controlplane.storage.models import Volume
from tests.api.client import Answer, Caller
from tests.api.conftest import finish
from tests.api.snapshots import in_cluster, make_snapshot
from tests.api.test_authorization import of_alpha
from tests.api.test_instances import KEY
from tests.api.test_isolation import ALL, OF_SESSIONS, OPEN, Route, may, names  # noqa: F401 - a fixture
from tests.api.tokens import make_token
from tests.world import IMAGE_BYTES, Broker, Cloud, agent_calls, make_flavor, run

# Not those of sign-in, which take no token; and a guess at a password counts, dry or not.
WRITES = [route for route in ALL if route.method != "GET" and route.key not in OPEN | OF_SESSIONS]
WEB = {"flavor": "tiny", "image": "tiny"}
# Bodies that are right in this cloud, where the example of the route is about another one.
BODIES: dict[str, Any] = {
    "instance_create": WEB | {"name": "new", "networks": ["lan"]},
    "instance_console_open": {"kind": "vnc"},
    "instance_tunnel_open": {"tcp_port": 22},
    "instance_resize": {"flavor": "large"},
    "instance_relocate": {"zone": "de-fra-1"},
    "instance_rebuild": {"image": "tiny"},
    "instance_snapshot": {"name": "new", "volumes": ["disk"]},
    "announcer_create": {"name": "new", "zone": "fr-idf-1", "address": "10.0.7.12:7445"},
    "attachment_create": {"volume": "spare"},
    "storage_cluster_create": {"name": "new", "zone": "fr-idf-1", "address": "10.0.7.22:7447"},
    "network_create": {"name": "new", "cidr": "10.30.0.0/24"},
    "subnet_create": {"name": "new", "cidr": "10.30.0.0/24"},
    "subnet_update": {"labels": {"env": "test"}},
    "port_create": {"network": "lan", "name": "new"},
    "port_attach": {"instance": "web"},
    "policy_simulate": {},
    "reachability_check": {"source": {"outside": True}, "target": {"instance": "web"}},
    "security_group_create": {"name": "new"},
    "address_pool_create": {"name": "new", "zone": "fr-idf-1", "family": "ipv4", "cidrs": ["198.51.100.0/24"]},
    "public_address_create": {"name": "new", "pool": "public"},
    "public_address_attach": {"port": "free"},
    "address_set_create": {"name": "new", "cidrs": ["192.0.2.0/24"]},
    "snapshot_create": {"name": "new", "volume": "clustered"},
    "snapshot_update": {"name": "kept"},
    "snapshot_schedule_create": {"name": "new", "volume": "clustered", "frequency": "daily", "at": "02:30"},
    "snapshot_schedule_update": {"keep": 3},
    "ssh_key_create": {"name": "new", "public_key": KEY},
    "volume_create": {"name": "new", "size_gib": 1},
    "volume_grow": {"size_gib": 3},
    "volume_revert": {"snapshot": "clustered"},
    "volume_relocate": {"zone": "de-fra-1"},
    "volume_type_create": {"id": "new", "description": "new"},
    "terraform_state_write": {"version": 4, "serial": 2},
    "organization_create": {"name": "gamma", "owner": "alpha@example.org"},
    "own_token_create": {"name": "new", "lifetime_days": 30, "projects": ["alpha"]},
    "quota_request_create": {"dimension": "networks", "limit": 10**6, "reason": "load test"},
    "service_account_create": {"name": "new", "grants": [{"project": "alpha", "role": "member"}]},
    "service_account_token_create": {"name": "new", "lifetime_days": 30},
    "webhook_create": {"name": "new", "url": "https://ops.example.org/", "kinds": ["*"]},
}
# Writes that need signatures, a second node, a node without guests or a history that this cloud has not: a dry run of
# them only fails, here. Each is the same mechanism. This list may only shrink.
UNREACHED = {
    "classification_policy_undo",
    "declassification_propose",
    "evidence_cosign",
    "exemption_approve",
    "exemption_request",
    "fact_state",
    "instance_migrate",
    "instance_migrate_cancel",
    "node_bmc_set",
    "node_drain_begin",
    "node_drain_cancel",
    "node_drain_pause",
    "node_drain_resume",
    "node_drain_retry",
    "node_fence",
    "node_maintain",
    "node_recover_begin",
    "node_recover_plan",
    "node_retire",
    "node_return",
    "operation_resolve",
    "organization_policy_undo",
    "password_link_create",
    "password_reset_confirm",
    "password_reset_create",
    "platform_policy_undo",
    "policy_proposal_create",
    "policy_undo",
}
# What changes nothing for real either: questions, the BMC that no node has, the key that is registered already, the
# state that is not locked, a ticket that is in Redis alone, a duty that a tenant has not.
EFFECTLESS = {
    "instance_console_open",
    "instance_tunnel_open",
    "officer_key_create",
    "own_duty_remove",
    "node_bmc_delete",
    "node_drain_plan",
    "placement_simulate",
    "policy_simulate",
    "reachability_check",
    "terraform_state_unlock",
}
# What is kept of a refusal of placement.
OF_REFUSALS = {"placement_decision", "placement_policydocument", "audit_evidencerecord"}


# The execution of a plan before each action.
EXECUTIONS = {"execute": "idle", "pause": "running"}


@pytest.fixture
def others(api: Caller, operator: Caller, cloud: Cloud, names: dict[str, str]) -> dict[str, dict[str, str]]:  # noqa: F811
    """Resources for routes that those of `names` do not fit."""
    make_flavor("large", vcpus=2)
    finish(api.post("instances", WEB | {"name": "idle"}))
    finish(api.post("instances/idle/actions/power-off"))
    finish(api.post("volumes", {"name": "spare", "size_gib": 1}))
    finish(api.post("volumes", {"name": "clustered", "size_gib": 1}))
    volume = Volume.objects.get(name="clustered")
    make_snapshot(volume, name="clustered", pool=in_cluster(volume))
    attach_clustered(api)
    api.post("networks", {"name": "spare", "cidr": "10.40.0.0/24"})
    api.post("ports", {"name": "free", "network": "lan"})
    api.post("ports", {"name": "public", "network": "lan"})
    api.post("public-addresses", {"name": "attached", "pool": "public"})
    api.post("public-addresses/attached/actions/attach", {"port": "public"})
    spare = {"name": "spare", "zone": "fr-idf-1", "family": "ipv4", "cidrs": ["192.0.2.0/24"]}
    operator.post("/v1/address-pools", spare)
    begun = api.post("volumes", {"name": "begun", "size_gib": 1}).operation["id"]
    rule = operator.post("/v1/maintenance", {"kind": "image.import", "action": "pause", "reason": "tests"}).body["id"]
    ended = api.post("volumes", {"name": "ended", "size_gib": 1}).operation["id"]
    api.post(f"operations/{ended}/actions/cancel")
    assert run(Operation.objects.get(pk=ended)).state == "cancelled"
    suspended = user_create(email="suspended@example.org")
    User.objects.filter(pk=suspended.pk).update(suspended_at=clock.now())
    otto = user_create(email="otto@example.org", is_operator=True)
    of_otto = token_issue(otto, project=None, name="otto", role="", lifetime=timedelta(days=1))[0]
    registered = register_officer_key(operator)
    cloud.world.add_machine(BODIES["instance_relocate"]["zone"])
    return {
        "instance_resize": {"instance": "idle"},
        "instance_relocate": {"instance": "idle"},
        "instance_start": {"instance": "idle"},
        "officer_key_revoke": {"officer_key": registered.body["id"]},
        "network_delete": {"network": "spare"},
        "subnet_delete": {"network": "spare", "subnet": "default"},
        "port_attach": {"port": "free"},
        "port_delete": {"port": "free"},
        "address_pool_delete": {"address_pool": "spare"},
        "public_address_detach": {"public_address": "attached"},
        "platform_token_revoke": {"token": str(of_otto.pk)},
        "user_reinstate": {"user": str(suspended.pk)},
        "user_duty_remove": {"user": str(otto.pk)},
        "organization_delete": {"organization": str(organization_create(name="empty-org").pk)},
        "project_delete": {"project": str(project_create(cloud.tenant.project.organization, name="empty").pk)},
        "operation_cancel": {"operation": begun},
        "operation_retry": {"operation": ended},
        "maintenance_end": {"maintenance": rule},
        **dict.fromkeys(("volume_delete", "volume_relocate"), {"volume": "spare"}),
        "volume_revert": {"volume": "clustered"},
    } | {f"remediation_plan_{name}": approved_plan(cloud, was) for name, was in EXECUTIONS.items()}


def approved_plan(cloud: Cloud, execution: str) -> dict[str, str]:
    """Make an approved remediation plan in a project of its own: a project has one that lives."""
    project = project_create(cloud.tenant.project.organization, name=f"plan-{execution}")
    now = clock.now()
    fields = {"state": "approved", "execution": execution, "notify_by": now, "deadline_at": now}
    plan = RemediationPlan.objects.create(project=project, items=[], resource_ids=[], **fields)
    return {"project": str(project.pk), "plan": str(plan.pk)}


def register_officer_key(operator: Caller) -> Answer:
    key = next(route for route in WRITES if route.operation_id == "officer_key_create")
    return operator.send("POST", f"/{key.path}", (key.body or "").encode(), content_type="application/json")


def attach_clustered(api: Caller) -> None:
    """Attach a volume that can have snapshots to the instance web."""
    finish(api.post("volumes", {"name": "disk", "size_gib": 1, "near_instance": "web"}))
    finish(api.post("instances/web/attachments", {"volume": "disk"}))
    Volume.objects.filter(name="disk").update(pool=Volume.objects.get(name="clustered").pool)


def rows() -> dict[str, str | None]:
    """A digest of the rows of every table but the record of requests, in which a dry run is one too."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")  # they start for each query
        cursor.execute(digests())
        return dict(cursor.fetchall())


@cache
def digests() -> str:
    """Return the one query of all tables: it is asked hundreds of times."""
    with connection.cursor() as cursor:
        tables = sorted(set(connection.introspection.table_names(cursor)) - {"audit_requestrecord"})
    digest = "SELECT '{0}', md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM \"{0}\" AS t"
    return " UNION ALL ".join(digest.format(table) for table in tables)


def ask(caller: Caller, route: Route, of: dict[str, str], query: str) -> Answer:
    url = route.url(of) + query
    if route.own_transactions:
        return caller.upload(url, IMAGE_BYTES)
    data = json.dumps(BODIES[route.operation_id]) if route.operation_id in BODIES else route.body or ""
    headers = {"If_Match": "*"} if route.method == "PUT" else {}
    return caller.send(route.method, url, data.encode(), content_type="application/json", **headers)


def really(caller: Caller, route: Route, of: dict[str, str]) -> tuple[Answer, dict[str, str | None]]:
    """Return the answer without dry_run and the rows that exist then, and roll both back."""
    mark = transaction.savepoint()
    answer, after = ask(caller, route, of, ""), rows()
    transaction.savepoint_rollback(mark)
    return answer, after


@pytest.fixture
def uses_noted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Record the last uses once, and not again during a test that takes more than a minute."""
    monkeypatch.setattr(credentials, "LAST_USE_RESOLUTION", timedelta(days=1))


@pytest.mark.usefixtures("uses_noted_once")
def test_dry_run_writes_nothing(
    api: Caller,
    operator: Caller,
    cloud: Cloud,
    broker: Broker,
    names: dict[str, str],  # noqa: F811
    others: dict[str, dict[str, str]],
    django_capture_on_commit_callbacks: Any,
) -> None:
    officer = Caller(token=make_token(cloud.tenant.project, role="sovereignty_officer"), project="alpha")
    owner = Caller(token=of_alpha("owner")(cloud), project="alpha")
    callers = {"member": api, "sovereignty_officer": officer, "owner": owner, "operator": operator}
    for caller in callers.values():
        caller.get("/v1/projects")  # that its token was used is noted now
    before, reached, without_effect = rows(), set(), set()
    for route in WRITES:
        of = names | others.get(route.operation_id, {})
        for caller in (caller for role, caller in callers.items() if may(route, role)):
            calls = agent_calls()
            with django_capture_on_commit_callbacks() as messages:
                tried = ask(caller, route, of, "?dry_run=true")
            assert agent_calls() == calls, route
            assert (messages, broker.sent) == ([], []), route
            assert rows() == before, route
            done, after = really(caller, route, of)
            changed = {table for table in after if after[table] != before[table]}
            if done.status < 400:
                assert tried.status == (200 if done.data else 204), (route, tried.data)
                assert "Location" not in tried.headers
                reached.add(route.operation_id)
                without_effect |= set() if changed else {route.operation_id}
                break
            assert (tried.status, tried.body["code"]) == (done.status, done.body["code"]), route
            assert changed <= OF_REFUSALS, route
    assert sorted({route.operation_id for route in WRITES} - reached) == sorted(UNREACHED)
    assert without_effect == EFFECTLESS


def test_header_cannot_make_a_dry_run_unrecorded(api: Caller, cloud: Cloud) -> None:
    """Previews of the dashboard are unrecorded by a mark in the environment of its requests to itself."""
    before = RequestRecord.objects.count()
    for name in ("Andromede_Preview", "andromede.preview", "X_Andromede_Preview"):
        assert api.post("instances?dry_run=true", WEB | {"name": "web"}, **{name: "True"}).status == 200
    created = RequestRecord.objects.order_by("pk")[before:]
    assert [(record.verb, record.is_dry_run) for record in created] == [("instance_create", True)] * 3
