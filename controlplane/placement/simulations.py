"""Simulations of placement: the same decisions as for real requests, of which nothing is stored."""

from collections.abc import Sequence
from dataclasses import dataclass

from andromede_core.placement import capacity as core
from andromede_core.placement.request import ResolvedRequest, Resources
from andromede_core.policy.assessment import assess
from andromede_core.policy.clauses import Policy, Role
from andromede_core.policy.roles import ROLES_OF
from controlplane.catalog import selectors as catalog
from controlplane.catalog.models import Flavor, Zone
from controlplane.identity.models import Project
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.placement import effective_policies, impact, services
from controlplane.placement.decisions import PlacementRequest, PlacementResult
from controlplane.placement.fleet_cache import FLEET


@dataclass(frozen=True)
class What:
    """The simulated request. `policy`: clauses on top of those in force."""

    project: Project
    operation: str
    roles: tuple[Role, ...] = ()
    size: Resources = Resources()
    zones: tuple[str, ...] = ()
    classifications: tuple[str, ...] = ()
    policy: Policy | None = None


def simulate(what: What) -> PlacementResult:
    """Decide for a simulated request.

    Raises:
        ZoneUnknown, TooManyClauses.
    """
    return services.preview(
        PlacementRequest(
            operation=what.operation,
            project=what.project,
            consumer_id=new_id(),
            kind=consumer_kind(what.operation),
            zones=what.zones,
            classifications=what.classifications,
            own=(what.policy,) if what.policy is not None else (),
            roles=what.roles,
            vcpus=what.size.vcpus,
            memory_mib=what.size.memory_mib,
            disk_gib=what.size.disk_gib,
        )
    )


def consumer_kind(operation: str) -> str:
    """Return the kind of the consumer that a decision for the operation is about."""
    noun, _, verb = operation.partition(".")
    return noun if noun == "snapshot" or (noun == "volume" and verb not in ("attach", "detach")) else "instance"


def admissible_zones(policies: Sequence[Policy]) -> list[str]:
    """Return the open zones in which both an instance and a volume can be created.

    Clauses about other roles, such as a distance for backups, do not apply.
    """
    world, now = catalog.world(), clock.now()
    makeable = [impact.makeable(policies, world, operation, now=now) for operation in impact.MAKING]
    return sorted(name for name in set.intersection(*makeable) if world.zones[name].status == "open")


def capacity(zone: Zone, flavor: Flavor, project: Project | None) -> dict[str, object]:
    """Return how often the flavor fits into the zone now, and the most that one instance could get there.

    The policies are the project's (without one: the platform's).
    """
    request = ResolvedRequest(
        consumer="instance",
        resources=Resources(flavor.vcpus, flavor.memory_mib, flavor.disk_gib),
        zones=(zone.pk,),
        policies=effective_policies.for_organization(None)
        if project is None
        else effective_policies.for_project(project),
        roles=ROLES_OF["instance.create"],
    )
    fleet = FLEET.current()
    assessment = assess(request.policies, catalog.world(), now=clock.now(), roles=request.roles)
    most = core.largest(request, fleet, assessment)
    return {
        "zone": zone.pk,
        "flavor": flavor.pk,
        "fits": core.fits(request, fleet, assessment),
        "largest": most._asdict() if most is not None else None,
    }
