"""Undo of a policy change: the person who demanded more reverts it alone, as long as no placement used it.

To demand less takes two people and time, since data was placed under the policy in force. Until a placement uses it,
the former text is the one that all data was placed under, so its author can revert a mistake.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from andromede_core.documents.messages import Message
from andromede_core.policy.order import change
from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.kernel.ids import first_id
from controlplane.placement import effective_policies, policies
from controlplane.placement.errors import PolicyNotUndoable
from controlplane.placement.models import Decision, PolicyVersion
from controlplane.placement.policies import Outcome
from controlplane.placement.policy_owners import PolicyOwner

UNDO_WITHIN = timedelta(minutes=10)
# The clock of the process that decides may be behind that of the one that changed the policy.
CLOCKS_DIFFER = timedelta(hours=1)


@dataclass(frozen=True)
class PolicyUndo:
    """The undo of the last policy change. `clauses`: the former ones; `until`: the last moment."""

    last: PolicyVersion
    clauses: Sequence[object]
    until: datetime


def find_undo(actor: Actor, owner: PolicyOwner, last: PolicyVersion | None) -> PolicyUndo:
    """Return how the actor would undo the version in force; with None nothing was ever demanded.

    Raises:
        PolicyNotUndoable: the change is not the actor's own, demands no more than the one before, is more than ten
            minutes old, or a placement used it; or the actor is no person.
    """
    if actor.user_id is None:
        raise PolicyNotUndoable(
            reason=Message("only a user can undo a change, and this credential belongs to no user.")
        )
    if last is None or last.user_id != actor.user_id:
        raise PolicyNotUndoable(reason=Message("another user made it."))
    until = last.created_at + UNDO_WITHIN
    if clock.now() > until:
        raise PolicyNotUndoable(reason=Message("more than ten minutes have passed."))
    former = _former(owner, last)
    before = (effective_policies.policy_from_version(former),) if former is not None else ()
    if last.head is None or change(before, (effective_policies.policy_from_version(last),)) != "tighter":
        raise PolicyNotUndoable(reason=Message("it demands no more than the one before."))
    if _placed_by(owner, last).exists():
        raise PolicyNotUndoable(reason=Message("a placement decision already rests on it."))
    return PolicyUndo(last, former.clauses if former is not None else [], until)


def until_when(
    actor: Actor, owner: PolicyOwner, last: PolicyVersion | None
) -> tuple[datetime | None, CloudError | None]:
    """Return until when the actor may undo the last change, or the error with which it would be refused now."""
    try:
        policies.may_tighten(actor, owner)
        return find_undo(actor, owner, last).until, None
    except (PolicyNotUndoable, RoleNeeded) as exc:
        return None, exc


@transaction.atomic
def policy_undo(actor: Actor, owner: PolicyOwner) -> Outcome:
    """Put the former text in force, as a new version.

    A concurrent placement either comes first, and then the change cannot be undone, or waits and decides again.

    Raises:
        RoleNeeded, PolicyNotUndoable.
        PolicyInvalid, PolicyEmpty, PolicyOverflows: the levels above have changed meanwhile.
    """
    policies.may_tighten(actor, owner)
    head = policies.lock_head(owner)
    undo = find_undo(actor, owner, policies.version_in_force(owner))
    review = policies.policy_review(owner, undo.clauses)
    return Outcome(review, policies.put_in_force(actor, owner, review, head, undoes=undo.last.version))


def _former(owner: PolicyOwner, last: PolicyVersion) -> PolicyVersion | None:
    mine = PolicyVersion.objects.filter(level=owner.level, **owner.columns)
    return mine.filter(version=last.version - 1).first()


def _placed_by(owner: PolicyOwner, last: PolicyVersion) -> QuerySet[Decision]:
    """Return the admissions in the policy's scope, by the version or a later one of the same head.

    Ids begin with the time, so only the newest decisions are read.
    """
    rows = Decision.objects.filter(is_admitted=True, pk__gte=first_id(last.created_at - CLOCKS_DIFFER))
    if owner.ruler is None:
        rows = rows.filter(platform_version__gte=last.head)
    else:
        rows = rows.filter(organization_version__gte=last.head, project__organization=owner.ruler)
    if owner.project is not None:
        rows = rows.filter(project=owner.project)
    return rows.filter(classifications__contains=[owner.key]) if owner.classification is not None else rows
