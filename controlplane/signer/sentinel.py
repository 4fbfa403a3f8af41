"""The sentinel, a process of its own with keys of its own: puts a second signature under a permit for data whose
classification demands one, or refuses it. What the signer says is not believed: the permit is composed again from the
rows, and has to come out the same."""

import logging
from uuid import UUID

from django.db import transaction

from andromede_core.documents import signed
from andromede_core.documents.messages import Reason
from andromede_core.documents.parsing import Malformed
from andromede_core.documents.signed import BadDocument, Signed
from andromede_core.permits import cosignature
from andromede_core.permits.cosignature import Demand
from andromede_core.permits.permit import KIND, Permit, parse
from controlplane.audit import evidence
from controlplane.catalog import keys as algorithms
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.kernel.errors import CloudError
from controlplane.nodes import keys
from controlplane.nodes.trust import Trusted
from controlplane.placement import permits
from controlplane.placement.models import PERMIT
from controlplane.placement.models import Permit as Row
from controlplane.signer import believed, waiting
from controlplane.signer.errors import PermitDisputed
from controlplane.signer.permits import compose, read

log = logging.getLogger(__name__)

# What two who decide at different moments may say differently.
OF_THE_MOMENT = ("nbf", "exp")


def cosign_all() -> int:
    """What waits for a cosignature. Returns how many rows there were."""
    return waiting.work_off("cosigning", cosign)


def cosign(permit_id: UUID) -> None:
    """Sign or refuse, or void it when facts or policies have changed since the signer signed."""
    waiting.answer(permit_id, state="cosigning", by=_answer, refuse=_refuse)


def _answer(row: Row) -> None:
    reading = read(row)
    envelope = signed.read(bytes(row.document or b""))
    said = _said(envelope, reading.trusted)
    if row.decision is None or str(row.decision.pk) != said.decision or not row.decision.is_admitted:
        raise PermitDisputed(reason=Reason("it does not follow from the decision that it names."))
    known = believed.of(said.zone, said.epoch)
    if known.epoch != said.epoch or not permits.stands(row.decision, reading.standing) or clock.now() >= said.exp:
        move(row, PERMIT, "void")
        return
    own = compose(row, reading, row.decision, known, key_ends=said.exp)
    _compare(said, own)
    wanted = cosignature.demanded(reading.trusted.keyset, zone=said.zone, classifications=said.classifications)
    demand = Demand(said.zone, wanted, said.nbf)
    key = keys.cosigning_key(reading.trusted.keyset, reading.trusted.denied, demand)
    _keep(row, said, key.sign(cosignature.KIND, cosignature.payload(envelope)))


def _said(envelope: Signed, trusted: Trusted) -> Permit:
    """What the signer signed, if it did."""
    key = trusted.keyset.keys.get(envelope.key_id)
    if key is None or key.use != "permit" or key.id in trusted.denied.kids:
        raise PermitDisputed(reason=Reason("its key {key} is no signer's.", key=envelope.key_id))
    try:
        envelope.check(KIND, algorithms.verifier(key.public_key))
        return parse(envelope.payload)
    except (BadDocument, Malformed) as exc:
        raise PermitDisputed(reason=Reason("{error}.", error=exc)) from exc


def _compare(said: Permit, own: Permit) -> None:
    ours, theirs = own.payload(), said.payload()
    other = [name for name in ours if name not in OF_THE_MOMENT and ours[name] != theirs[name]]
    if other:
        raise PermitDisputed(reason=Reason("it would say something else of {fields}.", fields=", ".join(other)))
    if said.exp > own.exp or said.nbf > clock.now():
        raise PermitDisputed(reason=Reason("it lasts longer than what it rests on."))


@transaction.atomic
def _keep(row: Row, permit: Permit, cosigned: Signed) -> None:
    move(row, PERMIT, "signed", cosignature=cosigned.document())
    waiting.record("cosignature", cosigned, row, organization=permit.organization)


@transaction.atomic
def _refuse(row: Row, error: CloudError) -> None:
    if not Row.objects.filter(pk=row.pk, state="cosigning").update(
        state="refused", error=error.as_document(), updated_at=clock.now()
    ):
        return
    if isinstance(error, PermitDisputed):
        log.critical("permit %s: %s", row.pk, error)
        evidence.append("incident", {"incident": "permit-disputed", "permit": str(row.pk), "reason": str(error)})
