"""Check that a Ceph monitor answers, before QEMU asks: QEMU waits 300 s for a silent cluster, and libvirt for QEMU."""

import socket
from collections.abc import Iterable

from agents.node.errors import AdapterError

LIMIT_S = 2.0  # for each monitor
GREETING = b"ceph v"  # both versions of the protocol begin so


def check(monitors: Iterable[str], *, limit_s: float = LIMIT_S) -> None:
    """Return as soon as one of the monitors (HOST:PORT) greets. A process that is stopped accepts, and does not greet.

    Raises:
        AdapterError: none does.
    """
    problems = []
    for monitor in monitors:
        try:
            with socket.create_connection(address(monitor), timeout=limit_s) as connection:
                connection.settimeout(limit_s)
                if connection.recv(len(GREETING), socket.MSG_WAITALL) == GREETING:
                    return
            problems.append(f"{monitor}: no monitor's greeting")
        except OSError as exc:
            problems.append(f"{monitor}: {exc}")
    raise AdapterError(f"No monitor of the Ceph cluster answers ({'; '.join(problems)}).", retryable=True)


def address(monitor: str) -> tuple[str, int]:
    """Split HOST:PORT; an IPv6 address loses its brackets."""
    host, _, port = monitor.rpartition(":")
    return host.strip("[]"), int(port)
