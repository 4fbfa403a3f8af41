"""Names of instances in their networks: the newest signed list of a network's ports says which there are.

It lists the ports on all nodes of the zone, so a network's resolvers on different nodes give the same answers.
"""

from uuid import UUID

from agents.node.adapters.network_specs import HostName, NetworkSpec
from agents.node.context import Node
from agents.node.services import security_groups


def ensure(node: Node, network: NetworkSpec) -> None:
    """Have the network's resolver answer as the stored list says. The caller holds the network's lock."""
    node.adapters.switch.ensure_names(network, expected(node, network.id))


def expected(node: Node, network_id: UUID) -> tuple[HostName, ...]:
    """Return the names of the network, in their order; none without a list."""
    newest = security_groups.kept_list(node, str(network_id))
    ports = newest.ports.values() if newest is not None else ()
    host_names = (HostName(port.name, port.addresses) for port in ports if port.name is not None)
    return tuple(sorted(host_names, key=lambda each: (each.name, each.addresses[:1])))
