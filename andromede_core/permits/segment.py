"""Segments: the nodes of a zone that carry a network, and the number in its frames. Standard library only.

A permit key of the zone signs the segment. It decides where a tenant's frames go, so a node trusts no other source for
that, and takes no segment of another zone than its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address

from andromede_core.documents.messages import Message
from andromede_core.documents.parsing import as_count, as_object, as_text, refuse
from andromede_core.permits.network_values import as_id
from andromede_core.permits.trust_documents import MAX_VERSION

KIND = "segment"  # of the signed document
VNI_MAX = 2**24 - 1
FIELDS = ("zone", "network", "vni", "version", "members")


@dataclass(frozen=True, slots=True)
class Segment:
    """The payload of a segment, which a permit key of the zone signs.

    `network`: its id. `members`: the underlay address of each node, by the node's id. Only growing versions of the same
    network and zone count.
    """

    zone: str
    network: str
    vni: int
    version: int
    members: Mapping[str, IPv4Address] = field(default_factory=dict)

    def payload(self) -> dict[str, object]:
        return {
            "zone": self.zone,
            "network": self.network,
            "vni": self.vni,
            "version": self.version,
            "members": {node: str(self.members[node]) for node in sorted(self.members)},
        }


def parse(payload: object) -> Segment:
    """Parse the payload of a segment.

    Raises:
        Malformed: with the field.
    """
    body = as_object(payload, "segment", required=FIELDS)
    members = as_object(body["members"], "segment.members", optional=None)
    return Segment(
        zone=as_text(body["zone"], "segment.zone"),
        network=as_id(body["network"], "segment.network"),
        vni=as_count(body["vni"], "segment.vni", minimum=1, maximum=VNI_MAX),
        version=as_count(body["version"], "segment.version", minimum=1, maximum=MAX_VERSION),
        members={node: _address(value, f"segment.members.{node}") for node, value in members.items()},
    )


def _address(value: object, at: str) -> IPv4Address:
    try:
        address = IPv4Address(as_text(value, at))
    except AddressValueError:
        refuse(at, Message("must be an IPv4 address"))
    if address.is_multicast or address.is_unspecified:
        refuse(at, Message("must be a node's address"))
    return address
