"""Restarts of failed guests whose restart policy asks for them: after growing pauses, a few times only.

A guest has failed when it crashed, or went down with its node. A guest that powered itself off has not failed.
"""

import logging
from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from controlplane.compute.errors import GuestKeepsFailing
from controlplane.compute.instance_changes import InstanceChange, action_of, instance_change
from controlplane.compute.models import INSTANCE, Instance
from controlplane.compute.power import RESTARTED, power_stable
from controlplane.compute.services import instance_placement_request
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.kernel.errors import CloudError, Conflict, StateConflict, Unavailable
from controlplane.operations.models import ResourceLock
from controlplane.placement import services as placement

log = logging.getLogger(__name__)

# A reboot starts a crashed guest, and the instance stays active meanwhile.
KIND = "instance.reboot"
REASON = "its guest had failed"
# Pauses before the first restart in a row, the second and so on; after the last one, restarts end.
PAUSES_S = (0, 10, 30, 120, 600)
# After so long without a failure, the count of restarts in a row begins again.
HEALED_AFTER = timedelta(minutes=15)
# Limit per node: all guests of a node that comes back are due in the same second.
RESTARTS_PER_NODE_MAX = 4


def restart_failed() -> int:
    """Restart failed guests. Returns how many are being started."""
    begun: Counter[UUID | None] = Counter(_under_way())
    count = 0
    for instance in failed().select_related("project", "image", "affinity_group").order_by("power_state_at"):
        if begun[instance.node_id] < RESTARTS_PER_NODE_MAX and _restart(instance):
            begun[instance.node_id] += 1
            count += 1
    return count


def failed() -> QuerySet[Instance]:
    """Return instances that are to run, whose guest failed on a reachable node, and that have no operation."""
    return power_stable().filter(RESTARTED, state="active", node__state="ready")


def _under_way() -> list[UUID | None]:
    """Return the node of each guest that is being restarted."""
    locks = ResourceLock.objects.filter(resource_id=OuterRef("pk"), operation__kind=KIND, operation__reason=REASON)
    return list(Instance.objects.filter(Exists(locks)).values_list("node_id", flat=True))


def _restart(instance: Instance) -> bool:
    """Begin a restart and tell if it began: not before the pause is over, and not beyond the limit of attempts."""
    restarts = _consecutive_restarts(instance)
    if restarts >= len(PAUSES_S):
        _stop_restarting(instance, GuestKeepsFailing(count=restarts))
        return False
    if _last(instance) + timedelta(seconds=PAUSES_S[restarts]) > clock.now():
        return False
    try:
        placement.check_current_node(instance_placement_request(instance, operation=KIND))
        with transaction.atomic():
            instance_change(SYSTEM, instance, InstanceChange(KIND, reason=REASON))
            Instance.objects.filter(pk=instance.pk).update(restarts=restarts + 1, restarted_at=clock.now())
    except (Conflict, Unavailable) as exc:
        log.info("instance %s: %s deferred: %s", instance.pk, action_of(KIND), exc)
        return False
    except CloudError as exc:
        _stop_restarting(instance, exc)
        return False
    return True


def _consecutive_restarts(instance: Instance) -> int:
    """Count the restarts without a healthy period since."""
    failed_at = instance.power_state_at or clock.now()
    has_healed = instance.restarted_at is not None and failed_at - instance.restarted_at > HEALED_AFTER
    return 0 if has_healed else instance.restarts


def _last(instance: Instance) -> datetime:
    return max(filter(None, (instance.power_state_at, instance.restarted_at)), default=clock.now())


def _stop_restarting(instance: Instance, error: CloudError) -> None:
    """Set the instance to stopped, with the reason."""
    try:
        move(instance, INSTANCE, "stopped", last_error=error.as_document(), restarts=0)
    except StateConflict:
        log.info("instance %s was changed concurrently, left as it is", instance.pk)
