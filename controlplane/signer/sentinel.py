"""The sentinel, a process with keys of its own, signs or refuses permits that need a second signature.

The signer is not trusted: the sentinel builds the permit again from the rows, and the result must be the same.
"""

import logging
from uuid import UUID

from django.db import transaction

from andromede_core.documents import signed
from andromede_core.documents.messages import Message
from andromede_core.documents.parsing import Malformed
from andromede_core.documents.signed import BadDocument, Signed
from andromede_core.permits import sentinel_signature
from andromede_core.permits.permit import KIND, Permit, parse
from andromede_core.permits.sentinel_signature import SentinelDemand
from controlplane.audit import evidence_log
from controlplane.catalog import signing_keys as algorithms
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.kernel.errors import CloudError
from controlplane.nodes import signing_keys
from controlplane.nodes.trust_documents import NodeTrust
from controlplane.placement import permits
from controlplane.placement.models import PERMIT
from controlplane.placement.models import Permit as Row
from controlplane.signer import permit_queue, trusted_facts
from controlplane.signer.errors import PermitDisputed
from controlplane.signer.permits import build_permit, read_inputs

log = logging.getLogger(__name__)

# Fields that may differ between decisions at different moments.
OF_THE_MOMENT = ("nbf", "exp")


def cosign_all() -> int:
    """Answer all permits that wait for a sentinel signature. Returns how many rows there were."""
    return permit_queue.process_queue("cosigning", cosign)


def cosign(permit_id: UUID) -> None:
    """Sign or refuse, or void it when facts or policies have changed since the signer signed."""
    permit_queue.answer_permit(permit_id, state="cosigning", by=_answer, refuse=_refuse)


def _answer(row: Row) -> None:
    reading = read_inputs(row)
    envelope = signed.read(bytes(row.document or b""))
    signed_permit = _signed_permit(envelope, reading.trusted)
    if row.decision is None or str(row.decision.pk) != signed_permit.decision or not row.decision.is_admitted:
        raise PermitDisputed(reason=Message("it does not follow from the decision that it names."))
    facts = trusted_facts.load(signed_permit.zone, signed_permit.epoch)
    if (
        facts.epoch != signed_permit.epoch
        or not permits.is_current(row.decision, reading.standing)
        or clock.now() >= signed_permit.exp
    ):
        move(row, PERMIT, "void")
        return
    own = build_permit(row, reading, row.decision, facts, key_ends=signed_permit.exp)
    _compare(signed_permit, own)
    classifications = sentinel_signature.sentinel_classifications(
        reading.trusted.keyset, zone=signed_permit.zone, classifications=signed_permit.classifications
    )
    demand = SentinelDemand(signed_permit.zone, classifications, signed_permit.nbf)
    key = signing_keys.cosigning_key(reading.trusted.keyset, reading.trusted.denied, demand)
    _keep(row, signed_permit, key.sign(sentinel_signature.KIND, sentinel_signature.payload(envelope)))


def _signed_permit(envelope: Signed, trusted: NodeTrust) -> Permit:
    """Return the signer's document, if its signature is valid."""
    key = trusted.keyset.keys.get(envelope.key_id)
    if key is None or key.use != "permit" or key.id in trusted.denied.kids:
        raise PermitDisputed(reason=Message("its key {key} is not a signer's key.", key=envelope.key_id))
    try:
        envelope.check(KIND, algorithms.verifier(key.public_key))
        return parse(envelope.payload)
    except (BadDocument, Malformed) as exc:
        raise PermitDisputed(reason=Message("{error}.", error=exc)) from exc


def _compare(signed_permit: Permit, own: Permit) -> None:
    ours, theirs = own.payload(), signed_permit.payload()
    other = [name for name in ours if name not in OF_THE_MOMENT and ours[name] != theirs[name]]
    if other:
        raise PermitDisputed(reason=Message("its fields {fields} would differ.", fields=", ".join(other)))
    if signed_permit.exp > own.exp or signed_permit.nbf > clock.now():
        raise PermitDisputed(reason=Message("it would still be valid after its decision or its facts expire."))


@transaction.atomic
def _keep(row: Row, permit: Permit, cosigned: Signed) -> None:
    move(row, PERMIT, "signed", sentinel_signature=cosigned.document())
    permit_queue.record_evidence("cosignature", cosigned, row, organization=permit.organization)


@transaction.atomic
def _refuse(row: Row, error: CloudError) -> None:
    if not Row.objects.filter(pk=row.pk, state="cosigning").update(
        state="refused", error=error.as_document(), updated_at=clock.now()
    ):
        return
    if isinstance(error, PermitDisputed):
        log.critical("permit %s disputed: %s", row.pk, error)
        evidence_log.append("incident", {"incident": "permit-disputed", "permit": str(row.pk), "reason": str(error)})
