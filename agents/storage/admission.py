"""Check permits of the zone's nodes: the agent does for a node what the permit lets that node have."""

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from agents.node.errors import PermitRefused, TrustOlder, TrustRefused
from agents.node.specs import StoredDocument
from agents.node.state_store import StateStore, Table
from agents.node.trust import documents
from agents.node.trust.admission import check_contents, read_envelope, read_policies
from agents.node.trust.clock import Clock
from agents.node.trust.documents import Authority
from agents.node.trust.keys import verifier
from agents.node.trust.permit_actions import (
    COPY_OPS,
    IMAGE_OPS,
    RUN_OPS,
    TAKE_OVER_OPS,
    VOLUME_OPS,
    PermitAction,
)
from agents.node.trust.store import TrustSnapshot, TrustStore
from agents.protocol import storage_pb2 as pb
from andromede_core.documents.signed import Signed
from andromede_core.permits import permit as permits
from andromede_core.permits.permit import Permit, PermitRejected
from andromede_core.permits.trust_documents import Charter

log = logging.getLogger(__name__)

BEGINNING = datetime.fromtimestamp(0, UTC)
CHARTER = "charter"
# A node that may run a guest, or get a volume, may open it.
OPEN_OPS = TAKE_OVER_OPS | RUN_OPS
CLONE_OPS = frozenset({"volume.create"})
# An image of a volume is made of a snapshot, which goes afterwards.
READ_OPS = frozenset({"image.create"})
SNAPSHOT_OPS = frozenset({"snapshot.create", "instance.snapshot"}) | READ_OPS
REVERT_OPS = frozenset({"volume.revert"})
MOVE_OPS = COPY_OPS  # under these a node may have a volume open in two pools


def image(sha256: str) -> PermitAction:
    return PermitAction("EnsureImage", IMAGE_OPS, "image", "images", sha256, 0, "")


def volume(
    volume_id: str, *, size_bytes: int, image_sha256: str, snapshot: Mapping[str, str] | None, is_taken_over: bool
) -> PermitAction:
    ops = TAKE_OVER_OPS if is_taken_over else VOLUME_OPS
    if snapshot is not None:
        ops = CLONE_OPS
    names = {
        "images": (image_sha256,) if image_sha256 else (),
        "snapshots": (snapshot["snapshot"],) if snapshot is not None else (),
    }
    return PermitAction("EnsureVolume", ops, "volume", "volumes", volume_id, 0, "", names, disk_bytes=size_bytes)


def snapshot(volume_id: str, snapshot_id: str) -> PermitAction:
    names = {"volumes": (volume_id,)}
    return PermitAction("EnsureSnapshot", SNAPSHOT_OPS, "snapshot", "snapshots", snapshot_id, 0, "", names)


def reading(volume_id: str, snapshot_id: str) -> PermitAction:
    names = {"volumes": (volume_id,)}
    return PermitAction("ReadSnapshot", READ_OPS, "snapshot", "snapshots", snapshot_id, 0, "", names)


def reversion(volume_id: str, snapshot_id: str, *, size_bytes: int) -> PermitAction:
    names = {"snapshots": (snapshot_id,)}
    return PermitAction("RevertVolume", REVERT_OPS, "volume", "volumes", volume_id, 0, "", names, disk_bytes=size_bytes)


def opening(volume_id: str, *, is_shared: bool) -> PermitAction:
    names = {"shared": (volume_id,)} if is_shared else {}
    return PermitAction("OpenVolume", OPEN_OPS, "volume", "volumes", volume_id, 0, "", names)


class Admission:
    """Keeps the trust documents of the zone and the charters of its nodes. Safe for use by many threads."""

    def __init__(self, state_store: StateStore, authority: Authority, clock: Clock) -> None:
        self.clock = clock
        self._authority = authority
        self._state_store = state_store
        self._trust = TrustStore(state_store, authority)
        self._charters = Table(state_store, CHARTER, StoredDocument)

    @property
    def held(self) -> TrustSnapshot:
        return self._trust.held

    def learn(self, given: Mapping[str, bytes], charters: Iterable[bytes]) -> TrustSnapshot:
        """Accept the given documents; those before the first bad one are kept.

        Raises:
            TrustOlder: the agent has a newer one.
            TrustRefused: one is not genuine or not for this zone.
        """
        snapshot = self._trust.ensure(given)
        for document in charters:
            self._take_charter(document)
        return snapshot

    def admit(self, action: PermitAction, shown: pb.Permit) -> Permit:
        """Return the permit that allows the call now. Its node is `aud`.

        Raises:
            PermitRefused: the first check that fails.
        """
        try:
            if not shown.document:
                raise PermitRejected("MISSING", "the call carries none")
            cosignature = read_envelope(shown.cosignature) if shown.cosignature else None
            permit = self._check(read_envelope(shown.document), action, read_policies(shown.policies), cosignature)
            check_contents(permit, action)
        except PermitRejected as exc:
            facts = {"call": action.call, "id": action.id, "code": exc.code, "reason": exc.reason}
            log.warning("permit refused", extra={"facts": facts})
            raise PermitRefused(exc.code, exc.reason) from exc
        facts = {"call": action.call, "id": action.id, "node": permit.aud, "jti": permit.jti}
        log.info("permit accepted", extra={"facts": facts | {"decision_id": permit.decision}})
        return permit

    def _check(self, envelope: Signed, action: PermitAction, policies: object, cosignature: Signed | None) -> Permit:
        node = str(envelope.payload.get("aud"))  # as it claims; the signature is checked next
        snapshot = self._trust.held
        trust = permits.Trust(
            node=node,
            charter=self._charter(node),
            keyset=snapshot.keyset,
            deny=snapshot.deny,
            floor=snapshot.floor,
            world=snapshot.world,
            now=self.clock.now(),
            high_water=snapshot.floor.issued_at if snapshot.floor else BEGINNING,
            is_clock_kept=self.clock.is_kept(),
            verifier=verifier,
        )
        subject = (action.listed_in, action.id)
        return permits.check(
            envelope, trust, ops=action.ops, subject=subject, policies=policies, cosignature=cosignature
        )

    def _take_charter(self, document: bytes) -> None:
        new = documents.charter_of_zone(document, self._authority)
        with self._state_store.transaction():
            entry, held = self._charters.get(new.node), self._charter(new.node)
            if entry is not None and held is not None:
                if entry.spec.document == document:
                    return
                if new.version < held.version:
                    raise TrustOlder(CHARTER)
                if new.version == held.version:
                    raise TrustRefused(f"Another charter of version {held.version} of node {new.node} is trusted here.")
            self._charters.record(new.node, StoredDocument(document))

    def _charter(self, node: str) -> Charter | None:
        """Return the node's charter, verified again: None also if this release cannot read what a newer one stored."""
        entry = self._charters.get(node)
        if entry is None:
            return None
        try:
            return documents.charter_of_zone(entry.spec.document, self._authority)
        except TrustRefused as exc:
            log.warning("stored charter rejected", extra={"facts": {"node": node, "problem": exc.message}})
            return None
