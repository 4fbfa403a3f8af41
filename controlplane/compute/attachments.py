"""Volumes in instances: what a request writes. workflows/volume_attach.py carries it out."""

from django.db import transaction
from django.db.models import F

from controlplane.audit.services import record
from controlplane.compute.errors import AttachmentNotFound, VolumeAlreadyAttached, VolumeElsewhere
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.services import instance_lock
from controlplane.compute.services import need_state as need_instance_state
from controlplane.identity.actor import Actor
from controlplane.kernel.db import refusing
from controlplane.operations.models import Operation
from controlplane.operations.services import Wish, enqueue
from controlplane.storage.models import Volume
from controlplane.storage.services import need_state as need_volume_state
from controlplane.storage.services import volume_lock


@transaction.atomic(durable=True)
def volume_attach(
    actor: Actor, instance: Instance, *, volume: Volume, is_read_only: bool
) -> tuple[Attachment, Operation]:
    """Ask for the volume in the instance; a running guest gets it while it runs.

    Raises:
        VolumeAlreadyAttached, VolumeElsewhere, InstanceWrongState, VolumeWrongState, Busy.
    """
    actor.may_write()
    instance_lock(instance)
    need_instance_state(instance, "active", "stopped")
    volume_lock(volume)
    with refusing("compute_attachment_volume_taken", VolumeAlreadyAttached(field="volume", volume=volume.name)):
        attachment = Attachment.objects.create(instance=instance, volume=volume, is_read_only=is_read_only)
    args = {"attachment": str(attachment.pk)}
    operation = enqueue(actor, Wish("volume.attach", instance.project_id, [volume.pk, attachment.pk], args))
    need_volume_state(volume, "available")
    if volume.node_id != instance.node_id:
        raise VolumeElsewhere(field="volume")
    record(actor, "volume.attach", volume.pk, project_id=instance.project_id, instance=str(instance.pk))
    return attachment, operation


@transaction.atomic(durable=True)
def volume_detach(actor: Actor, attachment: Attachment) -> Operation:
    """Ask for the volume out of the instance, which may run on.

    Raises:
        InstanceWrongState, Busy; AttachmentNotFound: it is out already.
    """
    actor.may_write()
    instance = attachment.instance
    instance_lock(instance)
    need_instance_state(instance, "active", "stopped")
    args = {"attachment": str(attachment.pk)}
    held = [attachment.volume_id, attachment.pk]
    operation = enqueue(actor, Wish("volume.detach", instance.project_id, held, args))
    if Attachment.objects.filter(pk=attachment.pk).update(generation=F("generation") + 1) != 1:
        raise AttachmentNotFound(name=str(attachment.pk))
    record(
        actor,
        "volume.detach",
        attachment.volume_id,
        project_id=instance.project_id,
        instance=str(instance.pk),
    )
    return operation
