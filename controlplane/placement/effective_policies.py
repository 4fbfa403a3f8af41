"""The effective policies of a resource, from all levels.

In order: the platform's, its organization's, its project's, those of its classifications, its own, and those of its
lineage. All of them must hold together: the order only decides how they are listed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from uuid import UUID

from django.db.models import Q, QuerySet

from andromede_core.documents.canonical import dumps, loads
from andromede_core.policy.clauses import MAX_CLAUSES_EFFECTIVE, Policy
from andromede_core.policy.document import ATOMS, as_document, parse
from controlplane.identity.models import Organization, Project, ProjectResource
from controlplane.kernel.prepared_queries import AnyOf, Prepared
from controlplane.placement.errors import TooManyClauses
from controlplane.placement.models import Allocation, Binding, Classification, Lineage, PolicyVersion
from controlplane.placement.reduction import merged, reduced

InForce = Mapping[tuple[str, object], Policy]  # level and owner → the layer that is in force
OWNER = ("level", "organization_id", "project_id", "classification_id", "resource_id")
LAYERS = Prepared(
    lambda organizations, projects, classifications, resources: _newest(
        Q(level="platform")
        | (Q(level="organization") & Q(AnyOf("organization_id", organizations)))
        | (Q(level="project") & Q(AnyOf("project_id", projects)))
        | (Q(level="classification") & Q(AnyOf("classification_id", classifications)))
        | (Q(level="resource") & Q(AnyOf("resource_id", resources)))
    )
)
BINDINGS = Prepared(lambda resources: Binding.objects.filter(AnyOf("pk", resources)))
LINEAGE = Prepared(lambda resources: Lineage.objects.filter(AnyOf("resource_id", resources)).select_related("policies"))


@dataclass(frozen=True)
class DataSource:
    """A resource whose data another one gets (an image, a volume, an instance), with its project."""

    id: UUID
    project: Project

    @classmethod
    def of(cls, row: ProjectResource) -> "DataSource":
        return cls(row.pk, row.project)


@dataclass(frozen=True)
class EffectivePolicies:
    """The policies that the locations of some data must satisfy, and the classifications of the data."""

    classifications: tuple[str, ...]
    policies: tuple[Policy, ...]


@dataclass(frozen=True)
class PolicySubject:
    """The subject of effective policies.

    `resource_id`: with all that is recorded of it; None before it exists. The rest comes on top: `classifications`,
    clauses of its `own`, and the `sources` whose data it is to hold.
    """

    project: Project
    resource_id: UUID | None = None
    classifications: tuple[str, ...] = ()
    own: tuple[Policy, ...] = ()
    sources: tuple[DataSource, ...] = ()


def for_subject(subject: PolicySubject) -> EffectivePolicies:
    """Return the policies of a subject.

    Raises:
        TooManyClauses
    """
    return for_subjects([subject])[0]


def of_source(source: DataSource) -> EffectivePolicies:
    return for_subject(PolicySubject(source.project, source.id))


def for_project(project: Project) -> tuple[Policy, ...]:
    """Return the policies of the whole project."""
    return for_subject(PolicySubject(project)).policies


def for_organization(organization: Organization | None) -> tuple[Policy, ...]:
    """Return the policies of the whole organization; None: of all organizations."""
    owners = Q(level="platform") | Q(level="organization", organization=organization)
    in_force = layers_in_force(owners)
    keys = [("platform", None), *([("organization", organization.pk)] if organization else [])]
    return tuple(in_force[key] for key in keys if key in in_force)


def of_classification(classification: Classification) -> tuple[Policy, ...]:
    """Return the policy of a classification."""
    in_force = layers_in_force(Q(level="classification", classification=classification))
    return (*for_organization(classification.organization), *_of_classification(classification, in_force))


def for_resources(resource_ids: Sequence[UUID], *, supposing: InForce | None = None) -> dict[UUID, tuple[Policy, ...]]:
    """Return the policies of resources that have an allocation: see for_placed_subjects."""
    rows = Allocation.objects.filter(consumer_id__in=resource_ids).select_related("project__organization")
    return for_placed_subjects(
        {row.consumer_id: PolicySubject(row.project, row.consumer_id) for row in rows}, supposing=supposing
    )


def for_placed_subjects(
    subjects: Mapping[UUID, PolicySubject], *, supposing: InForce | None = None
) -> dict[UUID, tuple[Policy, ...]]:
    """Return the policies of all subjects in one read. Those with too many clauses are left out."""
    inputs = PolicyInputs.read(list(subjects.values()), supposing=supposing)
    demands = {pk: inputs.for_subject(subject) for pk, subject in subjects.items()}
    return {pk: demand.policies for pk, demand in demands.items() if _count(demand) <= MAX_CLAUSES_EFFECTIVE}


def for_subjects(subjects: Sequence[PolicySubject]) -> list[EffectivePolicies]:
    """Return the policies of several subjects.

    Raises:
        TooManyClauses
    """
    inputs = PolicyInputs.read(subjects)
    return [_checked(inputs.for_subject(subject)) for subject in subjects]


def _count(demand: EffectivePolicies) -> int:
    return sum(len(policy.clauses) for policy in demand.policies)


def _checked(demand: EffectivePolicies) -> EffectivePolicies:
    count = _count(demand)
    if count > MAX_CLAUSES_EFFECTIVE:
        raise TooManyClauses(count=count, limit=MAX_CLAUSES_EFFECTIVE)
    return demand


def policy_from_version(version: PolicyVersion) -> Policy:
    """Return the layer of a version. That of a classification has the classification's name as id.

    Readers never see the names of other organizations' layers.
    """
    name = f"{version.classification_id}.{version.version}" if version.classification_id else str(version.pk)
    return parse_layer({"id": name, "level": version.level, ATOMS: version.clauses})


def layer_of(version: PolicyVersion) -> Policy:
    """Return a layer as decisions have it; it is marked if its classification is not supported."""
    policy, classification = policy_from_version(version), version.classification
    if classification is None:
        return policy
    return _of_classification(classification, {("classification", classification.pk): policy})[0]


def parse_layer(document: object) -> Policy:
    """Parse a stored policy document. Stored ones do not change, so each is parsed once."""
    return _layer(dumps(document))


@lru_cache(maxsize=4096)
def _layer(text: bytes) -> Policy:
    return parse(loads(text))


def policy_documents(policies: Iterable[Policy]) -> list[dict[str, object]]:
    return [as_document(policy) for policy in policies]


def layers_in_force(owners: Q) -> dict[tuple[str, object], Policy]:
    return _by_owner(_newest(owners))


def _newest(owners: Q) -> QuerySet[PolicyVersion]:
    return PolicyVersion.objects.filter(owners).order_by(*OWNER, "-version").distinct(*OWNER)


def _by_owner(newest: Iterable[PolicyVersion]) -> dict[tuple[str, object], Policy]:
    return {(row.level, _owner(row)): policy_from_version(row) for row in newest}


def _owner(row: PolicyVersion) -> object:
    return row.organization_id or row.project_id or row.classification_id or row.resource_id


def _of_classification(classification: Classification, in_force: InForce) -> tuple[Policy, ...]:
    policy = in_force.get(("classification", classification.pk))
    if classification.is_supported:
        return (policy,) if policy else ()
    return (Policy(classification.pk, "classification", policy.clauses if policy else (), is_supported=False),)


@dataclass(frozen=True)
class PolicyInputs:
    """The rows of some resources and their owners."""

    in_force: InForce
    classifications: Mapping[str, Classification]
    bindings: Mapping[UUID, Sequence[str]]
    lineage: Mapping[UUID, Sequence[Policy]] = field(default_factory=dict)

    @classmethod
    def read(cls, subjects: Sequence[PolicySubject], *, supposing: InForce | None = None) -> "PolicyInputs":
        """Read the rows. `supposing`: layers that are not in force, in place of those that are."""
        sources = [source for subject in subjects for source in subject.sources]
        ids = [source.id for source in sources]
        ids += [subject.resource_id for subject in subjects if subject.resource_id is not None]
        projects = [subject.project for subject in subjects] + [source.project for source in sources]
        bindings = {row.pk: row.classifications for row in (BINDINGS.rows(ids) if ids else ())}
        names = {name for subject in subjects for name in subject.classifications}.union(*bindings.values())
        organizations = {project.organization_id for project in projects}
        layers = LAYERS.rows([*organizations], [*{project.pk for project in projects}], [*names], ids)
        in_force = {**_by_owner(layers), **(supposing or {})}
        return cls(in_force, Classification.objects.in_bulk(sorted(names)), bindings, _lineage(ids))

    def for_subject(self, subject: PolicySubject) -> EffectivePolicies:
        ids = [*([subject.resource_id] if subject.resource_id else []), *(source.id for source in subject.sources)]
        names = sorted({*subject.classifications}.union(*(self.bindings.get(pk, ()) for pk in ids)))
        classified = [
            policy
            for name in names
            if name in self.classifications
            for policy in _of_classification(self.classifications[name], self.in_force)
        ]
        layers = [*self._of_project(subject.project), *classified, *self._own(subject.resource_id), *subject.own]
        inherited = [
            policy
            for source in subject.sources
            for policy in (*self._of_project(source.project), *self._own(source.id))
        ]
        inherited += [policy for pk in ids for policy in self.lineage.get(pk, ())]
        return EffectivePolicies(tuple(names), (*layers, *_as_lineage(inherited, tuple(layers))))

    def _of_project(self, project: Project) -> list[Policy]:
        keys = (("platform", None), ("organization", project.organization_id), ("project", project.pk))
        return [self.in_force[key] for key in keys if key in self.in_force]

    def _own(self, resource_id: UUID | None) -> list[Policy]:
        key = ("resource", resource_id)
        return [self.in_force[key]] if resource_id is not None and key in self.in_force else []


def _lineage(resource_ids: Sequence[UUID]) -> dict[UUID, list[Policy]]:
    policies: dict[UUID, list[Policy]] = {}
    for row in LINEAGE.rows(resource_ids) if resource_ids else ():
        policies.setdefault(row.resource_id, []).extend(map(parse_layer, row.policies.document))
    return policies


def _as_lineage(policies: Iterable[Policy], present: tuple[Policy, ...]) -> tuple[Policy, ...]:
    """Return the layers that they add to those present.

    Each layer comes once, under its own id: versions never change, so an id always means the same clauses.
    """
    by_id = merged(policies)
    others = sorted(by_id.keys() - {policy.id for policy in present})
    return reduced(present, tuple(replace(by_id[name], level="lineage") for name in others))
