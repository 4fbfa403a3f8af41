"""Automatic recovery: lost nodes are fenced and recovered where settings.RECOVER_BY_ITSELF allows it.

A missing heartbeat alone proves nothing: evidence must be available. Only one or a few nodes are recovered at a time:
when many are unreachable at once, our own network or the watcher has probably failed, and switching nodes off would do
harm. That case is reported with a warning, and left to operators.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.node_lifecycle.fencing.fencing import AvailableEvidence, available_evidence, node_fence
from controlplane.node_lifecycle.recovery.recoveries import NewRecovery, recover_begin
from controlplane.nodes import incidents
from controlplane.nodes.models import IN_SERVICE, Drain, Incident, Node
from controlplane.operations.models import Operation

log = logging.getLogger(__name__)

RECOVERY_HELD = "recovery-held"
REASON = "it fell silent, and was recovered by itself"
# Admin states in which heartbeats are expected. A node in maintenance may be switched off.
MISSED = (IN_SERVICE, "cordoned", "draining")
# Nodes that were fenced so recently count as unreachable at once: else the limit would admit one after the other.
STORM = timedelta(minutes=15)
# Pause after a BMC did not switch its node off.
POWER_OFF_RETRY_DELAY = timedelta(minutes=5)


@dataclass(frozen=True)
class Storm:
    """Too many nodes unreachable at once, in a zone or everywhere.

    `limit` is the most that are recovered automatically.
    """

    silent: int
    limit: int

    @property
    def is_over_limit(self) -> bool:
        return self.silent > self.limit


def reconcile() -> int:
    """Return how many nodes were fenced, or whose recovery began."""
    if not settings.RECOVER_BY_ITSELF:
        _end_held([])
        return 0
    due = list(_due().select_related("zone").order_by("last_heartbeat_at"))
    worst = storms() if due else {}
    held_nodes = {node for node in due if worst[node.zone_id].is_over_limit}
    _report_held(held_nodes, worst)
    _end_held(held_nodes)
    fenced = sum(_fence(node) for node in due if node not in held_nodes)
    return fenced + sum(_recover(node) for node in _fenced())


def _due() -> QuerySet[Node]:
    """Return nodes that have been unreachable for longer than a node lease."""
    since = clock.now() - timedelta(seconds=settings.NODE_LEASE_S)
    return Node.objects.filter(state="unreachable", admin_state__in=MISSED, last_heartbeat_at__lt=since)


# ---- too many at once


def storms() -> dict[str, Storm]:
    """Return, for each zone with nodes, the worse of its own and the global storm. One query."""
    recently = Q(admin_state="fenced", admin_state_since__gt=clock.now() - STORM)
    is_counted = Q(admin_state__in=MISSED) | recently
    is_silent = Q(state="unreachable") | Q(admin_state="fenced")
    nodes = Node.objects.exclude(state="enrolled").order_by().values_list("zone_id")
    silent = Count("pk", filter=is_counted & is_silent)
    counts = nodes.annotate(count=Count("pk", filter=is_counted), silent=silent)
    zones = {zone_id: numbers for zone_id, *numbers in counts}
    everywhere = _storm(*map(sum, zip(*zones.values(), strict=True)))
    return {zone_id: max(_storm(*zone), everywhere, key=_excess) for zone_id, zone in zones.items()}


def _storm(count: int, silent: int) -> Storm:
    return Storm(silent, max(1, min(count // 3, settings.RECOVER_SILENT_MAX)))


def _excess(storm: Storm) -> int:
    return storm.silent - storm.limit


def _report_held(held_nodes: Collection[Node], worst: Mapping[str, Storm]) -> None:
    """Report the storm once, as an incident of each node that is left alone."""
    open_incidents = Incident.objects.filter(kind=RECOVERY_HELD, ended_at=None, node__in=held_nodes)
    noted = set(open_incidents.values_list("node_id", flat=True))
    if noted:
        open_incidents.update(observed_at=clock.now())
    for node in held_nodes:
        if node.pk not in noted:
            storm = worst[node.zone_id]
            incidents.report(node, RECOVERY_HELD, node.name, silent=storm.silent, limit=storm.limit)


def _end_held(held_nodes: Collection[Node]) -> None:
    rows = Incident.objects.filter(kind=RECOVERY_HELD, ended_at=None).exclude(node__in=held_nodes)
    for incident in rows.select_related("node"):
        incidents.end(incident.node, RECOVERY_HELD)


# ---- one node


def _fence(node: Node) -> bool:
    kind = _kind_of_evidence(node, {each.kind: each for each in available_evidence(node)})
    if kind is None:
        return False
    try:
        node_fence(SYSTEM, node, kind=kind, reason=REASON)
    except CloudError as exc:
        log.info("node %s: automatic fencing deferred: %s", node.name, exc)
        return False
    log.critical("node %s (%s): automatic fencing started, evidence: %s", node.name, node.zone_id, kind)
    return True


def _kind_of_evidence(node: Node, evidence: dict[str, AvailableEvidence]) -> str | None:
    """Return the kind of evidence to use: the lease if the node self-fences, since a BMC often fails with its node."""
    if evidence["lease"].counts:
        return "lease"
    is_coming = evidence["lease"].since is not None
    if is_coming or not evidence["power"].counts or _was_tried_recently(node):
        return None
    return "power"


def _was_tried_recently(node: Node) -> bool:
    """Tell if a recent operation has used the node's BMC."""
    recent = Q(finished_at=None) | Q(finished_at__gt=clock.now() - POWER_OFF_RETRY_DELAY)
    return Operation.objects.filter(recent, kind="node.fence", resource_id=node.pk).exists()


def _fenced() -> QuerySet[Node]:
    """Return nodes that were fenced automatically and not recovered since.

    A node that an operator has fenced is recovered by an operator.
    """
    since = Drain.objects.filter(kind="recover", node=OuterRef("pk"), created_at__gte=OuterRef("admin_state_since"))
    rows = Node.objects.filter(admin_state="fenced", fenced_by__kind__in=["lease", "power"], fenced_by__by=None)
    return rows.filter(~Exists(since))


def _recover(node: Node) -> bool:
    try:
        recover_begin(SYSTEM, node, NewRecovery(None, reason=REASON))
    except CloudError as exc:
        log.warning("node %s: automatic recovery deferred: %s", node.name, exc)
        return False
    return True
