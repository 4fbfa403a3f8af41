"""Request log: one true record of each write, without secrets, for readers with the right role."""

import csv
import io
import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import resolve
from pytest_django import Settings

from controlplane.api.request_audit import RequestAuditMiddleware
from controlplane.audit import evidence_log, request_log, request_log_batches, request_records
from controlplane.audit.models import AuditEntry, EvidenceRecord, RequestRecord
from controlplane.compute.models import Instance
from controlplane.identity.models import ApiToken
from controlplane.identity.services import token_issue, user_create
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.network import services as networks
from tests.api.client import Caller
from tests.api.test_authorization import undone
from tests.api.test_instances import WEB
from tests.api.test_isolation import ALL, OPEN, ask, names  # noqa: F401 - the fixture
from tests.api.tokens import make_token
from tests.world import Cloud, make_tenant

# Nobody is known who uses the open ones; sign-in says whose account it is about, where there is one.
WRITES = [route for route in ALL if route.method != "GET" and route.key not in OPEN]


def records() -> list[RequestRecord]:
    return list(RequestRecord.objects.order_by("completed_at", "pk"))


def the_record() -> RequestRecord:
    return RequestRecord.objects.get()


def outcome_of(record: RequestRecord) -> tuple[str, str, int | None, str]:
    return record.verb, record.outcome, record.status, record.error_code


@pytest.fixture
def owner(cloud: Cloud) -> Caller:
    return Caller(token=make_token(cloud.tenant.project, role="owner"), project="alpha")


@pytest.fixture
def auditor(db: None) -> Caller:
    user = user_create(email="auditor@example.org", is_auditor=True)
    token = token_issue(user, project=None, name="audit", role="viewer", lifetime=timedelta(days=1))[1]
    return Caller(token=token, project="alpha")


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within one minute, however long it takes."""
    moment = clock.now()
    monkeypatch.setattr(clock, "now", lambda: moment)


# ── each write leaves one record ──────────────────────────────────────────────────────────────────


def test_record_has_actor_credential_address_and_outcome(api: Caller, cloud: Cloud) -> None:
    answer = api.post("instances", WEB, X_Request_Id="my-own-request")
    record = the_record()
    assert outcome_of(record) == ("instance_create", "succeeded", 201, "")
    actor = cloud.tenant.actor
    assert (record.user_id, record.credential_id, record.project_id) == (
        actor.user_id,
        actor.credential_id,
        cloud.tenant.project.pk,
    )
    assert (record.organization_id, record.address) == (cloud.tenant.project.organization_id, "127.0.0.1")
    assert (record.method, record.path) == ("POST", "/v1/projects/alpha/instances")
    assert (str(record.operation_id), record.request_id) == (answer.operation["id"], "my-own-request")
    assert UUID(answer.body["id"]) in record.resource_ids
    assert record.completed_at is not None
    assert record.opened_at <= record.completed_at
    (item,) = api.get("audit").body["items"]
    assert (item["actor"]["name"], item["credential"]["name"]) == ("alpha@example.org", "test")
    assert [entry["verb"] for entry in item["deeds"]] == ["instance.create"]
    assert item["deeds"][0]["facts"]["flavor"] == "tiny"


@pytest.mark.parametrize("who", ["owner", "viewer", "operator"])
def test_every_write_leaves_exactly_one_completed_record(
    who: str,
    names: dict[str, str],  # noqa: F811
    request: pytest.FixtureRequest,
) -> None:
    """Each caller sends each write; the outcome does not matter, and is rolled back."""
    caller: Caller = request.getfixturevalue(who)
    before = set(RequestRecord.objects.values_list("pk", flat=True))
    for route in WRITES:
        with undone():
            status, code = ask(caller, route, names)
            (record,) = RequestRecord.objects.exclude(pk__in=before)
            outcome = "succeeded" if status < 400 else "refused"
            assert (record.outcome, record.status, record.error_code) == (outcome, status, code), route
            assert record.completed_at is not None, route
            assert record.user_id is not None, route


def test_only_sensitive_reads_are_recorded(api: Caller, cloud: Cloud, instance: Instance) -> None:
    cloud.fake.consoles[instance.pk] = b"password: hunter2\r\n"
    before = RequestRecord.objects.count()
    for path in ("instances", "instances/web", "instances/nothing", "limits", "audit"):
        api.get(path)
    assert RequestRecord.objects.count() == before
    api.get("instances/web/console-log")
    api.get("audit/export")
    assert [record.verb for record in records()[before:]] == ["instance_console_log", "audit_export"]


def test_a_crash_is_recorded(unbroken: Caller, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*args: object, **kwargs: object) -> None:
        with transaction.atomic():
            raise ZeroDivisionError

    monkeypatch.setattr(networks, "network_create", crash)
    assert unbroken.post("networks", {"name": "second", "cidr": "10.0.0.0/24"}).status == 500
    assert outcome_of(the_record()) == ("network_create", "failed", 500, "internal")


def test_malformed_body_and_exceeded_quota_are_recorded(api: Caller, cloud: Cloud) -> None:
    api.post("networks", {"name": "lan", "cidr": "10.0.0.0/24", "pets": 1})
    api.post("networks", {"name": "lan", "cidr": "10.0.0.0/24"})
    api.delete("networks/nothing")
    assert [outcome_of(record) for record in records()] == [
        ("network_create", "refused", 400, "invalid_request"),
        ("network_create", "refused", 409, "network.name_taken"),
        ("network_delete", "refused", 404, "network.not_found"),
    ]


def test_dry_run_is_recorded_and_marked(api: Caller, cloud: Cloud) -> None:
    assert api.post("instances?dry_run=true", WEB).status < 300
    record = the_record()
    assert (record.is_dry_run, record.outcome, record.operation_id, record.resource_ids) == (
        True,
        "succeeded",
        None,
        [],
    )


@pytest.mark.django_db(transaction=True)
def test_record_exists_during_the_request_and_survives_its_rollback(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen from another connection: it was committed before the work."""
    make_tenant()
    committed: list[tuple[str, str]] = []

    def look() -> None:
        committed.extend(RequestRecord.objects.values_list("verb", "outcome"))
        connection.close()

    def create(*args: object, **kwargs: object) -> None:
        with transaction.atomic():
            thread = threading.Thread(target=look)
            thread.start()
            thread.join()
            raise ZeroDivisionError

    monkeypatch.setattr(networks, "network_create", create)
    caller = Caller(token="alpha", project="alpha", http=Client(raise_request_exception=False))
    caller.post("networks", {"name": "lan", "cidr": "10.0.0.0/24"})
    assert committed == [("network_create", "")]
    assert outcome_of(the_record()) == ("network_create", "failed", 500, "internal")


def test_request_that_cannot_be_recorded_is_refused(unbroken: Caller, cloud: Cloud) -> None:
    def full(execute: Callable[..., Any], sql: str, *more: Any) -> Any:
        if RequestRecord._meta.db_table in sql:
            raise OperationalError("disk full")
        return execute(sql, *more)

    with connection.execute_wrapper(full):
        assert unbroken.post("networks", {"name": "second", "cidr": "10.0.0.0/24"}).status == 503
    assert [each["name"] for each in unbroken.get("networks").body["items"]] == ["lan"]


# ── refusals, and noise ───────────────────────────────────────────────────────────────────────────


def test_ended_credential_is_recorded_and_an_unknown_one_is_not(api: Caller, cloud: Cloud, still: None) -> None:
    ApiToken.objects.update(revoked_at=clock.now())
    for path in ("instances", "networks"):
        api.get(path)
        api.get(path)
    for token in ("nobody", "", "a" * 300, None):
        Caller(token=token, project="alpha").post("networks", {})
    assert {outcome_of(record) for record in records()} == {
        ("instance_list", "refused", 401, "identity.token.revoked"),
        ("network_list", "refused", 401, "identity.token.revoked"),
    }
    assert len(records()) == 2, "the same within a minute is kept once"
    assert {record.credential_id for record in records()} == {cloud.tenant.actor.credential_id}


def test_refused_reads_are_recorded_once_a_minute(api: Caller, stranger: Caller, cloud: Cloud, still: None) -> None:
    for _ in range(3):
        stranger.get("instances")
        stranger.post("networks", {"name": "lan", "cidr": "10.0.0.0/24"})
    reads = [outcome_of(record) for record in records() if record.method == "GET"]
    assert reads == [("instance_list", "refused", 404, "identity.project.not_found")]
    assert len(records()) - len(reads) == 3
    assert api.get("audit").body["items"] == []
    mine = Caller(token="beta", project="beta")
    assert len(mine.get("audit").body["items"]) == len(records())


def test_sign_in_attempts_record_their_account(rf: RequestFactory, db: None, still: None) -> None:
    """A sign-in view knows no actor: it names the account, and the answer has the outcome."""
    about = request_records.RequestActor(user_id=new_id())

    def answering(status: int, account: request_records.RequestActor | None) -> Callable[[HttpRequest], HttpResponse]:
        def answer(request: HttpRequest) -> HttpResponse:
            request.resolver_match = resolve("/v1/projects")
            if account is not None:
                request.request_audit.set_account(account)  # type: ignore[attr-defined]
            return HttpResponse(status=status)

        return answer

    for status, account in ((403, about), (403, about), (403, None), (200, about), (200, about)):
        RequestAuditMiddleware(answering(status, account))(rf.get("/v1/projects"))
    attempts = [(record.user_id, record.status) for record in records()]
    assert attempts == [(about.user_id, 403), (about.user_id, 200), (about.user_id, 200)]


def test_refused_write_of_a_viewer_is_recorded(viewer: Caller, cloud: Cloud) -> None:
    viewer.post("networks", {"name": "second", "cidr": "10.0.0.0/24"})
    assert outcome_of(the_record()) == ("network_create", "refused", 403, "identity.role_needed")
    assert the_record().project_id == cloud.tenant.project.pk


def test_no_secret_is_in_any_row(api: Caller, cloud: Cloud) -> None:
    secret = api.post("tokens", {"name": "ci", "role": "viewer", "lifetime_days": 1}).body["secret"]
    Caller(token=secret, project="alpha").post("networks?name=hunter2", {"name": "hunter2"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT request::text FROM audit_requestrecord AS request")
        rows = "".join(row for (row,) in cursor.fetchall())
    assert "token_create" in rows
    for hidden in (secret, secret[10:], "hunter2", "alpha@example.org"):
        assert hidden not in rows


def test_invalid_path_characters_do_not_prevent_the_record(api: Caller, cloud: Cloud) -> None:
    assert api.delete("networks/%00%0a").problem[0] == 400
    assert api.delete(f"networks/{'a' * 2000}").problem[0] == 404
    assert [len(record.path) for record in records()] == [len("/v1/projects/alpha/networks/xx"), 500]
    assert "\0" not in records()[0].path


# ── from where ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("trusted", "remote", "forwarded", "address"),
    [
        ([], "192.0.2.1", "198.51.100.7", "192.0.2.1"),
        (["192.0.2.0/24"], "192.0.2.1", "198.51.100.7", "198.51.100.7"),
        (["192.0.2.0/24"], "203.0.113.9", "198.51.100.7", "203.0.113.9"),
        (["192.0.2.0/24"], "192.0.2.1", "10.0.0.1, 198.51.100.7, 192.0.2.2", "198.51.100.7"),
        (["192.0.2.0/24"], "192.0.2.1", "", "192.0.2.1"),
        (["192.0.2.0/24"], "192.0.2.1", "nonsense", "192.0.2.1"),
        (["unix"], "", "198.51.100.7", "198.51.100.7"),
        ([], "", "198.51.100.7", None),
        ([], "::ffff:192.0.2.1", "", "192.0.2.1"),
        (["2001:db8::/32"], "2001:db8::1", "2001:db9::7", "2001:db9::7"),
    ],
)
def test_client_address_is_trusted_as_far_as_the_proxies(
    api: Caller, cloud: Cloud, settings: Settings, trusted: list[str], remote: str, forwarded: str, address: str | None
) -> None:
    settings.TRUSTED_PROXIES = trusted
    api.send(
        "POST",
        "networks",
        b"{}",
        content_type="application/json",
        environ={"REMOTE_ADDR": remote, "HTTP_X_FORWARDED_FOR": forwarded},
    )
    assert the_record().address == address


# ── abandoned ─────────────────────────────────────────────────────────────────────────────────────


def opened(cloud: Cloud, **origin: Any) -> RequestRecord:
    project = cloud.tenant.project
    who = request_records.RequestActor(None, None, project.pk, project.organization_id)
    fields = {"verb": "network_create", "method": "POST", "path": "/", "address": None, "request_id": "r", **origin}
    return request_records.open_record(request_records.Origin(**fields), who)


def test_abandoned_record_is_closed_as_unknown_for_good(api: Caller, cloud: Cloud, settings: Settings) -> None:
    settings.AUDIT_ABANDONED_AFTER_S = 60
    record = opened(cloud)
    assert (request_records.close_abandoned(), api.get("audit").body["items"]) == (0, [])
    settings.AUDIT_ABANDONED_AFTER_S = -1
    assert [request_records.close_abandoned() for _ in range(2)] == [1, 0]
    (item,) = api.get("audit").body["items"]
    assert (item["outcome"], item["status"]) == ("unknown", None)
    request_records.complete_record(record, request_records.End(201))
    assert [outcome_of(each)[1:3] for each in records()] == [("unknown", None), ("succeeded", 201)], (
        "told, not rewritten"
    )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_requestrecord SET outcome = 'failed'",
        "UPDATE audit_requestrecord SET address = '192.0.2.1'",
        "UPDATE audit_requestrecord SET completed_at = now()",
        "DELETE FROM audit_requestrecord",
    ],
)
def test_records_cannot_be_changed_or_deleted(api: Caller, cloud: Cloud, statement: str) -> None:
    api.post("networks", {})
    with pytest.raises(Exception, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


# ── who sees what, filters, exports ───────────────────────────────────────────────────────────────


def test_each_level_reads_its_own_records(
    api: Caller, owner: Caller, operator: Caller, auditor: Caller, stranger: Caller, cloud: Cloud
) -> None:
    api.post("networks", {"name": "second", "cidr": "10.0.0.0/24"})
    Caller(token="beta", project="beta").post("networks", {"name": "theirs", "cidr": "10.0.0.0/24"})
    operator.post("/v1/nodes/node-1/actions/cordon", {"reason": "repair"})
    organization = "/v1/organizations/alpha-org/audit"

    def verbs(caller: Caller, path: str) -> list[str]:
        return [each["verb"] for each in caller.get(path).body["items"]]

    assert verbs(api, "audit") == verbs(owner, organization) == verbs(auditor, organization) == ["network_create"]
    assert verbs(operator, "/v1/audit") == verbs(auditor, "/v1/audit")
    assert verbs(auditor, "/v1/audit") == ["node_cordon", "network_create", "network_create"]
    for path in ("/v1/audit", organization):
        for suffix in ("", "/export", "/deeds"):
            assert api.get(path + suffix).problem[:2] == (403, "identity.role_needed")
    recorded = [each["verb"] for each in api.get("audit/deeds?sort=created_at").body["items"]]
    assert recorded == ["network.create", "token.create", "network.create"], "those of the fixtures, too"
    theirs = [each["verb"] for each in owner.get(f"{organization}/deeds?sort=created_at").body["items"]]
    counted = {verb: theirs.count(verb) for verb in ("network.create", "token.create")}
    assert counted == {"network.create": 2, "token.create": 1}
    assert "member.create" in theirs, "what is about the organization itself"
    assert len(operator.get("/v1/audit/deeds?verb=node.cordon").body["items"]) == 1


def test_shared_request_id_shows_no_entries_of_others(api: Caller, stranger: Caller, cloud: Cloud) -> None:
    api.post("networks", {"name": "second", "cidr": "10.0.0.0/24"}, X_Request_Id="the-same-id")
    mine = Caller(token="beta", project="beta")
    mine.delete("networks/nothing", X_Request_Id="the-same-id")
    assert [each["deeds"] for each in mine.get("audit").body["items"]] == [[]]
    api.delete("networks/nothing", X_Request_Id="the-same-id")
    assert [len(each["deeds"]) for each in api.get("audit").body["items"]] == [0, 1]


def test_audit_entries_of_other_projects_are_hidden(api: Caller, cloud: Cloud) -> None:
    api.post("networks", {"name": "second", "cidr": "10.0.0.0/24"}, X_Request_Id="the-same-id")
    record, mine = the_record(), cloud.tenant.project.pk
    for project_id in (mine, new_id()):
        AuditEntry.objects.create(
            verb="policy.propose",
            resource_id=new_id(),
            project_id=project_id,
            credential_id=record.credential_id,
            request_id=record.request_id,
            created_at=record.opened_at,
        )
    (item,) = api.get("audit").body["items"]
    assert [(entry["verb"], entry["project"]) for entry in item["deeds"]] == [
        ("network.create", str(mine)),
        ("policy.propose", str(mine)),
    ]


def test_records_are_filtered_sorted_and_paged(api: Caller, cloud: Cloud) -> None:
    created = api.post("networks", {"name": "second", "cidr": "10.0.0.0/24"}).body
    api.delete("networks/second")
    api.delete("networks/second")
    middle = records()[1].completed_at
    assert middle is not None
    actor = cloud.tenant.actor
    for query, count in {
        f"actor={actor.user_id}": 3,
        f"credential={actor.credential_id}": 3,
        f"credential={actor.user_id}": 0,
        "verb=network_delete": 2,
        f"resource={created['id']}": 2,
        "outcome=refused": 1,
        f"completed_after={middle.isoformat().replace('+', '%2B')}": 1,
        f"completed_before={middle.isoformat().replace('+', '%2B')}": 1,
        "request_id=nothing": 0,
    }.items():
        assert len(api.get(f"audit?{query}").body["items"]) == count, query
    first = api.get("audit?limit=2&sort=completed_at").body
    second = api.get(f"audit?limit=2&sort=completed_at&page_token={first['next_page_token']}").body
    assert [each["id"] for each in first["items"] + second["items"]] == [str(record.pk) for record in records()]
    assert api.get("audit?outcome=fine").problem == (400, "invalid_parameter", "outcome")


def test_export_has_all_records_with_their_log_positions(
    api: Caller, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log_batches, "SETTLED", timedelta())
    monkeypatch.setattr(request_log, "CHUNK", 2)
    for number in range(5):
        api.post("networks", {"name": f"n{number}", "cidr": "10.0.0.0/24"}, X_Request_Id=f"-request-{number}")
    request_log_batches.cover_requests()
    evidence_log.sequence()
    api.delete("networks/n4")
    listed = api.get("audit?sort=completed_at").body["items"]
    assert [each["is_in_evidence"] for each in listed] == [True] * 5 + [False]
    lines = [json.loads(line) for line in api.get("audit/export").text.splitlines()]
    same = [
        "id",
        "opened_at",
        "completed_at",
        "verb",
        "path",
        "address",
        "request_id",
        "outcome",
        "status",
        "error_code",
    ]
    assert [[line["request"][name] for name in same] for line in lines] == [
        [each[name] for name in same] for each in listed
    ]
    assert [line["request"]["actor"] for line in lines] == [each["actor"]["id"] for each in listed]
    covering = EvidenceRecord.objects.get(kind="audit")
    assert [line["evidence"] and line["evidence"]["seq"] for line in lines] == [covering.stream_seq] * 5 + [None]
    answer = api.get("audit/export?format=csv&outcome=succeeded")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["id"] for row in rows if row["verb"] != "audit_export"] == [each["id"] for each in listed]
    assert rows[0]["request_id"] == "'-request-0", "no formula"
    assert api.get("audit/export?format=xml").problem == (400, "invalid_parameter", "format")


def test_export_over_the_maximum_is_refused(api: Caller, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_log, "EXPORT_MAX", 2)
    for _ in range(3):
        api.delete("networks/nothing")
    assert api.get("audit/export").problem == (422, "audit.too_long", None)
    assert len(api.get("audit/export?verb=audit_export").text.splitlines()) == 1


def test_expired_records_are_deleted_and_their_batches_stay_in_the_log(
    api: Caller, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log_batches, "SETTLED", timedelta())
    api.delete("networks/nothing")
    request_log_batches.cover_requests()
    assert request_log_batches.delete_expired() == 0
    later = clock.now() + timedelta(days=401)
    monkeypatch.setattr(clock, "now", lambda: later)
    with connection.cursor() as cursor:  # the database has a clock of its own
        cursor.execute("ALTER TABLE audit_requestrecord DISABLE TRIGGER audit_request_guard")
    assert request_log_batches.delete_expired() == 1
    assert EvidenceRecord.objects.filter(kind="audit").count() == 1


def test_list_of_writes_is_complete() -> None:
    assert len(WRITES) > 50
    assert not OPEN & {route.key for route in WRITES}
