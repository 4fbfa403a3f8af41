"""Rebuild requests. workflows/instance_rebuild.py carries them out.

The instance gets a new root disk, made from an image, and nothing else changes. Placement checks its location with all
recorded classifications and policies, and those of the image. The ones of the old disk stay: attached volumes may have
its data, and records about data are never removed.
"""

from dataclasses import dataclass, replace
from uuid import UUID

from django.db import transaction
from django.db.models import F

from controlplane.catalog.models import Image
from controlplane.compute import user_data
from controlplane.compute.actions import require_instance_state
from controlplane.compute.attachments import instance_with_volumes_request
from controlplane.compute.errors import FirmwareMissing
from controlplane.compute.instance_changes import InstanceChange, instance_change, instance_lock
from controlplane.compute.instance_checks import check_image, check_user_data
from controlplane.compute.models import Attachment, Instance, Rebuild, SshKey
from controlplane.compute.root_volumes import (
    new_disk_request,
    new_root_volume_like,
    require_root_deletable,
    root_volume_begin,
    root_volume_insert,
)
from controlplane.compute.user_data import USER_DATA
from controlplane.identity.actor import Actor
from controlplane.kernel.ids import new_id
from controlplane.operations import services as operations
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.placement.errors import NoAllocation
from controlplane.storage.models import Volume
from controlplane.storage.services import image_sources, volume_lock

REBUILD = "instance.rebuild"
# Fields that the instance takes over from its rebuild.
REBUILT_FIELDS = ("image", "root_volume_id", "ssh_public_keys", *USER_DATA)


@dataclass(frozen=True)
class NewDisk:
    """The new root disk. `ssh_keys`, `user_data`: None keeps the instance's."""

    image: Image
    ssh_keys: tuple[SshKey, ...] | None = None
    user_data: bytes | None = None


def instance_rebuild(actor: Actor, instance: Instance, new: NewDisk) -> Operation:
    """Request a new root disk for the instance, on its node; the old one is erased.

    An active instance boots from it at once, a stopped one when it is started. Placement is checked first, as at a
    creation there, but without capacity.

    A root volume that the instance does not keep is replaced by a new one; until the end both count.

    Raises:
        FlavorTooSmall, FirmwareMissing: the image does not fit the instance, or its node.
        BootsFromVolume: the root volume is kept.
        RootVolumeHasSnapshots, VolumeReadForImage: those of the old root volume.
        UserDataTooLarge, InstanceWrongState, NoAllocation, PolicyUnsatisfiable, InsufficientCapacity, QuotaExceeded,
        Busy.
    """
    actor.may_write()
    operations.require_unlocked(instance.pk)
    instance.refresh_from_db(fields=["state", "is_deleting", "node"])
    require_instance_state(instance, "rebuild")
    _check(instance, new)
    volumes = Attachment.objects.filter(instance=instance).values_list("volume_id", flat=True)
    placement.check_current_node(
        instance_with_volumes_request(instance, volumes, operation=REBUILD, gets=image_sources(new.image))
    )
    old = instance.boot_volume
    root_volume = None if old is None else new_root_volume_like(old, new.image)
    if old is not None and root_volume is not None:
        require_root_deletable(old)
        request = new_disk_request(root_volume, instance, operation=REBUILD)
        sources = (*request.sources, *image_sources(new.image))
        placement.check_placement(replace(request, near=(old.pk,), sources=sources))
    return _write(actor, instance, new, root_volume)


def _check(instance: Instance, new: NewDisk) -> None:
    check_image(new.image, instance, field="image")
    check_user_data(new.user_data or b"")
    if instance.node is None:
        raise NoAllocation()
    firmware = new.image.firmware
    if firmware != "bios" and f"firmware:{firmware}" not in instance.node.traits:
        raise FirmwareMissing(field="image", firmware=firmware)


@transaction.atomic
def _write(actor: Actor, instance: Instance, new: NewDisk, root_volume: Volume | None) -> Operation:
    """Write the rebuild with two generations: one defines the guest with its new disk, the next one starts it.

    The old root volume is locked before the resources: see enqueue.
    """
    instance_lock(instance)
    args: dict[str, object] = {"is_to_run": instance.state == "active"}
    root_volumes: tuple[UUID, ...] = ()
    if root_volume is not None and instance.boot_volume is not None:
        volume_lock(instance.boot_volume)
        require_root_deletable(instance.boot_volume)
        args["root_volume"] = str(root_volume.pk)
        root_volumes = (instance.boot_volume.pk, root_volume.pk)
    operation = instance_change(actor, instance, InstanceChange(REBUILD, args, root_volumes))
    _check(instance, new)
    Instance.objects.filter(pk=instance.pk).update(generation=F("generation") + 1)
    instance.refresh_from_db(fields=["generation", "ssh_public_keys", *USER_DATA])
    keys = new.ssh_keys
    if new.user_data is not None:
        user_data.write(instance, new.user_data)
    Rebuild.objects.create(
        instance=instance,
        image=new.image,
        root_volume_id=new_id() if root_volume is None else root_volume.pk,
        ssh_public_keys=instance.ssh_public_keys if keys is None else [key.public_key for key in keys],
        **{name: getattr(instance, name) for name in USER_DATA},
        generation=instance.generation,
    )
    if root_volume is not None:
        root_volume_insert(root_volume, instance)
        root_volume_begin(actor, root_volume)
    return operation


def instance_after_rebuild(instance_id: UUID) -> Instance:
    """Return the instance as its row will be when the current rebuild has succeeded.

    Raises:
        Rebuild.DoesNotExist: no rebuild is under way.
    """
    rows = Rebuild.objects.select_related("image__project", "instance__project__organization", "instance__node")
    rebuild = rows.get(instance_id=instance_id)
    instance: Instance = rebuild.instance
    for name in REBUILT_FIELDS:
        setattr(instance, name, getattr(rebuild, name))
    if instance.boot_volume_id is not None:
        instance.boot_volume_id = rebuild.root_volume_id
    return instance
