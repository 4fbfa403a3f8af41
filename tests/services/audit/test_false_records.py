"""The verifier names each false record that a dishonest control plane could write."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from andromede_core.documents.canonical import digest
from andromede_core.documents.parsing import as_rfc3339
from andromede_core.evidence.export_format import EARLIER_RECORDS
from andromede_core.evidence.streams import OUT_OF_ORDER
from andromede_core.permits.permit import LIFETIME, Contents
from andromede_core.policy.exemption import Exemption, Terms
from controlplane.audit import evidence_log
from controlplane.audit.models import EvidenceRecord
from controlplane.identity.models import Organization
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from tests.services.audit.exports import Export, verdict
from tests.services.audit.sample_evidence import Document, DocumentSigner, SampleEvidence, make_sample_evidence

HOUR = timedelta(hours=1)
Write = Callable[..., Export]


@pytest.fixture
def write(exporter: Write) -> Write:
    return exporter


def faults_of_story(write: Write) -> list[str]:
    result = verdict(write().path)
    assert result.status == 1, result.out
    return result.faults


def admits_everywhere(document: Document) -> None:
    zones = document["zones"]
    assert isinstance(zones, dict)
    document["zones"] = dict.fromkeys(zones, [])
    document["admitted_zones"] = sorted(zones)


def asks_nothing(document: Document) -> None:
    """Use own policies, which admit everything."""
    admits_everywhere(document)
    document["policies"] = []
    document["policy_digest"] = digest([])
    document["valid_until"] = None


def admits_one_more(document: Document) -> None:
    admitted = document["admitted_zones"]
    assert isinstance(admitted, list)
    document["admitted_zones"] = [*admitted, "us-va-1"]


def exempts_itself(document: Document) -> None:
    """Exempt the decision without a signature."""
    now = clock.now()
    terms = Terms(
        id="ex-1",
        resources=(str(document["resource"]),),
        op="instance.create",
        zone="us-va-1",
        waived=("eu/loc", "eu/adm", "qualified/snc"),
        reason="a storm",
        requested_by="mallory",
        not_before=now - HOUR,
        expires_at=now + HOUR,
        max_uses=1,
    )
    document["exemption"] = Exemption(terms, ()).payload()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (exempts_itself, "its exemption does not count: NOT_APPROVED"),
        (admits_everywhere, "comes out"),
        (asks_nothing, "was in force and was not applied"),
        (admits_one_more, "which the policies refuse"),
        (lambda document: document.update(valid_until="2030-01-01T00:00:00Z"), "comes out"),
        (lambda document: document.update(policy_digest="0" * 64), "policy_digest"),
        (lambda document: document.update(admit=False), "has a zone and does not admit"),
        (lambda document: document.update(zones=None), ""),
    ],
)
def test_false_decision_is_found(
    organization: Organization, write: Write, change: Callable[[Document], None], reason: str
) -> None:
    story = make_sample_evidence(organization.pk)
    false = story.decide(change=change)
    story.create()
    faults = faults_of_story(write)
    assert len(faults) == 1
    assert "decision" in faults[0]
    assert reason in faults[0]
    record = EvidenceRecord.objects.get(subject_id=UUID(str(false["decision"])), kind="decision")
    assert str(record.pk) in faults[0]


def test_one_false_decision_among_a_hundred_true_ones_is_found(organization: Organization, write: Write) -> None:
    story = make_sample_evidence(organization.pk, instances=50)
    story.decide(change=admits_everywhere)
    for _ in range(50):
        story.create()
    export = write()
    result = verdict(export.path)
    assert "102 decision, " in result.out
    assert len(result.faults) == 1


def test_decision_is_recomputed_with_the_facts_of_its_time(organization: Organization, write: Write) -> None:
    story = make_sample_evidence(organization.pk, instances=1)
    before = story.decide()
    now = clock.now()
    story.state([story.statement("zone", story.zone, "admin.access_from", ["US"], now=now)])
    after = story.decide()
    assert story.zone in before["admitted_zones"]  # type: ignore[operator]
    assert story.zone not in after["admitted_zones"]  # type: ignore[operator]
    export = write()
    assert verdict(export.path).status == 0, verdict(export.path).out
    story.decide(change=lambda document: document.update(facts_epoch=1))
    assert len(faults_of_story(write)) == 1


def past() -> AbstractContextManager[object]:
    """Set the clock back by five minutes, so that all processes know the facts stated here."""
    then = clock.now() - timedelta(minutes=5)
    return patch.object(clock, "now", lambda: then)


def neutral(story: SampleEvidence) -> None:
    """An epoch that changes nothing for the zones that are admitted."""
    story.state([story.statement("zone", "us-va-1", "admin.access_from", ["US"], now=clock.now())])


@pytest.mark.parametrize("number", ["facts_epoch", "organization_version", "platform_version"])
def test_decision_on_a_superseded_policy_is_found(organization: Organization, write: Write, number: str) -> None:
    with past():
        story = make_sample_evidence(organization.pk)
        neutral(story)
        policy = story.layers[0]
        document = {"level": "platform", "id": "p", "version": 1, "head": 2, "policy": policy}
        evidence_log.append("policy_version", document)

    def rests_on_the_one_before(document: Document) -> None:
        document["platform_version"] = 2
        document[number] = int(str(document[number])) - 1

    story.decide(change=rests_on_the_one_before)
    (fault,) = faults_of_story(write)
    assert "it rests on " in fault


def test_change_during_a_decision_is_no_fault(organization: Organization, write: Write) -> None:
    with past():
        story = make_sample_evidence(organization.pk)
    decision = story.decide()
    neutral(story)
    story.permit(decision, epoch=story.epoch - 1)
    story.decide(change=lambda document: document.update(facts_epoch=story.epoch - 1))
    assert verdict(write().path).status == 0, verdict(write().path).out


@pytest.mark.parametrize("is_old", [True, False])
def test_permit_on_superseded_facts_is_found(organization: Organization, write: Write, is_old: bool) -> None:
    with past():
        story = make_sample_evidence(organization.pk)
        before = story.decide()
        neutral(story)
    if is_old:
        story.permit(before)
    else:
        story.permit(story.decide(), epoch=story.epoch - 1)
    (fault,) = faults_of_story(write)
    assert " permit " in fault
    assert f"epoch {story.epoch} had begun" in fault


@pytest.mark.parametrize(
    ("change", "other", "reason"),
    [
        ({"roles": ["compute"]}, {}, "does not ask for the roles of instance.create"),
        ({"operation": "console.read"}, {}, "does not ask for the roles of console.read"),
        ({"operation": "instance.stop"}, {}, "no such operation"),
        ({"at": "2026-11-01T00:00:00Z"}, {}, "another moment"),
        ({}, {"roles": ("compute",)}, "does not ask for the roles"),
        ({}, {"op": "console.read"}, "does not ask for the roles"),
        ({}, {"project": str(new_id())}, "another project"),
        ({}, {"organization": str(new_id())}, "another project or organization"),
        ({"classifications": ["secret"]}, {}, "lacks classifications of its decision: secret"),
        ({}, {"nbf": clock.now() - HOUR, "exp": clock.now() - HOUR + LIFETIME}, "not recorded when it was made"),
    ],
)
def test_record_inconsistent_with_its_decision_is_found(
    organization: Organization, write: Write, change: Document, other: Document, reason: str
) -> None:
    story = make_sample_evidence(organization.pk)
    decision = story.decide(change=lambda document: document.update(change))
    if not change or "classifications" in change:
        story.permit(decision, **other)
    (fault,) = faults_of_story(write)
    assert reason in fault


def test_decision_may_serve_another_operation_of_equal_demand(organization: Organization, write: Write) -> None:
    story = make_sample_evidence(organization.pk)
    story.permit(story.decide(), op="instance.start")
    assert verdict(write().path).status == 0


def test_a_permit_that_outlives_its_decision_is_found(organization: Organization, write: Write) -> None:
    story, now = make_sample_evidence(organization.pk), clock.now()
    fact = story.statement("zone", "us-va-1", "location.territory", "US", now=now)
    story.state([replace(fact, review_by=now + timedelta(minutes=1))])
    story.permit(story.decide())
    (fault,) = faults_of_story(write)
    assert "outlives its decision" in fault


def test_omitted_policies_are_found(organization: Organization, write: Write) -> None:
    story = make_sample_evidence(organization.pk)
    start = clock.now()
    story.create()
    export = write(start)
    export.change(EARLIER_RECORDS, lambda lines: lines[1:])
    export.sign()
    assert any("whose version 2 is not here" in fault for fault in export.verdict().faults)


def test_backdated_fact_is_found(organization: Organization, write: Write) -> None:
    story = make_sample_evidence(organization.pk)
    now = clock.now()
    story.epoch = 0
    story.state([story.statement("zone", story.zone, "admin.access_from", ["US"], now=now)])
    assert any(" fact " in fault for fault in faults_of_story(write))


@pytest.mark.parametrize("is_everybodys", [True, False])
def test_backdated_record_is_found(organization: Organization, write: Write, is_everybodys: bool) -> None:
    make_sample_evidence(organization.pk)
    then = clock.now() - 2 * OUT_OF_ORDER
    with patch.object(clock, "now", lambda: then):
        kind, owner = ("node", None) if is_everybodys else ("incident", organization.pk)
        evidence_log.append(kind, {"event": "removed"}, organization_id=owner)
    evidence_log.append("incident", {}, organization_id=organization.pk)
    (fault,) = faults_of_story(lambda: write(start=then - HOUR))
    assert "older than what stood in the log before it" in fault


def test_fact_without_an_officer_signature_is_found(organization: Organization, write: Write) -> None:
    story = make_sample_evidence(organization.pk)
    now = clock.now()
    zone = story.statement("zone", "us-va-1", "location.territory", "FR", now=now)
    story.state([zone], pen=DocumentSigner("officer-1"))
    story.state([zone], pen=story.signer)
    story.state([zone], pen=DocumentSigner("nobody"))
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
def test_permit_inconsistent_with_its_decision_is_found(
    organization: Organization, write: Write, other: Document, reason: str
) -> None:
    story = make_sample_evidence(organization.pk)
    story.permit(story.decide(), **other)
    (fault,) = faults_of_story(write)
    assert " permit " in fault
    assert reason in fault


def test_permit_for_a_zone_no_longer_admitted_is_found(organization: Organization, write: Write) -> None:
    story = make_sample_evidence(organization.pk)
    decision, now = story.decide(), clock.now()
    story.state([story.statement("zone", story.zone, "admin.access_from", ["US"], now=now)])
    story.permit(decision)
    (fault,) = faults_of_story(write)
    assert "POLICY_REFUSES" in fault


def test_permit_without_a_signer_signature_is_found(organization: Organization, write: Write) -> None:
    story = make_sample_evidence(organization.pk)
    for pen in (DocumentSigner("signer-1"), DocumentSigner("signer-9"), story.officer):
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
def test_receipt_inconsistent_with_its_permit_is_found(
    organization: Organization, write: Write, other: Document, reason: str
) -> None:
    story = make_sample_evidence(organization.pk)
    story.receipt(story.permit(story.decide()), **other)
    faults = faults_of_story(write)
    assert len(faults) == 1
    assert " receipt " in faults[0]
    assert reason in faults[0]


def enrol_storage_agent(story: SampleEvidence, machine: DocumentSigner, *, node: str) -> None:
    about = {"agent": "storage", "node": node, "zone": story.zone, "public_key": machine.public}
    evidence_log.append("node", {"event": "enrolled", **about})


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({}, None),
        ({"kind": "image"}, None),
        ({"kind": "instance"}, "opens no instance"),
        ({"zone": "fr-idf-2"}, "another place"),
        ({"resource": "vm-9"}, "does not name"),
    ],
)
def test_receipt_of_a_storage_agent_follows_from_a_permit_of_a_node_of_its_zone(
    organization: Organization, write: Write, other: Document, reason: str | None
) -> None:
    story, cluster = make_sample_evidence(organization.pk), str(new_id())
    agent = DocumentSigner(cluster, ec.generate_private_key(ec.SECP256R1()))
    enrol_storage_agent(story, agent, node=cluster)
    story.receipt(story.permit(story.decide()), pen=agent, **{"node": cluster, "kind": "snapshot", **other})
    result = verdict(write().path)
    assert result.status == (reason is not None), result.out
    assert [str(reason) in fault for fault in result.faults] == [True] * result.status


@pytest.mark.parametrize("is_opened", [True, False])
def test_erasure_follows_from_what_was_opened(organization: Organization, write: Write, *, is_opened: bool) -> None:
    story, cluster = make_sample_evidence(organization.pk), str(new_id())
    agent = DocumentSigner(cluster, ec.generate_private_key(ec.SECP256R1()))
    enrol_storage_agent(story, agent, node=cluster)
    about = {"node": cluster, "kind": "cluster-volume", "measured": {"pool": "vms", "trash": "a1"}}
    permit = story.permit(story.decide())
    for event in ("opened", "closed", "erased") if is_opened else ("erased",):
        story.receipt(permit, event, pen=agent, **about)
    result = verdict(write().path)
    assert result.status == (not is_opened), result.out
    assert ["closed what no receipt says it had opened" in each for each in result.faults] == [True] * result.status


def test_node_does_not_sign_for_a_cluster(organization: Organization, write: Write) -> None:
    story = make_sample_evidence(organization.pk)
    story.receipt(story.permit(story.decide()), kind="cluster-volume")
    assert ["opens no cluster-volume" in fault for fault in faults_of_story(write)] == [True]


def test_storage_agent_that_was_enrolled_anew_signs_with_its_new_key(organization: Organization, write: Write) -> None:
    story, cluster = make_sample_evidence(organization.pk), str(new_id())
    old, new = (DocumentSigner(cluster, ec.generate_private_key(ec.SECP256R1())) for _ in range(2))
    about = {"node": cluster, "kind": "snapshot"}
    enrol_storage_agent(story, old, node=cluster)
    story.receipt(story.permit(story.decide()), pen=old, **about)
    enrol_storage_agent(story, new, node=cluster)
    story.receipt(story.permit(story.decide()), pen=new, **about)
    story.receipt(story.permit(story.decide()), pen=old, **about)
    (fault,) = faults_of_story(write)
    assert "did not sign" in fault, "the third one; the first two are right"


def test_receipt_without_the_node_signature_is_found(organization: Organization, write: Write) -> None:
    story = make_sample_evidence(organization.pk)
    story.receipt(story.permit(story.decide()), pen=DocumentSigner("node-1"))
    assert ["did not sign" in fault for fault in faults_of_story(write)] == [True]


def test_late_or_unpermitted_receipt_is_found(organization: Organization, write: Write) -> None:
    story = make_sample_evidence(organization.pk)
    late = story.permit(story.decide())
    story.receipt(late, at=as_rfc3339(late.exp + HOUR))
    story.receipt(story.permit(story.decide()), "closed")
    faults = faults_of_story(write)
    assert ["its permit had ended" in fault for fault in faults] == [True, False]
    assert "closed what no receipt says it had opened" in faults[1]


def test_receipt_of_an_interrupted_action_may_be_late(organization: Organization, write: Write) -> None:
    story = make_sample_evidence(organization.pk)
    late = story.permit(story.decide())
    story.receipt(late, at=as_rfc3339(late.exp + HOUR), measured={"is_interrupted": True})
    result = verdict(write().path)
    assert result.status == 0, result.out


def test_receipt_may_close_an_interval_from_before_the_period(organization: Organization, write: Write) -> None:
    story = make_sample_evidence(organization.pk)
    permit = story.create()
    evidence_log.append("incident", {"what": "between"}, organization_id=organization.pk)
    start = clock.now()
    story.receipt(permit, "closed")
    assert verdict(write(start).path).status == 0, verdict(write(start).path).out


def test_repeated_or_late_receipt_number_is_found(organization: Organization, write: Write) -> None:
    with past():
        story = make_sample_evidence(organization.pk)
        story.receipts += 1
        story.create()
    left_out, twice = story.receipts - 1, story.receipts
    for number in (left_out, twice):
        story.receipt(story.permit(story.decide()), number=number)
    assert [
        f"receipt {number} of the node" in fault
        for number, fault in zip((left_out, twice), faults_of_story(write), strict=True)
    ] == [True, True]


# ── keys that changed ───────────────────────────────────────────────────────────────────────────


def test_export_verifies_after_an_emergency_key_rotation(
    organization: Organization, write: Write, tmp_path: Path
) -> None:
    """The root denies the signer's key and publishes another: docs/how-to/rotate-keys.md."""
    with past():
        story = make_sample_evidence(organization.pk)
        story.deny(1, story.signer.id)
        story.signer = DocumentSigner("signer-2")
        story.publish(2, story.signer)
    story.create()
    result = verdict(write().path, "--root-key", str(story.root.file(tmp_path)))
    assert result.status == 0, result.out


@pytest.mark.parametrize("is_denied", [True, False])
def test_permit_by_a_denied_key_is_found(organization: Organization, write: Write, is_denied: bool) -> None:
    with past():
        story = make_sample_evidence(organization.pk)
        if is_denied:
            story.deny(1, "signer-1")
        else:
            story.publish(2, DocumentSigner("signer-2"))
    story.create()
    faults = faults_of_story(write)
    assert ("REVOKED_KEY" if is_denied else "UNKNOWN_KEY") in faults[0]


def test_permit_issued_during_a_key_denial_is_no_fault(organization: Organization, write: Write) -> None:
    story = make_sample_evidence(organization.pk)
    story.publish(2, DocumentSigner("signer-2"))
    story.deny(1, "signer-1")
    story.create()
    assert verdict(write().path).status == 0, verdict(write().path).out


def test_two_trust_documents_of_one_version_are_found(organization: Organization, write: Write) -> None:
    story = make_sample_evidence(organization.pk)
    story.publish(1, story.signer, DocumentSigner("signer-2"))
    story.deny(2, "signer-9")
    story.deny(2, "signer-8")
    story.deny(3, "signer-7", pen=story.signer)
    evidence_log.append("trust", {"trust": "root", "public_key": DocumentSigner("root-2").public})
    assert [fault.split(": ", 1)[1] for fault in faults_of_story(write)] == [
        "it is version 1 of the keyset, and version 1 stands before it",
        "it is version 2 of the deny list, and version 2 stands before it",
        "it lacks what was denied before",
        "it is a second root key: say with --root-key which ones you know",
    ]


def test_unknown_root_key_is_refused(organization: Organization, write: Write, tmp_path: Path) -> None:
    make_sample_evidence(organization.pk)
    result = verdict(write().path, "--root-key", str(DocumentSigner("root-1").file(tmp_path)))
    assert result.status == 1
    assert any(" trust " in fault and "no root key signed" in fault for fault in result.faults)
