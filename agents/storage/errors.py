"""Errors of the storage agent besides those of a node's agent; `code` is part of the protocol in the same way."""

from agents.node.errors import AdapterError, AgentError, Conflict, ImageInUse, NotFound, VolumeInUse, VolumeWouldShrink


class ClusterSilent(AdapterError):
    """The cluster did not answer in time; the call may have had its effect."""

    code = "storage.cluster_silent"

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=True)


class ClusterFailed(AdapterError):
    """The cluster refused, or the process that asked it has ended."""

    code = "storage.cluster_failed"

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=True)


class VolumeMissing(NotFound):
    """The volume is not in the pool. No empty one is made in its place, since that would look like erased data."""

    code = "storage.volume_missing"

    def __init__(self, message: str) -> None:
        AgentError.__init__(self, message)


class ImageMissing(NotFound):
    """The image is not in the pool: EnsureImage brings it there."""

    code = "storage.image_missing"

    def __init__(self, message: str) -> None:
        AgentError.__init__(self, message)


class SnapshotMissing(NotFound):
    """The volume has no such snapshot, or there is no such volume."""

    code = "storage.snapshot_missing"

    def __init__(self, message: str) -> None:
        AgentError.__init__(self, message)


class SizeDiffers(Conflict):
    """The volume of a snapshot has another size than the caller believes: it was grown meanwhile, or that failed."""

    code = "storage.size_differs"


class OpeningConflict(Conflict):
    """The volume is open in the other way, shared or not, or with an address of this opening, or has one writer."""

    code = "storage.opening_conflict"


class GenerationStale(Conflict):
    """The call is for an older generation of the volume than an earlier one; or it was reverted to another snapshot."""

    code = "storage.stale_generation"


class RevertUnfinished(AdapterError):
    """A revert of the volume has begun and not ended: it has parts of two contents. The agent goes on with it."""

    code = "storage.revert_unfinished"

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=True)


class CallerGone(AdapterError):
    """The caller cancelled its call, which waited for another one of the same volume or image. It had no effect."""

    code = "storage.caller_gone"

    def __init__(self) -> None:
        super().__init__("The caller gave up while the call waited for another one.", retryable=True)


class OwnAddress(Conflict):
    """The address is the agent's own: once fenced, the agent could not remove that fence."""

    code = "storage.own_address"


# What a worker process may report, by its code; each is made of the message alone.
OF_WORKERS: dict[str, type[AgentError]] = {
    each.code: each
    for each in (
        ClusterSilent,
        ClusterFailed,
        VolumeMissing,
        ImageMissing,
        SnapshotMissing,
        SizeDiffers,
        OpeningConflict,
        GenerationStale,
        RevertUnfinished,
        OwnAddress,
        ImageInUse,
        VolumeInUse,
        VolumeWouldShrink,
    )
}
