"""Commands of the log and of a witness work together."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from andromede_core.evidence import ed25519, signed_notes, witness
from andromede_core.evidence.checkpoints import parse_request, verify_cosignature
from andromede_core.evidence.signed_notes import COSIGNATURE, ED25519
from controlplane.audit import evidence_log, log_key, selectors
from controlplane.audit.errors import (
    CheckpointNotFound,
    CosignatureInvalid,
    WitnessKeyInvalid,
    WitnessNameTaken,
    WitnessNotFound,
)
from controlplane.audit.models import Checkpoint, Cosignature, EvidenceRecord
from controlplane.audit.witnesses import cosign_accept, witness_add, witness_get, witness_request, witness_retire
from tests.unit.audit.keys import Signer

Write = Callable[[int], list[EvidenceRecord]]
NAME = "auditor.example/w"


@pytest.fixture
def auditor(tmp_path: Path) -> witness.Witness:
    return witness.create(tmp_path / "witness", NAME)


def signed(write: Write, count: int) -> Checkpoint:
    write(count)
    created = evidence_log.checkpoint()
    assert created is not None
    return created


def output_of(*command: str) -> str:
    out = io.StringIO()
    call_command(*command, stdout=out)
    return out.getvalue()


def test_witness_cosigns_successive_checkpoints(
    write: Write, auditor: witness.Witness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = signed_notes.parse_key(output_of("witness_add", str(auditor.key)).strip())
    for count in (3, 1, 4):
        signatures = signed(write, count)
        monkeypatch.setattr("sys.stdin", io.StringIO(output_of("witness_request", NAME)))
        assert witness.main(["cosign", str(auditor.folder), str(log)]) == 0
        monkeypatch.setattr("sys.stdin", io.StringIO(capsys.readouterr().out))
        call_command("witness_cosign", str(signatures.tree_size))
        note = selectors.checkpoint_note(signatures)
        assert signed_notes.verify_note(note, [log], ed25519.verify) == [log]
        assert verify_cosignature(note.text, note.signatures[1], auditor.key, ed25519.verify)
    assert Cosignature.objects.count() == 3


def test_witness_request_starts_at_the_last_or_stated_size(write: Write, auditor: witness.Witness) -> None:
    row = witness_add(str(auditor.key))
    signed(write, 3)
    request = witness_request(row)
    assert (request.old, request.proof) == (0, ())
    cosign_accept(3, str(auditor.sign(request, log_key.load().public, now=1)))
    signed(write, 5)
    assert witness_request(row).old == 3
    assert witness_request(row, old=2).old == 2
    assert parse_request(str(witness_request(row))) == witness_request(row)
    with pytest.raises(CheckpointNotFound):
        witness_request(row, old=9)


def test_repeated_cosignature_changes_nothing(write: Write, auditor: witness.Witness) -> None:
    signatures = signed(write, 3)
    row = witness_add(str(auditor.key))
    first, second = (auditor.sign(witness_request(row, old=old), log_key.load().public, now=old) for old in (0, 3))
    cosignature = cosign_accept(3, str(first))
    assert cosign_accept(3, str(second)).pk == cosignature.pk
    assert Cosignature.objects.get(checkpoint=signatures).line == str(first)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        cosignature.delete()


def test_invalid_cosignatures_are_refused(write: Write, auditor: witness.Witness) -> None:
    signed(write, 3)
    witness_add(str(auditor.key))
    line = auditor.sign(witness_request(witness_get(NAME)), log_key.load().public, now=1)
    signed(write, 2)
    for size, text in (
        (5, str(line)),
        (3, str(line).replace(NAME, "somebody.example/w")),
        (3, "hello"),
        (3, ""),
        (3, str(log_key.load().sign_note("x\n").signatures[0])),
    ):
        with pytest.raises(CosignatureInvalid):
            cosign_accept(size, text)
    with pytest.raises(CheckpointNotFound):
        cosign_accept(4, str(line))
    witness_retire(NAME)
    with pytest.raises(CosignatureInvalid):
        cosign_accept(3, str(line))
    assert not Cosignature.objects.exists()


def test_witness_is_added_once(log: None, auditor: witness.Witness) -> None:
    assert witness_add(str(auditor.key)) == witness_add(str(auditor.key))
    with pytest.raises(WitnessNameTaken):
        witness_add(str(Signer(NAME, COSIGNATURE).key))
    call_command("witness_retire", NAME)
    with pytest.raises(WitnessNameTaken):
        witness_add(str(auditor.key))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "key",
    ["", "name+00000000+AA==", str(Signer("log.example", ED25519).key)],
    ids=["empty", "no key", "of a log"],  # the same in every process of the tests
)
def test_invalid_witness_key_is_refused(key: str) -> None:
    with pytest.raises(WitnessKeyInvalid):
        witness_add(key)


@pytest.mark.django_db
def test_unknown_witness_is_not_found() -> None:
    with pytest.raises(WitnessNotFound):
        witness_get("nobody")
    with pytest.raises(CommandError, match="evidence.witness_not_found"):
        call_command("witness_request", "nobody")


def test_request_without_a_checkpoint_is_refused(log: None, auditor: witness.Witness) -> None:
    with pytest.raises(CheckpointNotFound):
        witness_request(witness_add(str(auditor.key)))
