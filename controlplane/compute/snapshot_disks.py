"""The disks of an instance, of which snapshots are taken together."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet

from andromede_core.documents.messages import Message
from controlplane.compute.errors import DisksWithoutSnapshots, VolumeNotOfInstance
from controlplane.compute.models import Attachment, Instance
from controlplane.kernel.prepared_queries import Prepared
from controlplane.nodes.pools import has_instance_snapshots
from controlplane.storage.models import Volume

# Each answer that shows an instance needs these columns, and no others.
NAMES_AND_CAPABILITIES = ("instance", "volume__name", "volume__pool", "volume__pool__cluster__capabilities")
VOLUMES_SHOWN = Prepared(
    lambda instance: _attachments(instance).select_related("volume__pool__cluster").only(*NAMES_AND_CAPABILITIES)
)


def attached_volumes(instance: Instance) -> list[Volume]:
    """Return the volumes of the instance, the boot volume first, in the order of their attachments."""
    related = ("volume__project", "volume__pool__cluster", "volume__node", "volume__volume_type")
    return [attachment.volume for attachment in _attachments(instance).select_related(*related)]


def no_disk_refusal(instance: Instance, *, has_volumes: bool) -> DisksWithoutSnapshots | None:
    """Return the error of an instance without a disk that can have snapshots."""
    volumes = [attachment.volume for attachment in VOLUMES_SHOWN.rows(instance.pk)] if has_volumes else []
    if any(has_instance_snapshots(volume.pool) for volume in volumes):
        return None
    return _refusal(_without_snapshots(instance, volumes), volumes)


def all_disks(instance: Instance) -> list[Volume]:
    """Return all disks of the instance.

    Raises:
        DisksWithoutSnapshots: no snapshots can be taken of some of them.
    """
    volumes = attached_volumes(instance)
    if without := _without_snapshots(instance, volumes):
        raise _refusal(without, volumes)
    return volumes


def chosen_disks(instance: Instance, chosen: Sequence[Volume]) -> list[Volume]:
    """Return the chosen volumes, each once.

    Raises:
        VolumeNotOfInstance: one is not attached to the instance.
        DisksWithoutSnapshots: no snapshots can be taken of some of them.
    """
    volumes = attached_volumes(instance)
    for index, volume in enumerate(chosen):
        if volume not in volumes:
            raise VolumeNotOfInstance(field=f"volumes/{index}", volume=volume.name)
    wanted = [volume for volume in volumes if volume in chosen]
    if without := [volume.name for volume in wanted if not has_instance_snapshots(volume.pool)]:
        raise _refusal(without, volumes)
    return wanted


def _attachments(instance: Any) -> QuerySet[Attachment]:
    return Attachment.objects.filter(instance=instance).order_by("-is_boot", "pk")


def _without_snapshots(instance: Instance, volumes: Sequence[Volume]) -> list[str]:
    """Return the names of all disks that cannot have snapshots; a root disk that is no volume is one."""
    root = [Message("the root disk")] if instance.boot_volume_id is None else []
    return [*root, *(volume.name for volume in volumes if not has_instance_snapshots(volume.pool))]


def _refusal(without: Sequence[str], volumes: Sequence[Volume]) -> DisksWithoutSnapshots:
    others = ", ".join(volume.name for volume in volumes if has_instance_snapshots(volume.pool))
    return DisksWithoutSnapshots(field="volumes", disks=", ".join(without), others=others or Message("none"))
