"""Change what is demanded of places. What admits less counts at once; what may admit more becomes a proposal, which
needs a second person and time (proposals.py)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from controlplane.audit.evidence import append
from controlplane.audit.services import record
from controlplane.catalog import epochs
from controlplane.catalog import selectors as catalog
from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.identity.models import Organization, Project
from controlplane.kernel import clock
from controlplane.placement import effective
from controlplane.placement.core.assess import admitting
from controlplane.placement.core.compare import Change, Sets, change, unsatisfiable, without_effect
from controlplane.placement.core.facts import World
from controlplane.placement.core.policy import ROLES, AtomRef, Policy, PolicyError
from controlplane.placement.core.policy_document import as_document, parse
from controlplane.placement.errors import PersonNeeded, PolicyEmpty, PolicyInvalid
from controlplane.placement.models import Classification, PolicyHead, PolicyProposal, PolicyVersion

AT_ONCE = ("same", "tighter")
PROPOSED = "proposed"  # the id of a layer that is not in force, among those that are


@dataclass(frozen=True)
class Owner:
    """Whose policy: one of these, or none for the platform's."""

    organization: Organization | None = None
    project: Project | None = None
    classification: Classification | None = None

    @property
    def level(self) -> str:
        if self.project is not None:
            return "project"
        if self.classification is not None:
            return "classification"
        return "organization" if self.organization is not None else "platform"

    @property
    def ruler(self) -> Organization | None:
        """The organization whose officers decide on it; None: the platform's operators do."""
        if self.project is not None:
            return self.project.organization
        return self.classification.organization if self.classification is not None else self.organization

    @property
    def columns(self) -> dict[str, Organization | Project | Classification]:
        """As PolicyVersion and PolicyProposal name them."""
        owner = self.project or self.classification or self.organization
        return {self.level: owner} if owner is not None else {}

    @property
    def id(self) -> UUID | str:
        owner = self.project or self.classification or self.organization
        return owner.pk if owner is not None else "platform"


def owner_of(row: PolicyVersion | PolicyProposal) -> Owner:
    return Owner(row.organization, row.project, row.classification)


@dataclass(frozen=True)
class Review:
    """What a policy would change. `lint`: its clauses that have no effect, since others say as much. `newly_refused`:
    zones that were admitted for everything under it and would not be any more."""

    policy: Policy
    base_version: int
    change: Change
    lint: tuple[AtomRef, ...]
    newly_refused: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """`version` is in force now; `proposal` waits for a second person. One of them is new."""

    review: Review
    version: PolicyVersion | None
    proposal: PolicyProposal | None = None


def policy_review(owner: Owner, atoms: Sequence[object]) -> Review:
    """What these atoms would change, in place of those in force. Writes nothing.

    Raises:
        PolicyInvalid: an atom does not type-check, or names a set or scheme class that does not exist.
        PolicyEmpty: no zone could satisfy it together with the levels above.
    """
    world, now = catalog.world(), clock.now()
    policy, sets = _parse(owner.level, atoms, world), Sets.of(world, now)
    before = version_in_force(owner)
    higher = above(owner)
    if conflict := unsatisfiable((*higher, policy), sets):
        clauses = ", ".join(f"{ref.level}/{ref.atom}" for ref in conflict)
        raise PolicyEmpty(field="atoms", atoms=clauses)
    old = (effective.policy_of(before),) if before is not None else ()
    return Review(
        policy=policy,
        base_version=before.version if before is not None else 0,
        change=change(old, (policy,), sets),
        lint=tuple(ref for ref in without_effect((*higher, policy), sets) if ref.policy == PROPOSED),
        newly_refused=_newly_refused((*higher, *old), (*higher, policy), world),
    )


def own_policy(atoms: Sequence[object], *, at: str) -> Policy | None:
    """The clauses that a resource is to have of its own; none: None. `at`: the field of the request that has them.

    Raises:
        PolicyInvalid
    """
    return _parse("resource", atoms, catalog.world(), at=at) if atoms else None


def _parse(level: str, atoms: Sequence[object], world: World, *, at: str = "atoms") -> Policy:
    document = {"id": PROPOSED, "level": level, "atoms": atoms}
    try:
        return parse(document, sets=world.sets.keys(), scheme_classes=world.scheme_classes.keys())
    except PolicyError as exc:
        place = exc.field.strip("/").replace("atoms", at, 1)
        raise PolicyInvalid(field=place, place=place, atom=exc.atom or "-", reason=exc.reason) from exc


def above(owner: Owner) -> tuple[Policy, ...]:
    """What holds in any case for whatever the owner's policy holds for."""
    if owner.level == "platform":
        return ()
    return effective.of_organization(owner.ruler if owner.level != "organization" else None)


def _newly_refused(before: Sequence[Policy], after: Sequence[Policy], world: World) -> tuple[str, ...]:
    now = clock.now()
    was, stays = ({zone.id for zone in admitting(each, world, now=now, roles=ROLES)} for each in (before, after))
    return tuple(sorted(was - stays))


@transaction.atomic(durable=True)
def policy_set(
    actor: Actor,
    *,
    atoms: Sequence[object],
    organization: Organization | None = None,
    project: Project | None = None,
    classification: Classification | None = None,
    reason: str = "",
) -> Outcome:
    """Replace a policy, or propose to. What runs stays where it is; whatever it does next is asked the new one.

    Raises:
        RoleNeeded: not the actor's to change; or it would admit more, which nobody may for another's data.
        PersonNeeded: a proposal by a program.
        PolicyInvalid, PolicyEmpty.
    """
    owner = Owner(organization, project, classification)
    may_tighten(actor, owner)
    head = lock_head(owner)
    review = policy_review(owner, atoms)
    if review.change in AT_ONCE:
        return Outcome(review, write(actor, owner, review, head))
    person = may_propose(actor, owner)
    proposal = PolicyProposal.objects.create(
        level=owner.level,
        **owner.columns,
        base_version=review.base_version,
        change=review.change,
        atoms=as_document(review.policy)["atoms"],
        reason=reason,
        proposed_by=person,
    )
    note(actor, "policy.propose", proposal)
    return Outcome(review, version_in_force(owner), proposal)


def may_tighten(actor: Actor, owner: Owner) -> None:
    """Who may demand more. An operator may on a customer's behalf, since it takes nothing from the customer's hands.

    Raises:
        RoleNeeded
    """
    ruler = owner.ruler
    if ruler is None:
        actor.may_operate()
    elif not actor.rules(ruler.pk) and not actor.is_operator:
        if owner.project is None:
            raise RoleNeeded(role="sovereignty_officer")
        actor.may_write()


def may_propose(actor: Actor, owner: Owner) -> UUID:
    """Who may ask that less is demanded, as a user: for an organization's data never an operator.

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


def lock_head(owner: Owner) -> PolicyHead:
    """From here to the end of the transaction, nobody else changes a policy under it, and nothing is written that rests
    on one."""
    ruler = owner.ruler
    return PolicyHead.objects.select_for_update().get(organization=ruler)


def version_in_force(owner: Owner) -> PolicyVersion | None:
    """None when nothing was ever demanded."""
    mine = PolicyVersion.objects.filter(level=owner.level, **owner.columns)
    return mine.order_by("-version").first()


def write(
    actor: Actor, owner: Owner, review: Review, head: PolicyHead, *, proposal: PolicyProposal | None = None
) -> PolicyVersion:
    """Put it in force, under the lock of the head: decisions that were taken before can be written no more."""
    saved = PolicyVersion.objects.create(
        level=owner.level,
        **owner.columns,
        version=review.base_version + 1,
        atoms=as_document(review.policy)["atoms"],
        user_id=proposal.proposed_by if proposal is not None else actor.user_id,
    )
    head.version += 1
    head.save(update_fields=["version"])
    epochs.advance()  # so that nodes refuse what was permitted under the policies before
    project_id = owner.project.pk if owner.project is not None else None
    about = {"level": owner.level, "owner": str(owner.id), "version": saved.version, "change": review.change}
    record(actor, "policy.set", saved.pk, project_id=project_id, **about)
    append(
        "policy_version",
        {
            "level": owner.level,
            "id": str(owner.id),
            "version": saved.version,
            "head": head.version,
            "policy": as_document(effective.layer_of(saved)),
            "change": review.change,
            "by": _people(saved, proposal),
        },
        organization_id=owner.ruler.pk if owner.ruler is not None else None,
        project_id=project_id,
    )
    return saved


def _people(saved: PolicyVersion, proposal: PolicyProposal | None) -> list[str]:
    """Whoever has set it, or the two who agreed."""
    people = [saved.user_id] if proposal is None else [proposal.proposed_by, proposal.approved_by]
    return [str(person) for person in people if person is not None]


def note(actor: Actor, verb: str, proposal: PolicyProposal, **facts: object) -> None:
    """In the audit records of the project that it is about, where there is one."""
    record(
        actor,
        verb,
        proposal.pk,
        project_id=proposal.project_id,
        level=proposal.level,
        organization=str(proposal.organization_id) if proposal.organization_id else None,
        change=proposal.change,
        **facts,
    )
