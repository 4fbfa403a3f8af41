"""Exemptions (break-glass): request, approval by signature, and use.

Both parties get a record of every step at once.
"""

import base64
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet

from andromede_core.documents.messages import Message
from andromede_core.documents.parsing import Malformed
from andromede_core.permits.trust_documents import DUTIES, Keyring
from andromede_core.placement.decision import expand_results
from andromede_core.policy import exemption as core
from andromede_core.policy.document import ATOMS
from controlplane.audit.evidence_log import append
from controlplane.audit.services import record
from controlplane.catalog import officer_keys, signing_keys
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.models import Project
from controlplane.kernel import clock, count_limits
from controlplane.nodes import trust_documents
from controlplane.nodes.errors import NoKeyset
from controlplane.placement.errors import (
    ApprovalInvalid,
    ExemptionAlreadyRequested,
    ExemptionForOther,
    ExemptionNotPossible,
    ExemptionOver,
    ExemptionSamePerson,
    ExemptionUnsigned,
    PersonNeeded,
)
from controlplane.placement.models import Decision, Exemption, ExemptionUse

log = logging.getLogger(__name__)

RECENT = timedelta(hours=24)  # maximal age of the refusal


@dataclass(frozen=True)
class NewExemption:
    """A request. `decision`: the refusal to waive; it states the clauses, the operation and the resource.

    `lifetime`: core.LONGEST at most.
    """

    decision: Decision
    zone: str
    reason: str
    lifetime: timedelta = core.USUAL
    max_uses: int = 1


@dataclass(frozen=True)
class ExemptedAction:
    """An action under an exemption.

    `operation_id`: the operation of the decision, also when it decides again; none outside operations.
    `classifications`: of the data, now.
    """

    resource_id: UUID
    op: str
    classifications: tuple[str, ...]
    operation_id: UUID | None = None


@transaction.atomic
def exemption_request(actor: Actor, project: Project, new: NewExemption) -> Exemption:
    """Request that two people waive the clauses that refused a decision.

    Raises:
        ExemptionNotPossible: a clause cannot be waived, or the data's classification allows no exemption in software,
            or the refusal is too old.
        ExemptionAlreadyRequested: another request for the same is open.
        CountExhausted.
    """
    actor.may_write()
    if actor.user_id is None:
        raise PersonNeeded()
    now = clock.now()
    if now - new.decision.created_at > RECENT:
        reason = Message("the refusal is more than a day old; repeat the request")
        raise ExemptionNotPossible(field="decision", reason=reason)
    waived = _waivable(new)
    _check_first(new, now)
    if not timedelta(minutes=5) <= new.lifetime <= core.LONGEST:
        raise ExemptionNotPossible(
            field="hours", reason=Message("it lasts from 5 minutes to {hours} hours", hours=core.LONGEST.days * 24)
        )
    count_limits.require_below_limit("exemptions", Exemption.objects.filter(project=project, expires_at__gt=now))
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
    _record_change(actor, exemption, "exemption.request")
    return exemption


def _check_first(new: NewExemption, now: datetime) -> None:
    """Check that no request is open, and block others for the resource until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"exempt:{new.decision.consumer_id}"])
    live = Exemption.objects.filter(expires_at__gt=now, use_count__lt=F("max_uses"), zone=new.zone)
    same = live.filter(resource_ids__contains=[new.decision.consumer_id], op=new.decision.operation).first()
    if same is not None:
        raise ExemptionAlreadyRequested(field="decision", name=str(same.pk))


def _waivable(new: NewExemption) -> list[str]:
    """Return the clauses that refused the zone, all of which must be waivable."""
    decision = new.decision
    if never := core.never_waived(decision.classifications):
        raise ExemptionNotPossible(
            field="decision",
            reason=Message("data classified {known} allows none in software", known=", ".join(never)),
        )
    zones = {zone["zone"]: zone for zone in expand_results(decision.document)["zones"]}
    if new.zone not in zones:
        raise ExemptionNotPossible(
            field="zone", reason=Message("the decision says nothing of zone {zone!r}", zone=new.zone)
        )
    failing = [each for each in zones[new.zone]["results"] if each["result"] != "T"]
    if not failing:
        raise ExemptionNotPossible(field="zone", reason=Message("no clause refuses zone {zone}", zone=new.zone))
    clauses = {
        f"{policy['id']}/{clause['id']}": clause for policy in decision.policies.document for clause in policy[ATOMS]
    }
    waived = [f"{each['policy']}/{each['atom']}" for each in failing]
    fixed = [name for name in waived if not clauses.get(name, {}).get("waivable", False)]
    if fixed:
        names = ", ".join(name.split("/")[-1] for name in fixed)
        raise ExemptionNotPossible(
            field="decision", reason=Message("these clauses cannot be waived: {names}", names=names)
        )
    return waived


@transaction.atomic
def exemption_approve(actor: Actor, exemption: Exemption, *, duty: str, key_id: str, signature: bytes) -> Exemption:
    """Add one of the two signatures.

    `signature` is over `terms_of(exemption).approval_payload(...)`, by the approver's own key.

    Raises:
        ExemptionSamePerson: the actor requested the exemption, or approved it already.
        ExemptionOver: too late.
        OfficerKeyNotFound, OfficerKeyNotInForce.
        ApprovalInvalid: the keyset does not have the key as the actor's for this duty, or the signature is not of these
            terms.
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
    approved_by = {"approver": approval.approver, "duty": duty, "key_id": key_id}
    exemption.approvals = [*exemption.approvals, approved_by | {"signature": base64.b64encode(signature).decode()}]
    exemption.save(update_fields=["approvals"])
    _record_change(actor, exemption, "exemption.approve")
    return exemption


def _check_duty(actor: Actor, exemption: Exemption, duty: str) -> None:
    if duty == "duty_operator":
        actor.may_operate()
    elif duty == "sovereignty_officer":
        actor.may_rule(exemption.project.organization_id)
    else:
        raise ApprovalInvalid(field="duty", reason=Message("it is one of {known}", known=", ".join(DUTIES)))


def _check_signature(exemption: Exemption, approval: core.Approval) -> None:
    """Verify the signature as every node will, with the current revocations of keys."""
    officer_keys.require_in_force(officer_keys.get(approval.key_id, field="key_id"), now=clock.now(), field="key_id")
    terms, owner = terms_of(exemption), str(exemption.project.organization_id)
    try:
        core.check_approval(terms, approval, organization=owner, keyring=keyring())
    except core.NotApproved as exc:
        raise ApprovalInvalid(field="signature", reason=exc.reason) from exc


def keyring() -> Keyring:
    """Return the keys for checking approvals, here and on nodes. Raises NoKeyset."""
    return Keyring(
        trust_documents.keyset(), trust_documents.deny_list().kids, lambda key: signing_keys.verifier(key.public_key)
    )


def in_force(action: ExemptedAction, now: datetime) -> list[Exemption]:
    """Return the exemptions valid for this action now, in any zone, the first to expire first.

    A use is left, or was counted for this operation already, and both approvals pass the checks of nodes.
    """
    counted = ExemptionUse.objects.filter(operation_id=action.operation_id).exclude(operation_id=None)
    usable = Q(use_count__lt=F("max_uses")) | Q(pk__in=counted.values("exemption"))
    rows = running(now).filter(usable, resource_ids__contains=[action.resource_id], op=action.op)
    return [
        row for row in rows if is_valid_for(row, action.resource_id, classifications=action.classifications, now=now)
    ]


def id_for(exemption: Exemption, *, op: str) -> UUID:
    """Return the id that a resource is created with under an exemption: the one of the refused creation.

    Raises:
        ExemptionForOther, ExemptionOver.
        ExemptionUnsigned: the exemption lacks approvals.
    """
    if exemption.op != op:
        raise ExemptionForOther(field="exemption", name=str(exemption.pk), op=exemption.op)
    if clock.now() >= exemption.expires_at:
        raise ExemptionOver(field="exemption", name=str(exemption.pk))
    if len(exemption.approvals) < len(DUTIES):
        raise ExemptionUnsigned(field="exemption", name=str(exemption.pk), count=len(exemption.approvals))
    resource_id: UUID = exemption.resource_ids[0]
    return resource_id


def running(now: datetime) -> QuerySet[Exemption]:
    """Return the exemptions with two approvals within their time, used up or not, the first to expire first.

    `is_valid_for` checks that the approvals are valid.
    """
    rows = Exemption.objects.filter(not_before__lte=now, expires_at__gt=now, approvals__1__isnull=False)
    return rows.select_related("project").order_by("expires_at", "pk")


def agreed_count() -> int:
    """Return how many exemptions ever had two approvals: the number only grows."""
    return Exemption.objects.filter(approvals__1__isnull=False).count()


def is_valid_for(exemption: Exemption, resource_id: UUID, *, classifications: Sequence[str], now: datetime) -> bool:
    """Tell if the exemption is valid now for this resource with these classifications, with two signatures."""
    organization = str(exemption.project.organization_id)
    occasion = core.Occasion(str(resource_id), exemption.op, exemption.zone, organization, tuple(classifications))
    try:
        core.check(as_core(exemption), occasion, now=now, keyring=keyring())
    except (core.NotApproved, Malformed, NoKeyset) as exc:
        log.info("exemption %s is not valid: %s", exemption.pk, exc)
        return False
    return True


def record_use(exemption: Exemption, *, decision_id: UUID, operation_id: UUID | None) -> None:
    """Count a use, once for each operation; inside the transaction that stores the decision.

    Raises:
        ExemptionOver: no use is left.
        IntegrityError: another transaction counts one for this operation right now.
    """
    uses = ExemptionUse.objects.filter(exemption=exemption, operation_id=operation_id)
    if operation_id is not None and uses.exists():
        return
    ExemptionUse.objects.create(exemption=exemption, operation_id=operation_id, decision_id=decision_id)
    left = Exemption.objects.filter(pk=exemption.pk, use_count__lt=F("max_uses"))
    if not left.update(use_count=F("use_count") + 1):
        raise ExemptionOver(name=str(exemption.pk))
    exemption.refresh_from_db(fields=["use_count"])
    _record_change(SYSTEM, exemption, "exemption.use")
    _record_for_platform(exemption)


def as_core(exemption: Exemption) -> core.Exemption:
    """Return the exemption as a permit has it.

    Raises:
        Malformed: the stored approvals are not valid; only direct SQL writes such.
    """
    try:
        approvals = tuple(
            core.Approval(each["approver"], each["duty"], each["key_id"], base64.b64decode(each["signature"]))
            for each in exemption.approvals
        )
    except (LookupError, TypeError, ValueError) as exc:
        raise Malformed("approvals", Message("must be what exemption_approve writes")) from exc
    return core.Exemption(terms_of(exemption), approvals)


def terms_of(exemption: Exemption) -> core.Terms:
    """Return the terms that the approvers sign."""
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


def _record_change(actor: Actor, exemption: Exemption, verb: str) -> None:
    """Write the audit entry of the project, and the evidence of the organization."""
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


def _record_for_platform(exemption: Exemption) -> None:
    """Record the step for the platform at the same moment: an audit entry without a project, and the operators' log."""
    record(
        SYSTEM,
        "exemption.use",
        exemption.pk,
        project=str(exemption.project_id),
        zone=exemption.zone,
        waived=exemption.waived,
    )
    log.warning("exemption %s of project %s was used in %s", exemption.pk, exemption.project_id, exemption.zone)
