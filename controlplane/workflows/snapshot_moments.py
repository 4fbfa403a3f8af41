"""Take snapshots of one moment: the guest writes nothing from before the first one until after the last one.

Its node freezes its file systems (consistency `filesystem`), or pauses it (`crash`, of several disks). A guest that is
off writes nothing as long as the operation has its instance locked. The node ends a freeze by itself after its limit,
so that a lost worker leaves no guest frozen; the next worker removes the snapshots of the attempt before, which belong
to another moment, and takes all of them again.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from agents.protocol import agent_pb2 as pb
from andromede_core.documents.messages import Message
from controlplane.compute.errors import FreezeEnded, FreezeTooShort, GuestNotFrozen
from controlplane.compute.instance_snapshots import is_on
from controlplane.compute.models import Instance
from controlplane.kernel.errors import CloudError
from controlplane.nodes import agent_client
from controlplane.nodes.agent_client import CallAuthorization
from controlplane.nodes.errors import NodeRefused
from controlplane.nodes.models import Node
from controlplane.operations import leases
from controlplane.operations.models import Operation
from controlplane.storage.models import FILESYSTEM, Snapshot
from controlplane.workflows import cluster_disks

# Among the operation's arguments: an attempt may have taken snapshots, which are of its moment.
MAY_HAVE_BEGUN = "may_have_begun"
# Among them too: how many attempts the limit of the freeze has ended, and the most of them.
ENDED_FREEZES, ATTEMPTS_MAX = "ended_freezes", 3
GUEST_NOT_RUNNING = "agent.guest_not_running"
OFF = (pb.POWER_OFF, pb.POWER_CRASHED)


def take(
    operation: Operation, authorization: CallAuthorization, instance: Instance, snapshots: Sequence[Snapshot]
) -> None:
    """Take all snapshots at one moment, and set their `taken_at`.

    Raises:
        GuestNotFrozen: the guest cannot be frozen.
        FreezeEnded: the limit of the freeze was too short; another attempt may be faster.
        FreezeTooShort: none was.
    """
    is_repeated = bool(operation.args.get(MAY_HAVE_BEGUN))
    if not is_repeated:
        leases.commit_step(operation, args=operation.args | {MAY_HAVE_BEGUN: True})
    else:
        remove(snapshots)  # before the guest is frozen: a silent cluster would leave it so until the limit
    with _standing_still(operation, instance, snapshots, is_repeated=is_repeated):
        if is_repeated:
            remove(snapshots)  # again: a late call of the attempt before may have taken one, not of this moment
        for snapshot in snapshots:
            snapshot.taken_at = cluster_disks.take_snapshot(authorization, snapshot, requested_at=operation.created_at)


def remove(snapshots: Sequence[Snapshot]) -> None:
    for snapshot in snapshots:
        cluster_disks.remove_snapshot(snapshot)


@contextmanager
def _standing_still(
    operation: Operation, instance: Instance, snapshots: Sequence[Snapshot], *, is_repeated: bool
) -> Iterator[None]:
    freezes_files = snapshots[0].consistency == FILESYSTEM
    if not is_on(instance) or not (freezes_files or len(snapshots) > 1):
        yield
        return
    node = _node(instance)
    if is_repeated:
        with suppress(CloudError):  # the freeze of the attempt before; without it, the node ends that within its limit
            agent_client.thaw_instance(node, instance_id=instance.pk)
    if not _freeze(node, instance, freezes_files=freezes_files):
        yield
        return
    try:
        yield
    except BaseException:
        with suppress(CloudError):  # the node thaws by itself
            agent_client.thaw_instance(node, instance_id=instance.pk)
        raise
    if not agent_client.thaw_instance(node, instance_id=instance.pk).was_frozen:
        raise _ended(operation)


def _freeze(node: Node, instance: Instance, *, freezes_files: bool) -> bool:
    """Freeze or pause the guest; False: it need not be paused, since it has powered off by itself."""
    try:
        count = agent_client.freeze_instance(node, instance_id=instance.pk, is_pause=not freezes_files)
    except NodeRefused as exc:
        if not freezes_files and exc.facts.get("agent_code") == GUEST_NOT_RUNNING and _is_off(node, instance):
            return False
        raise GuestNotFrozen(reason=exc.facts.get("reason") or exc.reason) from exc
    if freezes_files and not count:
        with suppress(CloudError):
            agent_client.thaw_instance(node, instance_id=instance.pk)
        raise GuestNotFrozen(reason=Message("its guest agent has frozen no file system."))
    return True


def _is_off(node: Node, instance: Instance) -> bool:
    """Tell if the node has the guest as off. One that is paused for another reason may go on at any time."""
    states = agent_client.describe(node, instance.pk).instances
    return [each.power in OFF for each in states] == [True]


def _ended(operation: Operation) -> CloudError:
    attempts = operation.args.get(ENDED_FREEZES, 0) + 1
    leases.commit_step(operation, args=operation.args | {ENDED_FREEZES: attempts})
    return FreezeEnded() if attempts < ATTEMPTS_MAX else FreezeTooShort(attempts=attempts)


def _node(instance: Instance) -> Node:
    assert instance.node is not None, "an instance that is on or was on has its node"
    return instance.node
