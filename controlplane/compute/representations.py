"""Representations of instances, volumes and snapshots beyond their rows, for many at once; and their conditions."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from controlplane.compute.models import Attachment, Instance
from controlplane.kernel.prepared_queries import preparing_cursor
from controlplane.nodes.models import Node
from controlplane.nodes.pools import INSTANCE_SNAPSHOTS
from controlplane.operations.models import Operation
from controlplane.operations.selectors import current_operations
from controlplane.placement.selectors import classifications_of
from controlplane.storage.models import Snapshot, Volume

GUEST_IS = {
    "running": gettext_lazy("The guest runs."),
    "off": gettext_lazy("The guest is off."),
    "paused": gettext_lazy("The guest is paused."),
    "crashed": gettext_lazy("The guest has crashed."),
}
# One row for each instance; lists are JSON.
INSTANCE_DETAILS_SQL = """
SELECT instance.id,
    (SELECT operation_id FROM operations_operationhold WHERE resource_id = instance.id),
    (SELECT classifications FROM placement_binding WHERE resource_id = instance.id),
    (
        SELECT json_agg(
            json_build_object(
                'network', json_build_object('id', network.id, 'name', network.name),
                'port', json_build_object('id', port.id, 'name', port.name, 'is_own', port.is_own),
                'ip', host(address.ip),
                'mac', port.mac
            ) ORDER BY port.position, port.id, address.id
        )
        FROM network_port AS port
            JOIN network_network AS network ON network.id = port.network_id
            JOIN network_portaddress AS address ON address.port_id = port.id
        WHERE port.instance_id = instance.id
    ),
    (
        SELECT json_agg(
            json_build_object(
                'id', attachment.id,
                'volume', json_build_object('id', volume.id, 'name', volume.name),
                'size_gib', volume.size_gib,
                'limits', json_build_object(
                    'iops', nullif(volume.iops_limit, 0), 'mb_per_s', nullif(volume.mb_per_s_limit, 0)
                ),
                'is_read_only', attachment.is_read_only,
                'is_plugged', attachment.is_plugged,
                'is_boot', attachment.is_boot,
                'share', attachment.is_shared,
                'generation', attachment.generation,
                'created_at', to_char(attachment.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                'updated_at', to_char(attachment.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
            ) ORDER BY attachment.id
        )
        FROM compute_attachment AS attachment JOIN storage_volume AS volume ON volume.id = attachment.volume_id
        WHERE attachment.instance_id = instance.id
    ),
    CASE WHEN %(with_disks)s THEN (
        SELECT json_agg(
            json_build_array(volume.name, coalesce(%(capability)s = ANY(cluster.capabilities), FALSE))
            ORDER BY attachment.is_boot DESC, attachment.id
        )
        FROM compute_attachment AS attachment
            JOIN storage_volume AS volume ON volume.id = attachment.volume_id
            LEFT JOIN nodes_pool AS pool ON pool.id = volume.pool_id
            LEFT JOIN storage_clusters_storagecluster AS cluster ON cluster.id = pool.cluster_id
        WHERE attachment.instance_id = instance.id
    ) END
FROM unnest(%(ids)s::uuid[]) AS instance (id)
"""


def instance_details(
    rows: Sequence[Instance], *, begun: Operation | None = None, with_disks: bool = False
) -> dict[str, Any]:
    """Return addresses, attachments, current operations and classifications, by instance that has any; and the
    language.

    The first two are as in AddressOut and AttachmentOut. `begun`: the operation that the request has just begun on the
    only one of them. `with_disks`: also the volumes for actions.allowed(), by instance that has any.
    """
    with preparing_cursor() as cursor:
        values = {"ids": [row.pk for row in rows], "with_disks": with_disks, "capability": INSTANCE_SNAPSHOTS}
        cursor.execute(INSTANCE_DETAILS_SQL, values)
        records = cursor.fetchall()
    operations = {instance_id: operation_id for instance_id, operation_id, *_ in records if operation_id}
    return {
        "current_operations": operations if begun is None else {rows[0].pk: begun.pk},
        "classifications": {instance_id: names for instance_id, _, names, *_ in records if names},
        "addresses": {instance_id: addresses for instance_id, *_, addresses, _, _ in records if addresses},
        "attachments": {instance_id: attachments for instance_id, *_, attachments, _ in records if attachments},
        "disks": {instance_id: disks for instance_id, *_, disks in records if disks},
        "language": get_language(),
    }


def volume_details(rows: Sequence[Volume], *, begun: Operation | None = None) -> dict[str, Any]:
    """Return the instances that have each volume attached, and its current operation, by volume; and the language."""
    ids = [row.pk for row in rows]
    instances: dict[UUID, list[Instance]] = {}
    for attachment in Attachment.objects.filter(volume_id__in=ids).select_related("instance").order_by("pk"):
        instances.setdefault(attachment.volume_id, []).append(attachment.instance)
    return {
        "instances": instances,
        "current_operations": _current(ids, begun),
        "classifications": classifications_of(ids),
        "language": get_language(),
    }


def snapshot_details(rows: Sequence[Snapshot], *, begun: Operation | None = None) -> dict[str, Any]:
    """Return the current operation and the classifications of each snapshot, by snapshot; and the language."""
    ids = [row.pk for row in rows]
    return {
        "current_operations": _current(ids, begun),
        "classifications": classifications_of(ids),
        "language": get_language(),
    }


def _current(ids: list[UUID], begun: Operation | None) -> dict[UUID, UUID]:
    return current_operations(ids) if begun is None else dict.fromkeys(ids, begun.pk)


def instance_conditions(instance: Instance, language: str | None) -> list[dict[str, Any]]:
    """Return the conditions: the guest runs, its node is reachable, and the instance is being deleted.

    `language`: the active one; to ask for it takes as long as the rest, and a page has many instances.
    """
    node = instance.node
    return [_running(instance, node, language), *_common(instance, node, language)]


def volume_conditions(volume: Volume, language: str | None) -> list[dict[str, Any]]:
    waiting = [_unbound(volume, language)] if volume.is_unbound and volume.node is None else []
    return [*waiting, *_common(volume, volume.node, language)]


def snapshot_conditions(snapshot: Snapshot, language: str | None) -> list[dict[str, Any]]:
    return _common(snapshot, None, language)


def _running(instance: Instance, node: Node | None, language: str | None) -> dict[str, Any]:
    """Return the running condition: unknown while the node is unreachable, whatever was observed before."""
    is_known = instance.power_state != "unknown" and not _is_silent(node)
    power_state = instance.power_state if is_known else None
    return {**_running_message(power_state, language), "changed_at": instance.power_state_at}


@cache
def _running_message(power_state: str | None, language: str | None) -> Mapping[str, str]:
    """Return the message without the moment, so that instances share it, in the active language."""
    if power_state is None:
        message = _("Whether the guest runs is not known.")
        return {"type": "running", "status": "unknown", "reason": "not_seen", "message": message}
    status = "true" if power_state == "running" else "false"
    return {"type": "running", "status": status, "reason": power_state, "message": str(GUEST_IS[power_state])}


def _common(row: Instance | Volume | Snapshot, node: Node | None, language: str | None) -> list[dict[str, Any]]:
    conditions = [_reachable(node, language)] if node is not None else []
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


def _unbound(volume: Volume, language: str | None) -> dict[str, Any]:
    return {**_unbound_message(language), "changed_at": volume.created_at}


@cache
def _unbound_message(language: str | None) -> Mapping[str, str]:
    message = _("It has no place yet: it gets one when it is first attached to an instance.")
    return {"type": "bound", "status": "false", "reason": "first_use", "message": message}


def _reachable(node: Node, language: str | None) -> dict[str, Any]:
    is_silent = _is_silent(node)
    changed_at = node.last_heartbeat_at if is_silent else node.updated_at
    return {**_reachable_message(is_silent, language), "changed_at": changed_at}


@cache
def _reachable_message(is_silent: bool, language: str | None) -> Mapping[str, str]:
    if is_silent:
        message = _("The node does not answer.")
        return {"type": "node-reachable", "status": "false", "reason": "no_heartbeat", "message": message}
    message = _("The node answers.")
    return {"type": "node-reachable", "status": "true", "reason": "heartbeat", "message": message}


def _is_silent(node: Node | None) -> bool:
    return node is not None and node.state == "unreachable"
