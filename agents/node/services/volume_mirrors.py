"""Mirrors: copies of volumes that running guests have open, and the pivot, after which a guest has the copy.

Which disk is the volume's, whatever dies at which moment
---------------------------------------------------------
Two disks have the volume's content during a pivot, and a start from the one that is behind would lose data that the
guest counts as written. The hypervisor lets a guest change from one to the other at a moment of its own, which cannot
be recorded at the same moment. So the guest writes nothing around that moment:

1. the pivot is recorded in the state store (`pivot`), then the guest is paused;
2. the mirror becomes level, and the hypervisor is asked to pivot: it flushes the copy, and lets the guest have it;
3. the running guest's own disks, not its definition, say that this has happened;
4. one transaction of the state store makes the copy the volume: `volumes` names its place, `copies` is present;
5. the guest is resumed, the definition is written, and the pivot is forgotten.

Until 4 the source has all that the guest ever wrote, whether the hypervisor has pivoted or not, since the guest was
resumed only where the disks of its process are again the source. From 4 on the copy has all of it. The state store
alone decides with which of them a guest starts (services/instances.py defines it anew before each start), and it
changes at 4: a guest whose process dies before starts from the source, later from the copy.

A pivot that is recorded and interrupted is settled by the disks of the running process: `settle`. Until then nothing
starts, resumes, freezes, grows or detaches anything of the guest (migration_state.check_settled). No answer of the
hypervisor counts as a pivot, or as none, before the mirror has ended. A source is never erased here: the control plane
has that done when its rows name the copy.
"""

import logging
import time
from dataclasses import replace
from uuid import UUID

from agents.node.adapters.interfaces import Power, guest_name
from agents.node.adapters.mirrors import Mirrored, MirrorPhase, MirrorState
from agents.node.context import Node
from agents.node.errors import AdapterError, GuestFrozen, GuestNotRunning, VolumeNotOpen
from agents.node.services import instances, migration_state, volumes
from agents.node.specs import Subject, VolumeCopySpec, VolumeSpec
from agents.node.state_store import Entry, Phase, Pivot

log = logging.getLogger(__name__)

LEVEL_WITHIN_S = 3.0  # a guest that writes more than its mirror takes is not kept paused for longer
NEARLY_LEVEL_BYTES = 64 * 2**20  # a guest is paused only if its mirror lacks no more
PIVOT_WITHIN_S = 10.0
POLL_S = 0.05
ENDED_BEFORE = "The mirror of the disk has ended too early: the guest has stopped, or one of the disks has failed."
ON = (Power.RUNNING, Power.PAUSED)
ENDED = (MirrorPhase.GONE, MirrorPhase.NONE, MirrorPhase.PIVOTED)


def check_open(node: Node, volume_id: UUID) -> None:
    """Check that a guest of this node runs with the volume, and that nothing else happens to the guest.

    Raises:
        VolumeNotOpen
        GuestMigrating, GuestMigrated, GuestPivoting
    """
    guest_id = volumes.user_of(node, volume_id)
    state = node.adapters.hypervisor.state(guest_id) if guest_id is not None else None
    if guest_id is None or state is None or state.power not in ON:
        raise VolumeNotOpen(volume_id)
    migration_state.check_settled(node, guest_id)


def begin(node: Node, volume_id: UUID, spec: VolumeCopySpec) -> None:
    """Have the hypervisor mirror the volume, unless it does so already.

    Raises:
        VolumeNotOpen: no guest runs with it.
        VolumeKeyMissing: of the place in a Ceph cluster.
    """
    mirrored = _mirrored(node, volume_id, spec)
    phase = node.adapters.mirrors.state(mirrored).phase
    if phase is MirrorPhase.GONE:
        raise VolumeNotOpen(volume_id)
    if phase is MirrorPhase.NONE:
        node.adapters.disks.engine(spec.destination).make_target(volume_id, size_bytes=spec.size_bytes)
        node.adapters.mirrors.begin(mirrored, max_bytes_per_s=spec.max_bytes_per_s)


def state(node: Node, volume_id: UUID, spec: VolumeCopySpec) -> MirrorState:
    if _guest_of(node, volume_id) is None:
        return MirrorState(MirrorPhase.GONE)
    return node.adapters.mirrors.state(_mirrored(node, volume_id, spec))


def end(node: Node, volume_id: UUID, spec: VolumeCopySpec) -> None:
    """End the mirror, whose target is closed then. The guest keeps the source.

    Raises:
        AdapterError: the guest has the copy, or the mirror does not end yet.
    """
    if _guest_of(node, volume_id) is not None:
        node.adapters.mirrors.abort(_mirrored(node, volume_id, spec))


def pivot(node: Node, volume_id: UUID, spec: VolumeCopySpec) -> None:
    """Let the guest have the copy, if its mirror is ready; the state store says whether it has. See above.

    The caller holds the locks of the volume and of its guest.

    Raises:
        GuestFrozen, GuestMigrating, GuestMigrated, GuestPivoting
        AdapterError: it may have been interrupted anywhere: `settle`.
    """
    mirrored = _mirrored(node, volume_id, spec)
    with node.state_store.transaction():
        migration_state.check_settled(node, mirrored.guest_id)
        if node.state_store.freeze(mirrored.guest_id) is not None:
            raise GuestFrozen(mirrored.guest_id)
        # After the freeze is read: one that ends meanwhile has the guest resumed before it is forgotten.
        power = node.adapters.hypervisor.state(mirrored.guest_id)
        ran = power is not None and power.power is Power.RUNNING
        node.state_store.record_pivot(volume_id, Pivot(mirrored.guest_id, ran=ran))
    if ran:
        _pause(node, mirrored.guest_id)
    is_ready = node.adapters.mirrors.state(mirrored).phase is MirrorPhase.READY
    is_late = is_ready and not _is_level(node, mirrored, spec)
    if is_ready and not is_late:
        node.adapters.mirrors.pivot(mirrored)
    settle(node, volume_id, is_asked=not is_late)


def settle(node: Node, volume_id: UUID, *, is_asked: bool = True) -> None:
    """Find out which disk the guest has, record it, and let the guest go on. See above.

    The caller holds the locks of the volume and of its guest. `is_asked`: the hypervisor may have been asked to pivot,
    and may do so yet, so that a mirror that is still there is ended, and the guest's own process is asked too: the
    hypervisor may have been killed in the instant of the pivot; otherwise the mirror goes on.

    Raises:
        AdapterError: the mirror has not ended, the hypervisor does not answer, or its memory and the guest's process
            differ. The guest stays paused. Once its process has ended, the source has all of its data.
    """
    pivot = node.state_store.pivot(volume_id)
    if pivot is None:
        return
    entry = node.state_store.copies.get(volume_id)
    if is_asked and entry is not None and entry.phase is Phase.MAKING:
        phase = _await_end(node, volume_id, entry.spec)
        if phase is not MirrorPhase.GONE:
            _check_process(node, volume_id, entry.spec, phase)
        if phase is MirrorPhase.PIVOTED:
            _record(node, entry)
    if pivot.ran:
        node.adapters.hypervisor.resume_domain(guest_name(pivot.instance_id))
    if instances.is_wanted(node, pivot.instance_id):
        instances.define(node, pivot.instance_id)  # each start does so too; until then nothing starts the guest
    node.state_store.forget_pivot(volume_id)


def _pause(node: Node, guest_id: UUID) -> None:
    try:
        node.adapters.hypervisor.pause(guest_id)
    except GuestNotRunning:
        return  # it has stopped, or paused, meanwhile: it writes nothing either


def _is_level(node: Node, mirrored: Mirrored, spec: VolumeCopySpec) -> bool:
    """Wait until the copy of the paused guest is level, without the limit of bandwidth meanwhile."""
    deadline = time.monotonic() + LEVEL_WITHIN_S
    node.adapters.mirrors.limit(mirrored, 0)
    while not node.adapters.mirrors.state(mirrored).is_level:
        if time.monotonic() >= deadline:
            node.adapters.mirrors.limit(mirrored, spec.max_bytes_per_s)
            return False
        time.sleep(POLL_S)
    return True


def _await_end(node: Node, volume_id: UUID, spec: VolumeCopySpec) -> MirrorPhase:
    """Return what the running guest has. One that runs no more wrote nothing to the copy that the source lacks.

    A mirror that is still there is ended: a request to pivot that was sent before an interruption may be under way in
    the hypervisor, which carries out one request after the other.

    Raises:
        AdapterError: the mirror has not ended.
    """
    deadline = time.monotonic() + PIVOT_WITHIN_S
    while (phase := state(node, volume_id, spec).phase) not in ENDED:
        if time.monotonic() >= deadline:
            raise AdapterError(f"The mirror of volume {volume_id} does not end yet.", retryable=True)
        if phase is not MirrorPhase.ENDING:
            _try_to_end(node, volume_id, spec)
        time.sleep(POLL_S)
    return phase


def _check_process(node: Node, volume_id: UUID, spec: VolumeCopySpec, phase: MirrorPhase) -> None:
    mirrored = _mirrored(node, volume_id, spec)
    if node.adapters.mirrors.process_has_target(mirrored) is not (phase is MirrorPhase.PIVOTED):
        raise AdapterError(
            f"libvirt does not know which disk guest {mirrored.guest_id} has of volume {volume_id}. The guest stays "
            "paused; end its process, and it starts with the former disk, which has all of its data.",
            retryable=True,
        )


def _try_to_end(node: Node, volume_id: UUID, spec: VolumeCopySpec) -> None:
    try:
        end(node, volume_id, spec)
    except AdapterError as exc:
        log.info("mirror not ended", extra={"facts": {"id": volume_id, "problem": exc.message}})


def _record(node: Node, entry: Entry[VolumeCopySpec]) -> None:
    """Let the copy be the volume, in one transaction."""
    subject = Subject(UUID(entry.id), entry.generation)
    with node.state_store.transaction():
        held = node.state_store.volumes.get(subject.id)
        node.state_store.volumes.accept(subject, spec_there(entry.spec, held), uses=())
        node.state_store.volumes.confirm(subject.id)
        node.state_store.copies.confirm(subject.id)


def spec_there(spec: VolumeCopySpec, before: Entry[VolumeSpec] | None) -> VolumeSpec:
    """Return the volume's spec at the destination: whole, without the image that it was a layer over."""
    place = spec.destination
    there = VolumeSpec(spec.size_bytes, "", place.pool, is_taken_over=bool(place.pool), rbd=place.rbd)
    if before is None or not before.is_held:
        return there
    return replace(there, limits=before.spec.limits)


def _mirrored(node: Node, volume_id: UUID, spec: VolumeCopySpec) -> Mirrored:
    guest_id = _guest_of(node, volume_id)
    if guest_id is None:
        raise VolumeNotOpen(volume_id)
    engine = node.adapters.disks.engine
    return Mirrored(guest_id, engine(spec.source).disk(volume_id), engine(spec.destination).disk(volume_id))


def _guest_of(node: Node, volume_id: UUID) -> UUID | None:
    """Return the guest of a pivot that is on record, or else the one that has the volume."""
    pivot = node.state_store.pivot(volume_id)
    return pivot.instance_id if pivot is not None else volumes.user_of(node, volume_id)
