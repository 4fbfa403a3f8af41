"""The context of every service: identity of the node, state store, permits and adapters."""

from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from agents.node.adapters.interfaces import Adapters
from agents.node.departed_addresses import DepartedAddresses
from agents.node.guest_users import GuestUsers
from agents.node.hook.state import HookState, InstalledHook
from agents.node.lease import Lease
from agents.node.locks import ResourceLocks
from agents.node.state_store import StateStore
from agents.node.trust.permits import Permits


@dataclass(frozen=True, slots=True)
class Identity:
    """Identity of the node, read from its own certificate, so that no other source can set it."""

    node_id: UUID
    zone: str


@dataclass(slots=True)
class Verdict:
    """Result of the self-test.

    `problem`: the reason why the node cannot run guests, for an operator; empty while the test runs.
    """

    has_passed: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    identity: Identity
    boot_id: str
    state_store: StateStore
    adapters: Adapters
    permits: Permits
    lease: Lease
    hook: InstalledHook | None = None
    """None on a node without libvirt, where no other program can start a guest."""
    inventory_interval_s: float = 300.0
    """Interval at which a watcher receives the signed inventory."""
    needs_confinement: bool = False
    """True if the node may run guests only when libvirt confines them by a kernel module."""
    self_test: Verdict = field(default_factory=lambda: Verdict(has_passed=True))
    guest_users: GuestUsers = field(default_factory=GuestUsers)
    locks: ResourceLocks = field(default_factory=ResourceLocks)
    departed_addresses: DepartedAddresses = field(default_factory=DepartedAddresses)
    unapplied: set[UUID] = field(default_factory=set)
    """Networks of which a stored list is not applied: it is being applied, or that has failed."""
    unreadable: set[tuple[str, str]] = field(default_factory=set)
    """Kinds and ids of stored documents that this agent cannot read: a newer one has stored them."""

    @property
    def hook_state(self) -> HookState:
        return self.hook.state() if self.hook is not None else HookState("", is_active=True, problem="")


def boot_id() -> str:
    """Return the kernel's boot id, which changes with each boot of the node."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
