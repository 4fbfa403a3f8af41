"""Policy changes: a stricter policy is in force at once; a looser one becomes a proposal (proposals.py).

A proposal needs a second person and time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from andromede_core.facts.attributes import CLAIMS
from andromede_core.facts.world import World
from andromede_core.policy.clauses import Clause, ClauseRef, Policy, PolicyError
from andromede_core.policy.document import ATOMS, as_document, parse
from andromede_core.policy.evaluation import DISTANCE
from andromede_core.policy.order import Change, Sets, change, unsatisfiable, without_effect
from andromede_core.policy.roles import GIVEN_ROLES
from controlplane.audit.evidence_log import append
from controlplane.audit.services import record, record_in_scopes, record_of_organization
from controlplane.catalog import epochs
from controlplane.catalog import selectors as catalog
from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.identity.models import Organization, Project
from controlplane.kernel import clock, count_limits
from controlplane.kernel.errors import Outdated
from controlplane.placement import effective_policies, impact
from controlplane.placement.errors import PersonNeeded, PolicyEmpty, PolicyInvalid
from controlplane.placement.impact import PROPOSED, Contradiction, Drifting
from controlplane.placement.models import Classification, PolicyHead, PolicyProposal, PolicyVersion
from controlplane.placement.policy_owners import PolicyOwner, owner_of

AT_ONCE = ("same", "tighter")


@dataclass(frozen=True)
class PolicyReview:
    """The effects of a policy change.

    `added`, `removed`: its clauses that are not in force, and those in force that it lacks. `lint`: its clauses without
    effect, since others imply them. `not_asked`: its clauses about copies that no operation creates yet, such as
    backups. `claimed`: its clauses about measures that the operator declares to take, and that the platform does not
    enforce. `newly_refused`: zones in which resources could be created under the policy, and could not any more.
    `contradicted`: policies, its own or lower ones, that no zone could satisfy together with those above them.
    `drifting`: resources that would not be admitted where they are any more.
    """

    policy: Policy
    base_version: int
    change: Change
    added: tuple[Clause, ...]
    removed: tuple[Clause, ...]
    lint: tuple[ClauseRef, ...]
    not_asked: tuple[str, ...]
    claimed: tuple[str, ...]
    newly_refused: tuple[str, ...]
    contradicted: tuple[Contradiction, ...]
    drifting: tuple[Drifting, ...]


@dataclass(frozen=True)
class PolicyChange:
    """A change. `version`: the one in force that the clauses replace, 0 for none; None: any."""

    clauses: Sequence[object]
    reason: str = ""
    version: int | None = None


@dataclass(frozen=True)
class Outcome:
    """The result. `version` is in force now; `proposal` waits for a second person. One of them is new."""

    review: PolicyReview
    version: PolicyVersion | None
    proposal: PolicyProposal | None = None


def policy_review(owner: PolicyOwner, clauses: Sequence[object]) -> PolicyReview:
    """Return the effects of these clauses, in place of those in force. Writes nothing.

    Raises:
        PolicyInvalid: a clause does not type-check, or names a set or scheme class that does not exist.
        PolicyEmpty: no zone could satisfy the policy together with the levels above, unless that is so already.
        PolicyOverflows: a resource would have more clauses than can be evaluated.
    """
    world, now = catalog.world(), clock.now()
    policy, sets = _parse(owner.level, clauses, world), Sets.of(world, now)
    before = version_in_force(owner)
    higher = policies_above(owner)
    old = (effective_policies.policy_from_version(before),) if before is not None else ()
    conflict = unsatisfiable((*higher, policy), sets)
    if conflict and not unsatisfiable((*higher, *old), sets):
        clauses = ", ".join(f"{ref.level}/{ref.clause}" for ref in conflict)
        raise PolicyEmpty(field="atoms", atoms=clauses)
    had = old[0].clauses if old else ()
    return PolicyReview(
        policy=policy,
        base_version=before.version if before is not None else 0,
        change=change(old, (policy,)),
        added=tuple(clause for clause in policy.clauses if clause not in had),
        removed=tuple(clause for clause in had if clause not in policy.clauses),
        lint=tuple(ref for ref in without_effect((*higher, policy), sets) if ref.policy == PROPOSED),
        not_asked=tuple(clause.id for clause in policy.clauses if not _is_applied(clause)),
        claimed=tuple(clause.id for clause in policy.clauses if clause.attr in CLAIMS),
        newly_refused=impact.newly_refused((*higher, *old), (*higher, policy), world, now=now),
        contradicted=impact.contradicted(owner, policy, sets),
        drifting=impact.drifting(owner, policy, world, now=now),
    )


def _is_applied(clause: Clause) -> bool:
    """Tell if some operation gives a place a role that the clause is about."""
    return clause.op != DISTANCE and clause.applies_to(GIVEN_ROLES)


def review_in_force(owner: PolicyOwner) -> PolicyReview:
    """Return the review of the policy in force when another property of its owner became stricter."""
    version = version_in_force(owner)
    assert version is not None
    return policy_review(owner, version.clauses)


def own_policy(clauses: Sequence[object], *, at: str) -> Policy | None:
    """Return the clauses of a resource's own policy; None for none. `at`: the request's field that has them.

    Raises:
        PolicyInvalid
    """
    return _parse("resource", clauses, catalog.world(), at=at) if clauses else None


def _parse(level: str, clauses: Sequence[object], world: World, *, at: str = ATOMS) -> Policy:
    document = {"id": PROPOSED, "level": level, ATOMS: clauses}
    try:
        return parse(document, sets=world.sets.keys(), scheme_classes=world.scheme_classes.keys())
    except PolicyError as exc:
        pointer = exc.field.strip("/").replace(ATOMS, at, 1)
        raise PolicyInvalid(field=pointer, place=pointer, atom=exc.clause or "-", reason=exc.reason) from exc


def policies_above(owner: PolicyOwner) -> tuple[Policy, ...]:
    """Return the policies that hold in any case for the resources of the owner's policy."""
    if owner.level == "platform":
        return ()
    return effective_policies.for_organization(owner.ruler if owner.level != "organization" else None)


def policy_set(
    actor: Actor,
    *,
    clauses: Sequence[object],
    organization: Organization | None = None,
    project: Project | None = None,
    classification: Classification | None = None,
    reason: str = "",
) -> Outcome:
    """Apply policy_change() to the version in force, whichever it is."""
    return policy_change(actor, PolicyOwner(organization, project, classification), PolicyChange(clauses, reason))


@transaction.atomic
def policy_change(actor: Actor, owner: PolicyOwner, requested: PolicyChange) -> Outcome:
    """Replace a policy, or propose to. Running resources stay; the new policy applies to their next operations.

    Raises:
        RoleNeeded: the actor may not change the policy; or the new one admits more, which only its organization
            may request.
        PersonNeeded: a proposal by a program. Outdated: another version is in force.
        PolicyInvalid, PolicyEmpty, PolicyOverflows, CountExhausted.
    """
    may_tighten(actor, owner)
    head = lock_head(owner)
    review = review_change(actor, owner, requested)
    if review.change in AT_ONCE:
        return Outcome(review, put_in_force(actor, owner, review, head))
    person = may_propose(actor, owner)
    need_room(owner.ruler)
    proposal = PolicyProposal.objects.create(
        level=owner.level,
        **owner.columns,
        base_version=review.base_version,
        change=review.change,
        clauses=as_document(review.policy)[ATOMS],
        reason=requested.reason,
        proposed_by=person,
    )
    record_proposal_step(actor, "policy.propose", proposal)
    return Outcome(review, version_in_force(owner), proposal)


def need_room(ruler: Organization | None) -> None:
    """Raise CountExhausted if too many proposals wait for the organization's officers.

    None: operators have no limit.
    """
    if ruler is not None:
        governed = Q(organization=ruler) | Q(project__organization=ruler) | Q(classification__organization=ruler)
        count_limits.require_below_limit("proposals", PolicyProposal.objects.filter(governed, state="proposed"))


def review_change(actor: Actor, owner: PolicyOwner, requested: PolicyChange) -> PolicyReview:
    """Return the effects of the change, if the actor may make it. Raises as policy_change()."""
    may_tighten(actor, owner)
    review = policy_review(owner, requested.clauses)
    if requested.version not in (None, review.base_version):
        raise Outdated(current=review.base_version)
    if review.change not in AT_ONCE:
        may_propose(actor, owner)
    return review


def may_tighten(actor: Actor, owner: PolicyOwner) -> None:
    """Check that the actor may demand more.

    An operator may on a customer's behalf, since a stricter policy admits nothing new.

    Raises:
        RoleNeeded
    """
    ruler = owner.ruler
    if ruler is None:
        actor.may_operate()
    elif not actor.rules(ruler.pk) and not actor.is_operator:
        if owner.project is None:
            raise RoleNeeded(role="sovereignty_officer")
        actor.within(owner.project).may_write()


def may_propose(actor: Actor, owner: PolicyOwner) -> UUID:
    """Check that the actor may propose to demand less, as a user: for an organization's data never an operator.

    Raises:
        RoleNeeded, PersonNeeded.
    """
    ruler = owner.ruler
    may_tighten(actor, owner)
    if ruler is not None and actor.is_operator:
        raise RoleNeeded(role="sovereignty_officer")
    if actor.user_id is None:
        raise PersonNeeded()
    return actor.user_id


def lock_head(owner: PolicyOwner) -> PolicyHead:
    """Lock the head until the end of the transaction: no other policy change, and no write that rests on a policy."""
    ruler = owner.ruler
    return PolicyHead.objects.select_for_update().get(organization=ruler)


def version_in_force(owner: PolicyOwner) -> PolicyVersion | None:
    """Return the version in force; None when there never was one."""
    mine = PolicyVersion.objects.filter(level=owner.level, **owner.columns)
    return mine.order_by("-version").first()


def put_in_force(
    actor: Actor,
    owner: PolicyOwner,
    review: PolicyReview,
    head: PolicyHead,
    *,
    proposal: PolicyProposal | None = None,
    undoes: int | None = None,
) -> PolicyVersion:
    """Put the policy in force, under the lock of the head: earlier decisions cannot be written any more.

    `undoes`: the version that it reverts.
    """
    saved = PolicyVersion.objects.create(
        level=owner.level,
        **owner.columns,
        version=review.base_version + 1,
        clauses=as_document(review.policy)[ATOMS],
        head=head.version + 1,
        user_id=proposal.proposed_by if proposal is not None else actor.user_id,
    )
    head.version += 1
    head.save(update_fields=["version"])
    epochs.advance()  # so that nodes refuse permits under the former policies
    project_id = owner.project.pk if owner.project is not None else None
    about = {"level": owner.level, "owner": str(owner.id), "version": saved.version, "change": review.change}
    undone = {"undoes": undoes} if undoes is not None else {}
    ruler_id = owner.ruler.pk if owner.ruler is not None else None
    if project_id is not None:
        record(actor, "policy.set", saved.pk, project_id=project_id, **about, **undone)
    else:
        record_of_organization(actor, "policy.set", saved.pk, ruler_id, **about, **undone)
    append(
        "policy_version",
        {
            "level": owner.level,
            "id": str(owner.id),
            "version": saved.version,
            "head": head.version,
            "policy": as_document(effective_policies.layer_of(saved)),
            "change": review.change,
            "by": _people(saved, proposal),
            **_classification_fields(owner),
            **undone,
        },
        organization_id=ruler_id,
        project_id=project_id,
    )
    return saved


def _classification_fields(owner: PolicyOwner) -> dict[str, object]:
    """Return the other relevant properties of a classification."""
    if owner.classification is None:
        return {}
    return {"drift_action": owner.classification.drift_action, "is_supported": owner.classification.is_supported}


def _people(saved: PolicyVersion, proposal: PolicyProposal | None) -> list[str]:
    """Return the person who set the policy, or the two who agreed."""
    people = [saved.user_id] if proposal is None else [proposal.proposed_by, proposal.approved_by]
    return [str(person) for person in people if person is not None]


def record_proposal_step(actor: Actor, verb: str, proposal: PolicyProposal, **facts: object) -> None:
    """Record a step of a proposal: an audit entry in every project that it concerns, and evidence."""
    owner = owner_of(proposal)
    about: dict[str, object] = {"level": proposal.level, "owner": str(owner.id), "change": proposal.change, **facts}
    if proposal.resource_id is not None:
        entries = [str(entry) for entry in proposal.lineage_ids]
        about |= {
            "classifications": proposal.classifications,
            "lineage": entries,
            "resource": str(proposal.resource_id),
        }
    projects = _concerned(owner)
    bare = [owner.ruler.pk] if owner.ruler is not None and not projects else []
    record_in_scopes(actor, verb, proposal.pk, project_ids=projects, organization_ids=bare, **about)
    append(
        "policy_proposal",
        {
            "verb": verb,
            "proposal": str(proposal.pk),
            "base_version": proposal.base_version,
            "atoms": proposal.clauses,
            "reason": proposal.reason,
            "proposed_by": str(proposal.proposed_by),
            "approved_by": str(proposal.approved_by) if proposal.approved_by else None,
            "not_before": proposal.not_before.isoformat() if proposal.not_before else None,
            "by": str(actor.user_id) if actor.user_id else None,
            **about,
        },
        organization_id=owner.ruler.pk if owner.ruler is not None else None,
        project_id=proposal.project_id,
        resource_id=proposal.resource_id,
    )


def _concerned(owner: PolicyOwner) -> list[UUID]:
    """Return the projects whose data the policy is about; for the platform's: all."""
    if owner.project is not None:
        return [owner.project.pk]
    projects = Project.objects.all() if owner.ruler is None else Project.objects.filter(organization=owner.ruler)
    return list(projects.values_list("pk", flat=True))
