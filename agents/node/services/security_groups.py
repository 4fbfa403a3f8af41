"""Security groups of ports: which ports are filtered, and by which rules.

Signed documents decide: the list of a network's ports names the groups of each, a group has its rules and members. The
newest of each is stored, also after the last port that needs it has left, so that an older one is never accepted
again. A port without a document that it needs is cut off. A network without a list has ports that are not filtered.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from agents.node.adapters.network_specs import NetworkSpec, PortSpec, SubnetSpec
from agents.node.adapters.port_filters import FilteredPort, PortFilters
from agents.node.context import Node
from agents.node.errors import BadRequest, PortNotListed
from agents.node.services.zone_documents import record_newer, stored_version
from agents.node.specs import StoredDocument
from agents.node.state_store import Table
from andromede_core.documents import signed
from andromede_core.documents.parsing import Malformed
from andromede_core.permits import network_ports, security_group
from andromede_core.permits.network_ports import ListedPort, NetworkPorts
from andromede_core.permits.security_group import SecurityGroup

MAX_DOCUMENTS = 256  # of a kind in one call
MAX_DOCUMENT_BYTES = 2**20
PORTS_NAMED = 5  # in the text of a problem


@dataclass(frozen=True, slots=True)
class VerifiedRules:
    """Verified lists and groups for this zone, each with its document."""

    lists: tuple[tuple[NetworkPorts, bytes], ...] = ()
    groups: tuple[tuple[SecurityGroup, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class RulesStatus:
    """Versions that count here, by network and by group; 0: nothing here needs it, and nothing was kept."""

    lists: Mapping[str, int]
    groups: Mapping[str, int]
    problem: str


def verify(node: Node, lists: Sequence[bytes], groups: Sequence[bytes]) -> VerifiedRules:
    """Verify the documents. Number and size are bounded before any signature is checked.

    Raises:
        BadRequest: there are too many, or one is too long.
        TrustRefused: one is not genuine, or not for this zone.
    """
    for field, documents in (("ports", lists), ("security_groups", groups)):
        if len(documents) > MAX_DOCUMENTS:
            raise BadRequest(field, f"at most {MAX_DOCUMENTS} documents in one call")
        if any(len(document) > MAX_DOCUMENT_BYTES for document in documents):
            raise BadRequest(field, f"at most {MAX_DOCUMENT_BYTES} bytes in one document")
    store = node.permits.store
    return VerifiedRules(
        tuple((store.network_ports(document), document) for document in lists),
        tuple((store.security_group(document), document) for document in groups),
    )


def check_listed(node: Node, port: PortSpec, verified: VerifiedRules) -> None:
    """Check the port against the newest list of its network, if there is one.

    Raises:
        BadRequest: the given list is of another network.
        PortNotListed: MAC, addresses or node differ.
    """
    network = str(port.network.id)
    if any(port_list.network != network for port_list, _ in verified.lists):
        raise BadRequest("ports", "is of another network")
    newest = _newest_list(node, network, verified)
    if newest is None:
        return
    listed = newest.ports.get(str(port.id))
    if listed is None or str(node.identity.node_id) not in listed.nodes:
        raise PortNotListed(port.id, "it is not listed for this node")
    if listed.mac != port.mac:
        raise PortNotListed(port.id, f"its MAC address there is {listed.mac}")
    if set(listed.addresses) != set(port.addresses):
        raise PortNotListed(port.id, f"its addresses there are {', '.join(map(str, listed.addresses))}")


def listed_port(node: Node, port: PortSpec) -> ListedPort | None:
    """Return what the stored list of the port's network says of the port; None: there is no list, or it has no such
    port.
    """
    newest = kept_list(node, str(port.network.id))
    return None if newest is None else newest.ports.get(str(port.id))


def ensure(node: Node, verified: VerifiedRules) -> RulesStatus:
    """Store the documents that ports here need, and apply them.

    Raises:
        AdapterError: the rules cannot be written; what they were goes on.
    """
    with node.locks.hold(("port-rules", "node")):
        _record(node, verified)
        problem = _apply(node)
        return RulesStatus(
            {listed.network: _version(node.state_store.port_lists, listed.network) for listed, _ in verified.lists},
            {group.group: _version(node.state_store.security_groups, group.group) for group, _ in verified.groups},
            problem,
        )


def apply(node: Node, verified: VerifiedRules | None = None) -> str:
    """Apply the rules after a change of the node's ports; returns the problem, for an operator."""
    with node.locks.hold(("port-rules", "node")):
        _record(node, verified or VerifiedRules())
        return _apply(node)


def expected_filters(node: Node) -> PortFilters:
    """Return the filters of the ports that are here, by the stored documents."""
    known: dict[str, SecurityGroup | None] = {}

    def learn(names: Iterable[str]) -> None:
        known.update({name: _kept_group(node, name) for name in names if name not in known})

    filtered = []
    for port, listed in listed_ports(node):
        if listed is None:
            filtered.append(FilteredPort(port, (port.mac,), None))
        elif listed.groups is not None:
            learn(listed.groups)
            macs = dict.fromkeys([port.mac, *(pair.mac for pair in listed.allowed if pair.mac is not None)])
            is_whole = all(known[group] is not None for group in listed.groups)
            routed = tuple(public.address for public in listed.public if public.to is None)
            filtered.append(FilteredPort(port, tuple(macs), listed.groups if is_whole else None, routed))
    used = [group for group in known.values() if group is not None]
    learn({rule.group for group in used for rule in group.rules if rule.group is not None})
    groups = {name: group for name, group in known.items() if group is not None}
    return PortFilters(tuple(filtered), groups)


def _apply(node: Node) -> str:
    filters = expected_filters(node)
    closed = [str(port.port.id) for port in filters.ports if port.groups is None]
    problems = [node.adapters.switch.ensure_filters(filters)]
    if closed:
        named = ", ".join(closed[:PORTS_NAMED])
        problems.append(
            f"{len(closed)} ports are cut off, since this node lacks the signed list or the security groups for them:"
            f" {named}."
        )
    return " ".join(filter(None, problems))


def listed_ports(node: Node) -> Iterator[tuple[PortSpec, ListedPort | None]]:
    """Yield the ports here whose network has a list, with what it says; None: it does not list them for this node."""
    me = str(node.identity.node_id)
    lists: dict[str, NetworkPorts | None] = {}
    networks: dict[str, NetworkSpec] = {}
    for entry in node.state_store.ports.held():
        if not entry.is_wanted:
            continue
        network = str(entry.spec.network.id)
        if network not in lists:
            lists[network], known = kept_list(node, network), node.state_store.networks.get(network)
            networks[network] = entry.spec.network if known is None else known.spec
        newest = lists[network]
        if newest is not None:
            listed = newest.ports.get(entry.id)
            is_mine = listed is not None and me in listed.nodes
            yield as_listed(entry.spec, networks[network], listed if is_mine else None), listed if is_mine else None


def as_listed(port: PortSpec, network: NetworkSpec, listed: ListedPort | None) -> PortSpec:
    """Return the port on its network of now, with the addresses of the list. `listed`: as for this node.

    An address outside the network's subnets waits for these.
    """
    if listed is None:
        return replace(port, network=network)
    known = (each for each in listed.addresses if each in port.addresses or network.subnet_of(each) is not None)
    return replace(port, network=network, addresses=tuple(known))


# ---- stored documents


def _record(node: Node, verified: VerifiedRules) -> None:
    """Store what is newer and needed: lists of networks here, then their groups, then the peers of those."""
    here = {str(entry.spec.network.id) for entry in node.state_store.ports.held() if entry.is_wanted}
    with node.state_store.transaction():
        for port_list, document in verified.lists:
            if port_list.network in here:
                _record_list(node, port_list, document)
        used = _used_groups(node)
        _record_groups(node, verified, used)
        _record_groups(node, verified, _peers(node, used) - used)


def needed_groups(node: Node) -> set[str]:
    """Return the groups of ports here, and the peers of those."""
    used = _used_groups(node)
    return used | _peers(node, used)


def _used_groups(node: Node) -> set[str]:
    return {group for _, listed in listed_ports(node) if listed for group in listed.groups or ()}


def _peers(node: Node, groups: set[str]) -> set[str]:
    kept = (_kept_group(node, group) for group in groups)
    return {rule.group for group in kept if group is not None for rule in group.rules if rule.group is not None}


def _record_list(node: Node, port_list: NetworkPorts, document: bytes) -> None:
    """Store the list if it is newer, and its subnets as those of the network."""
    table = node.state_store.port_lists
    record_newer(node, table, port_list.network, kind=network_ports.KIND, document=document)
    known = node.state_store.networks.get(port_list.network)
    if known is not None and (network := with_listed_subnets(node, known.spec)) != known.spec:
        node.state_store.networks.record(port_list.network, network)


def with_listed_subnets(node: Node, network: NetworkSpec) -> NetworkSpec:
    """Return the network with the subnets of its stored list, if that has any: a call may have been made before it."""
    newest = kept_list(node, str(network.id))
    if newest is None or newest.subnets is None:
        return network
    subnets = (SubnetSpec(each.cidr, each.gateway_ip, each.dns_servers, each.options) for each in newest.subnets)
    return replace(network, subnets=tuple(subnets))


def _record_groups(node: Node, verified: VerifiedRules, group_ids: set[str]) -> None:
    for group, document in verified.groups:
        if group.group in group_ids:
            table = node.state_store.security_groups
            record_newer(node, table, group.group, kind=security_group.KIND, document=document)


def _newest_list(node: Node, network: str, verified: VerifiedRules) -> NetworkPorts | None:
    """Return the list that counts once the given ones are stored."""
    stored_list = node.state_store.port_lists.get(network)
    is_lost = stored_list is not None and node.permits.store.is_of_lost_key(
        network_ports.KIND, stored_list.spec.document
    )
    newest = None if stored_list is None or (is_lost and verified.lists) else _read_list(stored_list.spec.document)
    for port_list, _ in verified.lists:
        if newest is None or port_list.version > newest.version:
            newest = port_list
    return newest


def kept_list(node: Node, network: str) -> NetworkPorts | None:
    """Return the newest list of the network's ports that was stored here; None: there is none."""
    entry = node.state_store.port_lists.get(network)
    return None if entry is None else _read_list(entry.spec.document)


def _kept_group(node: Node, group: str) -> SecurityGroup | None:
    entry = node.state_store.security_groups.get(group)
    return None if entry is None else _read_group(entry.spec.document)


def _version(table: Table[StoredDocument], key: str) -> int:
    entry = table.get(key)
    return 0 if entry is None else stored_version(entry.spec.document)


@lru_cache(maxsize=512)
def _read_list(document: bytes) -> NetworkPorts:
    """Parse a stored list; one that this agent cannot read lists no port, so those of the network are cut off."""
    payload = signed.read(document).payload
    try:
        return network_ports.parse(payload)
    except Malformed:
        return NetworkPorts(str(payload["zone"]), str(payload["network"]), stored_version(document))


@lru_cache(maxsize=512)
def _read_group(document: bytes) -> SecurityGroup | None:
    """Parse a stored group; None: this agent cannot read it, so the ports that need it are cut off."""
    try:
        return security_group.parse(signed.read(document).payload)
    except Malformed:
        return None
