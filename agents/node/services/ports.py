"""Ports: the node's part of a tenant network, ready before the guest that uses it starts."""

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from agents.node.adapters.network_specs import PortSpec
from agents.node.context import Node
from agents.node.errors import Conflict, PortInUse
from agents.node.services import networks, security_groups
from agents.node.services.networks import VerifiedSegment
from agents.node.services.security_groups import RulesStatus, VerifiedRules
from agents.node.specs import Subject


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
            node.state_store.networks.record(str(port.network.id), port.network)
        if verified is not None:
            networks.record_segment(node, verified)
        security_groups.apply(node, rules)
        port = current(node, port)
        node.adapters.switch.ensure_port(port, _others(node, port))
        networks.connect(node, port.network)
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
            with node.state_store.transaction():
                node.state_store.ports.finish_removal(port.id)
                if not others:
                    node.state_store.networks.forget(port.network.id)
        return True


def restore(node: Node) -> None:
    """Restore all networks and ports after a start of the agent or of the node."""
    ports = [current(node, entry.spec) for entry in node.state_store.ports.held() if entry.is_wanted]
    filters = security_groups.expected_filters(node)
    node.adapters.switch.restore(ports, networks.expected_segments(node), filters)


def ensure_rules(node: Node, verified: VerifiedRules) -> RulesStatus:
    """Store the documents that ports here need, and apply them."""
    networks_listed = {found.network for found, _ in verified.lists}
    before = _listed(node, networks_listed)
    status = security_groups.ensure(node, verified)
    after = _listed(node, networks_listed)
    for port in (port for port, listed in after.items() if before.get(port) != listed):
        _update_rules(node, port)
    return status


def _listed(node: Node, network_ids: Iterable[str]) -> dict[str, tuple[object, ...]]:
    """Return what the lists of these networks say of their ports beside addresses and groups, by the ports' ids."""
    entries = (entry for each in network_ids for entry in node.state_store.ports.using("network", UUID(each)))
    specs = {entry.id: current(node, entry.spec) for entry in entries if entry.is_wanted}
    return {port: (spec.allowed, spec.bandwidth) for port, spec in specs.items()}


def _update_rules(node: Node, port_id: str) -> None:
    entry = node.state_store.ports.get(port_id)
    if entry is None or not entry.is_wanted:
        return
    with node.locks.hold(("port", UUID(port_id)), ("network", entry.spec.network.id)):
        port = current(node, entry.spec)
        node.adapters.switch.ensure_port(port, _others(node, port))


def current(node: Node, port: PortSpec) -> PortSpec:
    """Return the port with its network as it was sent last, with whichever port that was, and with the addresses that
    its network's list allows beside its own, and its limits.
    """
    known, listed = node.state_store.networks.get(port.network.id), security_groups.listed_port(node, port)
    if known is not None:
        port = replace(port, network=known.spec)
    return port if listed is None else replace(port, allowed=listed.allowed, bandwidth=listed.bandwidth)


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
