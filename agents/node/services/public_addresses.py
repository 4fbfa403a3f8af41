"""Public addresses of ports and networks: which this node answers for.

The newest lists of ports decide. While a port has two nodes, because its guest is migrating, the guest's state decides:
the node answers on which it runs. A node that a guest has left sends packets on to the other one for SENT_ON_S seconds,
as long as the lists that it has name that node for the address.

The egress address of a network is on its gateway node alone, which the list names. The routers of all nodes know it, so
that none lets anything leave with the address of the node.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import Enum
from ipaddress import IPv4Address
from uuid import UUID

from agents.node.adapters.interfaces import Power
from agents.node.adapters.network_specs import Address, PortSpec, router_mac
from agents.node.adapters.public_addresses import Egress, LocalAddress, PublicAddresses
from agents.node.context import Node
from agents.node.departed_addresses import Home
from agents.node.services import networks, security_groups
from agents.node.services.guest_event_thread import GuestEventThread
from andromede_core.permits.network_ports import ListedPort
from andromede_core.permits.network_values import SEGMENT_MAC

POLL_INTERVAL_S = 5.0


class Place(Enum):
    HERE = "here"
    ARRIVING = "arriving"
    LEFT = "left"


def apply(node: Node) -> str:
    """Apply the public addresses after a change of lists, ports or guests; returns the problem, for an operator.

    Raises:
        AdapterError: they cannot be applied as a whole.
    """
    with node.locks.hold(("port-rules", "node")):
        return node.adapters.switch.ensure_public(expected(node))


def expected(node: Node) -> PublicAddresses:
    """Return the addresses by the stored lists. Of two lists that have an address, the newer one counts."""
    versions: dict[Address, int] = {}
    local: dict[Address, LocalAddress] = {}
    egress = _egress(node)
    for version, each in egress:
        if each.is_gateway:
            versions[each.address] = max(version, versions.get(each.address, 0))
    for version, held_address in _local(node):
        if version > versions.get(held_address.address, 0):
            versions[held_address.address], local[held_address.address] = version, held_address
    homes = {each.address: Home(str(each.port.network.id), str(each.port.id)) for each in local.values()}
    left = node.departed_addresses.record(homes)
    moved = {address: to for address, home in left.items() if (to := _new_place(node, address, home)) is not None}
    held = tuple(local[address] for address in sorted(local, key=str))
    return PublicAddresses(held, moved, tuple(_current(each, version, versions) for version, each in egress))


def _egress(node: Node) -> list[tuple[int, Egress]]:
    """Return the egress addresses of the networks here, each with the version of its list."""
    me = str(node.identity.node_id)
    here = {str(entry.spec.network.id) for entry in node.state_store.ports.held() if entry.is_wanted}
    candidates = []
    for network in sorted(here):
        newest = security_groups.kept_list(node, network)
        if newest is not None and newest.egress is not None:
            gateway = newest.egress.gateway
            gateway_mac = None if gateway is None else _segment_mac(gateway)
            candidates.append(
                (newest.version, Egress(newest.egress.address, UUID(network), _segment_mac(me), gateway_mac))
            )
    return candidates


def _segment_mac(node_id: str) -> str:
    """Return the MAC address of the node's routers on segments; the tail of its id (UUIDv7) is random."""
    return router_mac(SEGMENT_MAC, UUID(node_id).hex)


def _current(egress: Egress, version: int, versions: Mapping[Address, int]) -> Egress:
    """Return the egress address; without a gateway if a newer list has given the address to another port or network."""
    is_lost = egress.is_gateway and version < versions[egress.address]
    return replace(egress, gateway_mac=None) if is_lost else egress


def _local(node: Node) -> Iterator[tuple[int, LocalAddress]]:
    """Yield the addresses of ports here, each with the version of its list."""
    for port, listed in security_groups.listed_ports(node):
        if listed is None or not listed.public:
            continue
        place = _place(node, port, listed)
        if place is Place.LEFT:
            continue
        newest = security_groups.kept_list(node, str(port.network.id))
        for each in listed.public:
            if each.to is None or each.to in port.addresses:
                address = LocalAddress(each.address, port, each.to, is_arriving=place is Place.ARRIVING)
                yield 0 if newest is None else newest.version, address


def _place(node: Node, port: PortSpec, listed: ListedPort) -> Place:
    """Return where the guest of a port here is. Only while the port has two nodes it may be on the other one."""
    if len(listed.nodes) < 2:
        return Place.HERE
    for user in node.state_store.users_of("port", port.id, "instance"):
        return Place.LEFT if _power(node, user) in (None, Power.OFF, Power.CRASHED) else Place.HERE
    for user in node.state_store.users_of("port", port.id, "arrival"):
        return Place.HERE if _power(node, user) is Power.RUNNING else Place.ARRIVING
    has_been_here = any(node.departed_addresses.has_been_here(each.address) for each in listed.public)
    return Place.LEFT if has_been_here else Place.ARRIVING


def _power(node: Node, instance_id: UUID) -> Power | None:
    state = node.adapters.hypervisor.state(instance_id)
    return None if state is None else state.power


def _new_place(node: Node, address: Address, home: Home) -> IPv4Address | None:
    """Return the underlay address of the other node that has the address now; None: no such node is known here."""
    newest = security_groups.kept_list(node, home.network)
    listed = None if newest is None else newest.ports.get(home.port)
    segment = networks.kept_segment(node, home.network)
    if listed is None or segment is None or address not in {each.address for each in listed.public}:
        return None
    me = str(node.identity.node_id)
    return next((segment.members[other] for other in listed.nodes if other != me and other in segment.members), None)


class PublicAddressKeeper(GuestEventThread):
    """Applies the public addresses when a guest of a port with two nodes starts or stops, and when sending on ends."""

    def __init__(self, node: Node, *, poll_interval_s: float = POLL_INTERVAL_S) -> None:
        self._node = node
        self._is_any_migrating = False
        super().__init__("public-addresses", poll_interval_s=poll_interval_s)

    def check(self, guest_id: UUID | None) -> None:
        if guest_id is not None or self._is_any_migrating:
            self._is_any_migrating = _is_any_migrating(self._node)
        if self._node.departed_addresses.is_any or self._is_any_migrating:
            apply(self._node)


def _is_any_migrating(node: Node) -> bool:
    listed_ports = (listed for _, listed in security_groups.listed_ports(node) if listed is not None)
    return any(listed.public and len(listed.nodes) > 1 for listed in listed_ports)
