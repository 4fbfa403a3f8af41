"""Ports of servers that tests start."""

import random
import socket
from contextlib import suppress

PORTS = range(21_000, 32_000)  # below net.ipv4.ip_local_port_range, of which the kernel gives ports to clients


def free_port() -> int:
    """Return a free port of 127.0.0.1, which no client takes before the server listens."""
    for port in random.sample(PORTS, len(PORTS)):
        with suppress(OSError), socket.socket() as tried:
            tried.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")
