"""Migration plans: obstacles and possible destinations, before a request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from andromede_core.placement.decision import Decision, as_document
from andromede_core.placement.explanation import operator
from andromede_core.placement.redaction import restrict_to_zones
from controlplane.compute.errors import InstanceNotMovable
from controlplane.compute.migration import migration_obstacles, migration_request
from controlplane.compute.models import Instance, Migration
from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.kernel.errors import CloudError
from controlplane.nodes.models import Node
from controlplane.placement import decisions
from controlplane.placement.errors import InsufficientCapacity, NoPlace, PolicyUnsatisfiable

NODES_MAX = 50


@dataclass(frozen=True)
class MigrationPlan:
    """A migration plan.

    `nodes`: possible destinations, the best first; none where there are `reasons` (errors as documents).
    """

    instance: Instance
    reasons: tuple[Mapping[str, object], ...] = ()
    nodes: Sequence[Node] = ()


def migration_plan(actor: Actor, instance: Instance) -> MigrationPlan:
    """Return the current plan. Nothing is written. Raises RoleNeeded: the actor has no platform role."""
    if not actor.sees_all:
        raise RoleNeeded(role="operator")
    rows = Instance.objects.select_related("project", "image", "node", "affinity_group")
    instance = rows.get(pk=instance.pk)
    if obstacles := migration_obstacles(instance):
        reasons = tuple(InstanceNotMovable(reason=obstacle).as_document() for obstacle in obstacles)
        return MigrationPlan(instance, reasons=reasons)
    assert instance.node is not None, "a guest that is on no node has an obstacle"
    try:
        taken = decisions.decide_placement(
            replace(migration_request(Migration(instance=instance, source=instance.node)), move=None)
        )
    except CloudError as exc:
        return MigrationPlan(instance, reasons=(exc.as_document(),))
    order = taken.decision.candidates[:NODES_MAX]
    if not order:
        return MigrationPlan(instance, reasons=(refusal_of(instance.node, taken.decision),))
    nodes = {str(node.pk): node for node in Node.objects.filter(pk__in=order)}
    return MigrationPlan(instance, nodes=[nodes[each] for each in order if each in nodes])


REFUSALS = {
    "no_capacity": InsufficientCapacity,
    "inadmissible": NoPlace,
    "unsatisfiable": PolicyUnsatisfiable,
}


def refusal_of(node: Node, decision: Decision, *, stays: bool = False) -> Mapping[str, object]:
    """Return the refusal as a document for operators, who see nodes.

    `stays`: the request was for the node itself; otherwise for another node of its zone.
    """
    document = restrict_to_zones(as_document(decision), [node.zone_id], away_from=[] if stays else [str(node.pk)])
    lines = {language: " ".join(operator(document, language)) for language in ("en", "fr")}
    error = REFUSALS[decision.verdict](explanation=lines["en"], explanation_fr=lines["fr"])
    return error.as_document()
