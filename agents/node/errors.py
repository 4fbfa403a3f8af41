"""Every error an agent answers with. `code` is part of the protocol: never renamed, never reused.

AgentError
├── BadRequest            the message itself is wrong
├── Forbidden             UnknownPeer, TrustRefused, PortNotListed, PermitRefused (its code names the reason)
├── NotFound
├── Conflict              StaleGeneration, GenerationReused, VolumeWouldShrink, VolumeInUse, PortInUse,
│                         ImageInUse, ImageRefused, TrustOlder, GuestNotRunning, NoConsole,
│                         TcpRefused, TcpTimedOut, TcpReset,
│                         GuestMigrated, GuestNotArrived, GuestArrived, GuestForeign, NotMigratable, NotQuarantined,
│                         NoFreeSlot, GuestAgentMissing, GuestAgentSilent, GuestAgentRefused,
│                         DetachPending, GuestMigrating, GuestFrozen, VolumeCopyHeld (retryable)
├── Exhausted             more watchers, viewers or copies than the agent serves, or one that is too slow (retryable)
└── AdapterError          the node's hypervisor, disks or network failed
    ├── MigrationCancelled
    ├── DiskLocked           (retryable)
    └── VolumeKeyMissing, LeaseExpired, HypervisorUnavailable, AgentStopping (retryable)
"""

from uuid import UUID

GUEST_TEXT_CHARS = 200


def bounded(text: str) -> str:
    """Return the start of a text that a guest has chosen, in printable ASCII."""
    return ascii(text[:GUEST_TEXT_CHARS])[:GUEST_TEXT_CHARS]


class AgentError(Exception):
    """Base of all agent errors. `retryable`: the same call may succeed later without a repair."""

    code = "agent.internal"
    retryable = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadRequest(AgentError):
    code = "agent.bad_request"

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


class Forbidden(AgentError):
    code = "agent.forbidden"


class UnknownPeer(Forbidden):
    code = "agent.unknown_peer"


class PermitRefused(Forbidden):
    """A permit was refused.

    `code` is agent.permit. and the reason's code in lower case; docs/reference/permits.md lists the codes.
    """

    code = "agent.permit"
    REPAIRABLE = frozenset({"EXPIRED", "REVOKED_BY_EPOCH", "STALE_FACTS"})  # by a fresh permit, or newer facts

    def __init__(self, reason_code: str, reason: str) -> None:
        super().__init__(f"The permit was refused ({reason_code}): {reason}.")
        self.reason_code = reason_code
        self.code = f"agent.permit.{reason_code.lower()}"
        self.retryable = reason_code in self.REPAIRABLE


class TrustRefused(Forbidden):
    """A trust document is not genuine, or not for this node."""

    code = "agent.trust_refused"


class PortNotListed(Forbidden):
    """The newest signed list of the network does not have the port on this node, or not with this MAC and addresses."""

    code = "agent.port_not_listed"

    def __init__(self, port_id: UUID, difference: str) -> None:
        super().__init__(f"Port {port_id} differs from the signed list of its network: {difference}.")


class NotFound(AgentError):
    code = "agent.not_found"

    def __init__(self, kind: str, resource_id: UUID | str) -> None:
        super().__init__(f"There is no {kind} {resource_id} on this node.")


class Conflict(AgentError):
    code = "agent.conflict"


class StaleGeneration(Conflict):
    code = "agent.stale_generation"

    def __init__(self, kind: str, resource_id: UUID | str, *, given: int, seen: int) -> None:
        super().__init__(f"Generation {given} of {kind} {resource_id} is stale: this node has generation {seen}.")


class GenerationReused(Conflict):
    code = "agent.generation_reused"

    def __init__(self, kind: str, resource_id: UUID | str, *, generation: int) -> None:
        super().__init__(
            f"Generation {generation} of {kind} {resource_id} was already accepted with different content."
        )


class VolumeWouldShrink(Conflict):
    code = "agent.volume_would_shrink"


class VolumeInUse(Conflict):
    code = "agent.volume_in_use"


class VolumeNotOpen(Conflict):
    code = "agent.volume_not_open"

    def __init__(self, volume_id: UUID) -> None:
        super().__init__(f"No guest of this node runs with volume {volume_id}: it cannot be copied online.")


class VolumeCopyHeld(Conflict):
    """A copy of the volume has not been ended yet: its removal, which names the place to erase, has to come first."""

    code = "agent.volume_copy_held"
    retryable = True

    def __init__(self, volume_id: UUID) -> None:
        super().__init__(f"The copy of volume {volume_id} has not been ended yet.")


class PortInUse(Conflict):
    code = "agent.port_in_use"


class ImageInUse(Conflict):
    code = "agent.image_in_use"


class ImageRefused(Conflict):
    """The image differs from its announced digest or size, or is of a kind that only the inspector may open."""

    code = "agent.image_refused"


class TrustOlder(Conflict):
    """The node has a newer document of that kind; versions only grow."""

    code = "agent.trust_older"

    def __init__(self, kind: str) -> None:
        super().__init__(f"This node already trusts a newer {kind}.")


class DetachPending(Conflict):
    """The guest has not released the device yet; repeating the call later finishes the work."""

    code = "agent.detach_pending"
    retryable = True


class GuestNotRunning(Conflict):
    code = "agent.guest_not_running"

    def __init__(self, guest_id: UUID) -> None:
        super().__init__(f"Guest {guest_id} is not running.")


class NoConsole(Conflict):
    code = "agent.no_console"

    def __init__(self, guest_id: UUID, kind: str) -> None:
        super().__init__(f"Guest {guest_id} was started without a {kind} console. Stop and start it to add one.")


class TcpRefused(Conflict):
    code = "agent.tcp_refused"

    def __init__(self, guest_id: UUID, tcp_port: int) -> None:
        super().__init__(f"Guest {guest_id} accepts no connection at TCP port {tcp_port}.")


class TcpTimedOut(Conflict):
    code = "agent.tcp_timeout"

    def __init__(self, guest_id: UUID, tcp_port: int) -> None:
        super().__init__(f"Guest {guest_id} does not answer at TCP port {tcp_port}.")


class TcpReset(Conflict):
    code = "agent.tcp_reset"

    def __init__(self, guest_id: UUID) -> None:
        super().__init__(f"Guest {guest_id} aborted the connection.")


class NotQuarantined(Conflict):
    """An orphan is only destroyed while it is in quarantine."""

    code = "agent.not_quarantined"

    def __init__(self, orphan_id: UUID) -> None:
        super().__init__(f"The orphan {orphan_id} is not in quarantine on this node.")


class GuestMigrating(Conflict):
    """A guest in migration cannot be changed."""

    code = "agent.guest_moving"
    retryable = True

    def __init__(self, guest_id: UUID) -> None:
        super().__init__(f"Guest {guest_id} is migrating to another node.")


class GuestMigrated(Conflict):
    code = "agent.guest_moved"

    def __init__(self, guest_id: UUID) -> None:
        super().__init__(f"Guest {guest_id} migrated to another node; on this node it can only be removed.")


class GuestNotArrived(Conflict):
    code = "agent.guest_not_arrived"

    def __init__(self, guest_id: UUID) -> None:
        super().__init__(f"The incoming migration of guest {guest_id} has not ended.")


class GuestArrived(Conflict):
    code = "agent.guest_arrived"

    def __init__(self, guest_id: UUID) -> None:
        super().__init__(f"The incoming migration of guest {guest_id} has ended, and this node runs it.")


class GuestForeign(Conflict):
    """A guest that arrived from another node is not as this node's agent would define it: it is not taken over."""

    code = "agent.guest_foreign"

    def __init__(self, guest_id: UUID, difference: str) -> None:
        super().__init__(f"Guest {guest_id} differs from the definition of this node's agent: {difference}.")


class NoFreeSlot(Conflict):
    """The running guest has no free slot for another device; slots are part of its definition."""

    code = "agent.no_free_slot"

    def __init__(self, guest_id: UUID) -> None:
        super().__init__(
            f"All slots of guest {guest_id} for disks and network cards are in use. Detach a device, or stop the guest "
            "and start it: a guest that was started by an earlier agent has fewer slots."
        )


class GuestAgentMissing(Conflict):
    code = "agent.guest_agent_missing"

    def __init__(self, guest_id: UUID) -> None:
        super().__init__(
            f"No guest agent is connected in guest {guest_id}. Install qemu-guest-agent in the guest and start it."
        )


class GuestAgentSilent(Conflict):
    code = "agent.guest_agent_silent"

    def __init__(self, guest_id: UUID) -> None:
        super().__init__(
            f"The guest agent of guest {guest_id} does not answer in time. Restart qemu-guest-agent in the guest."
        )


class GuestAgentRefused(Conflict):
    """The guest agent answered with an error, or with something that is no answer.

    The guest chooses the text `answer`: only its start is kept, in printable ASCII.
    """

    code = "agent.guest_agent_refused"

    def __init__(self, guest_id: UUID, answer: str) -> None:
        super().__init__(f"The guest agent of guest {guest_id} answers with an error: {bounded(answer)}")


class GuestPivoting(Conflict):
    """A disk of the guest changes its place. That ends within seconds, unless a storage cluster does not answer."""

    code = "agent.guest_pivoting"
    retryable = True

    def __init__(self, guest_id: UUID) -> None:
        super().__init__(f"A disk of guest {guest_id} is being moved to its new place. Try again in a moment.")


class GuestFrozen(Conflict):
    """The guest's file systems are frozen. That ends within seconds."""

    code = "agent.guest_frozen"
    retryable = True

    def __init__(self, guest_id: UUID) -> None:
        super().__init__(f"The file systems of guest {guest_id} are frozen. Thaw them, or try again in ten seconds.")


class NotMigratable(Conflict):
    """The guest has a part that cannot move while the guest runs."""

    code = "agent.not_movable"


class Exhausted(AgentError):
    code = "agent.exhausted"
    retryable = True


class AdapterError(AgentError):
    """The node failed to carry out the call. `retryable` separates a temporary failure from a lasting one."""

    code = "agent.adapter_failed"

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


class MigrationCancelled(AdapterError):
    """The migration was cancelled by a call; the guest goes on where it was."""

    code = "agent.move_cancelled"

    def __init__(self) -> None:
        super().__init__("The migration was cancelled.", retryable=False)


class DiskLocked(AdapterError):
    """A guest was not started, since a lock says that another guest has one of its disks open.

    When a node dies, its locks end some time later.
    """

    code = "agent.disk_held"

    def __init__(self, guest_id: UUID, cause: object) -> None:
        super().__init__(
            f"A disk of guest {guest_id} is open already, most likely on another node where the guest runs; it was not "
            f"started a second time. Find where the guest runs before you act. ({cause})",
            retryable=True,
        )


class VolumeKeyMissing(AdapterError):
    """A volume of a storage agent cannot be opened: its key was lost with the node's memory, or never came."""

    code = "agent.volume_key_missing"

    def __init__(self, volume_id: UUID) -> None:
        super().__init__(
            f"This node has no key for volume {volume_id}, as after a boot. Open the volume for the node again.",
            retryable=True,
        )


class LeaseExpired(AdapterError):
    """The node lease has ended and guests are stopped; nothing starts until the lease is renewed."""

    code = "agent.lease_lapsed"

    def __init__(self) -> None:
        super().__init__("The node lease has expired: no guest starts here until it is renewed.", retryable=True)


class AgentStopping(AdapterError):
    """The agent is stopping; guests go on, and the next agent answers calls again."""

    code = "agent.stopping"

    def __init__(self) -> None:
        super().__init__("The agent is stopping.", retryable=True)


class HypervisorUnavailable(AdapterError):
    """libvirtd does not answer; the agent keeps trying to reconnect."""

    code = "agent.hypervisor_unavailable"

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=True)
