"""Volumes that several instances have attached at once, each on a node of its own.

Each of these attachments has an allocation for the volume on its node, under its own id. The storage agent tells their
clients by the addresses of the nodes.
"""

from dataclasses import replace

from django.db.models import QuerySet

from controlplane.compute.errors import (
    NodesAlike,
    ShareMissing,
    TooManyInstances,
    VolumeAlreadyAttached,
    VolumeNotShareable,
    VolumeOnNode,
)
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.services import instance_placement_request
from controlplane.nodes.storage_addresses import known_to_storage
from controlplane.placement.decisions import PlacementRequest
from controlplane.placement.effective_policies import DataSource
from controlplane.storage.services import pool_requirements

MAX_INSTANCES = 16  # of a volume


def check_sharing(new: Attachment) -> None:
    """Check a new attachment of a volume that other instances have, or may have later.

    Raises:
        VolumeAlreadyAttached: another instance has it, or is getting it, and it is for one; or this instance has.
        ShareMissing, VolumeNotShareable: it is for several instances, and the request does not say so, or the reverse.
        VolumeOnNode: another instance on the same node has it.
        NodesAlike: storage clusters see the node of another instance that has it at one of the same addresses.
        TooManyInstances
    """
    instance, volume = new.instance, new.volume
    present = list(_present(new))
    if any(not each.is_shared or each.instance_id == instance.pk for each in present):
        raise VolumeAlreadyAttached(field="volume", volume=volume.name)
    if volume.is_multi_attach and not new.is_shared:
        raise ShareMissing(field="share", volume=volume.name)
    if new.is_shared and not volume.is_multi_attach:
        raise VolumeNotShareable(field="share", volume=volume.name)
    if len(present) >= MAX_INSTANCES:
        raise TooManyInstances(field="volume", volume=volume.name, limit=MAX_INSTANCES)
    for other in (each.instance for each in present):
        if other.node_id == instance.node_id:
            raise VolumeOnNode(instance=other.name, volume=volume.name)
        if instance.node and other.node and {*known_to_storage(instance.node)} & {*known_to_storage(other.node)}:
            raise NodesAlike(instance=other.name)


def _present(attachment: Attachment) -> QuerySet[Attachment]:
    """Return the other attachments of the volume."""
    rows = Attachment.objects.filter(volume=attachment.volume_id).exclude(pk=attachment.pk)
    return rows.select_related("instance__node", "instance__project").order_by("pk")


def sharing_instances(attachment: Attachment) -> list[Instance]:
    """Return the other instances that have the volume, or are getting it."""
    return [each.instance for each in _present(attachment)] if attachment.is_shared else []


def other_instances_requests(attachment: Attachment) -> list[PlacementRequest]:
    """Return the placement requests for the other instances, which read what this one writes to the volume."""
    if attachment.is_read_only:
        return []
    data = (DataSource.of(attachment.instance),)
    others = sharing_instances(attachment)
    return [replace(instance_placement_request(each, operation="volume.attach"), sources=data) for each in others]


def shared_volume_request(request: PlacementRequest, attachment: Attachment) -> PlacementRequest:
    """Return the request for the volume as one on the node of the attachment's instance, where it takes no space."""
    return replace(
        request,
        pools=pool_requirements(attachment.volume),
        near=(attachment.instance_id,),
        move=attachment.pk,
    )
