"""Orphan detection: a node's reported resources minus the expected ones; and rows without an owner."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from agents.protocol import agent_pb2 as pb
from controlplane.compute import expected_resources
from controlplane.kernel.names import as_uuid
from controlplane.nodes.models import Node, Orphan
from controlplane.placement.models import Allocation

GUEST_PREFIX = "andromede-"
VOLUME = re.compile(r"volumes/([0-9a-f-]{36})\.qcow2")
IMAGE = re.compile(r"images/([0-9a-f]{64})")
POWER = {pb.POWER_RUNNING: "running", pb.POWER_OFF: "off", pb.POWER_PAUSED: "paused", pb.POWER_CRASHED: "crashed"}
EXPECTED_IDS: dict[str, Callable[[Node, Collection[UUID]], set[UUID]]] = {
    "domain": expected_resources.instances,
    "volume": expected_resources.volumes,
    "port": expected_resources.ports,
    "attachment": expected_resources.attachments,
}


@dataclass(frozen=True, slots=True)
class OrphanCandidate:
    """A resource that may be an orphan. `resource_id`: the id in its name, if it were a resource of the platform."""

    kind: str
    name: str
    resource_id: UUID | None = None
    size_bytes: int | None = None
    facts: dict[str, object] = field(default_factory=dict)


def find_on_node(node: Node, description: pb.NodeDescription) -> list[OrphanCandidate]:
    """Return each orphan once. `description`: the node's description of a moment ago."""
    candidates = {(each.kind, each.name): each for each in _all_of(description)}.values()
    expected = {kind: rows(node, ids) for kind, rows in EXPECTED_IDS.items() if (ids := _ids(candidates, kind))}
    shas = {sha256 for each in candidates if (sha256 := _sha256(each)) is not None}
    images = expected_resources.images(node, shas) if shas else set()
    return [
        each
        for each in candidates
        if not (each.resource_id is not None and each.resource_id in expected.get(each.kind, ()))
        and _sha256(each) not in images
    ]


def is_expected(node: Node, orphan: Orphan) -> bool:
    """Tell if a row expects the orphan by now."""
    if orphan.kind == "image":
        sha256 = orphan.name.removeprefix("images/")
        return bool(expected_resources.images(node, [sha256]))
    rows = EXPECTED_IDS.get(orphan.kind)
    return rows is not None and orphan.resource_id is not None and bool(rows(node, [orphan.resource_id]))


def find_in_rows() -> list[OrphanCandidate | tuple[OrphanCandidate, Node]]:
    """Return orphaned allocations, with their nodes, and ports."""
    return [*((_allocation(row), row.node) for row in expected_resources.allocations_without_owner()), *_addresses()]


def _allocation(row: Allocation) -> OrphanCandidate:
    facts: dict[str, object] = {
        "of": row.kind,
        "project": row.project.name,
        "vcpus": row.vcpus,
        "memory_mib": row.memory_mib,
        "disk_gib": row.disk_gib,
    }
    return OrphanCandidate("allocation", str(row.pk), row.consumer_id, facts=facts)


def _addresses() -> Iterator[OrphanCandidate]:
    for row in expected_resources.ports_without_instance():
        facts: dict[str, object] = {"ip": row.ip, "mac": row.mac, "network": str(row.network_id)}
        yield OrphanCandidate("address", str(row.pk), row.pk, facts=facts)


# ---- reported resources


def _all_of(description: pb.NodeDescription) -> Iterator[OrphanCandidate]:
    """Return all reported resources; those that the agent created come last, since more is known of them."""
    for resource in description.strays:
        yield _unmanaged(resource)
    for guest in description.instances:
        facts: dict[str, object] = {"power": POWER.get(guest.power, ""), "is_known": True}
        yield OrphanCandidate("domain", f"{GUEST_PREFIX}{guest.subject.id}", as_uuid(guest.subject.id), facts=facts)
    for volume in description.volumes:
        if volume.size_bytes:
            name = f"volumes/{volume.subject.id}.qcow2"
            yield OrphanCandidate("volume", name, as_uuid(volume.subject.id), volume.size_bytes, {"is_known": True})
    for port in description.ports:
        facts = {"mac": port.mac, "ip": port.ip, "is_known": True}
        yield OrphanCandidate("port", port.device, as_uuid(port.subject.id), facts=facts)
    for plug in description.attachments:
        facts = {"instance": plug.instance_id, "volume": plug.volume_id, "is_known": True}
        yield OrphanCandidate("attachment", plug.subject.id, as_uuid(plug.subject.id), facts=facts)


def _unmanaged(resource: pb.Stray) -> OrphanCandidate:
    if resource.kind == pb.STRAY_KIND_DOMAIN:
        facts: dict[str, object] = {"power": POWER.get(resource.power, ""), "is_harmless": resource.is_harmless}
        is_ours = resource.name.startswith(GUEST_PREFIX)
        guest_id = as_uuid(resource.name.removeprefix(GUEST_PREFIX)) if is_ours else None
        return OrphanCandidate("domain", resource.name, guest_id, resource.size_bytes, facts)
    if resource.kind == pb.STRAY_KIND_PORT:
        return OrphanCandidate("port", resource.name, facts={"mac": resource.mac})
    volume = VOLUME.fullmatch(resource.name)
    if volume is not None and (volume_id := as_uuid(volume[1])) is not None:
        return OrphanCandidate("volume", resource.name, volume_id, resource.size_bytes)
    kind = "image" if IMAGE.fullmatch(resource.name) else "file"
    return OrphanCandidate(kind, resource.name, size_bytes=resource.size_bytes)


def _ids(candidates: Iterable[OrphanCandidate], kind: str) -> set[UUID]:
    return {each.resource_id for each in candidates if each.kind == kind and each.resource_id is not None}


def _sha256(candidate: OrphanCandidate) -> str | None:
    image = IMAGE.fullmatch(candidate.name) if candidate.kind == "image" else None
    return image[1] if image else None
