"""The answer to a question: the way from one end to the other, and what lets the traffic pass or stops it.

Pure: no packet is sent. The rules mean what nodes make of them (agents/node/adapters/network), which
tests/agents/network/test_reachability.py compares.
"""

from collections.abc import Iterator

from andromede_core.documents.messages import Message
from andromede_core.reachability import question as asked
from andromede_core.reachability.destinations import (
    DNS_PORT,
    METADATA,
    METADATA_PORT,
    VXLAN_PORT,
    never_reached,
    refused_by_default,
)
from andromede_core.reachability.group_rules import judged
from andromede_core.reachability.question import Address, Egress, End, Peer, Public, Question
from andromede_core.reachability.steps import ALLOWED, REFUSED, UNKNOWN, Answer, Step, verdict_of

DHCP_PORT = 67
TUNNELS = "tcp"  # of the gateway's own connections


def answered(question: Question) -> Answer:
    """Return the answer. At least one of both ends is a port."""
    version = family_of(question)
    steps = tuple(_steps(question, version))
    return Answer(verdict_of(steps), version, steps)


def family_of(question: Question) -> int:
    """Return the family of a given address, else the chosen one, else IPv4 if the ports have it."""
    for peer in (question.target, question.source):
        if peer.address is not None:
            return peer.address.version
    if question.family is not None:
        return question.family
    ports = [peer.port for peer in (question.source, question.target) if peer.port is not None]
    return 4 if all(port.of_family(4) for port in ports) else 6


def _steps(question: Question, version: int) -> Iterator[Step]:
    source, target = question.source, question.target
    if source.port is not None:
        yield from _presence(source.port)
    if without := next((p.port for p in (source, target) if p.port and not _has_family(p, version)), None):
        yield _without_family(without, version)
    elif source.port is None:
        yield from _from_address(question, version)
    elif target.port is None:
        yield from _to_address(question, source.port, version)
    elif target.is_public or _is_routed_to(target, other=source.port):
        yield from _to_public(question, source.port, target.port, version)
    elif source.port.network.id == target.port.network.id:
        yield from _within(question, source.port, target.port, version)
    else:
        yield _apart(source.port, target.port)
    if target.port is not None:
        yield from _presence(target.port)


def _is_routed_to(target: Peer, *, other: End) -> bool:
    """Tell if the target's own address is a public one, and it is in another network."""
    port = target.port
    return (
        port is not None
        and port.network.id != other.network.id
        and any(each.address == target.address for each in port.public)
    )


def _has_family(peer: Peer, version: int) -> bool:
    port = peer.port
    return port is not None and bool(port.of_family(version) or port.public_of_family(version))


def _without_family(port: End, version: int) -> Step:
    facts = {"port": port.name, "family": f"IPv{version}"}
    text = Message("The port {port} has no {family} address.", **facts)
    remedy = Message("Ask about the other family, or give the port {port} an {family} address.", **facts)
    return Step("network", REFUSED, text, port.id, remedy=remedy)


# ---- the ends


def _presence(port: End) -> Iterator[Step]:
    """Say if the port carries traffic now."""
    facts = {"port": port.name, "instance": port.instance}
    if port.obstacle == "":
        text = Message("The instance {instance} runs with the port {port}.", **facts)
        yield Step("instance", ALLOWED, text, port.id)
        return
    text, remedy = {
        asked.NOT_ATTACHED: (
            Message("The port {port} is not attached to an instance.", **facts),
            Message("Attach the port {port} to an instance.", **facts),
        ),
        asked.NOT_RUNNING: (
            Message("The instance {instance} does not run.", **facts),
            Message("Start the instance {instance}.", **facts),
        ),
        asked.NO_NODE: (
            Message("No node carries the port {port}.", **facts),
            Message("Wait until the operation of the instance {instance} has ended.", **facts),
        ),
    }.get(
        port.obstacle,
        (
            Message(
                "The node of the instance {instance} does not answer: it is not known if the instance runs.", **facts
            ),
            Message("Repeat the request later, or ask an operator about the node of the instance {instance}.", **facts),
        ),
    )
    yield Step("instance", UNKNOWN, text, port.id, remedy=remedy)


def _address(peer: Peer, port: End, version: int) -> Address:
    """Return the address of the port in its network that packets have."""
    own = port.of_family(version)
    if peer.address is not None and not peer.is_public:
        return peer.address
    public = next((each for each in port.public if each.address == peer.address), None)
    return (public and public.to) or (own[0] if own else port.public_of_family(version)[0].address)


# ---- from a port to a port


def _within(question: Question, source: End, target: End, version: int) -> Iterator[Step]:
    at = _address(question.target, target, version)
    sent_from = _address(question.source, source, version)
    yield judged(question, source, "out", at, version)
    if source.zone and target.zone:
        yield _zones(source, target)
    yield _network(source, sent_from, at)
    if question.target.is_shared:
        yield _shared(target, at)
    yield judged(question, target, "in", sent_from, version)


def _zones(source: End, target: End) -> Step:
    facts = {"source": source.name, "target": target.name, "first": source.zone, "second": target.zone}
    if source.zone == target.zone:
        return Step("zone", ALLOWED, Message("Both ports are in the zone {zone}.", zone=source.zone))
    text = Message(
        "The port {source} is in the zone {first}, and {target} in {second}: no traffic passes between zones.", **facts
    )
    remedy = Message("Use instances of one zone, or give the port {target} a public address.", **facts)
    return Step("zone", REFUSED, text, remedy=remedy)


def _network(source: End, sent_from: Address, at: Address) -> Step:
    network = source.network
    first, second = network.range_of(sent_from), network.range_of(at)
    facts = {"network": network.name, "first": first and first.name, "second": second and second.name}
    if first is None or second is None or first == second or at.version == 6:
        return Step("network", ALLOWED, Message("Both addresses are in the network {network}.", **facts))
    text = Message("The gateway of the network {network} routes from the subnet {first} to {second}.", **facts)
    return Step("gateway", ALLOWED, text)


def _shared(target: End, at: Address) -> Step:
    facts = {"address": at, "port": target.name}
    text = Message("The port {port} may use the address {address}; it is not known if it does.", **facts)
    return Step("network", UNKNOWN, text, target.id, remedy=Message("Ask about the port that uses the address."))


def _apart(source: End, target: End) -> Step:
    facts = {
        "source": source.name,
        "target": target.name,
        "first": source.network.name,
        "second": target.network.name,
    }
    text = Message(
        "The port {source} is in the network {first}, and {target} in {second}: there are no routes between networks.",
        **facts,
    )
    remedy = Message(
        "Give the instance a port in the network {second}, or ask about a public address of the port {target}.", **facts
    )
    return Step("network", REFUSED, text, remedy=remedy)


def _to_public(question: Question, source: End, target: End, version: int) -> Iterator[Step]:
    """Say how a port reaches another one by its public address: by the way out and in again."""
    at = question.target.address
    yield judged(question, source, "out", at, version)
    leaving, seen_as = _translation(source, version)
    yield leaving
    yield _public(target, at, version)
    yield judged(question, target, "in", seen_as, version)


# ---- to an address


def _to_address(question: Question, source: End, version: int) -> Iterator[Step]:
    at = question.target.address
    if at in METADATA:
        yield from _to_metadata(question, source, at, version)
        return
    if at is not None and (subnet_range := source.network.range_of(at)) is not None:
        if at == subnet_range.gateway:
            yield from _to_gateway(question, source, at, version)
            return
        yield judged(question, source, "out", at, version)
        yield _nobody(source, at)
        return
    yield judged(question, source, "out", at, version)
    yield _destination(question, at)
    yield _translation(source, version)[0]


def _to_gateway(question: Question, source: End, at: Address, version: int) -> Iterator[Step]:
    """Say what the gateway answers. Security groups do not stop DHCP and DNS."""
    protocol, port = question.traffic.protocol, question.traffic.port
    is_dhcp = (protocol, port) == ("udp", DHCP_PORT) and version == 4
    is_service = is_dhcp or (protocol in ("udp", "tcp") and port == DNS_PORT)
    if not is_service:
        yield judged(question, source, "out", at, version)
    facts = {"gateway": at, "network": source.network.name}
    if is_service or protocol == "icmp":
        text = Message("The gateway {gateway} of the network {network} answers it.", **facts)
        yield Step("gateway", ALLOWED, text)
        return
    text = Message("The gateway {gateway} of the network {network} answers ping, DHCP and DNS only.", **facts)
    yield Step("gateway", REFUSED, text, remedy=Message("Ask about an instance or an address behind the gateway."))


def _to_metadata(question: Question, source: End, at: Address, version: int) -> Iterator[Step]:
    """Say what the gateway answers at the metadata's address. Security groups do not stop the metadata."""
    protocol, port = question.traffic.protocol, question.traffic.port
    is_service = (protocol, port) == ("tcp", METADATA_PORT)
    if not is_service:
        yield judged(question, source, "out", at, version)
    if is_service or protocol == "icmp":
        text = Message("The gateway of the network {network} answers it: the metadata.", network=source.network.name)
        yield Step("gateway", ALLOWED, text)
        return
    text = Message(
        "At {address} the gateway answers ping and TCP port {port} (metadata) only.", address=at, port=METADATA_PORT
    )
    yield Step("gateway", REFUSED, text, remedy=Message("Ask about TCP port {port}.", port=METADATA_PORT))


def _nobody(port: End, at: Address) -> Step:
    facts = {"network": port.network.name, "address": at}
    text = Message("No port of the network {network} has the address {address}.", **facts)
    return Step("network", REFUSED, text, remedy=Message("Ask about an address that a port of the network has."))


def _destination(question: Question, at: Address | None) -> Step:
    traffic = question.traffic
    if (traffic.protocol, traffic.port) == ("udp", VXLAN_PORT):
        text = Message("Nodes drop VXLAN packets (UDP {port}) of instances.", port=VXLAN_PORT)
        return Step("destination", REFUSED, text, remedy=Message("Use another UDP port."))
    never = None if at is None else never_reached(at)
    if never is not None:
        text = Message("Nodes never forward packets of instances to {range}.", range=never)
        return Step("destination", REFUSED, text, remedy=Message("Use another address."))
    special = None if at is None else refused_by_default(at)
    if special is not None:
        text = Message(
            "Nodes forward no packets of instances to {range}, unless their operator allows it.", range=special
        )
        remedy = Message("Ask the operator of the nodes to allow {address}, or use a network in common.", address=at)
        return Step("destination", REFUSED, text, remedy=remedy)
    text = Message("The destination is outside. Nodes forward the packets unless their operator denies it.")
    return Step("destination", ALLOWED, text)


def _translation(source: End, version: int) -> tuple[Step, Address | None]:
    """Return how packets leave the network, and the address that they have outside; None: one of the node's."""
    working = next((each for each in source.public_of_family(version) if not each.is_suspended), None)
    if working is not None:
        text = Message("Packets leave with the public address {address}.", address=working.address)
        return Step("translation", ALLOWED, text, source.id), working.address
    if version == 4 and source.egress is not None:
        return _egress(source, source.egress)
    if version == 4:
        text = Message("The node replaces the address of the port {port} by its own.", port=source.name)
        return Step("translation", ALLOWED, text, source.id), None
    text = Message("IPv6 leaves a network from public addresses only, and the port {port} has none.", port=source.name)
    remedy = Message("Give the port {port} a public IPv6 address.", port=source.name)
    return Step("translation", REFUSED, text, source.id, remedy=remedy), None


def _egress(source: End, egress: Egress) -> tuple[Step, Address | None]:
    facts = {"address": egress.address, "network": source.network.name}
    if egress.is_usable:
        text = Message("Packets leave with the egress address {address} of the network {network}.", **facts)
        return Step("translation", ALLOWED, text, source.id), egress.address
    text = Message(
        "The egress address {address} of the network {network} is suspended, or no node can be its gateway.", **facts
    )
    remedy = Message("Detach {address} from the network, or wait until it is in use again.", address=egress.address)
    return Step("translation", REFUSED, text, source.id, remedy=remedy), None


# ---- from an address


def _from_address(question: Question, version: int) -> Iterator[Step]:
    target, sent_from = question.target.port, question.source.address
    if target is None:
        return
    subnet_range = None if sent_from is None or question.target.is_public else target.network.range_of(sent_from)
    if subnet_range is not None and sent_from is not None:
        yield from _from_inside(question, target, sent_from, subnet_range.gateway, version)
        return
    yield _public(target, question.target.address, version)
    yield judged(question, target, "in", sent_from, version)


def _from_inside(
    question: Question, target: End, sent_from: Address, gateway: Address | None, version: int
) -> Iterator[Step]:
    if sent_from != gateway:
        yield _nobody(target, sent_from)
        return
    if question.traffic.protocol == TUNNELS and version == 4:
        text = Message(
            "TCP from the gateway {gateway} always passes: only the platform's tunnels send it.", gateway=gateway
        )
        yield Step("gateway", ALLOWED, text)
        return
    yield judged(question, target, "in", sent_from, version)


def _public(target: End, at: Address | None, version: int) -> Step:
    """Say if packets from outside reach the port, at this public address or (None) at any."""
    named = [each for each in target.public_of_family(version) if at is None or each.address == at]
    working: Public | None = next((each for each in named if not each.is_suspended), None)
    if working is not None:
        facts = {"address": working.address, "port": target.name}
        text = Message("The public address {address} leads to the port {port}.", **facts)
        return Step("public-address", ALLOWED, text, target.id)
    if named:
        text = Message("An operator has suspended the public address {address}.", address=named[0].address)
        remedy = Message("Ask the operator why, or attach another public address.")
        return Step("public-address", REFUSED, text, target.id, remedy=remedy)
    facts = {"port": target.name, "family": f"IPv{version}"}
    text = Message("From outside, the port {port} is reached by a public {family} address only, and has none.", **facts)
    remedy = Message(
        "Attach a public address to the port {port}; or open a tunnel by andromede instance tunnel.", **facts
    )
    return Step("public-address", REFUSED, text, target.id, remedy=remedy)
