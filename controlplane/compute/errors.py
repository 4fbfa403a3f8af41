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
    title = "Cannot be migrated"
    detail = "The instance cannot be migrated to another node: {reason}"


class InstanceNotRelocatable(Conflict):
    code = "compute.instance.not_relocatable"
    title = "Cannot be relocated"
    detail = "The instance cannot be relocated to the zone {zone}: {reason}"


class InstanceNotRestarted(Conflict):
    code = "compute.instance.not_started_again"
    title = "Not restarted"
    detail = "The instance was not restarted with its node: {reason}"


class InstanceNotEvacuable(Conflict):
    code = "compute.instance.not_evacuable"
    title = "Cannot be evacuated"
    detail = "The instance cannot be evacuated to another node: {reason}"


class EvacuationBlocked(Conflict):
    code = "compute.instance.evacuation_blocked"
    title = "No other suitable node"
    detail = (
        "The instance's node is lost, and no other node can take the instance now. It stays down, and is retried "
        "automatically when capacity is free. {explanation}"
    )


class MigrationFailed(Conflict):
    code = "compute.migration.failed"
    title = "Migration failed"
    detail = "The migration failed, and the instance is on its node as before: {reason}"


class MigrationNotFound(NotFound):
    code = "compute.migration.not_found"
    detail = "The instance {name!r} is not being migrated."


class MigrationSourceLost(Conflict):
    """The source is lost and no second guest exists: the destination will not accept the guest any more."""

    code = "compute.migration.source_lost"
    title = "Source lost"
    detail = (
        "The source node does not answer, so the migration was cancelled after {limit_s} seconds. The instance was "
        "not started anywhere else. Bring the node back, or abandon it, then migrate the instance again."
    )


class GuestDidNotStop(Unavailable):
    code = "compute.instance.guest_did_not_stop"
    title = "The guest did not stop"
    detail = "The guest still runs {limit_s} seconds after the shutdown request. Try again, or use power-off."
    retryable = False


class GuestKeepsFailing(Unprocessable):
    code = "compute.instance.guest_keeps_failing"
    title = "The guest keeps failing"
    detail = (
        "The guest failed after each of {count} starts in a row and is not restarted any more. Check its serial log "
        "and correct the cause, then start the instance."
    )


class FlavorTooSmall(Unprocessable):
    code = "compute.flavor_too_small"
    detail = "The flavor {flavor} has too little {dimension}: {needed} are needed, it has {given}."


class FlavorWithoutDisk(Unprocessable):
    code = "compute.flavor_without_disk"
    title = "Flavor without a root disk"
    detail = (
        "The flavor {flavor} has no root disk. Create a volume from the image and boot from it (boot_volume), or "
        "choose a flavor with a disk."
    )


class FirmwareMissing(Unprocessable):
    code = "compute.firmware_missing"
    title = "Firmware missing"
    detail = (
        "The instance's node cannot boot images with the firmware {firmware}. Choose another image, or create a new "
        "instance from this one."
    )


class UserDataTooLarge(InvalidRequest):
    code = "compute.user_data_too_large"
    detail = "The user data has {size_bytes} bytes; the limit is {limit_bytes}."


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
    detail = "The public key is not a valid OpenSSH key: {reason}"


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
    detail = (
        "The volume {volume} is already attached or being attached: to this instance, or to another one, and then it "
        "is for one instance at a time."
    )


class ShareMissing(Unprocessable):
    code = "compute.attachment.share_missing"
    title = "Shared volume"
    detail = (
        "Several instances can write to the volume {volume!r} at once, which destroys a usual file system. If the "
        "guest has a file system for that, such as GFS2 or OCFS2, attach it with share: true."
    )


class VolumeNotShareable(Unprocessable):
    code = "compute.attachment.not_shareable"
    title = "For one instance"
    detail = (
        "The volume {volume!r} can be attached to one instance at a time. Leave share out, or create a volume of a "
        "type with is_multi_attach."
    )


class VolumeOnNode(Conflict):
    code = "compute.attachment.node_taken"
    title = "Node has the volume"
    detail = (
        "The instance {instance!r}, on the same node, has the volume {volume!r} already. Instances that share a volume "
        "are on different nodes: put them in a group with the rule anti-affinity."
    )


class NodesAlike(Conflict):
    code = "compute.attachment.addresses_alike"
    title = "Addresses of nodes not distinct"
    detail = (
        "The storage cluster sees the nodes of this instance and of {instance!r} at the same address, and could not "
        "fence one of them alone. Ask an operator to set the addresses: manage.py set_storage_addresses."
    )


class TooManyInstances(Conflict):
    code = "compute.attachment.too_many_instances"
    title = "Too many instances"
    detail = "The volume {volume!r} is attached to {limit} instances, the most for one volume. Detach one first."


class VolumeForSeveral(Unprocessable):
    code = "compute.instance.volume_for_several"
    title = "Volume for several instances"
    detail = (
        "Several instances can have the volume {volume!r} attached at once. Create the instance without it, and attach "
        "it then with share: true; no instance boots from it."
    )


class BootVolumeEmpty(Unprocessable):
    code = "compute.instance.boot_volume_empty"
    title = "Not made from an image"
    detail = (
        "The volume {volume} was created empty, so the firmware that its system needs is not known. Name a volume that "
        "was made from an image."
    )


class RootDiskNotVolume(Conflict):
    code = "compute.instance.root_disk_not_volume"
    title = "Root disk is no volume"
    detail = (
        "The root disk of the instance is no volume, and is erased with it. To keep a root disk, create another "
        "instance with keep_root_volume."
    )


class RootVolumeHasSnapshots(Conflict):
    code = "compute.instance.root_volume_has_snapshots"
    title = "Root volume has snapshots"
    detail = (
        "The root volume {volume!r} would be deleted, and still has {count} snapshots: {names}. Delete them first, or "
        "keep the volume: set keep_root_volume to true, or andromede instance update NAME --keep-root-volume."
    )


class RootVolumeExempted(Unprocessable):
    code = "compute.instance.root_volume_exempted"
    title = "Exemption without root volume"
    detail = (
        "An exemption admits the instance alone, and no volume that outlives it. Leave keep_root_volume out, or the "
        "exemption."
    )


class BootsFromVolume(Conflict):
    code = "compute.instance.boots_from_volume"
    title = "Boots from a volume"
    detail = (
        "The root disk of the instance is the volume {volume}, which is kept, and so not replaced. Create another "
        "instance from the image, with the same name if this one is deleted first; the volume stays. If the volume may "
        "be deleted, set keep_root_volume to false."
    )


class VolumeIsBoot(Conflict):
    code = "compute.attachment.is_boot"
    title = "Boot volume"
    detail = (
        "The instance boots from the volume {volume}, so it cannot be detached. Delete the instance: a volume that it "
        "keeps (keep_root_volume) is available then."
    )


class VolumeElsewhere(Conflict):
    code = "compute.attachment.volume_elsewhere"
    title = "Not on the same node"
    detail = (
        "The volume and the instance are not on the same node, and a local volume cannot move. "
        "Create the volume with near_instance, or the instance with this volume in its list of volumes."
    )


class PoolElsewhere(Conflict):
    code = "compute.attachment.pool_elsewhere"
    title = "Pool not available"
    detail = (
        "The volume is in the pool {pool}, which the instance's node does not have. Recreate the instance with this "
        "volume in its list of volumes, or ask an operator to migrate the instance."
    )


class AttachmentNotGivenBack(Conflict):
    code = "compute.attachment.not_given_back"
    title = "Volume not reattached"
    detail = (
        "The detachment was cancelled, but the volume cannot be attached to the instance again: it is detached and "
        "available. The volume's last_error has the reason."
    )


class PortNotAttached(Conflict):
    code = "compute.port.not_attached"
    title = "Not attached"
    detail = "No instance has the port {name!r}."


class TooManyPorts(Unprocessable):
    code = "compute.port.too_many"
    title = "Too many ports"
    detail = "An instance has at most {limit} ports. Detach one first, or request fewer."


class TooManyVolumes(Conflict):
    code = "compute.attachment.too_many"
    title = "Too many volumes"
    detail = (
        "An instance of the flavor {flavor} has at most {limit} volumes beside its root disk. Detach one first, or "
        "choose a flavor with more."
    )


class AttachmentNotFound(NotFound):
    code = "compute.attachment.not_found"
    detail = "There is no attachment {name!r} here."


class ConsoleNotRunning(Conflict):
    code = "compute.console.not_running"
    title = "The guest does not run"
    detail = "The guest is not running. Start the instance; its earlier output is in its console log."


class ConsoleMissing(Conflict):
    code = "compute.console.missing"
    title = "Console not available"
    detail = "The guest was started before this kind of console was supported. Stop the instance and start it again."


class ConsolesExhausted(TooMany):
    code = "compute.console.exhausted"
    title = "Too many consoles"
    detail = "The maximum number of consoles is open. Close one, or try again later."


class TunnelAddressMissing(Conflict):
    code = "compute.tunnel.address_missing"
    title = "No address"
    detail = "The instance {name!r} has no address there. Name a network that it has a card in."


class TunnelRefused(Conflict):
    code = "compute.tunnel.refused"
    title = "Connection refused"
    detail = "The guest accepts no connection at TCP port {tcp_port}. Start the service there, and check its address."


class TunnelTimedOut(Conflict):
    code = "compute.tunnel.timeout"
    title = "No response from the guest"
    detail = (
        "The guest does not answer at TCP port {tcp_port}. It may still be booting, its network may be down, or its "
        "firewall drops the connection."
    )


class TunnelReset(Conflict):
    code = "compute.tunnel.reset"
    title = "Connection aborted"
    detail = "The guest aborted the connection."


class TunnelsExhausted(TooMany):
    code = "compute.tunnel.exhausted"
    title = "Too many tunnels"
    detail = "The maximum number of tunnels is open. Close one, or try again later."


class TicketUnknown(Unauthenticated):
    code = "compute.console.ticket_unknown"
    title = "Invalid ticket"
    detail = "The ticket was already used, or is older than {limit_s} seconds. Request a new one."


class TicketsUnavailable(Unavailable):
    code = "compute.console.tickets_unavailable"
    detail = "Tickets cannot be stored now. Try again."


class DrainNotFound(NotFound):
    code = "node.drain.not_found"
    detail = "The node {name!r} has never been drained."


class DrainPlanChanged(Conflict):
    code = "node.drain.plan_changed"
    title = "The plan has changed"
    detail = (
        "The plan for the drain of {node} is outdated: guests have come or gone, or their obstacles have changed. "
        "Request the plan again, check it, and send its digest."
    )


class RecoveryPlanChanged(Conflict):
    code = "node.recovery.plan_changed"
    title = "The plan has changed"
    detail = (
        "The plan for the recovery of {node} is outdated: guests have left, or their obstacles have changed. Request "
        "the plan again, check it, and send its digest."
    )


class DrainWrongState(Conflict):
    code = "node.drain.wrong_state"
    detail = "The drain is {state}; this needs a drain that is {wanted}."


class NodeBeingRecovered(Conflict):
    code = "node.being_recovered"
    title = "Evacuation in progress"
    detail = (
        "{count} guests of the node {node} are being evacuated to other nodes, which requires this node to stay "
        "fenced. Wait until its recovery ends, or cancel it, then try again."
    )


class NodeNotEmpty(Conflict):
    code = "node.not_empty"
    title = "Guests run there"
    detail = "{count} guests run on the node {node}, or are on their way there: {names}. Drain it first."


class GuestMissing(CloudError):
    """The last error of an instance. Tenants see it, so it names no node."""

    code = "compute.instance.guest_missing"
    title = "The guest is missing"
    detail = (
        "The guest disappeared from its node; its disk is still there. Start the instance to create the guest again."
    )


class DataMissing(CloudError):
    code = "storage.volume.data_missing"
    title = "The data is missing"
    detail = "The data disappeared from its storage. The operators were notified, and no replacement is created."


class PortMissing(CloudError):
    code = "compute.instance.port_missing"
    title = "A network card is missing"
    detail = "A network card of the instance is no longer connected on its node. The operators were notified."


class VolumeMoveUnderGuest(Conflict):
    code = "compute.volume.move_under_guest"
    title = "Instance not stopped"
    detail = (
        "The instance {instance!r} has the volume and is {state}. A type in another place moves the data, so stop the "
        "instance first: andromede instance shutdown {instance}. Start it again when the volume has moved."
    )


class VolumeNotRelocatable(Conflict):
    code = "compute.volume.not_relocatable"
    title = "Cannot be relocated"
    detail = "The volume cannot be relocated to another zone: {reason}"


class RevertUnderGuest(Conflict):
    code = "compute.volume.guest_not_off"
    title = "Instance not stopped"
    detail = (
        "The instance {instance!r} has the volume and is {state}. A revert changes the disk, so stop the instance "
        "first: andromede instance shutdown {instance}. Start it again when the revert has ended."
    )


class DisksWithoutSnapshots(Conflict):
    code = "compute.instance.disks_without_snapshots"
    title = "No snapshots of some disks"
    detail = (
        "No snapshots can be taken of these disks of the instance: {disks}. Leave them out: name the others in "
        "`volumes`. Those that can have snapshots: {others}."
    )


class VolumeNotOfInstance(Unprocessable):
    code = "compute.instance.volume_not_attached"
    title = "Not attached"
    detail = "The volume {volume!r} is not a disk of the instance. Name volumes that are attached to it."


class SnapshotWithoutGuest(Conflict):
    code = "compute.snapshot.no_guest"
    title = "Not attached"
    detail = (
        "The volume {volume!r} is attached to no instance whose file systems could be frozen. Take the snapshot with "
        "the consistency crash."
    )


class GuestAgentNotConnected(Conflict):
    code = "compute.guest_agent.not_connected"
    title = "No guest agent"
    detail = (
        "The guest agent of the instance {instance!r} is not connected, so the file systems cannot be frozen. Install "
        "qemu-guest-agent in the guest and start it, or take the snapshot with the consistency crash."
    )


class GuestNotShutDown(Conflict):
    code = "compute.snapshot.not_shut_down"
    title = "Not shut down"
    detail = (
        "The guest of the instance {instance!r} is off and did not shut down: its file systems may be as after a power "
        "cut. Start it and shut it down, or take the snapshot with the consistency crash."
    )


class GuestNotPausable(Conflict):
    code = "compute.snapshot.not_pausable"
    title = "Node's software too old"
    detail = (
        "The agent of the instance's node is too old to pause the guest while snapshots of several disks are taken. "
        "Take the snapshot with the consistency filesystem or of one disk, or ask an operator to upgrade the node."
    )


class GuestNotFrozen(Conflict):
    """The operation's error: nothing was recorded as consistent."""

    code = "compute.snapshot.guest_not_frozen"
    title = "Guest not frozen"
    detail = (
        "The guest was not frozen, so no snapshot was taken: {reason} Correct that and try again, or take the snapshot "
        "with the consistency crash."
    )


class FreezeEnded(Unavailable):
    """The attempt is repeated: its snapshots are removed."""

    code = "compute.snapshot.freeze_ended"
    title = "Freeze ended early"
    detail = "The guest was no longer frozen when the last snapshot had been taken. The snapshots are taken again."


class FreezeTooShort(Conflict):
    code = "compute.snapshot.freeze_too_short"
    title = "Freeze too short"
    detail = (
        "After {attempts} attempts the guest still was not frozen until the last snapshot was taken, so none was kept. "
        "Take snapshots of fewer disks, or try again when the storage cluster is less busy."
    )
