"""Witnesses: who they are, what they are asked, and their signatures under checkpoints."""

from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import transaction
from django.db.models import Max

from andromede_core.documents.messages import Reason, reason_of
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
    """Take cosignatures of this key (NAME+ID+BASE64, as the witness prints it) from now on. A second time: the same.

    Raises:
        WitnessKeyInvalid, WitnessNameTaken
    """
    try:
        key = parse_key(key_text)
    except NoteError as exc:
        raise WitnessKeyInvalid(field="key", reason=reason_of(exc)) from exc
    if key.algorithm != COSIGNATURE:
        raise WitnessKeyInvalid(field="key", reason=Reason("it signs notes, not cosignatures"))
    witness, is_new = Witness.objects.get_or_create(name=key.name, defaults={"public_key": key.public, "url": url})
    if bytes(witness.public_key) != key.public or witness.retired_at is not None:
        raise WitnessNameTaken(field="key", name=key.name)
    if is_new:
        record(SYSTEM, "witness.add", witness.pk, name=witness.name)
    return witness


@transaction.atomic
def witness_retire(name: str) -> None:
    """Take no cosignature of it any more; those that it gave stay. Raises WitnessNotFound."""
    witness = witness_get(name)
    now = clock.now()
    if Witness.objects.filter(pk=witness.pk, retired_at=None).update(retired_at=now, updated_at=now):
        record(SYSTEM, "witness.retire", witness.pk, name=witness.name)


def witness_get(name: str) -> Witness:
    """Raises WitnessNotFound."""
    witness = Witness.objects.filter(name=name).first()
    if witness is None:
        raise WitnessNotFound(name=name)
    return witness


def witness_request(witness: Witness, *, old: int | None = None) -> WitnessRequest:
    """What to ask it about the newest checkpoint. `old`: the size that it saw last, when it differs from what we know.

    Raises:
        CheckpointNotFound: there is no checkpoint yet, or none as large as `old`.
    """
    if old is None:
        seen = Cosignature.objects.filter(witness=witness).aggregate(size=Max("checkpoint__tree_size"))
        old = seen["size"] or 0
    return request_since(old)


def request_since(old: int) -> WitnessRequest:
    """What to ask a witness that has seen the tree of size `old` last; 0: none.

    Raises:
        CheckpointNotFound: there is no checkpoint yet, or none as large as `old`.
    """
    newest = Checkpoint.objects.order_by("-tree_size").first()
    if newest is None or not 0 <= old <= newest.tree_size:
        raise CheckpointNotFound(name=str(old))
    proof = tuple(proofs.consistency(old, newest.tree_size))
    return WitnessRequest(old, proof, parse_note(newest.note))


def cosign_accept(checkpoint_size: int, line: str) -> Cosignature:
    """Keep a witness's line under the checkpoint of that size. A second line of the same witness changes nothing.

    Raises:
        CheckpointNotFound
        CosignatureInvalid: not a line of a signature, of no witness that we know, retired, or wrong.
    """
    checkpoint = Checkpoint.objects.filter(tree_size=checkpoint_size).first()
    if checkpoint is None:
        raise CheckpointNotFound(field="tree_size", name=str(checkpoint_size))
    text = parse_note(checkpoint.note).text
    try:
        signature = parse_signature(line)
        witness = Witness.objects.filter(name=signature.name, retired_at=None).first()
        if witness is None:
            raise NoteError(Reason("there is no witness {name}", name=signature.name))
        timestamp = verify_cosignature(text, signature, key_of(witness), verify)
        signed_at = datetime.fromtimestamp(timestamp, UTC)
    except (ValueError, OverflowError, OSError) as exc:
        raise CosignatureInvalid(field="line", reason=reason_of(exc)) from exc
    kept, _ = Cosignature.objects.get_or_create(
        checkpoint=checkpoint, witness=witness, defaults={"line": str(signature), "signed_at": signed_at}
    )
    return kept
