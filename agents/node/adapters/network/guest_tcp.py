"""TCP connections from the router of a network to its guests.

A socket belongs to the network namespace that its thread was in when it made it. It is bound to the router's device in
the network, so that no route leads it elsewhere.
"""

import errno
import socket
from ipaddress import IPv4Address
from uuid import UUID

from agents.node.adapters.channel import Channel
from agents.node.adapters.network import namespaces
from agents.node.adapters.network.layout import namespace_name
from agents.node.adapters.network.router import LAN
from agents.node.errors import AdapterError

SILENT = (errno.EHOSTUNREACH, errno.ENETUNREACH)  # nobody answers ARP


def connect(network_id: UUID, address: IPv4Address, tcp_port: int, *, timeout_s: float) -> Channel:
    """Connect to a guest of the network on this node.

    Raises:
        ConnectionRefusedError, TimeoutError
        AdapterError: the node has no router of that network, or the router cannot send.
    """
    try:
        connection = namespaces.inside(namespace_name(network_id), _bound_socket)
    except OSError as exc:
        raise AdapterError(f"The router of network {network_id} cannot be used: {exc}", retryable=True) from exc
    try:
        connection.settimeout(timeout_s)
        connection.connect((str(address), tcp_port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except (ConnectionRefusedError, TimeoutError):
        connection.close()
        raise
    except OSError as exc:
        connection.close()
        if exc.errno in SILENT:
            raise TimeoutError from exc
        raise AdapterError(f"The router of network {network_id} cannot connect: {exc}", retryable=True) from exc
    return Channel(connection)


def _bound_socket() -> socket.socket:
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, LAN.encode())
    except OSError:
        connection.close()
        raise
    return connection
