"""Networks between nodes: the segment states which other nodes of the zone carry a network.

The segment's signature is verified (trust/documents.py). The newest segment is stored, also after the network has left
the node, so that an older one is never accepted again.
"""

from dataclasses import dataclass
from uuid import UUID

from agents.node.adapters.network_specs import NetworkSpec, SegmentSpec
from agents.node.context import Node
from agents.node.errors import BadRequest
from agents.node.services.zone_documents import record_newer, stored_version
from andromede_core.documents import signed
from andromede_core.documents.parsing import Malformed
from andromede_core.permits import segment as segments
from andromede_core.permits.segment import Segment


@dataclass(frozen=True, slots=True)
class NetworkStatus:
    """Status of a network. `version` 0: nothing of the network is here. `problem`: of the underlay, for an operator."""

    id: UUID
    version: int
    problem: str


@dataclass(frozen=True, slots=True)
class VerifiedSegment:
    """A verified segment for this zone and for the network, with its document."""

    segment: Segment
    document: bytes


def verify_segment(node: Node, document: bytes, *, network_id: UUID | None = None) -> VerifiedSegment:
    """Verify the document of a segment.

    Raises:
        TrustRefused: it is not genuine, or not for this zone.
        BadRequest: it is for another network than the call.
    """
    segment = node.permits.store.segment(document)
    if network_id is not None and segment.network != str(network_id):
        raise BadRequest("network.segment", "is of another network")
    return VerifiedSegment(segment, document)


def ensure(node: Node, verified: VerifiedSegment) -> NetworkStatus:
    """Apply the segment. Nothing is stored for a network without ports here; the call that creates a port brings it."""
    network_id = UUID(verified.segment.network)
    with node.locks.hold(("network", network_id)):
        network = _carried(node, network_id)
        if network is None:
            return NetworkStatus(network_id, 0, "")
        version = record_segment(node, verified)
        return NetworkStatus(network_id, version, connect(node, network))


def record_segment(node: Node, verified: VerifiedSegment) -> int:
    """Record the segment as the current one; returns the version that counts. The caller holds the network's lock."""
    network, document = verified.segment.network, verified.document
    return record_newer(node, node.state_store.segments, network, kind=segments.KIND, document=document)


def connect(node: Node, network: NetworkSpec) -> str:
    """Apply the current segment in the switch; returns the problem of the underlay, or an empty text."""
    known = kept_segment(node, str(network.id))
    if known is None:
        return ""
    return node.adapters.switch.ensure_segment(network, _spec(node, known))


def expected_segments(node: Node) -> dict[UUID, SegmentSpec]:
    """Return the segments by network, of the networks that have ports here."""
    specs = {}
    for network_id in {entry.spec.network.id for entry in node.state_store.ports.held() if entry.is_wanted}:
        known = kept_segment(node, str(network_id))
        spec = _spec(node, known) if known is not None else None
        if spec is not None:
            specs[network_id] = spec
    return specs


def kept_segment(node: Node, network: str) -> Segment | None:
    """Return the newest segment of the network that was stored here."""
    entry = node.state_store.segments.get(network)
    return None if entry is None else _read(entry.spec.document)


def _read(document: bytes) -> Segment:
    """Parse a stored segment; one that this agent cannot read has no members, so the network ends at this node."""
    payload = signed.read(document).payload
    try:
        return segments.parse(payload)
    except Malformed:
        return Segment(str(payload["zone"]), str(payload["network"]), 0, stored_version(document))


def _carried(node: Node, network_id: UUID) -> NetworkSpec | None:
    return next((entry.spec.network for entry in node.state_store.ports.using("network", network_id)), None)


def _spec(node: Node, segment: Segment) -> SegmentSpec | None:
    """Return the segment as the switch takes it; None if this node does not carry the network."""
    me = str(node.identity.node_id)
    if me not in segment.members:
        return None
    peers = {address for other, address in segment.members.items() if other != me}
    return SegmentSpec(segment.vni, segment.members[me], tuple(sorted(peers - {segment.members[me]})))
