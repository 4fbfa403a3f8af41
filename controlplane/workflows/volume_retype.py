"""Give a volume the limits of another type, also under a running guest."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from django.db.models import F

from controlplane.catalog.io_limits import IoLimits
from controlplane.compute.attachments import instances_booted_from
from controlplane.kernel.errors import CloudError
from controlplane.operations.models import Operation
from controlplane.storage.models import Volume
from controlplane.workflows import node_steps, step_permits
from controlplane.workflows.workflow_types import Step, Workflow

log = logging.getLogger(__name__)


def steps(operation: Operation) -> Sequence[Step]:
    """Return no steps for a volume that no node has: only its row changes."""
    if operation.args.get("is_unbound") or operation.args.get("is_closed"):
        return ()
    return (Step("limit", limit, undo=limit_as_before),)


def on_success(operation: Operation) -> None:
    limits = node_steps.requested_limits(operation)
    Volume.objects.filter(pk=operation.resource_id).update(
        volume_type=operation.args["volume_type"],
        next_type=None,
        iops_limit=limits.iops,
        mb_per_s_limit=limits.mb_per_s,
        last_error=None,
    )
    instances_booted_from(operation.resource_id).update(
        root_volume_type=operation.args["volume_type"],
        root_iops_limit=limits.iops,
        root_mb_per_s_limit=limits.mb_per_s,
    )


def on_failure(operation: Operation, error: dict[str, object]) -> None:
    Volume.objects.filter(pk=operation.resource_id).update(next_type=None, last_error=error)


def limit(operation: Operation) -> None:
    _limit(operation, _volume(operation), node_steps.requested_limits(operation))


def limit_as_before(operation: Operation) -> None:
    """Give the volume its former limits again, with a new generation, since its node may have the other ones.

    A refusal leaves them until the volume's next change.
    """
    Volume.objects.filter(pk=operation.resource_id).update(generation=F("generation") + 1)
    volume = _volume(operation)
    try:
        _limit(operation, volume, volume.limits)
    except CloudError as exc:
        if exc.retryable:
            raise
        log.warning("volume %s may keep the limits of its refused type: %s", volume.pk, exc)


def _limit(operation: Operation, volume: Volume, limits: IoLimits) -> None:
    disk = replace(node_steps.disk_of(volume), limits=limits)
    node_steps.open_disk(step_permits.for_volume(operation, volume), disk)


def _volume(operation: Operation) -> Volume:
    return Volume.objects.select_related("project", "image", "pool").get(pk=operation.resource_id)


WORKFLOW = Workflow("volume.retype", steps, on_success, on_failure)
