"""Exports of evidence over HTTP: who may, from asking to the file that the verifier passes."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from pytest_django import Settings

from controlplane.audit import exports, log_key
from controlplane.compute.models import Instance
from controlplane.identity.services import token_issue, user_create
from controlplane.kernel import clock
from tests.api.client import Answer, Caller
from tests.api.tokens import make_token
from tests.cases import in_one_cloud
from tests.services.audit.export_queue import ExportQueue
from tests.services.audit.exports import verdict
from tests.services.audit.receipts import record_receipts
from tests.world import Cloud, make_tenant

ASK = "/v1/organizations/alpha-org/evidence-exports"


@dataclass(frozen=True)
class Window:
    start: str
    end: str

    @property
    def body(self) -> dict[str, str]:
        return {"from": self.start, "to": self.end}

    @property
    def query(self) -> str:
        return f"from={quote(self.start)}&to={quote(self.end)}"


@pytest.fixture(autouse=True)
def maker(cloud: Cloud, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> ExportQueue:
    settings.EXPORTS_DIR = tmp_path / "exports"
    log_key.create_log_key(settings.PKI_DIR)
    queue = ExportQueue()
    monkeypatch.setattr(exports, "send_wakeup", queue.send_wakeup)
    return queue


@pytest.fixture
def window(cloud: Cloud, instance: Instance) -> Window:
    """An instance was made in it."""
    record_receipts(cloud.machine)
    now = clock.now()
    return Window((now - timedelta(hours=1)).isoformat(), now.isoformat())


@pytest.fixture
def officer(cloud: Cloud) -> Caller:
    return Caller(token=make_token(cloud.tenant.project, role="sovereignty_officer"))


@pytest.fixture
def owner(cloud: Cloud) -> Caller:
    return Caller(token=make_token(cloud.tenant.project, role="owner"))


@pytest.fixture
def auditor(db: None) -> Caller:
    user = user_create(email="auditor@example.org", is_auditor=True)
    token = token_issue(user, project=None, name="auditor", role="viewer", lifetime=timedelta(days=1))
    return Caller(token=token[1])


@pytest.fixture
def foreign_officer(db: None) -> Caller:
    return Caller(token=make_token(make_tenant("gamma").project, role="sovereignty_officer"))


def simple(caller: Caller, window: Window, organization: str = "alpha-org") -> Answer:
    return caller.get(f"/v1/evidence/export?organization={organization}&{window.query}")


def test_export_from_request_to_a_file_that_the_verifier_accepts(
    officer: Caller, window: Window, maker: ExportQueue, tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        requested = officer.post(ASK, window.body)
    assert (requested.status, requested.body["state"], requested.body["organization"]["name"]) == (
        202,
        "waiting",
        "alpha-org",
    )
    assert (requested.body["from"][:19], requested.body["to"][:19]) == (window.start[:19], window.end[:19])
    assert requested.headers["Retry-After"]
    url = requested.headers["Location"]
    assert officer.get(url).body == requested.body
    assert officer.get(f"{url}/file").problem[:2] == (409, "evidence.export_not_ready")

    assert maker.hints == [exports.MAKE]
    exports.make_all()
    ready = officer.get(url).body
    assert (ready["state"], ready["error"]) == ("ready", None)
    file = officer.get(f"{url}/file")
    assert (file.status, file.headers["Content-Type"]) == (200, "application/x-tar")
    assert int(file.headers["Content-Length"]) == len(file.data) == ready["size_bytes"]
    assert file.headers["Content-Disposition"].startswith('attachment; filename="andromede-evidence-alpha-org-')
    path = tmp_path / "taken.tar"
    path.write_bytes(file.data)
    result = verdict(path, "--log-key", str(log_key.load().public))
    assert result.status == 0, result.out
    assert "receipt" in result.out


def test_export_by_one_address_starts_waits_and_redirects(officer: Caller, window: Window) -> None:
    first = simple(officer, window)
    assert (first.status, first.body["state"]) == (202, "waiting")
    assert simple(officer, window).body["id"] == first.body["id"]
    exports.make_all()
    answer = simple(officer, window)
    assert (answer.status, answer.data) == (303, b"")
    assert answer.headers["Location"] == f"/v1/evidence-exports/{first.body['id']}/file"
    assert officer.get(answer.headers["Location"]).status == 200
    other = simple(officer, Window("2026-01-01T00:00:00Z", window.end))
    assert (other.status, other.body["id"] != first.body["id"]) == (202, True)


def test_owners_officers_and_auditors_may_export(
    owner: Caller, officer: Caller, auditor: Caller, window: Window
) -> None:
    url = owner.post(ASK, window.body).headers["Location"]
    exports.make_all()
    for caller in (owner, officer, auditor):
        assert caller.get(f"{url}/file").status == 200
        assert simple(caller, window).status == 303
        assert caller.post(ASK, window.body).status == 202


def test_members_and_operators_see_an_export_without_its_file(
    officer: Caller, api: Caller, viewer: Caller, operator: Caller, window: Window
) -> None:
    url = officer.post(ASK, window.body).headers["Location"]
    exports.make_all()
    for caller in (api, viewer, operator):
        assert caller.get(url).body["state"] == "ready"
        for answer in (caller.get(f"{url}/file"), caller.post(ASK, window.body), simple(caller, window)):
            assert answer.problem[:2] == (403, "identity.role_needed")
            assert answer.body["detail"].startswith("This credential lacks the role sovereignty_officer or owner")


def test_export_of_another_organization_is_not_found(
    officer: Caller, foreign_officer: Caller, stranger: Caller, cloud: Cloud, window: Window
) -> None:
    url = officer.post(ASK, window.body).headers["Location"]
    exports.make_all()
    for path in (url, f"{url}/file"):
        assert foreign_officer.get(path).problem[:2] == (404, "evidence.export.not_found")
    for answer in (foreign_officer.post(ASK, window.body), simple(foreign_officer, window)):
        assert answer.problem[:2] == (404, "identity.organization.not_found")
    assert stranger.get(url).problem[:2] == (404, "evidence.export.not_found")
    assert stranger.post(ASK, window.body).problem[:2] == (404, "identity.organization.not_found")
    for answer in (stranger.get(f"{url}/file"), simple(stranger, window)):
        assert answer.problem[:2] == (403, "identity.role_needed"), "a member gets no export, of whatever there is"
    own = foreign_officer.post("/v1/organizations/gamma-org/evidence-exports", window.body)
    exports.make_all()
    downloaded = foreign_officer.get(f"{own.headers['Location']}/file")
    assert downloaded.status == 200
    for theirs in (cloud.tenant.project.pk, cloud.tenant.project.organization_id, cloud.tenant.actor.user_id):
        assert str(theirs).encode() not in downloaded.data


def test_unknown_export_is_not_found(officer: Caller, cloud: Cloud) -> None:
    for name in ("nothing", "019abc00-0000-7000-8000-000000000000", "alpha-org"):
        assert officer.get(f"/v1/evidence-exports/{name}").problem[:2] == (404, "evidence.export.not_found")


@in_one_cloud(
    ("change", "field"),
    [
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-11-01"}, "from"),
        ({"from": "2026-11-01T00:00:00"}, "from"),
        ({"from": "0001-01-01T00:00:00+05:00"}, "from"),
        ({"from": "1999-12-31T23:59:59Z"}, "from"),
        ({"to": "2200-01-01T00:00:00Z"}, "to"),
        ({"to": "2001-01-01T00:00:00Z"}, "to"),
    ],
)
def test_contradictory_period_is_refused_with_its_field(
    officer: Caller, window: Window, change: dict[str, str], field: str
) -> None:
    body = {"from": "2020-01-01T00:00:00Z", "to": window.end} | change
    assert officer.post(ASK, body).problem[::2] == (400, f"/{field}")
    answer = simple(officer, Window(body["from"], body["to"]))
    assert answer.problem[::2] == (400, field)


@pytest.mark.parametrize("missing", ["from", "to"])
def test_missing_field_is_named(officer: Caller, window: Window, missing: str) -> None:
    body = {name: text for name, text in window.body.items() if name != missing}
    assert officer.post(ASK, body).problem == (400, "invalid_request", f"/{missing}")
    query = "&".join(f"{name}={quote(text)}" for name, text in body.items())
    answer = officer.get(f"/v1/evidence/export?organization=alpha-org&{query}")
    assert answer.problem == (400, "invalid_parameter", missing)
    assert officer.get("/v1/evidence/export").problem == (400, "invalid_parameter", "organization")
    assert officer.post(ASK, window.body | {"until": window.end}).problem[2] == "/until"
    assert officer.post(ASK, window.body | {"to": 5}).problem[2] == "/to"


def test_failure_is_in_the_language_of_the_caller(
    officer: Caller, cloud: Cloud, settings: Settings, window: Window
) -> None:
    url = officer.post(ASK, window.body).headers["Location"]
    (settings.PKI_DIR / "log.key").unlink()
    exports.make_all()
    french = Caller(token=officer.token, language="fr")
    assert officer.get(url).body["error"]["code"] == "evidence.log_key_missing"
    assert french.get(url).body["error"]["title"] != officer.get(url).body["error"]["title"]
