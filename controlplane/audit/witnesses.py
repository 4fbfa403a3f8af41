"""Witnesses: their keys, the requests to them, and their cosignatures of checkpoints."""

from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import transaction
from django.db.models import Max

from andromede_core.documents.messages import Message, message_of
from andromede_core.evidence.checkpoints import WitnessRequest, verify_cosignature
from andromede_core.evidence.signed_notes import COSIGNATURE, Key, NoteError, parse_key, parse_note, parse_signature
from controlplane.audit import proofs
from controlplane.audit.errors import (
    CheckpointNotFound,
    CosignatureInvalid,
    WitnessKeyInvalid,
    WitnessNameTaken,
    WitnessNotFound,
)
from controlplane.audit.models import Checkpoint, Cosignature, Witness
from controlplane.audit.services import record
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock


def verify(public: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def key_of(witness: Witness) -> Key:
    return Key(witness.name, bytes(witness.public_key), COSIGNATURE)


@transaction.atomic
def witness_add(key_text: str, *, url: str = "") -> Witness:
    """Accept cosignatures of this key (NAME+ID+BASE64, as the witness prints it) from now on. Idempotent.

    Raises:
        WitnessKeyInvalid, WitnessNameTaken
    """
    try:
        key = parse_key(key_text)
    except NoteError as exc:
        raise WitnessKeyInvalid(field="key", reason=message_of(exc)) from exc
    if key.algorithm != COSIGNATURE:
        raise WitnessKeyInvalid(field="key", reason=Message("it signs notes, not cosignatures"))
    witness, is_new = Witness.objects.get_or_create(name=key.name, defaults={"public_key": key.public, "url": url})
    if bytes(witness.public_key) != key.public or witness.retired_at is not None:
        raise WitnessNameTaken(field="key", name=key.name)
    if is_new:
        record(SYSTEM, "witness.add", witness.pk, name=witness.name)
    return witness


@transaction.atomic
def witness_retire(name: str) -> None:
    """Accept no more cosignatures of the witness; earlier ones stay. Raises WitnessNotFound."""
    witness = witness_get(name)
    now = clock.now()
    if Witness.objects.filter(pk=witness.pk, retired_at=None).update(retired_at=now, updated_at=now):
        record(SYSTEM, "witness.retire", witness.pk, name=witness.name)


def witness_get(name: str) -> Witness:
    """Return a witness. Raises WitnessNotFound."""
    witness = Witness.objects.filter(name=name).first()
    if witness is None:
        raise WitnessNotFound(name=name)
    return witness


def witness_request(witness: Witness, *, old: int | None = None) -> WitnessRequest:
    """Return the request to a witness about the newest checkpoint.

    `old`: the size that it signed last, if that differs from the database.

    Raises:
        CheckpointNotFound: there is no checkpoint yet, or none as large as `old`.
    """
    if old is None:
        cosigned = Cosignature.objects.filter(witness=witness).aggregate(size=Max("checkpoint__tree_size"))
        old = cosigned["size"] or 0
    return request_since(old)


def request_since(old: int) -> WitnessRequest:
    """Return the request to a witness that signed the tree of size `old` last; 0: none.

    Raises:
        CheckpointNotFound: there is no checkpoint yet, or none as large as `old`.
    """
    newest = Checkpoint.objects.order_by("-tree_size").first()
    if newest is None or not 0 <= old <= newest.tree_size:
        raise CheckpointNotFound(name=str(old))
    proof = tuple(proofs.consistency(old, newest.tree_size))
    return WitnessRequest(old, proof, parse_note(newest.note))


def cosign_accept(checkpoint_size: int, line: str) -> Cosignature:
    """Store a witness's cosignature of the checkpoint of that size.

    A second one of the same witness changes nothing.

    Raises:
        CheckpointNotFound
        CosignatureInvalid: malformed line, unknown or retired witness, or wrong signature.
    """
    checkpoint = Checkpoint.objects.filter(tree_size=checkpoint_size).first()
    if checkpoint is None:
        raise CheckpointNotFound(field="tree_size", name=str(checkpoint_size))
    text = parse_note(checkpoint.note).text
    try:
        signature = parse_signature(line)
        witness = Witness.objects.filter(name=signature.name, retired_at=None).first()
        if witness is None:
            raise NoteError(Message("there is no witness {name}", name=signature.name))
        timestamp = verify_cosignature(text, signature, key_of(witness), verify)
        signed_at = datetime.fromtimestamp(timestamp, UTC)
    except (ValueError, OverflowError, OSError) as exc:
        raise CosignatureInvalid(field="line", reason=message_of(exc)) from exc
    cosignature, _ = Cosignature.objects.get_or_create(
        checkpoint=checkpoint, witness=witness, defaults={"line": str(signature), "signed_at": signed_at}
    )
    return cosignature
