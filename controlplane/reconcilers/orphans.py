"""Orphans: found, quarantined after a while, deleted or restored on an operator's decision.

Each run reads the nodes and the rows anew. It deletes nothing without an operator's decision, and nothing while the
node is unreachable: the decision stays in the row until then.
"""

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from agents.protocol import agent_pb2 as pb
from controlplane.compute import expected_resources
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.kernel.errors import CloudError
from controlplane.network.models import Port, PortBinding
from controlplane.network.ports import port_release
from controlplane.nodes import agent_client, incidents
from controlplane.nodes.errors import NodeRefused
from controlplane.nodes.models import Node, Orphan
from controlplane.nodes.orphan_states import ORPHAN, ORPHAN_LIVE, ORPHANS_IN_ROWS, ORPHANS_ON_NODES
from controlplane.nodes.orphans import record_change
from controlplane.nodes.services import record_removal
from controlplane.placement import services as placement
from controlplane.reconcilers import cluster_orphans, missing_resources
from controlplane.reconcilers.orphan_detection import OrphanCandidate, find_in_rows, find_on_node, is_expected
from controlplane.reconcilers.orphan_records import (
    apply,
    cancel_discard,
    record_discarded,
    record_found,
    record_gone,
    record_released,
)

log = logging.getLogger(__name__)

MANY = "orphans-many"
NOT_QUARANTINED = "agent.not_quarantined"
UNMANAGED_KINDS = {
    "domain": pb.STRAY_KIND_DOMAIN,
    "volume": pb.STRAY_KIND_FILE,
    "image": pb.STRAY_KIND_FILE,
    "file": pb.STRAY_KIND_FILE,
    "port": pb.STRAY_KIND_PORT,
    "attachment": pb.STRAY_KIND_ATTACHMENT,
}
# A guest uses its disks and ports, so it comes first. An attachment stays as it is until an operator decides: to detach
# it could harm an expected guest.
HELD = ("domain", "port", "volume", "image", "file")
ORDER = ("domain", "attachment", "port", "volume", "image", "file")


def reconcile() -> int:
    """Return how many orphans have changed, and how many resources are missing."""
    changed = _reconcile_rows()
    for node in Node.objects.filter(state="ready").exclude(admin_state="retired").order_by("name"):
        try:
            changed += _reconcile_node(node)
        except CloudError as exc:
            log.warning("node %s: orphan detection failed and is retried: %s", node.name, exc)
    of_retired = Orphan.objects.filter(node__admin_state="retired", state__in=ORPHAN_LIVE).select_related("node")
    return changed + sum(record_gone(row) for row in of_retired) + cluster_orphans.reconcile()


def _reconcile_node(node: Node) -> int:
    description = agent_client.describe(node)
    detected = find_on_node(node, description)
    rows = Orphan.objects.filter(node=node, kind__in=ORPHANS_ON_NODES)
    changed = _record_detected(node, rows, detected)
    live = rows.filter(state__in=ORPHAN_LIVE).select_related("node")
    for row in sorted(live, key=lambda each: ORDER.index(each.kind)):
        changed += apply(row, _step(row))
    return changed + _quarantine_due(node, live) + missing_resources.reconcile_node(node, description)


def _reconcile_rows() -> int:
    """Reconcile orphaned rows, which need no quarantine: an allocation or an address only occupies its place."""
    changed = 0
    by_node: dict[Node | None, list[OrphanCandidate]] = {}
    for each in find_in_rows():
        candidate, node = each if isinstance(each, tuple) else (each, None)
        by_node.setdefault(node, []).append(candidate)
    rows = Orphan.objects.filter(kind__in=ORPHANS_IN_ROWS, state__in=ORPHAN_LIVE)
    for node, detected in by_node.items():
        changed += _record_detected(node, rows.filter(node=node), detected)
    detected_names = {each.name for detected in by_node.values() for each in detected}
    for row in rows.select_related("node"):
        if row.name not in detected_names:
            changed += apply(row, record_gone)
        elif row.requested_action:
            changed += apply(row, _free if row.requested_action == "discard" else record_released)
    return changed


# ---- detection


def _record_detected(node: Node | None, rows: QuerySet[Orphan], detected: Iterable[OrphanCandidate]) -> int:
    """Record new orphans and those that disappeared; for quarantined ones, ask the node."""
    now = clock.now()
    recorded = {(row.kind, row.name): row for row in rows.filter(state__in=ORPHAN_LIVE)}
    by_key = {(each.kind, each.name): each for each in detected}
    confirmed = [row.pk for key, row in recorded.items() if key in by_key]
    Orphan.objects.filter(pk__in=confirmed).update(observed_at=now)
    new = sum(record_found(each, node=node) for key, each in by_key.items() if key not in recorded)
    disappeared = [row for key, row in recorded.items() if key not in by_key and not _is_quarantined(row)]
    return new + sum(apply(row, record_gone) for row in disappeared)


def _is_quarantined(row: Orphan) -> bool:
    """Tell if the orphan is quarantined where its node does not list it."""
    return row.state == "quarantined"


# ---- quarantine and decisions


def _step(row: Orphan) -> Callable[[Orphan], bool]:
    if row.requested_action:
        return _discard if row.requested_action == "discard" else _release
    return _quarantine if row.state == "quarantined" else _nothing


def _nothing(row: Orphan) -> bool:
    return False


def _quarantine_due(node: Node, rows: Iterable[Orphan]) -> int:
    """Quarantine orphans after QUARANTINE_AFTER_S.

    If many of our own resources look orphaned at once, the database is probably wrong: nothing is quarantined, and an
    operator has to check.
    """
    since = clock.now() - timedelta(seconds=settings.QUARANTINE_AFTER_S)
    due = [
        row
        for row in rows
        if row.state == "found" and not row.requested_action and row.kind in HELD and row.created_at < since
    ]
    of_resources = [row for row in due if row.resource_id is not None]
    if len(of_resources) > settings.QUARANTINE_AT_MOST:
        incidents.report(node, MANY, node.name, count=len(of_resources))
        due = [row for row in due if row.resource_id is None]
    else:
        incidents.reconcile(node, {MANY: ()})
    return sum(apply(row, _quarantine) for row in sorted(due, key=lambda each: ORDER.index(each.kind)))


def _quarantine(row: Orphan) -> bool:
    """Quarantine the orphan. Idempotent: one that was freed by hand is quarantined again."""
    node = _node(row)
    if is_expected(node, row):
        if row.state == "quarantined":
            _ensure(node, row, is_released=True, generation=row.generation + 1)
        return record_gone(row)
    state = _ensure(node, row)
    if not state.is_present:
        return record_gone(row)
    if row.state == "quarantined":
        return False
    with transaction.atomic():
        size_bytes = state.size_bytes or row.size_bytes
        facts = row.facts | ({"is_harmless": state.is_harmless} if row.kind == "domain" else {})
        move(row, ORPHAN, "quarantined", quarantined_at=clock.now(), problem="", size_bytes=size_bytes, facts=facts)
        record_change(SYSTEM, row, "quarantine")
    return True


def _release(row: Orphan) -> bool:
    if row.state == "quarantined" and not _ensure(_node(row), row, is_released=True).is_present:
        return record_gone(row)
    return record_released(row)


def _discard(row: Orphan) -> bool:
    node = _node(row)
    if is_expected(node, row):
        return cancel_discard(row)
    state = _removed(node, row)
    return record_discarded(row, {"was_present": state.is_present, "size_bytes": state.size_bytes})


def _removed(node: Node, row: Orphan) -> pb.QuarantineState:
    """Delete the orphan and return its last state. One outside quarantine goes there first."""
    try:
        return agent_client.remove_quarantine(node, orphan_id=row.pk, generation=row.generation)
    except NodeRefused as exc:
        if exc.facts.get("agent_code") != NOT_QUARANTINED:
            raise
    _ensure(node, row)
    return agent_client.remove_quarantine(node, orphan_id=row.pk, generation=row.generation)


def _ensure(node: Node, row: Orphan, *, is_released: bool = False, generation: int | None = None) -> pb.QuarantineState:
    request = pb.EnsureQuarantineRequest(
        subject=agent_client.subject(row.pk, generation or row.generation),
        kind=UNMANAGED_KINDS[row.kind],
        name=row.name,
        is_released=is_released,
    )
    return agent_client.ensure_quarantine(node, request)


def _node(row: Orphan) -> Node:
    assert row.node is not None, row.kind
    return row.node


# ---- rows


def _free(row: Orphan) -> bool:
    """Free the allocation or the address, unless a row expects it by now."""
    with transaction.atomic():
        was_present = _free_allocation(row) if row.kind == "allocation" else _free_address(row) > 0
        return record_discarded(row, {"was_present": was_present})


def _free_allocation(row: Orphan) -> bool:
    allocation = next(
        (each for each in expected_resources.allocations_without_owner() if str(each.pk) == row.name), None
    )
    if allocation is not None:
        placement.release_allocation(allocation.consumer_id)
    return allocation is not None


def _free_address(row: Orphan) -> int:
    """Free the address, and remove the ports that nodes have of it."""
    port = next((each for each in expected_resources.ports_without_instance() if each.pk == row.resource_id), None)
    if port is None:
        return 0
    for binding in PortBinding.objects.filter(port=port).select_related("node"):
        record_removal(binding.node, kind="port", resource_id=port.pk, generation=port.generation)
    if port.is_own:
        port_release(port)
        return 1
    return Port.objects.filter(pk=port.pk).delete()[0]
