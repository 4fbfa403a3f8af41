"""Rebuild requests. workflows/instance_rebuild.py carries them out.

The instance gets a new root disk, made from an image, and nothing else changes. Placement checks its location with all
recorded classifications and policies, and those of the image. The ones of the old disk stay: attached volumes may have
its data, and records about data are never removed.
"""

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import F

from controlplane.catalog.models import Image
from controlplane.compute import user_data
from controlplane.compute.actions import require_instance_state
from controlplane.compute.attachments import instance_with_volumes_request
from controlplane.compute.errors import FirmwareMissing
from controlplane.compute.instance_checks import check_image, check_user_data
from controlplane.compute.models import Attachment, Instance, Rebuild, SshKey
from controlplane.compute.services import instance_change, instance_lock
from controlplane.compute.user_data import USER_DATA
from controlplane.identity.actor import Actor
from controlplane.kernel.ids import new_id
from controlplane.operations import services as operations
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.placement.errors import NoAllocation
from controlplane.storage.services import image_sources

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

    Raises:
        FlavorTooSmall, FirmwareMissing: the image does not fit the instance, or its node.
        UserDataTooLarge, InstanceWrongState, NoAllocation, PolicyUnsatisfiable, Busy.
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
    return _write(actor, instance, new)


def _check(instance: Instance, new: NewDisk) -> None:
    check_image(new.image, instance, field="image")
    check_user_data(new.user_data or b"")
    if instance.node is None:
        raise NoAllocation()
    firmware = new.image.firmware
    if firmware != "bios" and f"firmware:{firmware}" not in instance.node.traits:
        raise FirmwareMissing(field="image", firmware=firmware)


@transaction.atomic
def _write(actor: Actor, instance: Instance, new: NewDisk) -> Operation:
    """Write the rebuild with two generations: one defines the guest with its new disk, the next one starts it."""
    instance_lock(instance)
    args = {"is_to_run": instance.state == "active"}
    operation = instance_change(actor, instance, REBUILD, args=args)
    _check(instance, new)
    Instance.objects.filter(pk=instance.pk).update(generation=F("generation") + 1)
    instance.refresh_from_db(fields=["generation", "ssh_public_keys", *USER_DATA])
    keys = new.ssh_keys
    if new.user_data is not None:
        user_data.write(instance, new.user_data)
    Rebuild.objects.create(
        instance=instance,
        image=new.image,
        root_volume_id=new_id(),
        ssh_public_keys=instance.ssh_public_keys if keys is None else [key.public_key for key in keys],
        **{name: getattr(instance, name) for name in USER_DATA},
        generation=instance.generation,
    )
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
    return instance
