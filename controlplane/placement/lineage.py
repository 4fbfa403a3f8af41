"""Classifications and lineage of resources, written when data reaches them.

Only two people can remove them (declassifications.py). The writes are inside the caller's transaction, and repeatable.
Reads: effective_policies.py.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Model

from andromede_core.policy.clauses import Policy
from andromede_core.policy.document import ATOMS, as_document
from controlplane.identity.models import Project
from controlplane.kernel.multi_insert import insert
from controlplane.placement import effective_policies
from controlplane.placement.assessment_cache import PolicySet
from controlplane.placement.effective_policies import DataSource
from controlplane.placement.models import Binding, Lineage, PolicyVersion


@dataclass(frozen=True)
class NewData:
    """A resource to be created. `policy`: clauses of its own, which hold as long as it exists."""

    resource_id: UUID
    kind: str
    project: Project
    classifications: Sequence[str] = ()
    policy: Policy | None = None
    user_id: UUID | None = None


def record_data(new: NewData, sources: Iterable[DataSource] = (), *, extra_rows: Sequence[Model] = ()) -> None:
    """Record the classifications and sources of the new resource. `extra_rows`: new rows that are written with it."""
    classifications = sorted(set(new.classifications))
    binding = Binding(resource_id=new.resource_id, kind=new.kind, project=new.project, classifications=classifications)
    insert(*extra_rows, binding)
    if new.policy is not None:
        clauses = as_document(new.policy)[ATOMS]
        PolicyVersion.objects.create(
            level="resource", resource_id=new.resource_id, version=1, clauses=clauses, user_id=new.user_id
        )
    for source in sources:
        add_source(DataSource(new.resource_id, new.project), source, kind=new.kind)


def add_source(holder: DataSource, source: DataSource, *, kind: str) -> None:
    """Record that the holder gets data of the source.

    From now on it has the source's classifications and the policies effective there now, also when those are loosened
    later.
    """
    demand = PolicySet.of(effective_policies.of_source(source))
    demand.keep()
    Lineage.objects.get_or_create(
        resource_id=holder.id,
        source_id=source.id,
        policies_id=demand.digest,
        defaults={"classifications": list(demand.classifications)},
    )
    fresh = {"kind": kind, "project": holder.project}
    binding, _ = Binding.objects.select_for_update().get_or_create(pk=holder.id, defaults=fresh)
    if missing := set(demand.classifications) - set(binding.classifications):
        Binding.objects.filter(pk=holder.id).update(classifications=sorted({*binding.classifications, *missing}))
