"""The disks of an instance, of which snapshots are taken together."""

from collections.abc import Sequence

from django.db.models import Q

from andromede_core.documents.messages import Message
from controlplane.compute.errors import DisksWithoutSnapshots, VolumeNotOfInstance
from controlplane.compute.models import Attachment, Instance
from controlplane.nodes.pools import INSTANCE_SNAPSHOTS, has_instance_snapshots
from controlplane.storage.models import Volume

HAS_INSTANCE_SNAPSHOTS = Q(volume__pool__cluster__capabilities__contains=[INSTANCE_SNAPSHOTS])


def attached_volumes(instance: Instance) -> list[Volume]:
    """Return the volumes of the instance, the boot volume first, in the order of their attachments."""
    attachments = Attachment.objects.filter(instance=instance).order_by("-is_boot", "pk")
    related = ("volume__project", "volume__pool__cluster", "volume__node", "volume__volume_type")
    return [attachment.volume for attachment in attachments.select_related(*related)]


def no_disk_refusal(instance: Instance) -> DisksWithoutSnapshots | None:
    """Return the error of an instance without a disk that can have snapshots."""
    if Attachment.objects.filter(HAS_INSTANCE_SNAPSHOTS, instance=instance).exists():
        return None
    try:
        all_disks(instance)
    except DisksWithoutSnapshots as exc:
        return exc
    return None


def all_disks(instance: Instance) -> list[Volume]:
    """Return all disks of the instance.

    Raises:
        DisksWithoutSnapshots: no snapshots can be taken of some of them.
    """
    volumes = attached_volumes(instance)
    root = [Message("the root disk")] if instance.boot_volume_id is None else []
    _require_snapshots(volumes, volumes, besides=root)
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
    _require_snapshots(wanted, volumes)
    return wanted


def _require_snapshots(wanted: list[Volume], volumes: list[Volume], *, besides: Sequence[Message] = ()) -> None:
    """`besides`: disks that are no volumes."""
    without = [volume.name for volume in wanted if not has_instance_snapshots(volume.pool)]
    if without or besides:
        others = [volume.name for volume in volumes if has_instance_snapshots(volume.pool)]
        disks = ", ".join([*besides, *without])
        raise DisksWithoutSnapshots(field="volumes", disks=disks, others=", ".join(others) or Message("none"))
