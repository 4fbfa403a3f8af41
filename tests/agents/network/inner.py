"""Runs in the namespaces of a throw-away node: makes its outside world, then calls a LinuxSwitch on request.

The fork server of multiprocessing imports this once, since the import costs more than most tests of a node.
"""

import ctypes
import os
import subprocess
import sys
from contextlib import suppress
from functools import cache
from ipaddress import IPv4Address
from multiprocessing.connection import Connection
from operator import attrgetter

from agents.node.adapters.interfaces import RuleGuard
from agents.node.adapters.network import LinuxSwitch, UplinkPolicy
from agents.node.adapters.network.metadata import MetadataService
from agents.node.adapters.network.namespaces import CLONE_NEWNET, LIBC
from agents.node.adapters.network_specs import PortSpec
from agents.node.errors import AgentError

CLONE_NEWNS, CLONE_NEWPID = 0x20000, 0x20000000
TIMEOUT_S = 4.0  # above the 3 s after which the kernel gives up ARP

# The node's uplink u0 leads to a neighbour, which is also the router to a host beyond.
OUTSIDE_WORLD = """
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mount -t sysfs sysfs /sys
ip link set lo up
ip netns add outside
ip link add u0 type veth peer name u0 netns outside
ip addr add 198.51.100.1/24 dev u0
ip link set u0 up
ip route add default via 198.51.100.2
ip -n outside link set lo up
ip -n outside addr add 198.51.100.2/24 dev u0
ip -n outside addr add 203.0.113.9/32 dev lo
ip -n outside addr add 169.254.169.254/32 dev lo
ip -n outside link set u0 up
ip -n outside route add 10.0.0.0/8 via 198.51.100.1
ip -n outside route add 100.64.0.0/10 via 198.51.100.1
"""


def hold(channel: Connection) -> None:
    """Serve the channel in new namespaces until its other end is closed, or their first process is killed."""
    if LIBC.unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID) != 0:  # before Python 3.12 os has no unshare
        raise OSError(ctypes.get_errno(), "unshare")
    if (first := os.fork()) != 0:
        os.waitpid(first, 0)
    elif (server := os.fork()) != 0:  # the first process reaps all others
        with suppress(ChildProcessError):
            while os.wait()[0] != server:
                pass
        sys.exit()
    else:
        _serve(channel)


def _serve(channel: Connection) -> None:
    for line in OUTSIDE_WORLD.strip().splitlines():
        subprocess.run(line.split(), check=True)
    os.umask(0o077)  # as the unit of the agent has it
    switch = LinuxSwitch()
    guards: list[RuleGuard] = []
    channel.send(None)
    while True:
        try:
            options, method, arguments = channel.recv()
        except EOFError:
            return
        if options is not None:
            while guards:
                guards.pop().stop()
            switch = LinuxSwitch(UplinkPolicy(**options))
        if method == "exchange":
            channel.send((None, _exchange(switch, *arguments)))
            continue
        if method == "serve_metadata":
            switch, method = LinuxSwitch(metadata=metadata()), "problems"
        if method == "guard":
            guards.append(switch.guard())
            channel.send((None, None))
            continue
        try:
            channel.send((None, attrgetter(method)(metadata() if method == "publish" else switch)(*arguments)))
        except AgentError as exc:
            channel.send((f"{type(exc).__name__}: {exc}", None))


@cache
def metadata() -> MetadataService:
    return MetadataService()


def _exchange(switch: LinuxSwitch, port: PortSpec, address: IPv4Address, tcp_port: int, line: bytes) -> bytes | str:
    """Connect to a guest, send it a line and return its answer; or the name or text of the error."""
    try:
        channel = switch.connect_tcp(port, address, tcp_port, timeout_s=TIMEOUT_S)
    except (ConnectionRefusedError, TimeoutError) as exc:
        return type(exc).__name__
    except AgentError as exc:
        return exc.message
    channel.write(line)
    answer = channel.read(TIMEOUT_S)
    channel.release()
    return answer
