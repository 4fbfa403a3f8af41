"""Retention erases records of whole resources, never early, and never records that others need."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch
from uuid import UUID

import pytest
from pytest_django import Settings

from controlplane.audit import evidence_log, export_archive, retention
from controlplane.audit.models import EvidenceRecord
from controlplane.audit.selectors import residency_of
from controlplane.identity.models import Organization
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from tests.services.audit.exports import Verdict, verdict
from tests.services.audit.sample_evidence import SampleEvidence, make_sample_evidence

DAY = timedelta(days=1)


@pytest.fixture
def organization(log: None, settings: Settings) -> Organization:
    settings.EVIDENCE_RETENTION_DAYS = 200
    return Organization.objects.create(name="ministry")


@contextmanager
def later(by: timedelta) -> Iterator[None]:
    then = clock.now() + by
    with patch.object(clock, "now", lambda: then):
        yield


def erase(days: int) -> int:
    """Erase as if this number of days had passed, and return the number of erased records."""
    evidence_log.sequence()
    with later(days * DAY):
        count = retention.erase_old()
        evidence_log.sequence()
    return count


def have_content(**which: object) -> set[bool]:
    """Return whether the matching records have their content, as a set."""
    documents = EvidenceRecord.objects.filter(**which).values_list("document", flat=True)
    return {document is not None for document in documents}


def guest(story: SampleEvidence, *, is_closed: bool = True) -> UUID:
    """An instance, from its decision to its end."""
    permit = story.permit(story.decide())
    story.receipt(permit)
    if is_closed:
        story.receipt(permit, "closed")
    return UUID(permit.resource)


def exported(organization: Organization, folder: Path) -> Verdict:
    start = clock.now() - DAY
    with later(5000 * DAY):
        export_archive.write_export(
            export_archive.ExportWindow(organization, start, clock.now()), folder / "export.tar"
        )
    return verdict(folder / "export.tar")


def test_old_records_are_erased_and_counted_in_the_export(organization: Organization, tmp_path: Path) -> None:
    story = make_sample_evidence(organization.pk, instances=0)
    guests = [guest(story) for _ in range(3)]
    running = guest(story, is_closed=False)
    assert erase(199) == 0
    count = erase(201)
    assert (have_content(resource_id__in=guests), have_content(resource_id=running)) == ({False}, {True})
    assert erase(201) == 0
    result = exported(organization, tmp_path)
    assert result.status == 0, result.out
    assert f"{count - 1} of them erased" in result.out, "all but the one that is of no organization"
    assert "checked: 1 decision, " in result.out


def test_keys_facts_and_policies_are_never_erased(organization: Organization, tmp_path: Path) -> None:
    make_sample_evidence(organization.pk)
    before = EvidenceRecord.objects.filter(kind__in=["fact", "trust", "node", "policy_version"]).count()
    assert before > 5
    erase(4000)
    records = EvidenceRecord.objects.filter(
        kind__in=["fact", "trust", "node", "policy_version"], document__isnull=False
    )
    assert records.count() == before
    result = exported(organization, tmp_path)
    assert result.status == 0, result.out
    assert "decision" in result.out, "of what is still somewhere"


def test_nothing_is_erased_within_180_days(organization: Organization, settings: Settings) -> None:
    settings.EVIDENCE_RETENTION_DAYS = 1
    guest(make_sample_evidence(organization.pk, instances=0))
    assert erase(179) == 0
    assert erase(181) > 0


def test_longer_retention_setting_is_respected(organization: Organization, settings: Settings) -> None:
    settings.EVIDENCE_RETENTION_DAYS = 3650
    guest(make_sample_evidence(organization.pk, instances=0))
    assert erase(3649) == 0
    assert erase(3651) > 0


def test_open_location_stays_provable(organization: Organization) -> None:
    story = make_sample_evidence(organization.pk, instances=0)
    resource = guest(story, is_closed=False)
    erase(5000)
    (interval,) = residency_of(resource).intervals
    assert (interval.state, interval.is_compliant, interval.end) == ("proven", True, None)


def test_recently_ended_resource_keeps_all_records(organization: Organization) -> None:
    story = make_sample_evidence(organization.pk, instances=0)
    permit = story.create()
    evidence_log.sequence()
    with later(150 * DAY):
        story.receipt(permit, "closed")
    erase(201)
    (interval,) = residency_of(UUID(permit.resource)).intervals
    assert interval.is_compliant
    assert interval.end is not None
    erase(351)
    assert have_content(resource_id=permit.resource) == {False}


def test_permit_is_kept_while_a_receipt_of_a_volume_needs_it(organization: Organization) -> None:
    """The guest is gone; the volume that was made with it is not."""
    story = make_sample_evidence(organization.pk, instances=0)
    volume = new_id()
    permit = story.permit(story.decide())
    story.receipt(permit)
    story.receipt(permit, kind="volume", resource=str(volume))
    story.receipt(permit, "closed")
    erase(5000)
    (stored,) = residency_of(volume).intervals
    assert (stored.role, stored.state, stored.is_compliant, stored.end) == ("storage", "proven", True, None)
    with later(5000 * DAY):
        story.receipt(permit, "closed", kind="volume", resource=str(volume))
    erase(5201)
    assert have_content(resource_id=volume) == {False}
    erase(5202)
    assert have_content(resource_id=permit.resource) == {False}


def test_unrelated_records_are_erased_by_age(organization: Organization) -> None:
    old = evidence_log.append("incident", {"what": "an unmanaged disk"}, organization_id=organization.pk)
    evidence_log.sequence()
    with later(100 * DAY):
        young = evidence_log.append("incident", {"what": "another"}, organization_id=organization.pk)
    assert erase(250) == 1
    assert (have_content(pk=old.pk), have_content(pk=young.pk)) == ({False}, {True})


def test_unsequenced_record_is_not_erased(organization: Organization) -> None:
    row = evidence_log.append("incident", {"what": "late"}, organization_id=organization.pk)
    with later(5000 * DAY):
        assert retention.erase_old() == 0
    assert have_content(pk=row.pk) == {True}


def test_each_stream_has_an_erasure_record(organization: Organization) -> None:
    other = new_id()
    for number in range(4):
        evidence_log.append("incident", {"number": number}, organization_id=organization.pk)
        if number == 1:
            evidence_log.append("policy_version", {"number": number}, organization_id=organization.pk)
    evidence_log.append("incident", {}, organization_id=other)
    evidence_log.append("incident", {})
    assert erase(250) == 6
    erasures = EvidenceRecord.objects.filter(kind="erasure")
    erasure_documents = [json.loads(row.document or "")["document"] for row in erasures]
    assert {each["stream"]: each["records"] for each in erasure_documents} == {
        str(organization.pk): [[1, 2], [4, 5]],
        str(other): [[1, 1]],
        "operator": [[1, 1]],
    }
    assert {row.stream for row in erasures} == {str(organization.pk), str(other), "platform"}
    assert {each["reason"] for each in erasure_documents} == {"retention"}
    assert erase(5000) == 0, "that something was forgotten is not"


def test_retention_task_erases_old_records(organization: Organization) -> None:
    evidence_log.append("incident", {}, organization_id=organization.pk)
    evidence_log.sequence()
    with later(250 * DAY):
        retention.erase_old()
    assert have_content(kind="incident") == {False}
