"""A small authority for tests: an offline root, a signer of permits and an officer who states facts.

It makes the signed documents that a node trusts, and permits, as the control plane does; also bad ones.
"""

import base64
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agents.protocol import agent_pb2 as pb
from controlplane.placement.core import signed, trust
from controlplane.placement.core.canonical import digest, dumps
from controlplane.placement.core.permit import LIFETIME, Contents, Limits, Permit
from controlplane.placement.core.statements import Statement

Envelope = dict[str, object]

ANY = frozenset({trust.ANY})
IN_FRANCE: list[object] = [
    {
        "id": "france",
        "level": "organization",
        "atoms": [{"id": "loc", "op": "in", "attr": "location.territory", "value": ["FR"]}],
    }
]
ROOMY = Limits(vcpus=64, memory_mib=64 * 1024, disk_gib=1000)


def now() -> datetime:
    return datetime.now(UTC)


def new_jti() -> str:
    """A UUIDv7."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return str(UUID(int=value & ~(0xF << 76) & ~(0x3 << 62) | (7 << 76) | (2 << 62)))


@dataclass(frozen=True)
class SigningKey:
    """`public_key`: base64 of its SubjectPublicKeyInfo; `public_pem` is what enrolment gives a node of the root's."""

    id: str
    private: Ed25519PrivateKey | ec.EllipticCurvePrivateKey

    @classmethod
    def ed25519(cls, key_id: str) -> "SigningKey":
        return cls(key_id, Ed25519PrivateKey.generate())

    @classmethod
    def p256(cls, key_id: str) -> "SigningKey":
        return cls(key_id, ec.generate_private_key(ec.SECP256R1()))

    @property
    def algorithm(self) -> str:
        return "Ed25519" if isinstance(self.private, Ed25519PrivateKey) else "ECDSA-P256-SHA256"

    @property
    def public_key(self) -> str:
        return base64.b64encode(
            self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ).decode()

    @property
    def public_pem(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message: bytes) -> bytes:
        if isinstance(self.private, Ed25519PrivateKey):
            return self.private.sign(message)
        return self.private.sign(message, ec.ECDSA(hashes.SHA256()))

    def document(self, kind: str, payload: Mapping[str, object]) -> bytes:
        return signed.sign(kind, payload, key_id=self.id, key=self.sign).document()

    def envelope(self, kind: str, payload: Mapping[str, object]) -> Envelope:
        return signed.sign(kind, payload, key_id=self.id, key=self.sign).envelope()

    def entry(self, use: trust.Use, **changes: object) -> trust.Key:
        """The key in a keyset: for everything, and for long enough, unless `changes` say otherwise."""
        fields: dict[str, object] = {
            "zones": ANY,
            "classifications": ANY,
            "not_before": now() - timedelta(days=1),
            "not_after": now() + timedelta(days=30),
        }
        return trust.Key(
            id=self.id,
            use=use,
            algorithm=self.algorithm,
            public_key=self.public_key,
            **(fields | changes),  # type: ignore[arg-type]
        )


@dataclass
class Authority:
    """`epoch` and `zone_facts` (attribute → value) are what the next `trust` tells a node, and permits rest on."""

    root: SigningKey = field(default_factory=lambda: SigningKey.ed25519("root-1"))
    signer: SigningKey = field(default_factory=lambda: SigningKey.ed25519("signer-1"))
    officer: SigningKey = field(default_factory=lambda: SigningKey.ed25519("officer-1"))
    epoch: int = 1
    zone_facts: dict[str, object] = field(default_factory=lambda: {"location.territory": "FR"})

    # ---- what a node trusts

    def keyset(self, version: int = 1, keys: Iterable[trust.Key] | None = None) -> bytes:
        entries = list(keys) if keys is not None else [self.signer.entry("permit"), self.officer.entry("facts")]
        return self.root.document("keyset", trust.Keyset(version, {key.id: key for key in entries}).payload())

    def charter(self, node_id: UUID | str, zone: str, *, version: int = 1, **changes: object) -> bytes:
        fields: dict[str, object] = {
            "version": version,
            "node": str(node_id),
            "zone": zone,
            "classifications": ANY,
            "serial": "TEST-0001",
            "valid_from": now() - timedelta(days=1),
            "valid_to": now() + timedelta(days=365),
            "witnesses": ("alice", "bruno"),
        }
        return self.root.document("charter", trust.Charter(**(fields | changes)).payload())  # type: ignore[arg-type]

    def fact(self, zone: str, attribute: str, value: object, *, by: SigningKey | None = None) -> Envelope:
        since = now() - timedelta(days=1)
        statement = Statement(
            subject_kind="zone",
            subject_id=zone,
            attribute=attribute,
            value=value,
            valid_from=since,
            valid_to=None,
            attested_at=since,
            review_by=since + timedelta(days=365),
            assertion="self_declared",
            evidence_sha256="",
            author="an officer",
        )
        return (by or self.officer).envelope("fact", statement.payload())

    def facts(self, zone: str) -> bytes:
        return dumps([self.fact(zone, attribute, value) for attribute, value in self.zone_facts.items()])

    def floor(
        self, zone: str, facts: bytes, *, issued_at: datetime | None = None, by: SigningKey | None = None
    ) -> bytes:
        floor = trust.Floor(zone, self.epoch, _sha256(facts), issued_at or now())
        return (by or self.signer).document("floor", floor.payload())

    def deny(self, version: int = 1, *, by: SigningKey | None = None, **names: Iterable[str]) -> bytes:
        lists = {kind: frozenset(some) for kind, some in names.items()}
        return (by or self.signer).document("deny", trust.DenyList(version, **lists).payload())

    def trust(self, node_id: UUID | str, zone: str) -> pb.EnsureTrustRequest:
        """All that a new node needs."""
        facts = self.facts(zone)
        return pb.EnsureTrustRequest(
            keyset=self.keyset(), charter=self.charter(node_id, zone), floor=self.floor(zone, facts), facts=facts
        )

    # ---- permits

    def permit(
        self,
        op: str,
        *,
        node: UUID | str,
        zone: str,
        policies: Sequence[object] = IN_FRANCE,
        by: SigningKey | None = None,
        **changes: object,
    ) -> pb.Permit:
        """`changes`: any field of a Permit; `contents` and `limits` are ROOMY and empty by default."""
        begins = now()
        fields: dict[str, object] = {
            "jti": new_jti(),
            "op": op,
            "resource": new_jti(),
            "gen": 1,
            "aud": str(node),
            "zone": zone,
            "roles": ("compute", "storage"),
            "organization": new_jti(),
            "project": new_jti(),
            "policy_digest": digest(list(policies)),
            "epoch": self.epoch,
            "classifications": (),
            "decision": new_jti(),
            "nbf": begins,
            "exp": begins + LIFETIME,
            "limits": ROOMY,
            "contents": Contents(),
        }
        payload = Permit(**(fields | changes)).payload()  # type: ignore[arg-type]
        document = (by or self.signer).document("permit", payload)
        return pb.Permit(document=document, policies=dumps(list(policies)))


def _sha256(canonical: bytes) -> str:
    digested = hashes.Hash(hashes.SHA256())
    digested.update(canonical)
    return digested.finalize().hex()
