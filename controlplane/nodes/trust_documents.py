"""Trust documents: stored in growing versions, and sent to every node that has older ones.

The sender needs no authority: a node checks the signatures itself.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from django.db import transaction
from django.db.models import CharField, QuerySet
from django.db.models.functions import Cast

from agents.protocol import agent_pb2 as pb
from andromede_core.documents import signed
from andromede_core.documents.signed import Signed
from andromede_core.permits import trust_documents
from andromede_core.permits.trust_documents import DENIED, Charter, DenyList, Floor, Key, Keyset
from controlplane.audit import evidence_log
from controlplane.audit.services import record
from controlplane.catalog import epochs
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.kernel.prepared_queries import Prepared, preparing_cursor
from controlplane.nodes.errors import NoKeyset, WitnessesNeeded
from controlplane.nodes.models import Node, TrustDocument
from controlplane.nodes.signing_keys import SigningKey

KEYSET, CHARTER, FLOOR, FACTS, DENY = "keyset", "charter", "floor", "facts", "deny"
NOTHING_DENIED = DenyList(0)
WITNESSES = 2
NEWEST = Prepared(
    lambda kind, subject: TrustDocument.objects.filter(kind=kind, subject=subject).order_by("-version")[:1]
)


class DocumentVersion(NamedTuple):
    """A document's number, and when it was last signed."""

    number: int
    signed_at: datetime


NONE = DocumentVersion(0, datetime.fromtimestamp(0, UTC))


@dataclass(frozen=True)
class CharterRequest:
    """The statement of two witnesses: which machine it is, what it may hold, and until when."""

    classifications: Collection[str]
    serial: str
    valid_for: timedelta
    witnesses: Sequence[str]


@dataclass(frozen=True)
class NodeTrust:
    """A node's current trust documents, from one query. `epoch`: of its zone's floor."""

    keyset: Keyset
    charter: Charter | None
    denied: DenyList
    epoch: int


def newest(kind: str, subject: str = "") -> TrustDocument | None:
    return NEWEST.first(kind, subject)


def keyset() -> Keyset:
    """Return the newest keyset. Raises NoKeyset."""
    row = newest(KEYSET)
    if row is None:
        raise NoKeyset()
    return _keyset(bytes(row.document))


def charter_of(node: Node) -> Charter | None:
    row = newest(CHARTER, str(node.pk))
    return _charter(bytes(row.document)) if row else None


def charters_since(moment: datetime, *, zone_id: str) -> QuerySet[TrustDocument]:
    """Return the charters of the zone's nodes that were signed after this moment, the oldest first."""
    nodes = Node.objects.filter(zone=zone_id).annotate(subject=Cast("pk", CharField())).values("subject")
    return TrustDocument.objects.filter(kind=CHARTER, subject__in=nodes, created_at__gt=moment).order_by("created_at")


def deny_list() -> DenyList:
    row = newest(DENY)
    return _deny_list(bytes(row.document)) if row else NOTHING_DENIED


# Documents of a node, and of its zone.
WHICH = "kind IN ('keyset', 'deny') OR (kind = 'charter' AND subject = %s) OR (kind = 'floor' AND subject = %s)"
TRUSTED = f"""
SELECT DISTINCT ON (kind) kind, version, document FROM nodes_trustdocument
WHERE {WHICH} ORDER BY kind, version DESC
"""


def keys() -> tuple[Keyset, DenyList]:
    """Return the documents of all nodes. Raises NoKeyset."""
    trust = _trusted("", "")
    return trust.keyset, trust.denied


def trusted_by(node: Node) -> NodeTrust:
    """Return the node's documents. Raises NoKeyset."""
    return _trusted(str(node.pk), node.zone_id)


def _trusted(node: str, zone: str) -> NodeTrust:
    with preparing_cursor() as cursor:
        cursor.execute(TRUSTED, [node, zone])
        documents = {kind: (version, bytes(document)) for kind, version, document in cursor.fetchall()}
    if KEYSET not in documents:
        raise NoKeyset()
    return NodeTrust(
        keyset=_keyset(documents[KEYSET][1]),
        charter=_charter(documents[CHARTER][1]) if CHARTER in documents else None,
        denied=_deny_list(documents[DENY][1]) if DENY in documents else NOTHING_DENIED,
        epoch=documents[FLOOR][0] if FLOOR in documents else 0,
    )


# Documents never change, and the same few are read often, so they are cached.


@lru_cache(maxsize=8)
def _keyset(document: bytes) -> Keyset:
    return trust_documents.read_keyset(signed.read(document).payload)


@lru_cache(maxsize=4096)
def _charter(document: bytes) -> Charter:
    return trust_documents.read_charter(signed.read(document).payload)


@lru_cache(maxsize=8)
def _deny_list(document: bytes) -> DenyList:
    return trust_documents.read_deny_list(signed.read(document).payload)


@transaction.atomic
def keyset_publish(actor: Actor, root: SigningKey, keys: Iterable[Key]) -> Keyset:
    """Publish a new keyset, signed by the root: nodes take it at their next heartbeat and drop other keys.

    It begins a facts epoch, since it decides whose statements count: permits from before are requested again.
    """
    last = newest(KEYSET)
    published = Keyset(
        version=(last.version if last else 0) + 1,
        keys={key.id: key for key in keys},
        epoch=epochs.advance(),
        deny_version=deny_list().version,
    )
    evidence_log.append("trust", {"trust": "root", "public_key": root.public_key})
    row = _store(KEYSET, "", published.version, root.sign(KEYSET, published.payload()))
    record(actor, "trust.keyset", row.pk, version=published.version, keys=sorted(published.keys))
    return published


@transaction.atomic
def charter_sign(actor: Actor, root: SigningKey, node: Node, charter_request: CharterRequest) -> Charter:
    """Sign the node's charter; the zone is that of its certificate. It begins a facts epoch.

    Raises:
        WitnessesNeeded: not two different people.
    """
    witnesses = sorted(set(charter_request.witnesses))
    if len(witnesses) != WITNESSES:
        raise WitnessesNeeded(field="witness")
    last, now = newest(CHARTER, str(node.pk)), clock.now().replace(microsecond=0)
    charter = Charter(
        version=(last.version if last else 0) + 1,
        node=str(node.pk),
        zone=node.zone_id,
        classifications=frozenset(charter_request.classifications),
        serial=charter_request.serial,
        valid_from=now,
        valid_to=now + charter_request.valid_for,
        witnesses=tuple(witnesses),
    )
    _store(CHARTER, charter.node, charter.version, root.sign(CHARTER, charter.payload()))
    cleared_for = sorted(charter.classifications)
    Node.objects.filter(pk=node.pk).update(cleared_for=cleared_for, chartered_until=charter.valid_to, updated_at=now)
    epochs.advance()
    record(actor, "trust.charter", node.pk, version=charter.version, zone=charter.zone, witnesses=witnesses)
    return charter


@transaction.atomic
def deny(actor: Actor, key: SigningKey, **names: Collection[str]) -> DenyList:
    """Add to the deny list (see DENIED); nothing is ever removed from it.

    Denying a key begins a facts epoch, since statements that it has signed may have been trusted.
    """
    before = deny_list()
    lists = {kind: getattr(before, kind) | frozenset(names.get(kind, ())) for kind in DENIED}
    after = DenyList(before.version + 1, **lists)
    row = _store(DENY, "", after.version, key.sign(DENY, after.payload()))
    if names.get("kids"):
        epochs.advance()
    record(actor, "trust.deny", row.pk, added={kind: sorted(some) for kind, some in names.items() if some})
    return after


@transaction.atomic
def floor_sign(key: SigningKey, floor: Floor, facts: bytes) -> None:
    """Sign the floor of a zone with its facts; signing the same epoch again gives nodes a later time."""
    document = key.sign(FLOOR, floor.payload())
    for kind, content in ((FLOOR, document.document()), (FACTS, facts)):
        TrustDocument.objects.update_or_create(
            kind=kind,
            subject=floor.zone,
            version=floor.epoch,
            defaults={"document": content, "updated_at": floor.issued_at},
        )
    TrustDocument.objects.filter(kind=FACTS, subject=floor.zone, version__lt=floor.epoch).delete()
    evidence_log.append("trust", {"trust": FLOOR, "signed": document.envelope()})


VERSIONS = f"""
SELECT kind, max(version), max(updated_at) FROM nodes_trustdocument WHERE {WHICH} GROUP BY kind
"""


def versions(node: Node) -> dict[str, DocumentVersion]:
    """Return kind → the newest version for this node."""
    with preparing_cursor() as cursor:
        cursor.execute(VERSIONS, [str(node.pk), node.zone_id])
        return {kind: DocumentVersion(number, signed_at) for kind, number, signed_at in cursor.fetchall()}


def pending_update(node: Node) -> pb.EnsureTrustRequest | None:
    """Return the documents that the node lacks by its last report; None when it has all."""
    stored = versions(node)
    kinds = [
        kind
        for kind, node_version in ((KEYSET, node.keyset_version), (CHARTER, node.charter_version))
        if stored.get(kind, NONE).number > node_version
    ]
    if stored.get(DENY, NONE).number not in (0, node.deny_version):  # it may have a later one that a thief has signed
        kinds.append(DENY)
    floor, received_at = stored.get(FLOOR, NONE), node.floor_issued_at or NONE.signed_at
    if floor.number > node.facts_epoch or (floor.number == node.facts_epoch and floor.signed_at > received_at):
        kinds += [FLOOR, FACTS]
    if not kinds:
        return None
    return pb.EnsureTrustRequest(**{kind: _document(kind, node) for kind in kinds})


def record_trust_state(node: Node, state: pb.TrustState) -> None:
    """Store the trust state of a heartbeat, which rarely changes."""
    document = {
        "keyset_version": state.keyset_version,
        "charter_version": state.charter_version,
        "deny_version": state.deny_version,
        "facts_epoch": state.epoch,
        "is_clock_kept": state.is_clock_kept,
        "floor_issued_at": datetime.fromtimestamp(state.floor_issued_at_unix_ms / 1000, UTC),
    }
    changes = {name: value for name, value in document.items() if getattr(node, name) != value}
    if changes:
        Node.objects.filter(pk=node.pk).update(**changes)
        for name, value in changes.items():
            setattr(node, name, value)


def _document(kind: str, node: Node) -> bytes:
    subject = {CHARTER: str(node.pk), FLOOR: node.zone_id, FACTS: node.zone_id}.get(kind, "")
    row = newest(kind, subject)
    return bytes(row.document) if row else b""


def _store(kind: str, subject: str, version: int, document: Signed) -> TrustDocument:
    """Insert the document. Of two concurrent publications, the second one's transaction fails."""
    if kind == CHARTER:
        evidence_log.append("node", {"event": CHARTER, "signed": document.envelope()})
    else:
        evidence_log.append("trust", {"trust": kind, "signed": document.envelope()})
    return TrustDocument.objects.create(kind=kind, subject=subject, version=version, document=document.document())
