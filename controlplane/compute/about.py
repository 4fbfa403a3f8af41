"""What an answer about instances or volumes says besides their rows, read for many at once; and their conditions."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from controlplane.compute.models import Attachment, Instance
from controlplane.network.selectors import ports_of
from controlplane.nodes.models import Node
from controlplane.operations.models import Operation
from controlplane.operations.selectors import current_operations
from controlplane.placement.selectors import classifications_of
from controlplane.storage.models import Volume


def instances(rows: Sequence[Instance], *, begun: Operation | None = None) -> dict[str, Any]:
    """The ports, attachments and current operations of the instances, by instance. `begun`: the operation that the
    request has just begun on the only one of them."""
    ids = [row.pk for row in rows]
    attachments: dict[UUID, list[Attachment]] = {instance_id: [] for instance_id in ids}
    for attachment in Attachment.objects.filter(instance_id__in=ids).select_related("volume").order_by("id"):
        attachments[attachment.instance_id].append(attachment)
    return {
        "ports": ports_of(ids),
        "attachments": attachments,
        "current_operations": _current(ids, begun),
        "classifications": classifications_of(ids),
    }


def volumes(rows: Sequence[Volume], *, begun: Operation | None = None) -> dict[str, Any]:
    """The attachment and the current operation of each volume that has one, by volume."""
    ids = [row.pk for row in rows]
    attachments = Attachment.objects.filter(volume_id__in=ids).select_related("instance")
    return {
        "attachments": {attachment.volume_id: attachment for attachment in attachments},
        "current_operations": _current(ids, begun),
        "classifications": classifications_of(ids),
    }


def _current(ids: list[UUID], begun: Operation | None) -> dict[UUID, UUID]:
    return current_operations(ids) if begun is None else {ids[0]: begun.pk}


def instance_conditions(instance: Instance) -> list[dict[str, Any]]:
    """Whether the guest runs, whether its node is heard, and whether it is to go."""
    return [_running(instance), *_common(instance, instance.node)]


def volume_conditions(volume: Volume) -> list[dict[str, Any]]:
    return _common(volume, volume.node)


def _running(instance: Instance) -> dict[str, Any]:
    """What was last seen is no knowledge while nobody hears the node."""
    is_known = instance.power_state != "unknown" and not _is_silent(instance.node)
    status = {"running": "true", "unknown": "unknown"}.get(instance.power_state, "false")
    message = _("The guest is {power_state}.") if is_known else _("Whether the guest runs is not known.")
    return {
        "type": "running",
        "status": status if is_known else "unknown",
        "reason": instance.power_state if is_known else "not_seen",
        "message": message.format(power_state=instance.power_state),
        "changed_at": instance.power_state_at,
    }


def _common(row: Instance | Volume, node: Node | None) -> list[dict[str, Any]]:
    conditions = [_reachable(node)] if node is not None else []
    if row.is_deleting:
        conditions.append(
            {
                "type": "deleting",
                "status": "true",
                "reason": "delete_asked",
                "message": _("It is being deleted."),
                "changed_at": row.updated_at,
            }
        )
    return conditions


def _reachable(node: Node) -> dict[str, Any]:
    is_silent = _is_silent(node)
    message = (
        _("The machine that carries it does not answer.") if is_silent else _("The machine that carries it answers.")
    )
    return {
        "type": "node-reachable",
        "status": "false" if is_silent else "true",
        "reason": "no_heartbeat" if is_silent else "heartbeat",
        "message": message,
        "changed_at": node.last_heartbeat_at if is_silent else node.updated_at,
    }


def _is_silent(node: Node | None) -> bool:
    return node is not None and node.state == "unreachable"
