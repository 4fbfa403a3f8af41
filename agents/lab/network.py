"""Cables of a lab: a switch in its own network namespace, a cable to each node, and one to the machine.

Every function may be repeated; existing parts stay as they are.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path

from agents.lab.shell import LabError, run, succeeds

NETNS_FOLDER = Path("/run/netns")
NODE_DEVICE = "underlay0"
# Room for the 50 bytes of VXLAN around guests' frames of 1500 bytes.
UNDERLAY_MTU = "1600"
MACHINE_HOST = 1
FIRST_NODE_HOST = 11


@dataclass(frozen=True)
class Cabling:
    """Names and addresses of a lab's network; all derive from its id and its subnet."""

    lab_id: str
    subnet: ipaddress.IPv4Network

    @property
    def switch(self) -> str:
        return switch_name(self.lab_id)

    def namespace(self, node: str) -> str:
        return f"{self.switch}-{node}"

    def address(self, host: int) -> str:
        return str(self.subnet[host])

    def plug_machine(self) -> None:
        """Make the switch and give the machine an address on it."""
        _ensure_namespace(self.switch)
        if not _has_link(self.switch, "br0"):
            bridge = ["type", "bridge", "forward_delay", "0", "mcast_snooping", "0"]
            run(["ip", "-n", self.switch, "link", "add", "br0", *bridge])
        run(["ip", "-n", self.switch, "link", "set", "br0", "up"])
        if not succeeds(["ip", "link", "show", self.switch]):
            peer = ["type", "veth", "peer", "name", "machine", "netns", self.switch]
            run(["ip", "link", "add", self.switch, *peer])
        self._connect("machine")
        prefix = f"{self.address(MACHINE_HOST)}/{self.subnet.prefixlen}"
        run(["ip", "address", "replace", prefix, "dev", self.switch])
        run(["ip", "link", "set", self.switch, "mtu", UNDERLAY_MTU, "up"])

    def plug_node(self, node: str, *, host: int) -> None:
        """Make the node's network namespace, with a cable from the switch as its underlay."""
        namespace = self.namespace(node)
        _ensure_namespace(namespace)
        run(["ip", "-n", namespace, "link", "set", "lo", "up"])
        if not _has_link(namespace, NODE_DEVICE):
            # The same address after every power cut; otherwise peers would not find the node for a while.
            peer = [
                "type",
                "veth",
                "peer",
                "name",
                NODE_DEVICE,
                "address",
                _mac(self.address(host)),
                "netns",
                namespace,
            ]
            run(["ip", "-n", self.switch, "link", "add", _port(node), *peer])
        self._connect(_port(node))
        prefix = f"{self.address(host)}/{self.subnet.prefixlen}"
        run(["ip", "-n", namespace, "address", "replace", prefix, "dev", NODE_DEVICE])
        run(["ip", "-n", namespace, "link", "set", NODE_DEVICE, "mtu", UNDERLAY_MTU, "up"])

    def unplug_node(self, node: str) -> None:
        """Remove the node's network namespace with all that was configured in it, and its cable."""
        if _has_link(self.switch, _port(node)):
            run(["ip", "-n", self.switch, "link", "delete", _port(node)])
        _remove_namespace(NETNS_FOLDER / self.namespace(node))

    def set_cable(self, node: str, *, state: str) -> None:
        """Unplug (`state` "down") or plug in ("up") the node's cable; the node and its guests go on."""
        run(["ip", "-n", self.switch, "link", "set", _port(node), state])

    def _connect(self, port: str) -> None:
        run(["ip", "-n", self.switch, "link", "set", port, "mtu", UNDERLAY_MTU, "master", "br0"])
        run(["ip", "-n", self.switch, "link", "set", port, "up"])


def _mac(address: str) -> str:
    """Return a locally administered address that belongs to an IPv4 address."""
    return "02:00:" + ipaddress.IPv4Address(address).packed.hex(":")


def switch_name(lab_id: str) -> str:
    """Return the name of the switch's namespace, and of the machine's cable into it."""
    return f"lab-{lab_id}"


def existing(lab_id: str) -> list[str]:
    """Return the existing namespaces and cables of a lab."""
    switch = switch_name(lab_id)
    cable = [switch] if succeeds(["ip", "link", "show", switch]) else []
    return cable + [str(path) for path in _namespace_files(lab_id)]


def remove(lab_id: str) -> None:
    """Remove every existing namespace and cable of a lab."""
    switch = switch_name(lab_id)
    if succeeds(["ip", "link", "show", switch]):
        run(["ip", "link", "delete", switch])
    for path in _namespace_files(lab_id):
        _remove_namespace(path)


def free_subnet(lab_id: str) -> ipaddress.IPv4Network:
    """Return a /24 of 10.200.0.0/16 that no interface of the machine has; the search begins at a position from the
    id.
    """
    used = [
        ipaddress.ip_interface(f"{a['local']}/{a['prefixlen']}").network
        for link in json.loads(run(["ip", "-json", "-4", "address", "show"]))
        for a in link["addr_info"]
    ]
    candidates = list(ipaddress.ip_network("10.200.0.0/16").subnets(new_prefix=24))
    start = int(lab_id, 16)
    for i in range(len(candidates)):
        candidate = candidates[(start + i) % len(candidates)]
        if isinstance(candidate, ipaddress.IPv4Network) and not any(
            candidate.overlaps(u) for u in used if isinstance(u, ipaddress.IPv4Network)
        ):
            return candidate
    raise LabError("Every subnet of 10.200.0.0/16 is in use on this machine.")


def _namespace_files(lab_id: str) -> list[Path]:
    name = switch_name(lab_id)
    return [*NETNS_FOLDER.glob(name), *NETNS_FOLDER.glob(f"{name}-*")]


def _port(node: str) -> str:
    return f"p-{node}"


def _has_link(namespace: str, device: str) -> bool:
    return succeeds(["ip", "-n", namespace, "link", "show", device])


def _is_namespace(path: Path) -> bool:
    """Return whether the path is a namespace: a machine that stopped without warning may leave a plain file."""
    return path.exists() and path.stat().st_dev == Path("/proc/self/ns/net").stat().st_dev


def _ensure_namespace(name: str) -> None:
    path = NETNS_FOLDER / name
    if not _is_namespace(path):
        path.unlink(missing_ok=True)
        run(["ip", "netns", "add", name])


def _remove_namespace(path: Path) -> None:
    if _is_namespace(path):
        run(["ip", "netns", "delete", path.name])
    else:
        path.unlink(missing_ok=True)
