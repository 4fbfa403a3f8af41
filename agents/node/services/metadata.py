"""Metadata of guests: what a guest may read about itself from its node's metadata service.

All of it came with the guest and its ports. The pages are those of EC2's instance metadata that describe what there is
here, and the files of the seed disc for cloud-init's NoCloud source over HTTP.
"""

from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from agents.node import cloud_init
from agents.node.adapters.network_specs import DOMAIN, PortSpec, bridge_name
from agents.node.context import Node
from agents.node.metadata.channel import Guest
from agents.node.services import ports
from agents.node.specs import InstanceSpec, MetadataAccess

Tree = Mapping[str, "str | Tree"]


def publish(node: Node, instance_id: UUID, spec: InstanceSpec) -> None:
    """Let the guest read its metadata, as they are now, if it may."""
    if spec.guest_data.metadata is MetadataAccess.OFF:
        withdraw(node, instance_id)
        return
    cards = [ports.current(node, node.state_store.ports.require(port_id).spec) for port_id in spec.port_ids]
    addresses: dict[str, list[str]] = {}
    for card in cards:
        addresses.setdefault(bridge_name(card.network.id), []).extend(map(str, card.addresses))
    needs_token = spec.guest_data.metadata is MetadataAccess.TOKEN
    pages = dict(_pages("", tree(node.identity.zone, instance_id, spec, cards)))
    node.adapters.metadata.publish(Guest(str(instance_id), addresses, pages, needs_token))


def withdraw(node: Node, instance_id: UUID) -> None:
    node.adapters.metadata.withdraw(str(instance_id))


def restore(node: Node) -> None:
    """Publish the metadata of all guests that are here, or expected, at the agent's start."""
    for arrival in node.state_store.arrivals.held():
        if arrival.is_wanted:
            publish(node, UUID(arrival.id), arrival.spec.instance)
    for entry in node.state_store.instances.held():
        if entry.is_wanted:
            publish(node, UUID(entry.id), entry.spec)


def tree(zone: str, instance_id: UUID, spec: InstanceSpec, cards: Sequence[PortSpec]) -> Tree:
    """Return the pages of a guest with these network cards, as folders and files."""
    guest_data = spec.guest_data
    name = guest_data.hostname
    seed = {path: text.decode("latin-1") for path, text in cloud_init.files(instance_id, guest_data, cards).items()}
    return {
        "latest": {
            "meta-data": {
                "instance-id": str(instance_id),
                "hostname": f"{name}.{DOMAIN}",
                "local-hostname": f"{name}.{DOMAIN}",
                "placement": {"availability-zone": zone},
                "project-id": str(spec.project_id),
                **_keys(guest_data.ssh_public_keys),
                **_cards(cards),
            },
            **({"user-data": guest_data.user_data.decode("latin-1")} if guest_data.user_data else {}),
        },
        "nocloud": {**seed, "vendor-data": ""},
    }


def _keys(keys: Sequence[str]) -> Tree:
    if not keys:
        return {}
    return {"public-keys": {str(number): {"openssh-key": key} for number, key in enumerate(keys)}}


def _cards(cards: Sequence[PortSpec]) -> Tree:
    if not cards:
        return {}
    first = cards[0]
    return {
        "mac": first.mac,
        **({"local-ipv4": str(first.ip)} if first.ip is not None else {}),
        "network": {"interfaces": {"macs": {card.mac: _card(card, number) for number, card in enumerate(cards)}}},
    }


def _card(card: PortSpec, number: int) -> Tree:
    found = {"mac": card.mac, "device-number": str(number)}
    four, six = card.of_family(4), card.of_family(6)
    if four:
        subnets = [card.network.subnet_of(address) for address in four]
        found["local-ipv4s"] = "\n".join(map(str, four))
        found["subnet-ipv4-cidr-block"] = next(str(subnet.cidr) for subnet in subnets if subnet is not None)
    if six:
        found["ipv6s"] = "\n".join(map(str, six))
    return found


def _pages(path: str, found: "str | Tree") -> Iterator[tuple[str, str]]:
    """Yield each page; that of a folder lists what is in it. EC2 lists keys by number and name."""
    if isinstance(found, str):
        yield path, found
        return
    names = [name if isinstance(child, str) else f"{name}/" for name, child in found.items()]
    if path.endswith("/public-keys"):
        names = [f"{number}=key-{number}" for number in found]
    yield path, "\n".join(names)
    for name, child in found.items():
        yield from _pages(f"{path}/{name}", child)
