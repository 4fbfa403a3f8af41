"""Guest agents under libvirt: whether they are connected, and freezing of file systems by them.

The guest decides about every byte that comes from its agent. libvirt limits an answer to 10 MiB, reads it as JSON and
takes a number; here every wait has a limit, and a text is cut and escaped. An agent that does not answer delays other
commands to it alone: libvirt has a job of its own for them. Each call has a connection of its own, since libvirtd runs
five calls of a connection at a time.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import libvirt

from agents.node import domain_xml
from agents.node.adapters.interfaces import GuestAgent
from agents.node.adapters.libvirt_connection import TRANSPORT, own_connection
from agents.node.errors import (
    AgentError,
    GuestAgentMissing,
    GuestAgentRefused,
    GuestAgentSilent,
    GuestNotRunning,
    HypervisorUnavailable,
)

SILENT = frozenset(
    {libvirt.VIR_ERR_AGENT_UNRESPONSIVE, libvirt.VIR_ERR_AGENT_COMMAND_TIMEOUT, libvirt.VIR_ERR_AGENT_UNSYNCED}
)
NOT_RUNNING = frozenset({libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_DOMAIN})
STATES = {
    libvirt.VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED: GuestAgent.CONNECTED,
    libvirt.VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_DISCONNECTED: GuestAgent.DISCONNECTED,
}


class GuestAgents:
    """The guest agents of a node's guests. Their states are cached, since heartbeats ask for all every few seconds."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._states: dict[UUID, GuestAgent] = {}

    def register(self, connection: Any) -> None:
        """Follow the changes by a new connection; the old one may have missed some.

        Changes are not published: a guest can make any number of them.
        """
        event = libvirt.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE
        connection.domainEventRegisterAny(None, event, self._on_change, None)
        self._states.clear()

    def state(self, guest_id: UUID, definition: Callable[[], str]) -> GuestAgent:
        """Return the state of a running guest's agent. `definition` returns the guest's XML."""
        known = self._states.get(guest_id)
        return known if known is not None else self._states.setdefault(guest_id, domain_xml.guest_agent(definition()))

    def forget(self, guest_id: UUID) -> None:
        self._states.pop(guest_id, None)

    def freeze(self, guest_id: UUID, *, answer_s: int) -> int:
        return self._command(guest_id, lambda domain: domain.fsFreeze(), answer_s=answer_s)

    def thaw(self, guest_id: UUID, *, answer_s: int) -> int:
        return self._command(guest_id, lambda domain: domain.fsThaw(), answer_s=answer_s)

    def _command(self, guest_id: UUID, command: Callable[[Any], int], *, answer_s: int) -> int:
        with own_connection(self._uri) as connection:
            try:
                domain = connection.lookupByUUID(guest_id.bytes)
                if domain.state()[0] != libvirt.VIR_DOMAIN_RUNNING:
                    raise GuestNotRunning(guest_id)
                if domain_xml.guest_agent(domain.XMLDesc()) is not GuestAgent.CONNECTED:
                    raise GuestAgentMissing(guest_id)
                domain.agentSetResponseTimeout(answer_s)
                return command(domain)
            except libvirt.libvirtError as exc:
                raise _translated(guest_id, exc) from exc

    def _on_change(self, _connection: Any, domain: Any, state: int, _reason: int, _opaque: object) -> None:
        self._states[UUID(bytes=domain.UUID())] = STATES.get(state, GuestAgent.UNKNOWN)


def suspend(guest_id: UUID, domain: Any) -> None:
    """Pause the running guest. Raises GuestNotRunning; `domain` None: the guest is not defined."""
    if domain is None or domain.state()[0] != libvirt.VIR_DOMAIN_RUNNING:
        raise GuestNotRunning(guest_id)
    domain.suspend()


def _translated(guest_id: UUID, error: Any) -> AgentError:
    code = error.get_error_code()
    if code in NOT_RUNNING:
        return GuestNotRunning(guest_id)
    if code in SILENT:
        return GuestAgentSilent(guest_id)
    if error.get_error_domain() in TRANSPORT:
        return HypervisorUnavailable("The connection to libvirtd was lost during a command to a guest agent.")
    return GuestAgentRefused(guest_id, error.get_error_message() or "")
