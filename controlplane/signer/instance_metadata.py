"""Metadata of instances: labels and identity documents, signed for the nodes that run them.

They are built from the rows; a request names nothing. An identity document is valid for LIFETIME and is signed anew
before half of that has passed, so that a control plane that is down for as long costs none. Each instance has its own
part of the time (RENEWED_AFTER), so that documents that were signed together are not renewed together for ever.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from andromede_core.permits import instance_metadata as core
from andromede_core.permits.trust_documents import DenyList, Keyset
from controlplane.compute.instance_metadata import METADATA, request_update
from controlplane.compute.models import MetadataDocument
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.kernel.ids import new_id
from controlplane.network.segments import trusted_keys
from controlplane.nodes import trust_documents
from controlplane.nodes.jose import sign_jwt
from controlplane.nodes.signing_keys import SigningKey, signing_key
from controlplane.signer.document_versions import next_version

log = logging.getLogger(__name__)

LIFETIME = timedelta(hours=1)
TYP = "andromede-instance+jwt"  # RFC 8725, 3.11
RENEWED_AFTER = (0.4, 0.5)  # of the time of a document, by its instance
RENEWED_AT_MOST_EVERY = timedelta(minutes=1)  # also when the time of the key, and so of its documents, comes to its end
BATCH, BATCHES_MAX = 200, 10  # documents of a transaction, and transactions of a call, so that it ends
# The instances that run, let their guests read metadata, and have no document of now: with its version.
DUE = """
SELECT instance.id, instance.node_id, node.zone_id, instance.project_id, project.organization_id, instance.labels,
    document.version
FROM compute_instance AS instance
    JOIN nodes_node AS node ON node.id = instance.node_id AND node.traits @> ARRAY[%(trait)s]::varchar[]
    JOIN identity_project AS project ON project.id = instance.project_id
    LEFT JOIN compute_metadatadocument AS document ON document.instance_id = instance.id
WHERE instance.state = 'active' AND instance.metadata <> 'off' AND node.zone_id <> ALL(%(without_key)s)
    AND (document.id IS NULL OR document.node_id <> instance.node_id OR document.labels <> instance.labels
        OR document.renew_at <= %(now)s OR document.key_id <> ALL(%(trusted)s))
ORDER BY document.renew_at NULLS FIRST LIMIT %(limit)s
"""
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('instance metadata', 0))"


@dataclass(frozen=True, slots=True)
class Due:
    """An instance whose metadata are to be signed. `version`: of its last document; None: it has none."""

    instance: UUID
    node: UUID
    zone: str
    project: UUID
    organization: UUID
    labels: Mapping[str, str]
    version: int | None


def sign_all() -> int:
    """Sign what changed or is to be renewed, and have it sent. Returns how many documents were signed.

    What exceeds BATCHES_MAX waits for the next call.
    """
    MetadataDocument.objects.filter(instance__state="deleted").delete()
    signed, without_key = 0, set[str]()
    for _ in range(BATCHES_MAX):
        count = _sign_batch(without_key)
        if count is None:
            break
        signed += count
    if signed:
        request_update()
    return signed


@transaction.atomic
def _sign_batch(without_key: set[str]) -> int | None:
    """Sign a batch under a lock, so that versions grow. Returns how many; None: nothing was due.

    Adds to `without_key` the zones whose documents cannot be signed.
    """
    with connection.cursor() as cursor:
        cursor.execute(LOCK)
    due = _due(without_key)
    if not due:
        return None
    keyset, denied = trust_documents.keys()
    keys = {zone: key for zone in {each.zone for each in due} if (key := _key(zone, keyset, denied, without_key))}
    now = clock.now()
    rows = [_document(each, keys[each.zone], keyset, now) for each in due if each.zone in keys]
    MetadataDocument.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["instance"],
        update_fields=["node", "version", "labels", "key_id", "document", "renew_at", "updated_at"],
    )
    return len(rows)


def _due(without_key: set[str]) -> list[Due]:
    terms: dict[str, Any] = {
        "trait": METADATA,
        "now": clock.now(),
        "trusted": sorted(trusted_keys()),
        "without_key": sorted(without_key),
        "limit": BATCH,
    }
    with connection.cursor() as cursor:
        cursor.execute(DUE, terms)
        return [
            Due(instance, node, zone, project, organization, json.loads(labels), version)
            for instance, node, zone, project, organization, labels, version in cursor.fetchall()
        ]


def _key(zone: str, keyset: Keyset, denied: DenyList, without_key: set[str]) -> SigningKey | None:
    try:
        return signing_key(keyset, denied, zone=zone, classifications=())
    except CloudError as exc:
        log.error("metadata of instances in %s not signed: %s %s", zone, exc, exc.facts)
        without_key.add(zone)
        return None


def _document(due: Due, key: SigningKey, keyset: Keyset, now: datetime) -> MetadataDocument:
    ends = min(now + LIFETIME, keyset.keys[key.id].not_after)
    version = next_version(due.version or 0)
    metadata = core.InstanceMetadata(
        zone=due.zone,
        node=str(due.node),
        instance=str(due.instance),
        version=version,
        identity=sign_jwt(key, _claims(due, now, ends), typ=TYP),
        labels=due.labels,
    )
    return MetadataDocument(
        id=new_id(),
        instance_id=due.instance,
        node_id=due.node,
        version=version,
        labels=dict(due.labels),
        key_id=key.id,
        document=key.sign(core.KIND, metadata.payload()).document(),
        renew_at=_renewal(due.instance, now, ends),
        updated_at=now,
    )


def _renewal(instance: UUID, now: datetime, ends: datetime) -> datetime:
    first, last = RENEWED_AFTER
    share = first + (last - first) * (instance.int % 1000) / 1000  # the tail of an id (UUIDv7) is random
    return now + max(share * (ends - now), RENEWED_AT_MOST_EVERY)


def _claims(due: Due, now: datetime, ends: datetime) -> dict[str, object]:
    """Return what the identity document states: ids alone, since names change and are given anew.

    The node is left out: two tenants that compare their documents would learn that they share one.
    """
    return {
        "iss": settings.IDENTITY_ISSUER,
        "sub": str(due.instance),
        "iat": int(now.timestamp()),
        "nbf": int(now.timestamp()),
        "exp": int(ends.timestamp()),
        "organization": str(due.organization),
        "project": str(due.project),
        "zone": due.zone,
    }
