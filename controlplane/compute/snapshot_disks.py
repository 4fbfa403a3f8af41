"""The disks of an instance, of which snapshots are taken together."""

from collections.abc import Sequence

from andromede_core.documents.messages import Message
from controlplane.compute.errors import DisksWithoutSnapshots, VolumeNotOfInstance
from controlplane.compute.models import Attachment, Instance
from controlplane.nodes.pools import has_instance_snapshots
from controlplane.storage.models import Volume

# By volume of an instance: its name, and whether it can have snapshots of one moment with the others.
NamedDisks = Sequence[tuple[str, bool]]


def attached_volumes(instance: Instance) -> list[Volume]:
    """Return the volumes of the instance, the boot volume first, in the order of their attachments."""
    related = ("volume__project", "volume__pool__cluster", "volume__node", "volume__volume_type")
    attachments = Attachment.objects.filter(instance=instance).order_by("-is_boot", "pk")
    return [attachment.volume for attachment in attachments.select_related(*related)]


def no_disk_refusal(instance: Instance, disks: NamedDisks | None) -> DisksWithoutSnapshots | None:
    """Return the error of an instance without a disk that can have snapshots. `disks`: None: read them."""
    disks = _named(attached_volumes(instance)) if disks is None else disks
    if any(has_snapshots for _, has_snapshots in disks):
        return None
    return _refusal(_without_snapshots(instance, disks), disks)


def all_disks(instance: Instance) -> list[Volume]:
    """Return all disks of the instance.

    Raises:
        DisksWithoutSnapshots: no snapshots can be taken of some of them.
    """
    volumes = attached_volumes(instance)
    if without := _without_snapshots(instance, _named(volumes)):
        raise _refusal(without, _named(volumes))
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
        raise _refusal(without, _named(volumes))
    return wanted


def _named(volumes: Sequence[Volume]) -> NamedDisks:
    return [(volume.name, has_instance_snapshots(volume.pool)) for volume in volumes]


def _without_snapshots(instance: Instance, disks: NamedDisks) -> list[str]:
    """Return the names of all disks that cannot have snapshots; a root disk that is no volume is one."""
    root = [Message("the root disk")] if instance.boot_volume_id is None else []
    return [*root, *(name for name, has_snapshots in disks if not has_snapshots)]


def _refusal(without: Sequence[str], disks: NamedDisks) -> DisksWithoutSnapshots:
    others = ", ".join(name for name, has_snapshots in disks if has_snapshots)
    return DisksWithoutSnapshots(field="volumes", disks=", ".join(without), others=others or Message("none"))
