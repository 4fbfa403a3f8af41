"""The verifier compares a request export with the evidence export and finds changes."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from controlplane.audit import evidence_log, log_key, request_log, request_log_batches, request_records
from controlplane.audit.models import EvidenceRecord, RequestRecord
from controlplane.audit.request_records import End, Origin, RequestActor
from controlplane.identity.models import Organization
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.reconcilers import request_log as reconciler
from tests.services.audit.exports import Export, Verdict, run_alone, verdict

Write = Callable[..., Export]
ORIGIN = Origin("network_create", "POST", "/v1/projects/alpha/networks", "192.0.2.7", "request-1")


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_log_batches, "SETTLED", timedelta())


def ask(organization: Organization | None, count: int) -> None:
    who = RequestActor(new_id(), new_id(), new_id(), organization.pk if organization else None)
    for number in range(count):
        request_records.complete_record(
            request_records.open_record(ORIGIN, who),
            End(201 if number % 2 else 409, resource_ids=frozenset([new_id()])),
        )


def covered() -> None:
    reconciler.reconcile()
    evidence_log.sequence()


def audit_of(organization: Organization, path: Path) -> list[Any]:
    rows = RequestRecord.objects.filter(organization_id=organization.pk)
    path.write_bytes(b"".join(request_log.exported(rows, request_log.as_json_lines)))
    return [json.loads(line) for line in path.read_text().splitlines()]


def checked(export: Export, lines: list[Any], path: Path) -> Verdict:
    path.write_text("".join(json.dumps(line, sort_keys=True, separators=(",", ":")) + "\n" for line in lines))
    return verdict(export.path, "--audit", str(path))


def test_request_export_verifies_on_another_machine(
    organization: Organization, exporter: Write, tmp_path: Path
) -> None:
    for count in (3, 1, 6):
        ask(organization, count)
        ask(None, 2)
        covered()
    audit = tmp_path / "audit.jsonl"
    lines = audit_of(organization, audit)
    created = exporter()
    alone = run_alone(created.path, tmp_path / "x", "--audit", str(audit), "--log-key", str(log_key.load().public))
    assert (alone.returncode, alone.stderr) == (0, "")
    assert "3 audit" in alone.stdout
    assert "audit: 10 requests as the log has them, 0 too young to be in it" in alone.stdout
    assert "audit: all requests of 3 of the 3 batches" in alone.stdout
    assert [line["evidence"]["count"] for line in lines] == [3] * 3 + [1] + [6] * 6
    ask(organization, 1)
    young = checked(created, audit_of(organization, audit), audit)
    assert (young.status, "1 too young" in young.out) == (0, True)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("request.outcome", "succeeded"),
        ("request.status", 201),
        ("request.address", "192.0.2.8"),
        ("request.completed_at", "2026-01-01T00:00:00Z"),
        ("request.resources", []),
        ("salt", "00" * 16),
        ("evidence.index", 1),
        ("evidence.count", 4),
        ("evidence.proof", []),
        ("evidence.record", "01890000-0000-7000-8000-000000000000"),
        ("evidence.seq", "one"),
    ],
)
def test_a_changed_line_is_found(
    organization: Organization, exporter: Write, tmp_path: Path, key: str, value: object
) -> None:
    ask(organization, 5)
    covered()
    audit = tmp_path / "audit.jsonl"
    lines = audit_of(organization, audit)
    created = exporter()
    *path, last = key.split(".")
    part = lines[0]
    for name in path:
        part = part[name]
    assert part[last] != value
    part[last] = value
    result = checked(created, lines, audit)
    assert result.status == 1
    assert [fault.split(" ")[1] for fault in result.faults] == ["audit:1:"]


def test_omitted_requests_are_counted_and_duplicates_are_faults(
    organization: Organization, exporter: Write, tmp_path: Path
) -> None:
    ask(organization, 5)
    covered()
    audit = tmp_path / "audit.jsonl"
    lines = audit_of(organization, audit)
    created = exporter()
    assert "audit: all requests of 0 of the 1 batches" in checked(created, lines[1:], audit).out
    assert "is listed twice" in checked(created, [*lines, lines[0]], audit).faults[0]


@pytest.mark.parametrize(
    "change", [{"root": "00"}, {"root": "zz" * 32}, {"count": 0}, {"count": 1001}, {"last": "2126-01-01T00:00:00Z"}]
)
def test_inconsistent_batch_is_a_fault(organization: Organization, exporter: Write, change: dict[str, object]) -> None:
    moment = "2026-01-01T00:00:00Z"
    record = {"count": 1, "first": moment, "last": moment, "root": "00" * 32}
    evidence_log.append("audit", {**record, **change}, organization_id=organization.pk)
    evidence_log.sequence()
    assert len(verdict(exporter().path).faults) == 1


def test_each_completed_request_is_in_one_batch(organization: Organization) -> None:
    who = RequestActor(None, None, None, organization.pk)
    open_one = request_records.open_record(ORIGIN, who)
    ask(organization, 3)
    for _ in range(2):
        covered()
    (record,) = EvidenceRecord.objects.filter(kind="audit")
    assert list(RequestRecord.objects.exclude(evidence_id=None).values_list("position", flat=True).order_by("pk")) == [
        0,
        1,
        2,
    ]
    request_records.complete_record(open_one, End(500))
    covered()
    assert EvidenceRecord.objects.filter(kind="audit").count() == 2
    open_one.refresh_from_db()
    assert (open_one.outcome, open_one.position, open_one.evidence_id != record.pk) == ("failed", 0, True)


def test_request_without_organization_is_in_the_operator_stream(log: None) -> None:
    ask(None, 1)
    covered()
    assert EvidenceRecord.objects.get(kind="audit").stream == "operator"
    assert RequestRecord.objects.get().completed_at <= clock.now()  # type: ignore[operator]
