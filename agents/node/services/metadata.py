"""Metadata of guests: what a guest may read about itself from its node's metadata service.

Most of it came with the guest and its ports; labels and the identity document are signed documents of their own, which
the control plane renews. The pages are those of EC2's instance metadata that describe what there is
here, and the files of the seed disc for cloud-init's NoCloud source over HTTP.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from agents.node import cloud_init
from agents.node.adapters.network_specs import DOMAIN, PortSpec, bridge_name
from agents.node.context import Node
from agents.node.errors import BadRequest, TrustRefused
from agents.node.metadata.channel import Guest
from agents.node.services import ports
from agents.node.services.zone_documents import record_newer
from agents.node.specs import InstanceSpec, MetadataAccess
from andromede_core.documents import signed
from andromede_core.documents.parsing import Malformed
from andromede_core.permits.instance_metadata import KIND, InstanceMetadata, parse

log = logging.getLogger(__name__)

MAX_DOCUMENTS = 256  # in one call
MAX_DOCUMENT_BYTES = 32 * 1024
PROBLEMS_NAMED = 5  # in a line of the log
LABELS = "/latest/meta-data/tags/instance"  # as in EC2
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
    more = _kept(node, str(instance_id))
    pages = dict(_pages("", tree(node.identity.zone, instance_id, spec, cards, more)))
    if more is not None:
        pages |= {f"{LABELS}/{key}": value for key, value in more.labels.items()}
    node.adapters.metadata.publish(Guest(str(instance_id), addresses, pages, needs_token))


def withdraw(node: Node, instance_id: UUID) -> None:
    node.state_store.metadata.forget(instance_id)
    node.unreadable.discard((KIND, str(instance_id)))
    node.adapters.metadata.withdraw(str(instance_id))


def restore(node: Node) -> None:
    """Publish the metadata of all guests that are here, or expected, at the agent's start."""
    for arrival in node.state_store.arrivals.held():
        if arrival.is_wanted:
            publish(node, UUID(arrival.id), arrival.spec.instance)
    for entry in node.state_store.instances.held():
        if entry.is_wanted:
            publish(node, UUID(entry.id), entry.spec)


@dataclass(frozen=True, slots=True)
class VerifiedMetadata:
    """Verified documents for this node, and the problems of the others by their numbers in the call."""

    documents: tuple[tuple[InstanceMetadata, bytes], ...]
    refused: Mapping[int, str]


def verify(node: Node, documents: Sequence[bytes]) -> VerifiedMetadata:
    """Verify the documents. Number and size are bounded before any signature is checked.

    One that is not genuine or not for this node keeps no other guest from its own.

    Raises:
        BadRequest: there are too many, or one is too long.
    """
    if len(documents) > MAX_DOCUMENTS:
        raise BadRequest("documents", f"at most {MAX_DOCUMENTS} documents in one call")
    if any(len(document) > MAX_DOCUMENT_BYTES for document in documents):
        raise BadRequest("documents", f"at most {MAX_DOCUMENT_BYTES} bytes in one document")
    verified, refused = [], {}
    for number, document in enumerate(documents):
        try:
            verified.append((node.permits.store.instance_metadata(document), document))
        except TrustRefused as exc:
            refused[number] = exc.message
    if refused:
        facts = {"count": len(refused), "problems": sorted(set(refused.values()))[:PROBLEMS_NAMED]}
        log.warning("metadata refused", extra={"facts": facts})
    return VerifiedMetadata(tuple(verified), refused)


def ensure(node: Node, verified: VerifiedMetadata) -> Mapping[str, int]:
    """Let the guests here read what is newer; returns the versions that count, 0 for a guest that is not here."""
    return {metadata.instance: _ensure(node, metadata, document) for metadata, document in verified.documents}


def _ensure(node: Node, metadata: InstanceMetadata, document: bytes) -> int:
    instance_id = UUID(metadata.instance)
    with node.locks.hold(("instance", instance_id)):
        entry = node.state_store.instances.get(instance_id)
        if entry is None or not entry.is_wanted or entry.spec.guest_data.metadata is MetadataAccess.OFF:
            return 0
        table = node.state_store.metadata
        version = record_newer(node, table, metadata.instance, kind=KIND, document=document)
        if version == metadata.version:
            publish(node, instance_id, entry.spec)
        return version


def _kept(node: Node, instance_id: str) -> InstanceMetadata | None:
    entry = node.state_store.metadata.get(instance_id)
    return None if entry is None else _read(entry.spec.document)


def _read(document: bytes) -> InstanceMetadata | None:
    """Parse a stored document; None: this agent cannot read it, so the guest reads nothing of it."""
    try:
        return parse(signed.read(document).payload)
    except Malformed:
        return None


def tree(
    zone: str, instance_id: UUID, spec: InstanceSpec, cards: Sequence[PortSpec], more: InstanceMetadata | None = None
) -> Tree:
    """Return the pages of a guest with these network cards, as folders and files. `more`: what changes as it runs."""
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
                # The pages of labels are not in the tree: a key may have slashes.
                **({"tags": {"instance": "\n".join(sorted(more.labels))}} if more is not None else {}),
            },
            **({"dynamic": {"instance-identity": {"jwt": more.identity}}} if more is not None else {}),
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
    pages = {"mac": card.mac, "device-number": str(number)}
    four, six = card.of_family(4), card.of_family(6)
    if four:
        subnets = [card.network.subnet_of(address) for address in four]
        pages["local-ipv4s"] = "\n".join(map(str, four))
        pages["subnet-ipv4-cidr-block"] = next(str(subnet.cidr) for subnet in subnets if subnet is not None)
    if six:
        pages["ipv6s"] = "\n".join(map(str, six))
    return pages


def _pages(path: str, content: "str | Tree") -> Iterator[tuple[str, str]]:
    """Yield each page; that of a folder lists what is in it. EC2 lists keys by number and name."""
    if isinstance(content, str):
        yield path, content
        return
    names = [name if isinstance(child, str) else f"{name}/" for name, child in content.items()]
    if path.endswith("/public-keys"):
        names = [f"{number}=key-{number}" for number in content]
    yield path, "\n".join(names)
    for name, child in content.items():
        yield from _pages(f"{path}/{name}", child)
