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


class VolumeInUse(Conflict):
    code = "storage.volume.in_use"
    title = "In use"
    detail = (
        "The volume is attached to the instance {instance}. Detach it first. If the instance boots from it, delete the "
        "instance."
    )


class VolumeTypeElsewhere(Conflict):
    code = "storage.volume.type_elsewhere"
    title = "Type in another pool"
    detail = (
        "The volume is {where}, and volumes of the type {volume_type!r} are {wanted}. Moving a volume between pools is "
        "not possible yet: choose a type of the same place, or create a volume of that type and copy the data."
    )


class VolumeCannotShrink(Unprocessable):
    code = "storage.volume.cannot_shrink"
    detail = "The volume has {size_gib} GiB and cannot shrink to {asked_gib} GiB. Request a larger size."


class VolumeLimitsUnsupported(Conflict):
    code = "storage.volume.limits_unsupported"
    title = "Node's software too old"
    detail = "The agent of the volume's node is too old to limit volumes. Ask an operator to upgrade it."


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
