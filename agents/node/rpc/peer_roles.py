"""Roles of callers, from their certificates."""

from collections.abc import Mapping, Sequence

from agents.node.errors import UnknownPeer

CONTROLPLANE = b"andromede://controlplane/"

# Calls of single processes of the control plane; a worker, which carries out changes, makes all others. Watching
# acknowledges receipts: a caller that commands the node must not make it forget what it did. The process that renews
# the lease must store its end first, since fencing relies on it. And input to a guest is not the task of a worker.
WORKER, WATCH, LIST_RECEIPTS, RENEW_LEASE = "worker", "Watch", "ListReceipts", "RenewLease"
OPEN_CONSOLE, OPEN_TCP = "OpenConsole", "OpenTcp"
NOT_FOR_WORKERS = frozenset({WATCH, LIST_RECEIPTS, RENEW_LEASE, OPEN_CONSOLE, OPEN_TCP})
READERS: Mapping[str, frozenset[str]] = {
    "watcher": frozenset({WATCH, LIST_RECEIPTS, RENEW_LEASE, "Describe", "EnsureTrust"}),
    "web": frozenset({"ReadConsole"}),
    "stream": frozenset({OPEN_CONSOLE, OPEN_TCP}),
}


def check_peer(auth_context: Mapping[str, Sequence[bytes]], method: str) -> str:
    """Return the name of the calling process. TLS has verified the chain; a URI in the certificate names the role.

    Raises:
        UnknownPeer: the certificate names no process of the control plane, or one that may not call this method.
    """
    for uri in auth_context.get("peer_uri", ()):
        if uri.startswith(CONTROLPLANE):
            process = uri.removeprefix(CONTROLPLANE).decode(errors="replace")
            if method in READERS.get(process, frozenset()) or (process == WORKER and method not in NOT_FOR_WORKERS):
                return process
            raise UnknownPeer(f"The process {process!r} of the control plane may not call {method}.")
    raise UnknownPeer("The caller's certificate does not name a process of the control plane.")
