"""Ends of sessions with guests: a close code of the websocket, and a text."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from controlplane.api.problems import status_of
from controlplane.compute.errors import (
    ConsoleMissing,
    ConsoleNotRunning,
    ConsolesExhausted,
    TunnelRefused,
    TunnelReset,
    TunnelsExhausted,
    TunnelTimedOut,
)
from controlplane.compute.guest_sessions import GuestSession
from controlplane.kernel.error_messages import describe
from controlplane.kernel.errors import CloudError
from controlplane.nodes.errors import NodeFailed, NodeRefused

REASON_MAX_BYTES = 123  # of a close frame (RFC 6455)
NORMAL, PROTOCOL, TOO_BIG, INTERNAL, RESTART, TRY_LATER = 1000, 1002, 1009, 1011, 1012, 1013
TIMED_OUT = 4408
OF_AGENTS: dict[str, type[CloudError]] = {
    "agent.guest_not_running": ConsoleNotRunning,
    "agent.not_found": ConsoleNotRunning,
    "agent.no_console": ConsoleMissing,
    "agent.exhausted": ConsolesExhausted,
    "agent.tcp_refused": TunnelRefused,
    "agent.tcp_timeout": TunnelTimedOut,
    "agent.tcp_reset": TunnelReset,
}


@dataclass(frozen=True)
class End:
    """End of a session: a close code of RFC 6455 or of this API, and a text."""

    code: int
    reason: str = ""

    @property
    def short_reason(self) -> str:
        """Return as much of the text as a close frame has room for."""
        return self.reason.encode()[:REASON_MAX_BYTES].decode(errors="ignore")


class Ended(Exception):
    def __init__(self, end: End) -> None:
        self.end = end


def end_of(error: CloudError, session: GuestSession | None = None) -> End:
    """Return the end of a session for an error, with the status of the API. `session`: None before there is one."""
    if isinstance(error, NodeRefused | NodeFailed):
        agent_code = str(error.facts.get("agent_code"))  # absent when the status is gRPC's own
        if agent_code == "agent.stopping":
            return End(RESTART, _("The node's agent is restarting. Connect again."))
        if agent_code == "agent.guest_moving":
            return End(RESTART, _("The instance is migrating to another node. Connect again."))
        error = _of_agent(agent_code, session) or error
    status = status_of(type(error))
    code = {500: INTERNAL, 503: TRY_LATER}.get(status, 4000 + status)
    return End(code, str(describe(type(error), error.facts)["detail"]))


def _of_agent(agent_code: str, session: GuestSession | None) -> CloudError | None:
    session_end = OF_AGENTS.get(agent_code)
    if session_end is None:
        return None
    if session_end is ConsolesExhausted and session is not None and session.is_tunnel:
        return TunnelsExhausted()
    return session_end(tcp_port=session.tcp_port if session is not None else 0)
