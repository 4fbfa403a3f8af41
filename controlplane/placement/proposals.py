"""Proposals of looser policies: approved by a second person, in force after a delay for objections.

A proposal is about the version that was in force when it was made. When another one comes into force meanwhile, the
proposal is withdrawn: it would revert a change that its approver has not seen.
"""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from controlplane.identity import selectors as identity
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.kernel.errors import CloudError
from controlplane.placement import declassifications, policies
from controlplane.placement.errors import ProposalOvertaken, SecondPersonNeeded
from controlplane.placement.models import PROPOSAL, PolicyProposal
from controlplane.placement.policy_owners import PolicyOwner, owner_of


@transaction.atomic
def proposal_approve(actor: Actor, proposal: PolicyProposal) -> PolicyProposal:
    """Approve as the second person: the policy comes into force after settings.POLICY_COOLING_HOURS.

    Raises:
        RoleNeeded: the actor is no officer of the organization that owns the data (an operator, for the platform's
            own).
        SecondPersonNeeded: the actor made the proposal, or is no person.
        ProposalOvertaken: another version has come into force.
        IllegalTransition, StateConflict.
    """
    owner = owner_of(proposal)
    may_decide(actor, owner)
    if actor.user_id is None or actor.user_id == proposal.proposed_by:
        raise SecondPersonNeeded()
    policies.lock_head(owner)
    _need_current(owner, proposal)
    not_before = clock.now() + timedelta(hours=settings.POLICY_COOLING_HOURS)
    move(proposal, PROPOSAL, "approved", approved_by=actor.user_id, not_before=not_before)
    policies.record_proposal_step(actor, "policy.approve", proposal)
    return proposal


@transaction.atomic
def proposal_withdraw(actor: Actor, proposal: PolicyProposal) -> PolicyProposal:
    """Withdraw the proposal before it is in force; any actor that could have made or approved it may.

    Raises:
        RoleNeeded, IllegalTransition, StateConflict.
    """
    _need_proposer(actor, proposal)
    move(proposal, PROPOSAL, "withdrawn")
    policies.record_proposal_step(actor, "policy.withdraw", proposal)
    return proposal


def may_decide(actor: Actor, owner: PolicyOwner) -> None:
    """Check that the actor may decide on proposals of the owner.

    Raises:
        RoleNeeded
    """
    if owner.ruler is None:
        actor.may_operate()
    else:
        actor.may_rule(owner.ruler.pk)


def _need_proposer(actor: Actor, proposal: PolicyProposal) -> None:
    """Check that the actor may propose. Raises RoleNeeded, PersonNeeded."""
    owner = owner_of(proposal)
    if proposal.resource_id is not None:
        may_decide(actor, owner)
    else:
        policies.may_propose(actor, owner)


def _need_current(owner: PolicyOwner, proposal: PolicyProposal) -> None:
    if proposal.resource_id is not None:
        return
    current = policies.version_in_force(owner)
    if (current.version if current is not None else 0) != proposal.base_version:
        raise ProposalOvertaken()


def _need_people(owner: PolicyOwner, proposal: PolicyProposal) -> None:
    """Check that both still have the duty under which they agreed.

    Raises:
        RoleNeeded
    """
    assert proposal.approved_by is not None
    _need_proposer(identity.acting(proposal.proposed_by, organization=owner.ruler), proposal)
    may_decide(identity.acting(proposal.approved_by, organization=owner.ruler), owner)


def apply_due() -> int:
    """Put approved proposals in force whose delay is over. Returns how many came into force."""
    due = PolicyProposal.objects.filter(state="approved", not_before__lte=clock.now())
    return sum(_apply(pk) for pk in due.order_by("not_before").values_list("pk", flat=True))


@transaction.atomic
def _apply(proposal_id: UUID) -> bool:
    """Put the proposal in force; False when it is done already, or was withdrawn, with the reason in the audit."""
    rows = PolicyProposal.objects.select_for_update(skip_locked=True, of=("self",))
    proposal = rows.filter(pk=proposal_id, state="approved").first()
    if proposal is None:
        return False
    owner = owner_of(proposal)
    head = policies.lock_head(owner)
    try:
        _need_current(owner, proposal)
        _need_people(owner, proposal)
        review = policies.policy_review(owner, proposal.clauses) if proposal.resource_id is None else None
    except CloudError as exc:
        move(proposal, PROPOSAL, "withdrawn")
        policies.record_proposal_step(SYSTEM, "policy.withdraw", proposal, reason=exc.code)
        return False
    if review is None:
        declassifications.apply(proposal, head)
    else:
        policies.put_in_force(SYSTEM, owner, review, head, proposal=proposal)
    move(proposal, PROPOSAL, "applied")
    policies.record_proposal_step(SYSTEM, "policy.apply", proposal, head=head.version)
    return True
