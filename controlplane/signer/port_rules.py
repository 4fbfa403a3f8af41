"""Port rules: the signed lists of a network's ports, and the signed security groups, of each zone.

They are built from the rows; a request names only the port or the group.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.network import port_rules
from controlplane.network import port_rules_content as content
from controlplane.network.models import Network, Port, PortRulesDocument, SecurityGroup
from controlplane.network.port_rules_content import DocumentKey
from controlplane.network.segments import trusted_keys
from controlplane.nodes import trust_documents
from controlplane.nodes.signing_keys import signing_key
from controlplane.signer.document_versions import next_version

log = logging.getLogger(__name__)

# How many documents are compared at a time: so many are in memory.
PART_NETWORKS, PART_GROUPS = 200, 500


def sign_port(port_id: UUID, zone: str) -> None:
    """Sign the changed documents that concern the port in this zone.

    Raises:
        NoKeyset, KeyMissing, NoUsableKey.
    """
    network = Port.objects.filter(pk=port_id).values_list("network_id", flat=True).first()
    if network is not None:
        groups = content.groups_for(port_id)
        keys = [DocumentKey(zone, network=network), *(DocumentKey(zone, group=group) for group in groups)]
        _signed(keys)


def sign_group(group_id: UUID) -> None:
    """Sign the group in all zones where nodes need it, and the groups that its rules name.

    Raises:
        NoKeyset, KeyMissing, NoUsableKey.
    """
    needed = content.needed_documents()
    zones = {key.zone for key in needed if key.group == group_id}
    named = {UUID(rule.group) for rule in content.rules([group_id])[group_id] if rule.group}
    known = set(PortRulesDocument.objects.filter(group=group_id).values_list("zone", flat=True))
    keys = {DocumentKey(zone, group=group_id) for zone in zones | known}
    _signed([*keys, *(key for key in needed if key.group in named and key.zone in zones)])


def sign_all() -> int:
    """Sign all changed documents; one that no node needs any more stays. Returns how many were signed.

    Raises:
        NoKeyset.
    """
    return _signed(changed_documents(trusted_keys()), is_tolerant=True)


def changed_documents(trusted: Collection[str]) -> Iterator[DocumentKey]:
    """Find the documents that differ from the rows or are signed by no trusted key; a few queries compare many."""
    known = PortRulesDocument.objects.values_list("zone", "network", "group")
    keys = content.needed_documents() | {DocumentKey(*each) for each in known}
    lists = sorted((key for key in keys if key.network is not None), key=str)
    groups = sorted((key for key in keys if key.group is not None), key=str)
    for part in (*_parts(lists, PART_NETWORKS), *_parts(groups, PART_GROUPS)):
        yield from _changed(part, trusted)


def _parts(keys: Sequence[DocumentKey], length: int) -> Iterator[Sequence[DocumentKey]]:
    return (keys[start : start + length] for start in range(0, len(keys), length))


def _changed(keys: Sequence[DocumentKey], trusted: Collection[str]) -> list[DocumentKey]:
    """Return the keys whose rows `_sign` would change. It compares again under the lock."""
    # The rows first, as under the lock: a generation that is read is never later than the content.
    rows = _rows(keys)
    payloads = content.payloads(dict.fromkeys(keys, 0))
    return [key for key in keys if not _is_current(rows.get(key), content.digest(payloads[key][1]), trusted)]


def _rows(keys: Sequence[DocumentKey]) -> dict[DocumentKey, PortRulesDocument]:
    of_keys = Q(network__in={key.network for key in keys}) | Q(group__in={key.group for key in keys})
    rows = PortRulesDocument.objects.filter(of_keys).select_related("group").defer("document")
    return {DocumentKey(row.zone_id, row.network_id, row.group_id): row for row in rows}


def _is_current(row: PortRulesDocument | None, digest: str, trusted: Collection[str]) -> bool:
    if row is None or row.digest != digest or row.key_id not in trusted:
        return False
    return row.group is None or row.group_generation == row.group.generation


def _signed(keys: Iterable[DocumentKey], *, is_tolerant: bool = False) -> int:
    """Sign the documents that differ, and have them sent. `is_tolerant`: a failure is logged, and ends nothing."""
    signed = 0
    for key in keys:
        try:
            signed += _sign(key)
        except CloudError as exc:
            if not is_tolerant:
                raise
            log.error("port rules %s not signed: %s %s", key, exc, exc.facts)
    if signed:
        port_rules.request_update()
    return signed


@transaction.atomic
def _sign(key: DocumentKey) -> int:
    """Sign under a lock: of two concurrent calls the second finds nothing to do."""
    row = _locked_row(key)
    if row is None:
        return 0
    generation = row.group.generation if row.group is not None else 0
    version = next_version(row.version)
    kind, payload = content.payload(key, version)
    digest = content.digest(payload)
    if row.digest == digest and row.key_id in trusted_keys():
        if row.group_generation != generation:
            PortRulesDocument.objects.filter(pk=row.pk).update(group_generation=generation)
        return 0
    signer = signing_key(trust_documents.keyset(), trust_documents.deny_list(), zone=key.zone, classifications=())
    PortRulesDocument.objects.filter(pk=row.pk).update(
        version=version,
        digest=digest,
        group_generation=generation,
        key_id=signer.id,
        document=signer.sign(kind, payload).document(),
        updated_at=clock.now(),
    )
    return 1


def _locked_row(key: DocumentKey) -> PortRulesDocument | None:
    """Return the document's row, locked, and made if there is none; None if its network or group is deleted."""
    fields = {"network_id": key.network, "group_id": key.group, "zone_id": key.zone}
    locked = PortRulesDocument.objects.select_for_update(of=("self",)).select_related("group").defer("document")
    row = locked.filter(**fields).first()
    if row is None and _subject_exists(key):
        PortRulesDocument.objects.bulk_create([PortRulesDocument(**fields)], ignore_conflicts=True)
        row = locked.get(**fields)
    return row


def _subject_exists(key: DocumentKey) -> bool:
    if key.network is not None:
        return Network.objects.filter(pk=key.network).exists()
    return key.group is not None and SecurityGroup.objects.filter(pk=key.group).exists()
