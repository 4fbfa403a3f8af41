from controlplane.kernel.errors import Conflict, InvalidRequest, NotFound, Unprocessable


class VolumeNotFound(NotFound):
    code = "storage.volume.not_found"
    detail = "There is no volume {name!r} here."


class VolumeNameTaken(Conflict):
    code = "storage.volume.name_taken"
    title = "Name taken"
    detail = "The project already has a volume named {name!r}."


class VolumeWrongState(Conflict):
    code = "storage.volume.wrong_state"
    detail = "The volume is {state}; this needs a volume that is {wanted}."


class VolumeUnbound(Conflict):
    code = "storage.volume.unbound"
    title = "No place yet"
    detail = (
        "The volume {volume!r} has no place and no data yet: it gets a place when it is first attached to an "
        "instance. Attach it first, or create a volume with a zone, which gets its place at once."
    )


class VolumeShared(Conflict):
    code = "storage.volume.shared"
    title = "Attached for several instances"
    detail = (
        "The volume {volume!r} is attached, and several instances may write to it at once: this needs it detached from "
        "all. GET …/volumes/{volume} lists them."
    )


class MultiAttachUnsupported(Conflict):
    code = "storage.volume.multi_attach_unsupported"
    title = "Storage agent too old"
    detail = (
        "No storage agent of a pool {pool!r} makes volumes that several instances can have attached at once. Choose "
        "another type, or ask an operator to upgrade the agent."
    )


class VolumeTypeNotAlike(Conflict):
    code = "storage.volume.type_not_alike"
    title = "Type of another kind"
    detail = (
        "A volume that several instances can have attached at once stays one, in its pool, and no other volume becomes "
        "one. Choose a type of the same kind and pool, or copy the data to a new volume of the type {volume_type!r}."
    )


class VolumeInUse(Conflict):
    code = "storage.volume.in_use"
    title = "In use"
    detail = (
        "The volume is attached to the instance {instance}. Detach it first. If the instance boots from it, delete the "
        "instance."
    )


class VolumeHasSnapshots(Conflict):
    code = "storage.volume.has_snapshots"
    title = "Volume has snapshots"
    detail = (
        "The volume still has {count} snapshots: {names}. Delete them first: DELETE …/snapshots/NAME, or andromede "
        "snapshot delete NAME."
    )


class VolumeFromTwo(Unprocessable):
    code = "storage.volume.from_two"
    title = "Image and snapshot"
    detail = "A volume is made from an image or from a snapshot. Leave one of the two out."


class VolumeTypeElsewhere(Conflict):
    code = "storage.volume.type_elsewhere"
    title = "Type in another pool"
    detail = (
        "The volume is {where}, and volumes of the type {volume_type!r} are {wanted}. A volume moves between a node's "
        "own disk and the pools of storage clusters, and not from or to a pool that is a folder. Choose another type, "
        "or copy the data to a new volume."
    )


class PoolMovesUnsupported(Conflict):
    code = "storage.volume.pool_moves_unsupported"
    title = "Storage agent too old"
    detail = (
        "The storage agent of the pool {pool} is too old to move volumes between pools of storage clusters. Ask an "
        "operator to upgrade it, or go by a type on a node's own disk."
    )


class VolumeMoveNotEnded(Conflict):
    code = "storage.volume.move_not_ended"
    title = "Last move not ended"
    detail = (
        "A node does not answer, and has still to erase what the last move of the volume left there. Try again later; "
        "if the error stays, tell an operator."
    )
    retryable = True


class VolumeCannotShrink(Unprocessable):
    code = "storage.volume.cannot_shrink"
    detail = "The volume has {size_gib} GiB and cannot shrink to {asked_gib} GiB. Request a larger size."


class VolumeLimitsUnsupported(Conflict):
    code = "storage.volume.limits_unsupported"
    title = "Node's software too old"
    detail = "The agent of the volume's node is too old to limit volumes. Ask an operator to upgrade it."


class SnapshotNotFound(NotFound):
    code = "storage.snapshot.not_found"
    detail = "There is no snapshot {name!r} here."


class SnapshotNameTaken(Conflict):
    code = "storage.snapshot.name_taken"
    title = "Name taken"
    detail = "The project already has a snapshot named {name!r}."


class SnapshotWrongState(Conflict):
    code = "storage.snapshot.wrong_state"
    detail = "The snapshot {name!r} is {state}; this needs a snapshot that is {wanted}."


class SnapshotsUnsupported(Conflict):
    code = "storage.volume.snapshots_unsupported"
    title = "No snapshots there"
    detail = (
        "The volume is {where}, where no snapshots can be taken. Volume types that can have snapshots: {types}. Copy "
        "the data to a volume of such a type; if there is none, ask an operator for one."
    )


class SnapshotPoolFull(Conflict):
    code = "storage.snapshot.pool_nearly_full"
    title = "Pool nearly full"
    detail = (
        "The pool {pool} is nearly full and takes no new snapshots. Delete snapshots and volumes, or ask an operator "
        "to enlarge it."
    )


class SnapshotInUse(Conflict):
    code = "storage.snapshot.in_use"
    title = "In use"
    detail = (
        "Operations read the snapshot, for the volumes or images {names}. Wait until they have ended, or cancel them."
    )


class ImagesUnsupported(Conflict):
    code = "storage.volume.images_unsupported"
    title = "No images of it"
    detail = (
        "The volume is {where}, and no images can be made of volumes there. Volume types whose volumes images can be "
        "made of: {types}. Copy the data to a volume of such a type; if there is none, ask an operator for one."
    )


class VolumeReadForImage(Conflict):
    code = "storage.volume.read_for_image"
    title = "Read for an image"
    detail = "The images {names} are being made of the volume. Wait until that has ended, or cancel their operations."


class TooLargeForImage(Unprocessable):
    code = "storage.volume.too_large_for_image"
    title = "Too large for an image"
    detail = (
        "The source has {size_gib} GiB, and the disk of an image has at most {limit_gib} GiB here "
        "(ANDROMEDE_IMAGE_MAX_VIRTUAL_GIB). Copy the data to a smaller volume, or ask an operator for a higher limit."
    )


class SnapshotTooLarge(Unprocessable):
    code = "storage.snapshot.does_not_fit"
    detail = (
        "The snapshot has {needed_gib} GiB, and the request has {given_gib} GiB. Choose at least the snapshot's size, "
        "or leave the size out."
    )


class SnapshotElsewhere(Conflict):
    code = "storage.snapshot.elsewhere"
    title = "Type in another place"
    detail = (
        "Volumes of the type {volume_type!r} are not in the storage cluster of the snapshot. Choose a type of that "
        "cluster: {types}."
    )


class SnapshotOfOther(Unprocessable):
    code = "storage.snapshot.of_other_volume"
    title = "Snapshot of another volume"
    detail = (
        "The snapshot {name!r} is of the volume {volume!r}. Choose a snapshot of this volume, or create a new volume "
        "from that one."
    )


class RevertInterrupted(Conflict):
    code = "storage.volume.revert_interrupted"
    title = "Revert interrupted"
    detail = (
        "The revert to the snapshot {snapshot!r} had begun when the storage cluster lost the snapshot. The volume has "
        "parts of two contents, and cannot be opened. Revert it to another snapshot, or delete it."
    )


class ExpiryPast(Unprocessable):
    code = "storage.snapshot.expiry_past"
    title = "Expired already"
    detail = "{expires_at} is not in the future. Choose a later time, or null to keep the snapshot."


class SnapshotScheduleNotFound(NotFound):
    code = "storage.snapshot_schedule.not_found"
    detail = "There is no snapshot schedule {name!r} here."


class SnapshotScheduleNameTaken(Conflict):
    code = "storage.snapshot_schedule.name_taken"
    title = "Name taken"
    detail = "The project already has a snapshot schedule named {name!r}."


class SnapshotScheduleInvalid(InvalidRequest):
    code = "storage.snapshot_schedule.invalid"
    title = "Invalid schedule"
    detail = "The schedule is not valid: {reason}."
