"""What is in the log is false, as a dishonest control plane would have it: the verifier names the record."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch
from uuid import UUID

import pytest

from controlplane.audit import evidence
from controlplane.audit.core.streams import OUT_OF_ORDER
from controlplane.audit.models import EvidenceRecord
from controlplane.identity.models import Organization
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.placement.core.canonical import digest
from controlplane.placement.core.permit import Contents
from tests.services.audit.exports import Export, verdict
from tests.services.audit.story import Document, Pen, told

HOUR = timedelta(hours=1)
Write = Callable[..., Export]


@pytest.fixture
def write(exporter: Write) -> Write:
    return exporter


def faults_of_story(write: Write) -> list[str]:
    found = verdict(write().path)
    assert found.status == 1, found.out
    return found.faults


def admits_everywhere(document: Document) -> None:
    zones = document["zones"]
    assert isinstance(zones, dict)
    document["zones"] = dict.fromkeys(zones, [])
    document["admitted_zones"] = sorted(zones)


def asks_nothing(document: Document) -> None:
    """With policies of its own, which admit everything."""
    admits_everywhere(document)
    document["policies"] = []
    document["policy_digest"] = digest([])
    document["valid_until"] = None


def admits_one_more(document: Document) -> None:
    admitted = document["admitted_zones"]
    assert isinstance(admitted, list)
    document["admitted_zones"] = [*admitted, "us-va-1"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (admits_everywhere, "comes out"),
        (asks_nothing, "was in force and was not applied"),
        (admits_one_more, "which the policies refuse"),
        (lambda document: document.update(valid_until="2030-01-01T00:00:00Z"), "comes out"),
        (lambda document: document.update(policy_digest="0" * 64), "policy_digest"),
        (lambda document: document.update(admit=False), "has a zone and does not admit"),
        (lambda document: document.update(zones=None), ""),
    ],
)
def test_a_false_decision_is_found_among_the_others(
    organization: Organization, write: Write, change: Callable[[Document], None], reason: str
) -> None:
    story = told(organization.pk)
    false = story.decide(change=change)
    story.create()
    faults = faults_of_story(write)
    assert len(faults) == 1
    assert "decision" in faults[0]
    assert reason in faults[0]
    record = EvidenceRecord.objects.get(subject_id=UUID(str(false["decision"])), kind="decision")
    assert str(record.pk) in faults[0]


def test_one_false_decision_among_a_hundred_is_found(organization: Organization, write: Write) -> None:
    story = told(organization.pk, instances=50)
    story.decide(change=admits_everywhere)
    for _ in range(50):
        story.create()
    made = write()
    found = verdict(made.path)
    assert "102 decision, " in found.out
    assert len(found.faults) == 1


def test_a_decision_is_computed_with_the_facts_of_its_own_time(organization: Organization, write: Write) -> None:
    story = told(organization.pk, instances=1)
    before = story.decide()
    now = clock.now()
    story.state([story.statement("zone", story.zone, "admin.access_from", ["US"], now=now)])
    after = story.decide()
    assert story.zone in before["admitted_zones"]  # type: ignore[operator]
    assert story.zone not in after["admitted_zones"]  # type: ignore[operator]
    made = write()
    assert verdict(made.path).status == 0, verdict(made.path).out
    story.decide(change=lambda document: document.update(facts_epoch=1))
    assert len(faults_of_story(write)) == 1


def test_a_fact_that_is_slipped_into_the_past_is_seen(organization: Organization, write: Write) -> None:
    story = told(organization.pk)
    now = clock.now()
    story.epoch = 0
    story.state([story.statement("zone", story.zone, "admin.access_from", ["US"], now=now)])
    assert any(" fact " in fault for fault in faults_of_story(write))


@pytest.mark.parametrize("is_everybodys", [True, False])
def test_a_record_that_is_dated_back_is_seen(organization: Organization, write: Write, is_everybodys: bool) -> None:
    told(organization.pk)
    then = clock.now() - 2 * OUT_OF_ORDER
    with patch.object(clock, "now", lambda: then):
        kind, owner = ("node", None) if is_everybodys else ("incident", organization.pk)
        evidence.append(kind, {"event": "removed"}, organization_id=owner)
    evidence.append("incident", {}, organization_id=organization.pk)
    (fault,) = faults_of_story(lambda: write(start=then - HOUR))
    assert "older than what stood in the log before it" in fault


def test_a_fact_that_no_officer_signed_is_not_believed(organization: Organization, write: Write) -> None:
    story = told(organization.pk)
    now = clock.now()
    zone = story.statement("zone", "us-va-1", "location.territory", "FR", now=now)
    story.state([zone], pen=Pen("officer-1"))
    story.state([zone], pen=story.signer)
    story.state([zone], pen=Pen("nobody"))
    assert [fault.split(": ")[-1] for fault in faults_of_story(write) if " fact " in fault] == [
        "key officer-1 did not sign this fact",
        "signer-1 is in no keyset as a key for facts",
        "nobody is in no keyset as a key for facts",
    ]


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"zone": "us-va-1"}, "does not admit us-va-1"),
        ({"resource": str(new_id())}, "about another resource"),
        ({"decision": "none"}, "there is no decision none"),
        ({"policy_digest": "0" * 64}, "no decision here has"),
        ({"aud": "another-node"}, "NO_CHARTER"),
        ({"exp": clock.now() + HOUR}, "EXPIRED"),
        ({"contents": Contents()}, "names nothing"),
    ],
)
def test_a_permit_that_does_not_follow_is_found(
    organization: Organization, write: Write, other: Document, reason: str
) -> None:
    story = told(organization.pk)
    story.permit(story.decide(), **other)
    (fault,) = faults_of_story(write)
    assert " permit " in fault
    assert reason in fault


def test_a_permit_for_a_place_that_the_facts_no_longer_admit_is_found(organization: Organization, write: Write) -> None:
    story = told(organization.pk)
    decision, now = story.decide(), clock.now()
    story.state([story.statement("zone", story.zone, "admin.access_from", ["US"], now=now)])
    story.permit(decision)
    (fault,) = faults_of_story(write)
    assert "POLICY_REFUSES" in fault


def test_a_permit_that_no_signer_signed_is_found(organization: Organization, write: Write) -> None:
    story = told(organization.pk)
    for pen in (Pen("signer-1"), Pen("signer-9"), story.officer):
        story.permit(story.decide(), pen=pen)
    assert len([fault for fault in faults_of_story(write) if " permit " in fault]) == 3


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"jti": "unknown"}, "not recorded"),
        ({"zone": "us-va-1"}, "another place"),
        ({"node": "another"}, "no key is known"),
        ({"resource": "vm-9"}, "does not name"),
        ({"at": "2020-01-01T00:00:00Z"}, "older"),
    ],
)
def test_a_receipt_that_does_not_follow_is_found(
    organization: Organization, write: Write, other: Document, reason: str
) -> None:
    story = told(organization.pk)
    story.receipt(story.permit(story.decide()), **other)
    faults = faults_of_story(write)
    assert len(faults) == 1
    assert " receipt " in faults[0]
    assert reason in faults[0]


def test_a_receipt_that_the_node_did_not_sign_is_found(organization: Organization, write: Write) -> None:
    story = told(organization.pk)
    story.receipt(story.permit(story.decide()), pen=Pen("node-1"))
    assert ["did not sign" in fault for fault in faults_of_story(write)] == [True]


def test_a_root_that_the_auditor_does_not_know_is_not_believed(
    organization: Organization, write: Write, tmp_path: Path
) -> None:
    told(organization.pk)
    found = verdict(write().path, "--root-key", str(Pen("root-1").file(tmp_path)))
    assert found.status == 1
    assert any(" trust " in fault and "no root key signed" in fault for fault in found.faults)
