"""Sentinel signatures: the second signature under a permit. Standard library only.

A sentinel is another process with a key of its own, which has made the same decision by itself. The keyset states which
classifications need one in which zones.

A cosignature is the signed document of kind "cosignature": {jti, permit: SHA-256 of the whole permit's bytes, in hex}.

A cosignature is the signed document of kind "cosignature": {jti, permit: SHA-256 of the whole permit's bytes, in hex}.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from andromede_core.documents.signed import BadDocument, Signed
from andromede_core.permits.trust_documents import ANY, Key, Keyring, Keyset

KIND = "cosignature"


class SentinelSignatureError(Exception):
    """The sentinel signature is missing or wrong; the text states which."""


def payload(permit: Signed) -> dict[str, object]:
    """Return the payload that a sentinel signs."""
    return {"jti": permit.payload.get("jti"), "permit": sha256(permit.document()).hexdigest()}


def sentinel_classifications(keyset: Keyset, *, zone: str, classifications: Collection[str]) -> frozenset[str]:
    """Return which of these classifications need a sentinel there; ANY where all data does.

    An expired or revoked key still demands a signature, until a keyset is without it: protection does not end by
    itself.
    """
    named: set[str] = set()
    for key in keyset.keys.values():
        if key.use == "sentinel" and not key.zones.isdisjoint((zone, ANY)):
            named |= key.classifications
    return frozenset({ANY}) if ANY in named else frozenset(named.intersection(classifications))


@dataclass(frozen=True, slots=True)
class SentinelDemand:
    """The demand for a sentinel signature: for data of `classifications`, in a zone, since a moment."""

    zone: str
    classifications: Collection[str]
    at: datetime

    def is_met_by(self, key: Key) -> bool:
        """Tell if a signature by this key meets the demand."""
        is_in_use = key.not_before <= self.at < key.not_after
        return key.use == "sentinel" and is_in_use and key.covers(zone=self.zone, classifications=self.classifications)


def check(permit: Signed, cosignature: Signed | None, demand: SentinelDemand, keyring: Keyring) -> None:
    """Verify the sentinel signature.

    Raises:
        SentinelSignatureError: the signature does not meet the demand, or is for another permit.
    """
    names = ", ".join(sorted(demand.classifications))
    if cosignature is None:
        raise SentinelSignatureError(f"data of these classifications needs a sentinel's signature: {names}")
    key = keyring.keyset.keys.get(cosignature.key_id)
    if key is None or key.id in keyring.denied or not demand.is_met_by(key):
        raise SentinelSignatureError(
            f"key {cosignature.key_id} is no sentinel's for {demand.zone} and {names} at that time"
        )
    try:
        cosignature.check(KIND, keyring.verifier(key))
    except BadDocument as exc:
        raise SentinelSignatureError(exc.reason) from exc
    if dict(cosignature.payload) != payload(permit):
        raise SentinelSignatureError("the sentinel's signature is under another permit")
