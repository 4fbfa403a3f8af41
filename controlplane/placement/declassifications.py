"""Declassification: two officers remove classifications and lineage from a resource.

It takes effect after the delay of a looser policy. No other action ever removes them. It is a proposal (proposals.py)
of the level `resource`, so approval, delay, withdrawal and records are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from andromede_core.documents.messages import Message
from controlplane.audit.services import record
from controlplane.catalog import epochs
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.models import Organization
from controlplane.kernel.db import by_id
from controlplane.placement import policies
from controlplane.placement.errors import DeclassifiedNotFound, NothingToDeclassify, PersonNeeded
from controlplane.placement.models import Binding, Lineage, PolicyHead, PolicyProposal

NOTHING = Message("nothing is named")


@dataclass(frozen=True)
class NewDeclassification:
    """The classifications and lineage that the resource is to lose."""

    resource: str
    reason: str
    classifications: Sequence[str] = ()
    lineage_ids: Sequence[UUID] = ()


def binding_get(organization: Organization, ref: str, *, field: str | None = None) -> Binding:
    """Return the record of a resource of the organization. Raises DeclassifiedNotFound."""
    mine = Binding.objects.filter(project__organization=organization).select_related("project__organization")
    binding = by_id(mine, ref)
    if binding is None:
        raise DeclassifiedNotFound(field=field, name=ref)
    return binding


def lineage_of(binding: Binding) -> QuerySet[Lineage]:
    return Lineage.objects.filter(resource_id=binding.pk).select_related("policies")


@transaction.atomic
def declassification_propose(actor: Actor, organization: Organization, new: NewDeclassification) -> PolicyProposal:
    """Propose to remove classifications and lineage.

    Raises:
        RoleNeeded: the actor is not one of the organization's sovereignty officers.
        PersonNeeded, DeclassifiedNotFound, CountExhausted.
        NothingToDeclassify: the resource lacks some or all of what it is to lose.
    """
    actor.may_rule(organization.pk)
    if actor.user_id is None:
        raise PersonNeeded()
    binding = binding_get(organization, new.resource, field="resource")
    names, entries = sorted({*new.classifications}), sorted({*new.lineage_ids})
    if not names and not entries:
        raise NothingToDeclassify(field="classifications", names=NOTHING)
    lineage = {str(pk) for pk in lineage_of(binding).values_list("pk", flat=True)}
    missing = [*({*names} - {*binding.classifications}), *({*map(str, entries)} - lineage)]
    if missing:
        raise NothingToDeclassify(field="classifications", names=", ".join(sorted(missing)))
    policies.need_room(organization)
    proposal = PolicyProposal.objects.create(
        level="resource",
        project=binding.project,
        resource_id=binding.pk,
        classifications=names,
        lineage_ids=entries,
        base_version=0,
        change="looser",
        clauses=[],
        reason=new.reason,
        proposed_by=actor.user_id,
    )
    policies.record_proposal_step(actor, "policy.propose", proposal)
    return proposal


def apply(proposal: PolicyProposal, head: PolicyHead) -> None:
    """Remove them under the lock of the head, so that earlier decisions are stale."""
    assert proposal.resource_id is not None
    binding = Binding.objects.select_for_update().get(pk=proposal.resource_id)
    binding.classifications = sorted({*binding.classifications} - {*proposal.classifications})
    binding.save(update_fields=["classifications"])
    Lineage.objects.filter(resource_id=binding.pk, pk__in=proposal.lineage_ids).delete()
    head.version += 1
    head.save(update_fields=["version"])
    epochs.advance()
    record(
        SYSTEM,
        "declassify",
        binding.pk,
        project_id=binding.project_id,
        classifications=proposal.classifications,
        lineage=list(map(str, proposal.lineage_ids)),
        proposal=str(proposal.pk),
    )
