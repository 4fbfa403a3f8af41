"""Records of the evidence log in PostgreSQL are immutable, get one log position, and have proofs."""

import json
import os
import random
import sys
from collections.abc import Callable

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pytest_django import Settings

from andromede_core.evidence import checkpoints, ed25519, merkle, records, signed_notes
from andromede_core.evidence.checkpoints import TreeHead
from controlplane.audit import evidence_log, log_key, proofs
from controlplane.audit.errors import LogKeyMissing, NotSequenced, RecordNotFound
from controlplane.audit.models import Checkpoint, EvidenceRecord, MerkleNode
from controlplane.kernel.ids import new_id
from scripts.polling import wait_until
from tests.processes import running
from tests.services.threads import at_once, split

Write = Callable[[int], list[EvidenceRecord]]


def leaves() -> list[bytes]:
    rows = EvidenceRecord.objects.exclude(leaf_index=None).order_by("leaf_index")
    assert [row.leaf_index for row in rows] == list(range(len(rows)))
    return [bytes(row.leaf_hash or b"") for row in rows]


def root_of(hashes: list[bytes]) -> bytes:
    """From the leaves alone."""
    tree = dict(merkle.extend(0, [], hashes))
    return merkle.root(len(hashes), tree.__getitem__)


def assert_whole() -> None:
    """Tree and streams are what they would be if one process had written them in one go."""
    hashes = leaves()
    assert {(node.level, node.position): bytes(node.hash) for node in MerkleNode.objects.all()} == {
        tuple(subtree): value for subtree, value in merkle.extend(0, [], hashes)
    }
    heads: dict[str, tuple[int, bytes]] = {}
    for row in EvidenceRecord.objects.exclude(leaf_index=None).order_by("leaf_index"):
        seq, prev = heads.get(row.stream, (0, b""))
        assert row.stream_seq == seq + 1
        entry = records.Entry(row.stream, seq + 1, prev, bytes(row.content_hash))
        assert entry.leaf == bytes(row.leaf_hash or b"")
        heads[row.stream] = (seq + 1, entry.leaf)


# ── appending ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.django_db
def test_record_document_has_the_values_of_its_columns() -> None:
    organization, project, resource = new_id(), new_id(), new_id()
    ids = {"organization_id": organization, "project_id": project, "resource_id": resource}
    row = evidence_log.append("decision", {"zone": "fr-1", "é": [1, None]}, **ids)
    row.refresh_from_db()
    assert row.document is not None
    assert row.salt is not None
    assert json.loads(row.document) == {
        "at": row.created_at.isoformat().replace("+00:00", "Z"),
        "document": {"zone": "fr-1", "é": [1, None]},
        "id": str(row.pk),
        "kind": "decision",
        "organization": str(organization),
        "project": str(project),
        "resource": str(resource),
    }
    assert bytes(row.content_hash) == records.content_hash(bytes(row.salt), row.document.encode())
    assert len(row.salt) == records.SALT_BYTES


@pytest.mark.django_db
def test_equal_documents_have_different_hashes() -> None:
    first, second = (evidence_log.append("receipt", {}, organization_id=new_id()) for _ in range(2))
    assert first.salt != second.salt
    assert first.content_hash != second.content_hash


@pytest.mark.django_db
def test_rolled_back_transaction_leaves_no_record() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        evidence_log.append("decision", {})
        raise ZeroDivisionError
    assert not EvidenceRecord.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("document", [{"x": float("nan")}, {"x": object()}, {"x": 2**60}])
def test_document_without_canonical_form_is_not_appended(document: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        evidence_log.append("decision", document)


@pytest.mark.django_db
def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(IntegrityError, match="audit_evidence_kind"), transaction.atomic():
        evidence_log.append("gossip", {})


@pytest.mark.django_db
def test_records_go_to_their_streams() -> None:
    organization = new_id()
    assert evidence_log.append("fact", {}).stream == "platform"
    assert evidence_log.append("fact", {}, organization_id=organization).stream == str(organization)
    assert evidence_log.append("incident", {}).stream == "operator"


# ── what the database refuses ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_evidencerecord",
        "UPDATE audit_evidencerecord SET document = '{}'",
        "UPDATE audit_evidencerecord SET kind = 'fact'",
        "UPDATE audit_evidencerecord SET organization_id = gen_random_uuid()",
        "UPDATE audit_evidencerecord SET created_at = now()",
        "UPDATE audit_evidencerecord SET leaf_index = leaf_index + 1",
        "UPDATE audit_evidencerecord SET leaf_index = NULL, stream_seq = NULL, leaf_hash = NULL",
        "UPDATE audit_evidencerecord SET leaf_hash = '\\x00'",
        "UPDATE audit_evidencerecord SET document = NULL, salt = NULL, content_hash = '\\x00'",
        "UPDATE audit_evidencerecord SET salt = NULL",
        "INSERT INTO audit_evidencerecord SELECT gen_random_uuid(), created_at, updated_at, kind, organization_id, "
        "project_id, resource_id, subject_id, stream, document, salt, content_hash, 99, 99, leaf_hash "
        "FROM audit_evidencerecord",
        "DELETE FROM audit_merklenode",
        "UPDATE audit_merklenode SET hash = '\\x00'",
        "DELETE FROM audit_checkpoint",
        "UPDATE audit_checkpoint SET note = ''",
    ],
)
def test_evidence_is_neither_changed_nor_deleted(write: Write, statement: str) -> None:
    write(1)
    evidence_log.checkpoint()
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_wrong_content_hash_is_refused(write: Write) -> None:
    row = evidence_log.append("receipt", {})
    forged = EvidenceRecord(kind="receipt", stream="operator", document=row.document, salt=row.salt, content_hash=b"x")
    with pytest.raises(IntegrityError, match="audit_evidence_content"), transaction.atomic():
        forged.save(force_insert=True)


# ── erasure ─────────────────────────────────────────────────────────────────────────────────────


def test_erased_record_loses_its_content_and_the_tree_stays(write: Write) -> None:
    row = write(3)[1]
    before = proofs.root(3)
    evidence_log.erase_record(row.pk, reason="right to be forgotten")
    evidence_log.erase_record(row.pk, reason="right to be forgotten")
    row.refresh_from_db()
    assert row.document is None
    assert row.salt is None
    evidence_log.sequence()
    assert proofs.root(3) == before
    assert_whole()
    erasure = EvidenceRecord.objects.get(kind="erasure")
    assert erasure.document is not None
    assert json.loads(erasure.document)["document"] == {
        "record": str(row.pk),
        "reason": "right to be forgotten",
        "stream": row.stream,
        "records": [[2, 2]],
    }


def blanked(row: EvidenceRecord) -> None:
    with transaction.atomic():
        EvidenceRecord.objects.filter(pk=row.pk).update(document=None, salt=None)


def erasure_of(row: EvidenceRecord, first: int, last: int) -> EvidenceRecord:
    document = {"reason": "law", "stream": row.stream, "records": [[first, last]]}
    return evidence_log.append("erasure", document, organization_id=row.organization_id)


def test_database_blanks_only_records_that_a_new_erasure_names(write: Write) -> None:
    row = write(3)[1]
    for first, last in ((1, 1), (3, 9)):
        erasure_of(row, first, last)
    with pytest.raises(IntegrityError, match="append-only"):
        blanked(row)
    erasure_of(row, 1, 3)
    evidence_log.sequence()
    with pytest.raises(IntegrityError, match="append-only"):
        blanked(row)
    erasure = erasure_of(row, 2, 2)
    blanked(row)
    erasure_of(erasure, 1, 100)
    with pytest.raises(IntegrityError, match="append-only"):
        blanked(erasure)


def test_record_is_erased_before_it_is_sequenced(log: None) -> None:
    row = evidence_log.append("receipt", {}, organization_id=new_id())
    evidence_log.erase_record(row.pk, reason="law")
    assert evidence_log.sequence() == 1
    assert_whole()


@pytest.mark.django_db
def test_erasure_of_a_missing_record_is_refused() -> None:
    with pytest.raises(RecordNotFound):
        evidence_log.erase_record(new_id(), reason="law")


# ── places ──────────────────────────────────────────────────────────────────────────────────────


def test_log_positions_are_assigned_once_in_order_of_ids(write: Write) -> None:
    rows = write(5)
    assert [row.leaf_index for row in rows] == [0, 1, 2, 3, 4]
    assert [row.pk for row in rows] == sorted(row.pk for row in rows)
    assert evidence_log.sequence() == 0
    assert_whole()


def test_sequencer_assigns_several_batches(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_log, "BATCH", 3)
    write(8)
    assert len(leaves()) == 8
    assert_whole()
    monkeypatch.setattr(evidence_log, "BATCHES_MAX", 2)
    assert len({row.pk for row in write(8)}) == 8
    assert len(leaves()) == 14
    assert evidence_log.sequence() == 2
    assert_whole()


@examples(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(portions=st.lists(st.lists(st.sampled_from(["a", "b", None]), max_size=9), max_size=6))
def test_streams_have_no_gap(log: None, portions: list[list[str | None]]) -> None:
    owners = {name: new_id() for name in ("a", "b")}
    for portion in portions:
        for name in portion:
            evidence_log.append("receipt", {}, organization_id=owners[name] if name else None)
        assert evidence_log.sequence() == len(portion)
    assert_whole()


# ── checkpoints and proofs ──────────────────────────────────────────────────────────────────────


def test_a_checkpoint_is_a_signed_note_of_the_tree(write: Write) -> None:
    assert evidence_log.checkpoint() is None
    write(5)
    created = evidence_log.checkpoint()
    assert created is not None
    note = signed_notes.parse_note(created.note)
    assert signed_notes.verify_note(note, [log_key.load().public], ed25519.verify)
    assert checkpoints.parse_head(note.text) == TreeHead("cloud.example/log", 5, root_of(leaves()))
    assert evidence_log.checkpoint() is None
    write(1)
    assert evidence_log.checkpoint() is not None
    assert Checkpoint.objects.count() == 2


def test_no_checkpoint_is_signed_without_a_key(write: Write, settings: Settings) -> None:
    write(1)
    (settings.PKI_DIR / "log.key").unlink()
    with pytest.raises(LogKeyMissing):
        evidence_log.checkpoint()


def test_log_key_is_made_once_and_readable_by_its_owner_alone(write: Write, settings: Settings) -> None:
    folder = settings.PKI_DIR
    key = log_key.load().public
    log_key.create_log_key(folder)
    assert log_key.load().public == key
    assert (folder / "log.key").stat().st_mode & 0o777 == 0o600


def test_each_record_has_an_inclusion_proof_for_each_later_checkpoint(write: Write) -> None:
    signed = []
    for count in (1, 2, 5, 1, 8):
        write(count)
        signed.append(evidence_log.checkpoint())
    for created in filter(None, signed):
        for row in EvidenceRecord.objects.order_by("leaf_index"):
            assert row.leaf_index is not None
            if row.leaf_index >= created.tree_size:
                with pytest.raises(NotSequenced):
                    proofs.inclusion(row, created)
                continue
            proof = proofs.inclusion(row, created)
            leaf = {"index": row.leaf_index, "size": created.tree_size, "root": bytes(created.root_hash)}
            assert merkle.is_included(bytes(row.leaf_hash or b""), proof=proof, **leaf)


def test_checkpoints_have_consistency_proofs(write: Write) -> None:
    created = []
    for count in (1, 2, 5, 1, 8):
        write(count)
        created.append(evidence_log.checkpoint())
    for old in filter(None, created):
        for new in filter(None, created):
            if old.tree_size <= new.tree_size:
                roots = {"old_root": bytes(old.root_hash), "new_root": bytes(new.root_hash)}
                proof = proofs.consistency(old.tree_size, new.tree_size)
                assert merkle.is_consistent(old.tree_size, new.tree_size, proof=proof, **roots)


def test_unsequenced_record_has_no_inclusion_proof(write: Write) -> None:
    write(1)
    created = evidence_log.checkpoint()
    assert created is not None
    with pytest.raises(NotSequenced):
        proofs.inclusion(evidence_log.append("receipt", {}), created)


# ── several at once, and death in the middle ────────────────────────────────────────────────────


@pytest.mark.django_db(transaction=True)
def test_concurrent_writers_sequencers_and_signers_keep_the_log_whole(log: None) -> None:
    owners = [new_id() for _ in range(3)]

    def append() -> int:
        for number in range(15):
            evidence_log.append("receipt", {"number": number}, organization_id=owners[number % 3])
        return 0

    def sequence() -> int:
        return sum(evidence_log.sequence() for _ in range(10))

    def sign() -> int:
        return sum(evidence_log.checkpoint() is not None for _ in range(5))

    _, lost = split(at_once([append, append, append, sequence, sequence, sign, sign]))
    assert not lost
    evidence_log.sequence()
    assert len(leaves()) == 45
    assert_whole()
    hashes = leaves()
    for created in Checkpoint.objects.all():
        assert bytes(created.root_hash) == root_of(hashes[: created.tree_size])


SEQUENCE_FOR_EVER = """
import django
django.setup()
from controlplane.audit import evidence_log
evidence_log.BATCH = 2
while True:
    evidence_log.sequence()
"""


@pytest.mark.django_db(transaction=True)
def test_killed_sequencer_leaves_a_whole_log(log: None) -> None:
    environment = os.environ | {"ANDROMEDE_DB_NAME": str(connection.settings_dict["NAME"])}
    for _ in range(4):
        with running([sys.executable, "-c", SEQUENCE_FOR_EVER], env=environment):
            wait_until(lambda: append_one() and evidence_has_places())
            for _ in range(random.randrange(40)):
                append_one()
    evidence_log.sequence()
    assert not EvidenceRecord.objects.filter(leaf_index=None).exists()
    assert_whole()


def append_one() -> bool:
    return evidence_log.append("receipt", {}, organization_id=ORGANIZATION).pk is not None


def evidence_has_places() -> bool:
    """The process has come up and works."""
    newest = EvidenceRecord.objects.order_by("-pk")[:3]
    return any(row.leaf_index is not None for row in newest)


ORGANIZATION = new_id()
