"""Cached policies, facts and admitted zones.

The key of a cached value (CacheKey) changes with every change of its inputs, so a value is right as long as its key is
the same, and no message can be lost. An assessment also ends by itself, at the first moment at which a fact that it
used may end. Inside a transaction that has written, nothing is cached: it may yet be rolled back, and the versions that
it raised be given to another change.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Generic, TypeVar
from uuid import UUID

from andromede_core.documents.canonical import digest, dumps
from andromede_core.facts.world import World
from andromede_core.policy.assessment import Assessment, assess
from andromede_core.policy.clauses import Policy, Role
from controlplane.catalog import selectors as catalog
from controlplane.kernel.prepared_queries import preparing_cursor
from controlplane.placement import effective_policies
from controlplane.placement.effective_policies import EffectivePolicies, PolicySubject
from controlplane.placement.models import PolicyDocument
from controlplane.placement.selectors import DecisionVersions

# One row for each resource. There are tens of zones and classifications; an operator's change of them raises no
# version, so all are read.
VERSIONS = """
SELECT epoch.value,
    (SELECT version FROM placement_policyhead WHERE organization_id IS NULL),
    (SELECT version FROM placement_policyhead WHERE organization_id = %(organization)s),
    pg_postmaster_start_time()::text
        || (SELECT coalesce(string_agg(id || ' ' || status, ',' ORDER BY id), '') FROM catalog_zone)
        || (SELECT coalesce(string_agg(id, ',' ORDER BY id), '') FROM placement_classification WHERE NOT is_supported),
    pg_current_xact_id_if_assigned() IS NOT NULL,
    resource.id,
    (SELECT classifications FROM placement_binding WHERE resource_id = resource.id),
    (SELECT array_agg(policies_id ORDER BY policies_id) FROM placement_lineage WHERE resource_id = resource.id),
    EXISTS (
        SELECT FROM placement_policyversion
        WHERE level = 'resource' AND organization_id IS NULL AND project_id IS NULL AND classification_id IS NULL
            AND resource_id = resource.id
    )
FROM catalog_factsepoch AS epoch, unnest(%(resources)s::uuid[]) AS resource (id) WHERE epoch.id = 1
"""

V = TypeVar("V")


class LruCache(Generic[V]):
    """A cache of the values that were used last."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = Lock()
        self._values: OrderedDict[Hashable, V] = OrderedDict()

    def find(self, key: Hashable) -> V | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def keep(self, key: Hashable, value: V) -> None:
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._size:
                self._values.popitem(last=False)


_demanded: LruCache["PolicySet"] = LruCache(1024)
_world_cache: LruCache[World] = LruCache(2)
_assessments: LruCache[Assessment] = LruCache(1024)


@dataclass(frozen=True, slots=True)
class CacheKey:
    """The versions of a resource's inputs at one moment, as keys of cached values.

    `scene`: the other inputs of the facts: the zones with their status, the classifications that are not supported, and
    the run of the server, since another one may have been restored from a copy. `is_own`: read inside a transaction
    that has written, so perhaps never visible to others. `classifications`, `lineage`: recorded of the resource;
    `has_clauses`: it has some of its own.
    """

    organization_id: UUID
    resource_id: UUID
    standing: DecisionVersions
    scene: str
    is_own: bool
    classifications: tuple[str, ...]
    lineage: tuple[str, ...]
    has_clauses: bool


def read_versions(organization_id: UUID, resource_id: UUID) -> CacheKey:
    """Read the versions before the values, so that a change in between makes a decision stale, never too new."""
    return read_versions_of(organization_id, [resource_id])[resource_id]


def read_versions_of(organization_id: UUID, resource_ids: Sequence[UUID]) -> dict[UUID, CacheKey]:
    """Read the versions of several resources at the same moment."""
    with preparing_cursor() as cursor:
        cursor.execute(VERSIONS, {"organization": organization_id, "resources": list(resource_ids)})
        found = cursor.fetchall()
    return {
        resource: CacheKey(
            organization_id=organization_id,
            resource_id=resource,
            standing=DecisionVersions(epoch, platform, organization),
            scene=scene,
            is_own=is_own,
            classifications=tuple(classifications or ()),
            lineage=tuple(lineage or ()),
            has_clauses=has_clauses,
        )
        for epoch, platform, organization, scene, is_own, resource, classifications, lineage, has_clauses in found
    }


def _recall(
    memory: LruCache[V],
    key: Hashable,
    cache_key: CacheKey,
    make: Callable[[], V],
    still: Callable[[V], bool] = lambda _: True,
) -> V:
    """Return the value cached under the key if `still` holds, else the result of `make`.

    The result is cached if no input of the key has changed meanwhile.
    """
    if cache_key.is_own:
        return make()
    kept = memory.find(key)
    if kept is not None and still(kept):
        return kept
    value = make()
    if read_versions(cache_key.organization_id, cache_key.resource_id) == cache_key:
        memory.keep(key, value)
    return value


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Policies that hold together, as stored: `layers` in canonical JSON (`text`) with its digest."""

    policies: tuple[Policy, ...]
    classifications: tuple[str, ...]
    layers: list[dict[str, object]]
    text: str
    digest: str

    @classmethod
    def of(cls, demand: EffectivePolicies) -> "PolicySet":
        layers = effective_policies.policy_documents(demand.policies)
        return cls(demand.policies, demand.classifications, layers, dumps(layers).decode(), digest(layers))

    def keep(self) -> None:
        """Store the document of these layers, once for each combination in use."""
        PolicyDocument.objects.get_or_create(digest=self.digest, defaults={"document": self.layers})


def policy_set(subject: PolicySubject, cache_key: CacheKey) -> PolicySet:
    """Return the policies for the subject's locations. Resources of a project with the same record share the result.

    Raises:
        TooManyClauses
    """

    def read() -> PolicySet:
        return PolicySet.of(effective_policies.for_subject(subject))

    if cache_key.has_clauses or subject.sources:
        return read()
    names = frozenset({*cache_key.classifications, *subject.classifications})
    versions = cache_key.standing.platform_version, cache_key.standing.organization_version
    key = subject.project.pk, versions, cache_key.scene, names, cache_key.lineage, subject.own
    return _recall(_demanded, key, cache_key, read)


def policy_sets(subjects: Sequence[PolicySubject]) -> list[PolicySet]:
    """Return the policies for the locations of each subject, from the same few reads for any number of subjects.

    Raises:
        TooManyClauses
    """
    sets: dict[EffectivePolicies, PolicySet] = {}
    found = effective_policies.for_subjects(subjects)
    return [sets.get(each) or sets.setdefault(each, PolicySet.of(each)) for each in found]


def world(cache_key: CacheKey) -> World:
    """Return the current facts."""
    return _recall(_world_cache, (cache_key.standing.facts_epoch, cache_key.scene), cache_key, catalog.world)


def assessment(demanded: PolicySet, roles: tuple[Role, ...], cache_key: CacheKey, *, now: datetime) -> Assessment:
    """Return the results of the policies for every zone and these roles."""

    def work_out() -> Assessment:
        return assess(demanded.policies, world(cache_key), now=now, roles=roles)

    key = demanded.digest, roles, cache_key.standing.facts_epoch, cache_key.scene
    return _recall(_assessments, key, cache_key, work_out, still=lambda kept: kept.holds_at(now))
