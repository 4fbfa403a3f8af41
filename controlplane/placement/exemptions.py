"""Break-glass: ask for an exemption, approve it with a signature, and use it. Every step is told in the records of both
sides at once."""

import base64
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet

from andromede_core.documents.messages import Reason
from andromede_core.documents.parsing import Malformed
from andromede_core.permits.trust_documents import DUTIES, Keyring
from andromede_core.placement.decision import expand_results
from andromede_core.policy import exemption as core
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
    ExemptionAsked,
    ExemptionForOther,
    ExemptionNotPossible,
    ExemptionOver,
    ExemptionSamePerson,
    ExemptionUnsigned,
    PersonNeeded,
)
from controlplane.placement.models import Decision, Exemption, ExemptionUse

log = logging.getLogger(__name__)

RECENT = timedelta(hours=24)  # how old a refusal may be that is to be got around


@dataclass(frozen=True)
class NewExemption:
    """`decision`: the refusal that it is to get around; it says the clauses, the operation and the resource.
    `lifetime`: core.LONGEST at most."""

    decision: Decision
    zone: str
    reason: str
    lifetime: timedelta = core.USUAL
    max_uses: int = 1


@dataclass(frozen=True)
class ExemptedAction:
    """What would be done under an exemption. `operation_id`: for which the decision is taken, and taken again; none for
    what is no operation. `classifications`: of the data, now."""

    resource_id: UUID
    op: str
    classifications: tuple[str, ...]
    operation_id: UUID | None = None


@transaction.atomic
def exemption_request(actor: Actor, project: Project, new: NewExemption) -> Exemption:
    """Ask two people to waive the clauses that refused a decision.

    Raises:
        ExemptionNotPossible: a clause cannot be waived, or the data's classification allows no exemption in software,
            or it was refused long ago.
        ExemptionAsked: another one for the same is not over.
        CountExhausted
    """
    actor.may_write()
    if actor.user_id is None:
        raise PersonNeeded()
    now = clock.now()
    if now - new.decision.created_at > RECENT:
        reason = Reason("the refusal is more than a day old; repeat the request")
        raise ExemptionNotPossible(field="decision", reason=reason)
    waived = _waivable(new)
    _check_first(new, now)
    if not timedelta(minutes=5) <= new.lifetime <= core.LONGEST:
        raise ExemptionNotPossible(
            field="hours", reason=Reason("it lasts from 5 minutes to {hours} hours", hours=core.LONGEST.days * 24)
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
    _tell(actor, exemption, "exemption.request")
    return exemption


def _check_first(new: NewExemption, now: datetime) -> None:
    """Until the transaction ends, nobody else asks for one for the resource."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"exempt:{new.decision.consumer_id}"])
    live = Exemption.objects.filter(expires_at__gt=now, use_count__lt=F("max_uses"), zone=new.zone)
    same = live.filter(resource_ids__contains=[new.decision.consumer_id], op=new.decision.operation).first()
    if same is not None:
        raise ExemptionAsked(field="decision", name=str(same.pk))


def _waivable(new: NewExemption) -> list[str]:
    """The clauses that refused the zone, all of which must be waivable."""
    decision = new.decision
    if never := core.never_waived(decision.classifications):
        raise ExemptionNotPossible(
            field="decision",
            reason=Reason("data classified {known} allows none in software", known=", ".join(never)),
        )
    zones = {zone["zone"]: zone for zone in expand_results(decision.document)["zones"]}
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


@transaction.atomic
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
    officer_keys.require_in_force(officer_keys.get(approval.key_id, field="key_id"), now=clock.now(), field="key_id")
    terms, owner = terms_of(exemption), str(exemption.project.organization_id)
    try:
        core.check_approval(terms, approval, organization=owner, keyring=keyring())
    except core.NotApproved as exc:
        raise ApprovalInvalid(field="signature", reason=exc.reason) from exc


def keyring() -> Keyring:
    """What approvals are checked by, here and by nodes. Raises NoKeyset."""
    return Keyring(
        trust_documents.keyset(), trust_documents.deny_list().kids, lambda key: signing_keys.verifier(key.public_key)
    )


def in_force(deed: ExemptedAction, now: datetime) -> list[Exemption]:
    """Those that hold for this now, in any zone; which ends first comes first. A use is left, or was counted for this
    operation already, and both approvals are good by what nodes check them by."""
    counted = ExemptionUse.objects.filter(operation_id=deed.operation_id).exclude(operation_id=None)
    usable = Q(use_count__lt=F("max_uses")) | Q(pk__in=counted.values("exemption"))
    rows = running(now).filter(usable, resource_ids__contains=[deed.resource_id], op=deed.op)
    return [row for row in rows if is_valid_for(row, deed.resource_id, classifications=deed.classifications, now=now)]


def id_for(exemption: Exemption, *, op: str) -> UUID:
    """The id that a resource is created with under an exemption: the one that was to be created when it was refused.

    Raises:
        ExemptionForOther, ExemptionOver.
        ExemptionUnsigned: it would count for nothing yet.
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
    """Those whose time it is and to which two have put something, used up or not; which ends first comes first. That
    it is good what they have put there, `is_good` says."""
    rows = Exemption.objects.filter(not_before__lte=now, expires_at__gt=now, approvals__1__isnull=False)
    return rows.select_related("project").order_by("expires_at", "pk")


def agreed_count() -> int:
    """To how many, ever, two have put something: it only grows."""
    return Exemption.objects.filter(approvals__1__isnull=False).count()


def is_valid_for(exemption: Exemption, resource_id: UUID, *, classifications: Sequence[str], now: datetime) -> bool:
    """It holds now for this resource, whose data is so classified, and two people have signed it."""
    organization = str(exemption.project.organization_id)
    occasion = core.Occasion(str(resource_id), exemption.op, exemption.zone, organization, tuple(classifications))
    try:
        core.check(as_core(exemption), occasion, now=now, keyring=keyring())
    except (core.NotApproved, Malformed, NoKeyset) as exc:
        log.info("exemption %s does not count: %s", exemption.pk, exc)
        return False
    return True


def record_use(exemption: Exemption, *, decision_id: UUID, operation_id: UUID | None) -> None:
    """Count a use, once for each operation; inside the transaction that stores the decision.

    Raises:
        ExemptionOver: none is left.
        IntegrityError: somebody else counts one for this operation right now.
    """
    uses = ExemptionUse.objects.filter(exemption=exemption, operation_id=operation_id)
    if operation_id is not None and uses.exists():
        return
    ExemptionUse.objects.create(exemption=exemption, operation_id=operation_id, decision_id=decision_id)
    left = Exemption.objects.filter(pk=exemption.pk, use_count__lt=F("max_uses"))
    if not left.update(use_count=F("use_count") + 1):
        raise ExemptionOver(name=str(exemption.pk))
    exemption.refresh_from_db(fields=["use_count"])
    _tell(SYSTEM, exemption, "exemption.use")
    _tell_platform(exemption)


def as_core(exemption: Exemption) -> core.Exemption:
    """What goes into a permit.

    Raises:
        Malformed: what stands for approvals is none; nothing but SQL writes such.
    """
    try:
        approvals = tuple(
            core.Approval(each["approver"], each["duty"], each["key_id"], base64.b64decode(each["signature"]))
            for each in exemption.approvals
        )
    except (LookupError, TypeError, ValueError) as exc:
        raise Malformed("approvals", Reason("must be what exemption_approve writes")) from exc
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


def _tell_platform(exemption: Exemption) -> None:
    """The other party, at the same moment: in the records of no project, and in the log that operators watch."""
    record(
        SYSTEM,
        "exemption.use",
        exemption.pk,
        project=str(exemption.project_id),
        zone=exemption.zone,
        waived=exemption.waived,
    )
    log.warning("exemption %s of project %s was used in %s", exemption.pk, exemption.project_id, exemption.zone)
