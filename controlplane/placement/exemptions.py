"""Break-glass: ask for an exemption, approve it with a signature, and use it. Every step is told in the records of both
sides at once."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from controlplane.audit.evidence import append
from controlplane.audit.services import record
from controlplane.catalog import keys, officer_keys
from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel import clock
from controlplane.kernel.reasons import Reason
from controlplane.nodes import trust
from controlplane.placement.core import exemption as core
from controlplane.placement.core.decision import spelt_out
from controlplane.placement.core.trust import DUTIES
from controlplane.placement.errors import (
    ApprovalInvalid,
    ExemptionNotPossible,
    ExemptionOver,
    ExemptionSamePerson,
    PersonNeeded,
)
from controlplane.placement.models import Decision, Exemption

NEVER_WAIVED_FOR = ("dr", "classified")
MAX_RESOURCES = 20


@dataclass(frozen=True)
class NewExemption:
    """`decision`: the refusal that it is to get around; it says the clauses, the operation and the resource.
    `lifetime`: core.LONGEST at most."""

    decision: Decision
    zone: str
    reason: str
    lifetime: timedelta = core.USUAL
    max_uses: int = 1


@transaction.atomic(durable=True)
def exemption_request(actor: Actor, project: Project, new: NewExemption) -> Exemption:
    """Ask two people to waive the clauses that refused a decision.

    Raises:
        ExemptionNotPossible: a clause cannot be waived, or the data's classification allows no exemption in software.
    """
    actor.may_write()
    if actor.user_id is None:
        raise PersonNeeded()
    waived = _waivable(new)
    now = clock.now()
    if not timedelta(minutes=5) <= new.lifetime <= core.LONGEST:
        raise ExemptionNotPossible(
            field="hours", reason=Reason("it lasts from 5 minutes to {hours} hours", hours=core.LONGEST.days * 24)
        )
    exemption = Exemption.objects.create(
        project=project,
        resource_ids=[new.decision.consumer_id],
        op=new.decision.operation,
        zone=new.zone,
        waived=waived,
        reason=new.reason,
        requested_by=actor.user_id,
        not_before=now,
        expires_at=now + new.lifetime,
        max_uses=new.max_uses,
    )
    _tell(actor, exemption, "exemption.request")
    return exemption


def _waivable(new: NewExemption) -> list[str]:
    """The clauses that refused the zone, all of which must be waivable."""
    decision = new.decision
    if forbidden := set(NEVER_WAIVED_FOR).intersection(decision.classifications):
        raise ExemptionNotPossible(
            field="decision",
            reason=Reason("data classified {known} allows none in software", known=", ".join(sorted(forbidden))),
        )
    zones = {zone["zone"]: zone for zone in spelt_out(decision.document)["zones"]}
    if new.zone not in zones:
        raise ExemptionNotPossible(
            field="zone", reason=Reason("the decision says nothing of zone {zone!r}", zone=new.zone)
        )
    failing = [each for each in zones[new.zone]["results"] if each["result"] != "T"]
    if not failing:
        raise ExemptionNotPossible(field="zone", reason=Reason("no clause refuses zone {zone}", zone=new.zone))
    atoms = {f"{policy['id']}/{atom['id']}": atom for policy in decision.policies.document for atom in policy["atoms"]}
    waived = [f"{each['policy']}/{each['atom']}" for each in failing]
    fixed = [name for name in waived if not atoms.get(name, {}).get("waivable", False)]
    if fixed:
        names = ", ".join(name.split("/")[-1] for name in fixed)
        raise ExemptionNotPossible(
            field="decision", reason=Reason("these clauses cannot be waived: {names}", names=names)
        )
    return waived


@transaction.atomic(durable=True)
def exemption_approve(actor: Actor, exemption: Exemption, *, duty: str, key_id: str, signature: bytes) -> Exemption:
    """Put one of the two signatures under it. `signature` is over `terms_of(exemption).approval_payload(...)`, by the
    approver's own key.

    Raises:
        ExemptionSamePerson: the actor asked for it, or approved it already.
        ExemptionOver: too late.
        OfficerKeyNotFound, OfficerKeyNotInForce.
        ApprovalInvalid: the keyset does not know the key as the actor's for this duty, or it is not the signature of
            these terms.
    """
    exemption = Exemption.objects.select_for_update().get(pk=exemption.pk)
    _check_duty(actor, exemption, duty)
    if clock.now() >= exemption.expires_at:
        raise ExemptionOver(name=str(exemption.pk))
    people = [exemption.requested_by, *(UUID(each["approver"]) for each in exemption.approvals)]
    if actor.user_id in people or any(each["duty"] == duty for each in exemption.approvals):
        raise ExemptionSamePerson()
    approval = core.Approval(str(actor.user_id), duty, key_id, signature)
    _check_signature(exemption, approval)
    kept = {"approver": approval.approver, "duty": duty, "key_id": key_id}
    exemption.approvals = [*exemption.approvals, kept | {"signature": base64.b64encode(signature).decode()}]
    exemption.save(update_fields=["approvals"])
    _tell(actor, exemption, "exemption.approve")
    return exemption


def _check_duty(actor: Actor, exemption: Exemption, duty: str) -> None:
    if duty == "duty_operator":
        actor.may_operate()
    elif duty == "sovereignty_officer":
        actor.may_rule(exemption.project.organization_id)
    else:
        raise ApprovalInvalid(field="duty", reason=Reason("it is one of {known}", known=", ".join(DUTIES)))


def _check_signature(exemption: Exemption, approval: core.Approval) -> None:
    """As every node will check it, and by what is known of the key meanwhile."""
    officer_keys.need_in_force(officer_keys.get(approval.key_id, field="key_id"), now=clock.now(), field="key_id")
    terms, owner = terms_of(exemption), str(exemption.project.organization_id)
    try:
        core.check_approval(terms, approval, organization=owner, keyring=keyring())
    except core.NotApproved as exc:
        raise ApprovalInvalid(field="signature", reason=exc.reason) from exc


def keyring() -> core.Keyring:
    """What approvals are checked by, here and by nodes. Raises NoKeyset."""
    return core.Keyring(trust.keyset(), trust.deny_list().kids, lambda key: keys.verifier(key.public_key))


def in_force(resource_id: UUID, op: str, now: datetime) -> Exemption | None:
    """The exemption that holds for this operation on this resource now, with both approvals and a use left."""
    unused = running(resource_id, op, now).filter(use_count__lt=F("max_uses"))
    return next((each for each in unused if len(each.approvals) == len(DUTIES)), None)


def running(resource_id: UUID, op: str, now: datetime) -> QuerySet[Exemption]:
    """Those about this operation on this resource whose time it is, approved or not, used or not; which ends first
    comes first."""
    its_time = Exemption.objects.filter(not_before__lte=now, expires_at__gt=now)
    return its_time.filter(resource_ids__contains=[resource_id], op=op).order_by("expires_at")


def use(actor: Actor, exemption: Exemption) -> None:
    """Count a use; inside the transaction that stores the decision. Raises ExemptionOver when none is left."""
    left = Exemption.objects.filter(pk=exemption.pk, use_count__lt=F("max_uses"))
    if not left.update(use_count=F("use_count") + 1):
        raise ExemptionOver(name=str(exemption.pk))
    _tell(actor, exemption, "exemption.use")


def as_core(exemption: Exemption) -> core.Exemption:
    """What goes into a permit."""
    approvals = tuple(
        core.Approval(each["approver"], each["duty"], each["key_id"], base64.b64decode(each["signature"]))
        for each in exemption.approvals
    )
    return core.Exemption(terms_of(exemption), approvals)


def terms_of(exemption: Exemption) -> core.Terms:
    """What the approvers sign."""
    return core.Terms(
        id=str(exemption.pk),
        resources=_texts(exemption.resource_ids),
        op=exemption.op,
        zone=exemption.zone,
        waived=_texts(exemption.waived),
        reason=exemption.reason,
        requested_by=str(exemption.requested_by),
        not_before=exemption.not_before,
        expires_at=exemption.expires_at,
        max_uses=exemption.max_uses,
    )


def _texts(values: Sequence[object]) -> tuple[str, ...]:
    return tuple(map(str, values))


def _tell(actor: Actor, exemption: Exemption, verb: str) -> None:
    """In the audit records of the project, and in the evidence of the organization."""
    record(actor, verb, exemption.pk, project_id=exemption.project_id, zone=exemption.zone, waived=exemption.waived)
    append(
        "exemption",
        {
            "verb": verb,
            "exemption": as_core(exemption).payload(),
            "by": str(actor.user_id),
            "uses": exemption.use_count,
        },
        organization_id=exemption.project.organization_id,
        project_id=exemption.project_id,
        resource_id=exemption.resource_ids[0],
    )
