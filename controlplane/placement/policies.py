"""Change what is demanded of places."""

from django.db import transaction
from django.db.models import F

from controlplane.audit.services import record
from controlplane.catalog import selectors as catalog
from controlplane.identity.actor import Actor
from controlplane.identity.models import Organization, Project
from controlplane.kernel import clock
from controlplane.kernel.db import refusing
from controlplane.kernel.errors import StateConflict
from controlplane.placement import selectors
from controlplane.placement.core.compare import Sets, unsatisfiable
from controlplane.placement.core.policy import PolicyError
from controlplane.placement.core.policy_document import parse
from controlplane.placement.errors import PolicyEmpty, PolicyInvalid
from controlplane.placement.models import PolicyHead, PolicyVersion


@transaction.atomic(durable=True)
def policy_set(
    actor: Actor,
    *,
    atoms: list[dict[str, object]],
    organization: Organization | None = None,
    project: Project | None = None,
) -> PolicyVersion:
    """Replace the policy of an organization (operators) or a project. What runs already stays where it is.

    Raises:
        PolicyInvalid: an atom does not type-check; names it.
        PolicyEmpty: together with the levels above it admits nothing.
    """
    actor.may_write()
    level = "project" if project else "organization"
    try:
        policy = parse({"id": "new", "level": level, "atoms": atoms})
    except PolicyError as exc:
        raise PolicyInvalid(field=exc.field.strip("/"), reason=exc.reason) from exc
    level = "project" if project else "organization"
    above = tuple(p for p in selectors.policies(project) if p.level != "project") if project else ()
    if conflict := unsatisfiable((*above, policy), Sets.of(catalog.world(), clock.now())):
        raise PolicyEmpty(field="atoms", atoms=", ".join(ref.atom for ref in conflict))
    owner = project or organization
    head = selectors.policy_head(level, owner)
    version = head.version + 1 if head else 1
    with refusing("placement_policy_version_once", StateConflict(machine="policy")):
        saved = PolicyVersion.objects.create(
            level=level,
            organization=organization,
            project=project,
            version=version,
            atoms=atoms,
            user_id=actor.user_id,
        )
    _bump(organization or project.organization)  # type: ignore[union-attr]
    record(actor, "policy.set", saved.pk, project_id=project.pk if project else None, version=version)
    return saved


def _bump(organization: Organization) -> None:
    """Decisions taken under the policies before can be written no more."""
    PolicyHead.objects.get_or_create(organization=organization)
    PolicyHead.objects.filter(organization=organization).update(version=F("version") + 1)
