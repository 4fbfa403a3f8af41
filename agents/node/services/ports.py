"""Ports: the node's part of a tenant network, ready before the guest that uses it starts."""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_network
from uuid import UUID

from agents.node.adapters.network_specs import PortSpec
from agents.node.context import Node
from agents.node.errors import Conflict, PortInUse
from agents.node.services import names, networks, public_addresses, security_groups
from agents.node.services.networks import VerifiedSegment
from agents.node.services.security_groups import RulesStatus, VerifiedRules
from agents.node.specs import Subject
from andromede_core.permits.network_ports import AllowedAddress


def ensure(
    node: Node,
    subject: Subject,
    port: PortSpec,
    verified: VerifiedSegment | None = None,
    rules: VerifiedRules | None = None,
) -> None:
    """Create or update the port. `verified`, `rules`: documents of its network, if the caller has new ones.

    Its rules are in place before the hypervisor makes its tap.
    """
    with node.locks.hold(("port", port.id), ("network", port.network.id)):
        with node.state_store.transaction():
            before = node.state_store.ports.accept(subject, port, uses=[("network", port.network.id)])
            if before is not None and before.is_held and before.spec.network.id != port.network.id:
                raise Conflict(f"Port {port.id} stays on network {before.spec.network.id}.")
            network = security_groups.with_listed_subnets(node, port.network)
            node.state_store.networks.record(str(port.network.id), network)
        if verified is not None:
            networks.record_segment(node, verified)
        security_groups.apply(node, rules)
        port = current(node, port)
        node.adapters.switch.ensure_port(port, _others(node, port))
        networks.connect(node, port.network)
        public_addresses.apply(node)
        names.ensure(node, port.network)
        node.state_store.ports.confirm(port.id)


def remove(node: Node, subject: Subject) -> bool:
    """Remove the port; False when it did not exist. Refused while an instance uses it as a network card."""
    with node.locks.hold(("port", subject.id)):
        with node.state_store.transaction():
            before = node.state_store.ports.begin_removal(subject)
            users = _users_of(node, subject.id)
            if users:
                raise PortInUse(f"Port {subject.id} is attached to instance {users[0]}.")
        if before is None or not before.is_held:
            return False
        with node.locks.hold(("network", before.spec.network.id)):
            port = current(node, before.spec)
            others = _others(node, port)
            node.adapters.switch.remove_port(port, others)
            security_groups.apply(node)
            public_addresses.apply(node)
            with node.state_store.transaction():
                node.state_store.ports.finish_removal(port.id)
                if not others:
                    node.state_store.networks.forget(port.network.id)
        return True


def restore(node: Node) -> None:
    """Restore all networks and ports after a start of the agent or of the node."""
    ports = [current(node, entry.spec) for entry in node.state_store.ports.held() if entry.is_wanted]
    filters = security_groups.expected_filters(node)
    public = public_addresses.expected(node)
    node.adapters.switch.restore(ports, networks.expected_segments(node), filters, public)
    for network in {port.network.id: port.network for port in ports}.values():
        names.ensure(node, network)


def ensure_rules(node: Node, verified: VerifiedRules) -> RulesStatus:
    """Store the documents that ports here need, and apply them."""
    network_ids = {UUID(port_list.network) for port_list, _ in verified.lists}
    unapplied = network_ids & node.unapplied
    before = {network_id: _present(node, network_id) for network_id in network_ids - unapplied}
    node.unapplied.update(network_ids)
    status = security_groups.ensure(node, verified)
    problem = public_addresses.apply(node)
    for network_id in network_ids:
        _update_network(node, network_id, before.get(network_id))
        node.unapplied.discard(network_id)
    return replace(status, problem=" ".join(filter(None, (status.problem, problem))))


def _update_network(node: Node, network_id: UUID, before: Sequence[PortSpec] | None) -> None:
    """Apply what a newer list says of the network's ports and subnets.

    `before`: the ports as they were applied; None: that is not known, since an earlier attempt failed.
    """
    with node.locks.hold(("network", network_id)):
        present = _present(node, network_id)
        if present and present != before:
            node.adapters.switch.ensure_port(present[0], present[1:])
        known = node.state_store.networks.get(network_id)
        if known is not None:
            names.ensure(node, known.spec)


def _present(node: Node, network_id: UUID) -> list[PortSpec]:
    """Return the ports of the network that are here and stay."""
    entries = node.state_store.ports.using("network", network_id)
    return [current(node, entry.spec) for entry in entries if entry.is_wanted]


def current(node: Node, port: PortSpec) -> PortSpec:
    """Return the port with its network as it was sent or listed last, with whichever port that was.

    Its network's list says which addresses it has, and which it may use beside these: allowed ones, and public ones
    that the guest has itself; and its limits.
    """
    known, listed = node.state_store.networks.get(port.network.id), security_groups.listed_port(node, port)
    network = port.network if known is None else known.spec
    is_mine = listed is not None and str(node.identity.node_id) in listed.nodes
    port = security_groups.as_listed(port, network, listed if is_mine else None)
    if listed is None:
        return port
    routed = [each.address for each in listed.public if each.to is None] if is_mine else []
    allowed = (*listed.allowed, *(AllowedAddress(ip_network(address)) for address in routed))
    return replace(port, allowed=allowed, bandwidth=listed.bandwidth)


def check_free(node: Node, port_id: UUID, *, but_for: UUID) -> PortSpec:
    """Return the port, which exists here and is used by no instance except `but_for`."""
    port = node.state_store.ports.require(port_id).spec
    for user in _users_of(node, port_id):
        if user != but_for:
            raise PortInUse(f"Port {port_id} is already attached to instance {user}.")
    return port


def _users_of(node: Node, port_id: UUID) -> list[UUID]:
    """Return the instances that have the port, or will bring it."""
    return [user for kind in ("instance", "arrival") for user in node.state_store.users_of("port", port_id, kind)]


def _others(node: Node, port: PortSpec) -> list[PortSpec]:
    entries = node.state_store.ports.using("network", port.network.id)
    return [current(node, entry.spec) for entry in entries if entry.id != str(port.id)]
