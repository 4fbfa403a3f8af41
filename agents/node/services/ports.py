"""Ports: the node's part of a tenant network, ready before the guest that uses it starts."""

from uuid import UUID

from agents.node.adapters.interfaces import PortSpec
from agents.node.context import Node
from agents.node.errors import Conflict, PortInUse
from agents.node.services import networks, security_groups
from agents.node.services.networks import VerifiedSegment
from agents.node.services.security_groups import VerifiedRules
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
        if verified is not None:
            networks.record_segment(node, verified)
        security_groups.apply(node, rules)
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
        port = before.spec
        with node.locks.hold(("network", port.network.id)):
            node.adapters.switch.remove_port(port, _others(node, port))
            security_groups.apply(node)
            node.state_store.ports.finish_removal(port.id)
        return True


def restore(node: Node) -> None:
    """Restore all networks and ports after a start of the agent or of the node."""
    ports = [entry.spec for entry in node.state_store.ports.held() if entry.is_wanted]
    filters = security_groups.expected_filters(node)
    node.adapters.switch.restore(ports, networks.expected_segments(node), filters)


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
    return [entry.spec for entry in entries if entry.id != str(port.id)]
