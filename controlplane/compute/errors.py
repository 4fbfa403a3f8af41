from controlplane.kernel.errors import (
    CloudError,
    Conflict,
    InvalidRequest,
    NotFound,
    TooMany,
    Unauthenticated,
    Unavailable,
    Unprocessable,
)


class InstanceNotFound(NotFound):
    code = "compute.instance.not_found"
    detail = "There is no instance {name!r} here."


class InstanceNameTaken(Conflict):
    code = "compute.instance.name_taken"
    title = "Name taken"
    detail = "The project already has an instance named {name!r}."


class InstanceWrongState(Conflict):
    code = "compute.instance.wrong_state"
    detail = "The instance is {state}; this needs an instance that is {wanted}."


class InstanceNotMovable(Conflict):
    code = "compute.instance.not_movable"
    title = "Cannot be moved"
    detail = "The instance cannot be moved to another node: {reason}"


class InstanceNotRestarted(Conflict):
    code = "compute.instance.not_started_again"
    title = "Not started again"
    detail = "The instance is not started again with its node: {reason}"


class InstanceNotEvacuable(Conflict):
    code = "compute.instance.not_evacuable"
    title = "Not started elsewhere"
    detail = "The instance cannot be made again on another node: {reason}"


class EvacuationBlocked(Conflict):
    code = "compute.instance.evacuation_blocked"
    title = "No other place for it"
    detail = (
        "The machine that carried the instance is lost, and no other one may take it now: it stays down, and is tried "
        "again by itself when there is a place. {explanation}"
    )


class MigrationFailed(Conflict):
    code = "compute.migration.failed"
    title = "Not moved"
    detail = "The instance could not be moved, and runs on where it was: {reason}"


class MigrationNotFound(NotFound):
    code = "compute.migration.not_found"
    detail = "The instance {name!r} is not being moved."


class MigrationSourceLost(Conflict):
    """The source is lost and no second guest exists: the destination will not accept the guest any more."""

    code = "compute.migration.source_lost"
    title = "Source lost"
    detail = (
        "The machine that the instance was to leave does not answer, so the move was called off after {limit_s} "
        "seconds. The instance was not started anywhere else. Bring that machine back, or give it up, and move the "
        "instance again."
    )


class GuestDidNotStop(Unavailable):
    code = "compute.instance.guest_did_not_stop"
    title = "The guest did not stop"
    detail = "The guest was asked to shut down and still runs after {limit_s} seconds. Try again, or use power-off."
    retryable = False


class GuestKeepsFailing(Unprocessable):
    code = "compute.instance.guest_keeps_failing"
    title = "The guest keeps failing"
    detail = (
        "The guest failed again each time, and was started {count} times in a row. Its serial log says what it did "
        "last. Start the instance when the cause is mended."
    )


class FlavorTooSmall(Unprocessable):
    code = "compute.flavor_too_small"
    detail = "The flavor {flavor} has too little {dimension}: {needed} are needed, it has {given}."


class FirmwareMissing(Unprocessable):
    code = "compute.firmware_missing"
    title = "Firmware missing"
    detail = (
        "The machine that carries the instance cannot boot images of the firmware {firmware}. "
        "Choose another image, or create a new instance from this one."
    )


class UserDataTooLarge(InvalidRequest):
    code = "compute.user_data_too_large"
    detail = "The user data has {size_bytes} bytes; at most {limit_bytes} are possible."


class UserDataUnreadable(CloudError):
    code = "compute.user_data_unreadable"
    title = "Unreadable"
    detail = (
        "The user data of the instance cannot be decrypted: the control plane's secret key was changed without keeping "
        "the earlier one. An operator must put the earlier key back, or the instance be rebuilt with new user data."
    )


class SshKeyNotFound(NotFound):
    code = "compute.ssh_key.not_found"
    detail = "There is no ssh key {name!r} here."


class SshKeyNameTaken(Conflict):
    code = "compute.ssh_key.name_taken"
    title = "Name taken"
    detail = "The project already has an ssh key named {name!r}."


class SshKeyInvalid(InvalidRequest):
    code = "compute.ssh_key.invalid"
    detail = "This is no OpenSSH public key: {reason}"


class AffinityGroupNotFound(NotFound):
    code = "compute.affinity_group.not_found"
    detail = "There is no affinity group {name!r} here."


class AffinityGroupNameTaken(Conflict):
    code = "compute.affinity_group.name_taken"
    title = "Name taken"
    detail = "The project already has an affinity group named {name!r}."


class AffinityGroupInUse(Conflict):
    code = "compute.affinity_group.in_use"
    title = "In use"
    detail = "The group still has {count} instances. Delete those first."


class VolumeAlreadyAttached(Conflict):
    code = "compute.attachment.volume_taken"
    title = "Already attached"
    detail = "The volume {volume} is attached already, or is being attached. A volume is in one instance at a time."


class VolumeElsewhere(Conflict):
    code = "compute.attachment.volume_elsewhere"
    title = "Not on the same node"
    detail = (
        "The volume and the instance are not on the same node, and a local volume cannot move. "
        "Create the volume with near_instance, or the instance with this volume in its list of volumes."
    )


class PoolElsewhere(Conflict):
    code = "compute.attachment.pool_elsewhere"
    title = "Not within reach"
    detail = (
        "The volume is in the shared storage {pool}, which the instance's node does not have. "
        "Create the instance anew with this volume in its list of volumes, or ask an operator to move it."
    )


class AttachmentNotGivenBack(Conflict):
    code = "compute.attachment.not_given_back"
    title = "Not given back"
    detail = (
        "The detachment was cancelled, but the instance may not be given the volume again: it is detached and "
        "available. The volume's last_error says why."
    )


class AttachmentNotFound(NotFound):
    code = "compute.attachment.not_found"
    detail = "There is no attachment {name!r} here."


class ConsoleNotRunning(Conflict):
    code = "compute.console.not_running"
    title = "The guest does not run"
    detail = "The guest does not run. Start the instance; what it wrote before is in its console log."


class ConsoleMissing(Conflict):
    code = "compute.console.missing"
    title = "No such console"
    detail = "The guest was started before there were such consoles. Stop the instance and start it again."


class ConsolesExhausted(TooMany):
    code = "compute.console.exhausted"
    title = "Too many consoles"
    detail = "As many consoles are open as are served at once. Close one, or try again later."


class TicketUnknown(Unauthenticated):
    code = "compute.console.ticket_unknown"
    title = "Ticket not good"
    detail = "This ticket was used, or is older than {limit_s} seconds. Ask for a new one."


class TicketsUnavailable(Unavailable):
    code = "compute.console.tickets_unavailable"
    detail = "Tickets for consoles cannot be kept at the moment. Try again."


class DrainNotFound(NotFound):
    code = "node.drain.not_found"
    detail = "The node {name!r} has never been drained."


class DrainPlanChanged(Conflict):
    code = "node.drain.plan_changed"
    title = "The plan has changed"
    detail = (
        "What a drain of {node} would do is not any more what the plan says: guests have come or gone, or something is "
        "in their way. Ask for the plan again, look at it, and name its digest."
    )


class RecoveryPlanChanged(Conflict):
    code = "node.recovery.plan_changed"
    title = "The plan has changed"
    detail = (
        "What a recovery of {node} would do is not any more what the plan says: guests have gone, or what is in their "
        "way has changed. Ask for the plan again, look at it, and name its digest."
    )


class DrainWrongState(Conflict):
    code = "node.drain.wrong_state"
    detail = "The drain is {state}; this needs a drain that is {wanted}."


class NodeBeingRecovered(Conflict):
    code = "node.being_recovered"
    title = "Its guests are on their way"
    detail = (
        "{count} guests of the node {node} are just being made again on other nodes, which rests on this one being "
        "fenced. Wait until its recovery has ended, or cancel it, and try again."
    )


class NodeNotEmpty(Conflict):
    code = "node.not_empty"
    title = "Guests run there"
    detail = "{count} guests run on the node {node}, or are on their way there: {names}. Drain it first."


class GuestMissing(CloudError):
    """The last error of an instance. Tenants see it, so it names no node."""

    code = "compute.instance.guest_missing"
    title = "The guest is missing"
    detail = "The guest is not on its machine any more; its disk is. Start the instance: the guest is made again."


class DataMissing(CloudError):
    code = "storage.volume.data_missing"
    title = "The data is missing"
    detail = (
        "The file with the data is not on its machine any more. The operators were told; nothing is made in its place."
    )


class PortMissing(CloudError):
    code = "compute.instance.port_missing"
    title = "A network card is missing"
    detail = "A network card of the instance is not connected on its machine any more. The operators were told."
