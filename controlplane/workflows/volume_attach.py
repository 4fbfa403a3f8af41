"""Attach a volume to an instance, running or not, and detach it again."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from django.db.models import F

from controlplane.compute.attachments import attachment_end, attachment_request, inherit_classifications
from controlplane.compute.errors import AttachmentNotGivenBack
from controlplane.compute.models import Attachment
from controlplane.compute.shared_attachments import other_instances_requests, sharing_instances
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.placement.errors import NoAllocation
from controlplane.storage.models import Volume
from controlplane.storage.services import volume_mark_attached, volume_set_place
from controlplane.workflows import node_steps, step_permits, volume_create
from controlplane.workflows.workflow_types import Effect, Step, Workflow


def attach_steps(operation: Operation) -> Sequence[Step]:
    """Return the steps. The first use of a volume that has no place yet makes it first, where the instance is."""
    plugged = Step("plug", plug, undo=pull_out)
    if operation.args.get("is_shared"):
        return (
            Step("place", allocate_shared),
            Step("bring", open_for_several, undo=close_for_one),
            plugged,
        )
    made = volume_create.making_steps() if operation.args.get("is_first_use") else ()
    brought = (Step("bring", open_shared_volume, undo=finish_opening),) if operation.args.get("is_brought") else ()
    return (*made, *brought, plugged)


def attach_finish(operation: Operation) -> None:
    attachment = _attachment(operation)
    volume_mark_attached(attachment.volume)
    Attachment.objects.filter(pk=attachment.pk).update(is_plugged=True, updated_at=clock.now())


def attach_give_up(operation: Operation, error: dict[str, object]) -> None:
    """Remove the attachment, unless the deletion of the instance does so and still needs the row."""
    Volume.objects.filter(pk=operation.resource_id).update(last_error=error)
    ended = Attachment.objects.filter(pk=operation.args["attachment"], instance__is_deleting=False)
    for attachment in ended.select_related("volume"):
        attachment_end(attachment)


def detach_steps(operation: Operation) -> Sequence[Step]:
    return (Step("unplug", unplug, undo=reattach),)


def detach_finish(operation: Operation) -> None:
    attachment = _attachment(operation)
    Volume.objects.filter(pk=attachment.volume_id).update(last_error=None)
    attachment_end(attachment)


def detach_give_up(operation: Operation, error: dict[str, object]) -> None:
    """Record that the volume is detached where the guest did not get it again; the operation's error states it."""
    attachment = _attachment(operation)
    if attachment.is_plugged:
        Volume.objects.filter(pk=attachment.volume_id).update(last_error=error)
        return
    attachment_end(attachment)
    operation.error = AttachmentNotGivenBack().as_document()


def open_shared_volume(operation: Operation) -> Effect | None:
    """Open a volume of a pool on the instance's node. It stays there, whatever the outcome of the attachment."""
    attachment = _attachment(operation)
    volume, node_id = attachment.volume, attachment.instance.node_id
    if node_id is None:
        raise NoAllocation()
    request = attachment_request(attachment, operation=operation.kind)
    placement.move_allocation(replace(request, operation_id=operation.pk), node_id)
    return node_steps.open_shared_volume(step_permits.for_attachment(operation, attachment), volume)


def allocate_shared(operation: Operation) -> Effect | None:
    """Claim the allocation of the attachment, and decide anew for the other instances, which read the data of this one.

    The end of the attachment releases it. The volume's own follows the first instance: its node may be out of service.
    """
    attachment = _attachment(operation)
    for request in other_instances_requests(attachment):
        placement.check_current_node(replace(request, operation_id=operation.pk))
    request = replace(attachment_request(attachment, operation=operation.kind), operation_id=operation.pk)
    node_id = placement.claim(request).node_id
    if sharing_instances(attachment):
        return None
    placement.move_allocation(replace(request, move=None), node_id)
    return partial(volume_set_place, attachment.volume_id, node_id, attachment.volume.pool_id)


def open_for_several(operation: Operation) -> None:
    attachment = _attachment(operation)
    node_steps.open_disk(step_permits.for_attachment(operation, attachment), node_steps.disk_of(attachment.volume))


def close_for_one(operation: Operation) -> Effect | None:
    """Undo the opening; the deletion of an instance includes it."""
    attachment = _attachment(operation)
    if attachment.instance.is_deleting:
        return None
    return node_steps.close_shared_disk(attachment.instance.node, node_steps.disk_of(attachment.volume))


def finish_opening(operation: Operation) -> Effect | None:
    attachment = _attachment(operation)
    return node_steps.finish_opening(partial(step_permits.for_attachment, operation, attachment), attachment.volume)


def plug(operation: Operation) -> None:
    attachment = _attachment(operation)
    inherit_classifications(attachment)
    node_steps.ensure_attachment(step_permits.for_attachment(operation, attachment), attachment)


def unplug(operation: Operation) -> Effect | None:
    """Detach the disk. A running guest must release it; until then the step is pending. Its node keeps no key of it."""
    attachment = _attachment(operation)
    node = attachment.instance.node
    removed = node_steps.remove(node, kind="attachment", resource_id=attachment.pk, generation=attachment.generation)
    disk = node_steps.disk_of(attachment.volume)
    if attachment.is_shared:
        return node_steps.combine_effects(removed, node_steps.close_shared_disk(node, disk))
    node_steps.fence_disk(node, disk)
    return removed


def pull_out(operation: Operation) -> Effect | None:
    """Undo an attachment.

    The deletion of an instance includes it: its guest need not release a disk on request, and must not block that. It
    may have the disk of a first use open until then, so the volume keeps its place.
    """
    attachment = _attachment(operation)
    if not attachment.instance.is_deleting:
        return unplug(operation)
    return partial(_keep_place, attachment.volume) if operation.args.get("is_first_use") else None


def _keep_place(volume: Volume) -> None:
    Volume.objects.filter(pk=volume.pk).update(is_unbound=False, updated_at=clock.now())


def reattach(operation: Operation) -> Effect | None:
    """Undo a detachment: the guest, which may have released the volume already, gets it anew.

    Placement checks it like an attachment. If it is refused, the volume is detached all the same. A new generation
    cancels the removal.
    """
    attachment = _attachment(operation)
    if attachment.instance.is_deleting:
        return None
    Attachment.objects.filter(pk=attachment.pk).update(generation=F("generation") + 1)
    attachment.refresh_from_db(fields=["generation"])
    try:
        authorization = step_permits.for_attachment(operation, attachment)
        if attachment.volume.pool is not None and attachment.volume.pool.is_of_cluster:
            node_steps.open_disk(authorization, node_steps.disk_of(attachment.volume))
        node_steps.ensure_attachment(authorization, attachment)
    except CloudError as exc:
        if exc.retryable:
            raise
        return node_steps.combine_effects(unplug(operation), partial(_stay_out, attachment, exc.as_document()))
    return None


def _stay_out(attachment: Attachment, why: dict[str, object]) -> None:
    Attachment.objects.filter(pk=attachment.pk).update(is_plugged=False, updated_at=clock.now())
    Volume.objects.filter(pk=attachment.volume_id).update(last_error=why)


def _attachment(operation: Operation) -> Attachment:
    rows = Attachment.objects.select_related(
        "instance__node", "volume__project", "volume__pool", "volume__node", "volume__image"
    )
    return rows.get(pk=operation.args["attachment"])


ATTACH = Workflow("volume.attach", attach_steps, attach_finish, attach_give_up)
DETACH = Workflow("volume.detach", detach_steps, detach_finish, detach_give_up, retries_forever=True)
