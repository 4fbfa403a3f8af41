"""Segments: the signed lists of nodes of a zone that carry a network.

They are built from the bindings; a request names only the network and zone.
"""

import logging
from ipaddress import IPv4Address
from uuid import UUID

from django.db import transaction

from andromede_core.permits import segment as core
from controlplane.catalog.models import Zone
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.network import segments
from controlplane.network.models import Network, Segment
from controlplane.network.segments import SegmentKey
from controlplane.nodes import trust_documents
from controlplane.nodes.signing_keys import signing_key
from controlplane.signer.document_versions import next_version

log = logging.getLogger(__name__)


def sign(network_id: UUID, zone: str) -> None:
    """Sign the segment of this network and zone if it has changed.

    Raises:
        NoKeyset, KeyMissing, NoUsableKey.
    """
    _sign((network_id, zone))


def sign_all() -> int:
    """Sign all changed segments; one whose last port has gone stays, without members. Returns how many were signed."""
    all_members, trusted = segments.all_members(), segments.trusted_keys()
    known = {(row.network_id, row.zone_id): row for row in Segment.objects.defer("document")}
    signed = 0
    for key in {*all_members, *known}:
        row, members = known.get(key), all_members.get(key, {})
        if row is None or row.members != members or row.key_id not in trusted:
            signed += _tried(key)
    return signed


def _tried(key: SegmentKey) -> int:
    try:
        return _sign(key)
    except CloudError as exc:
        log.error("segment of network %s in %s not signed: %s %s", *key, exc, exc.facts)
        return 0


@transaction.atomic
def _sign(segment_key: SegmentKey) -> int:
    """Sign under a lock: of two concurrent calls the second finds nothing to do."""
    network = Network.objects.filter(pk=segment_key[0]).first()
    zone = Zone.objects.filter(pk=segment_key[1]).first()
    if network is None or zone is None:
        return 0
    Segment.objects.bulk_create([Segment(network=network, zone=zone)], ignore_conflicts=True)
    row = Segment.objects.select_for_update().get(network=network, zone=zone)
    members = segments.members(segment_key)
    if row.members == members and row.key_id in segments.trusted_keys():
        return 0
    key = signing_key(trust_documents.keyset(), trust_documents.deny_list(), zone=zone.pk, classifications=())
    version = next_version(row.version)
    addresses = {node: IPv4Address(address) for node, address in members.items()}
    segment = core.Segment(zone.pk, str(network.pk), network.vni, version, addresses)
    signed = key.sign(core.KIND, segment.payload())
    row.version, row.members, row.key_id = version, dict(members), key.id
    row.document, row.updated_at = signed.document(), clock.now()
    row.save(update_fields=["version", "members", "key_id", "document", "updated_at"])
    return 1
