"""Evidence of a cloud, made by the code that the verifier checks it with.

It has keys, facts, nodes, policies, decisions, permits and receipts.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from andromede_core.documents.canonical import digest
from andromede_core.documents.parsing import as_rfc3339
from andromede_core.documents.signed import from_envelope, sign
from andromede_core.facts import catalogue, statements
from andromede_core.facts.world import World
from andromede_core.permits import sentinel_signature
from andromede_core.permits.permit import Contents, Limits, Permit, expiry
from andromede_core.permits.trust_documents import Charter, DenyList, Key, Keyset, Use
from andromede_core.policy.document import as_document
from andromede_core.policy.document import parse as parse_policy
from andromede_core.policy.evaluation import evaluate, failures
from andromede_core.policy.roles import ROLES_OF
from controlplane.audit import evidence_log
from controlplane.audit.models import EvidenceRecord
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.kernel.names import as_uuid
from scripts.control_plane import ROOT

Document = dict[str, object]

CATALOGUE = ROOT / "controlplane" / "catalog" / "fixtures" / "catalogue.json"
ZONES = ("fr-idf-1", "fr-idf-2", "us-va-1")  # of the sample catalogue; the parties do not matter to the policies below
ROLES = ROLES_OF["instance.create"]
EU = [
    {"id": "loc", "attr": "location.territory", "op": "in", "value": ["@EU"]},
    {"id": "adm", "attr": "admin.access_from", "op": "subset", "value": ["@EU"]},
]
QUALIFIED = [{"id": "snc", "op": "holds", "scheme": "SecNumCloud", "min_version": "3.2", "scope": "iaas"}]
DAY = timedelta(days=1)


@dataclass
class DocumentSigner:
    """A key that signs documents."""

    id: str
    private: Ed25519PrivateKey | ec.EllipticCurvePrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def algorithm(self) -> str:
        return "Ed25519" if isinstance(self.private, Ed25519PrivateKey) else "ECDSA-P256-SHA256"

    @property
    def public(self) -> str:
        raw = self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(raw).decode()

    def file(self, folder: Path) -> Path:
        """Return the public key, in the form for auditors."""
        path = folder / f"{self.id}.pub"
        pem = self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        path.write_bytes(pem)
        return path

    def write(self, kind: str, payload: Mapping[str, object]) -> Document:
        return sign(kind, payload, key_id=self.id, key=self._sign).envelope()

    def _sign(self, message: bytes) -> bytes:
        if isinstance(self.private, Ed25519PrivateKey):
            return self.private.sign(message)
        return self.private.sign(message, ec.ECDSA(SHA256()))

    def entry(self, use: Use, now: datetime) -> Key:
        every = frozenset({"*"})
        return Key(self.id, use, self.algorithm, self.public, every, every, now - DAY, now + 30 * DAY)


@dataclass
class SampleEvidence:
    organization: UUID
    project: UUID = field(default_factory=new_id)
    root: DocumentSigner = field(default_factory=lambda: DocumentSigner("root-1"))
    officer: DocumentSigner = field(default_factory=lambda: DocumentSigner("officer-1"))
    signer: DocumentSigner = field(default_factory=lambda: DocumentSigner("signer-1"))
    machine: DocumentSigner = field(
        default_factory=lambda: DocumentSigner("node-1", ec.generate_private_key(ec.SECP256R1()))
    )
    node: str = field(default_factory=lambda: str(new_id()))
    zone: str = "fr-idf-1"
    epoch: int = 0
    version: int = 1
    receipts: int = 0
    layers: list[object] = field(default_factory=list)
    facts: dict[tuple[str, str, str], str] = field(default_factory=dict)
    held: dict[str, statements.Statement] = field(default_factory=dict)

    # ── the platform ──────────────────────────────────────────────────────────────────────────────

    def found(self) -> None:
        """Make keys, facts of some zones of the sample catalogue, and a node."""
        now = clock.now()
        evidence_log.append("trust", {"trust": "root", "public_key": self.root.public})
        self.publish(1, self.signer)
        self.state(self.of_catalogue(now))
        every = frozenset({"*"})
        charter = Charter(1, self.node, self.zone, every, "serial", now - DAY, now + 30 * DAY, ("alice", "bob"))
        evidence_log.append("node", {"event": "charter", "signed": self.root.write("charter", charter.payload())})
        self.enrol(self.machine)

    def publish(self, version: int, *signers: DocumentSigner, sentinels: Sequence[DocumentSigner] = ()) -> None:
        """Publish a keyset with the officer, these signers, and sentinels for all data."""
        now = clock.now()
        keys = [self.officer.entry("facts", now), *(signer.entry("permit", now) for signer in signers)]
        keys += [sentinel.entry("sentinel", now) for sentinel in sentinels]
        keyset = Keyset(version, {key.id: key for key in keys})
        evidence_log.append("trust", {"trust": "keyset", "signed": self.root.write("keyset", keyset.payload())})

    def deny(self, version: int, *kids: str, pen: DocumentSigner | None = None) -> None:
        payload = DenyList(version, kids=frozenset(kids)).payload()
        evidence_log.append("trust", {"trust": "deny", "signed": (pen or self.root).write("deny", payload)})

    def enrol(self, machine: DocumentSigner) -> None:
        about = {"node": self.node, "zone": self.zone, "public_key": machine.public}
        evidence_log.append("node", {"event": "enrolled", **about})

    def of_catalogue(self, now: datetime) -> list[statements.Statement]:
        parsed = catalogue.parse(json.loads(CATALOGUE.read_text()))
        return [
            self.statement(each.kind, each.id, name, fact.value, now=now, since=fact.valid_from)
            for each in parsed.statements
            for name, fact in each.facts().items()
            if fact.valid_to is None and (each.kind == "set" or each.id in ZONES)
        ]

    def statement(
        self, kind: str, subject: str, attribute: str, value: object, *, now: datetime, since: datetime | None = None
    ) -> statements.Statement:
        return statements.Statement(
            subject_kind=kind,
            subject_id=subject,
            attribute=attribute,
            value=value,
            valid_from=since or now - DAY,
            valid_to=None,
            attested_at=now,
            review_by=now + 365 * DAY,
            assertion="self_declared",
            evidence_sha256="",
            author="Officer One",
        )

    def state(self, stated: Sequence[statements.Statement], *, pen: DocumentSigner | None = None) -> None:
        """State a new epoch with these facts, which supersede earlier ones about the same subject."""
        self.epoch += 1
        for each in stated:
            fact, about = str(new_id()), (each.subject_kind, each.subject_id, each.attribute)
            before = self.facts.get(about)
            signed = (pen or self.officer).write(statements.KIND, each.payload())
            ended = [before] if before else []
            document = {"event": "stated", "fact": fact, "epoch": self.epoch, "signed": signed, "supersedes": ended}
            evidence_log.append("fact", document)
            self.facts[about] = fact
            self.held.pop(before or "", None)
            self.held[fact] = each

    @property
    def world(self) -> World:
        zones = {each.subject_id for each in self.held.values() if each.subject_kind == "zone"}
        return statements.world(self.held.values(), dict.fromkeys(sorted(zones), "open"))

    # ── the organization ──────────────────────────────────────────────────────────────────────────

    def demand(self, name: str, clauses: Sequence[Mapping[str, object]]) -> None:
        """Publish a new policy of the organization."""
        self.version += 1
        policy = as_document(parse_policy({"id": name, "level": "organization", "atoms": list(clauses)}))
        self.layers = [each for each in self.layers if each["id"] != name] + [policy]  # type: ignore[index]
        document = {"level": "organization", "id": name, "version": 1, "head": self.version, "policy": policy}
        evidence_log.append("policy_version", document, organization_id=self.organization)

    def decide(self, *, resource: UUID | None = None, change: Callable[[Document], None] | None = None) -> Document:
        """Record a decision; `change` falsifies it first."""
        now, world, resource = clock.now(), self.world, resource or new_id()
        parsed = [parse_policy(layer) for layer in self.layers]
        evaluations = {
            name: evaluate(parsed, zone, world, now=now, roles=ROLES) for name, zone in sorted(world.zones.items())
        }
        boundaries = [each.valid_until for each in evaluations.values() if each.valid_until is not None]
        admitted = [name for name, each in evaluations.items() if each.admits]
        document: Document = {
            "decision": str(new_id()),
            "operation": "instance.create",
            "resource": str(resource),
            "roles": list(ROLES),
            "at": as_rfc3339(now),
            "admit": bool(admitted),
            "verdict": "admitted" if admitted else "inadmissible",
            "facts_epoch": self.epoch,
            "platform_version": 1,
            "organization_version": self.version,
            "classifications": [],
            "policy_digest": digest(self.layers),
            "policies": list(self.layers),
            "reference_zone": None,
            "zones": {name: failures(each.results) for name, each in evaluations.items()},
            "admitted_zones": admitted,
            "valid_until": as_rfc3339(min(boundaries)) if boundaries else None,
        }
        if change is not None:
            change(document)
        self._record("decision", document, resource)
        return document

    def permit(self, of: Mapping[str, object], /, *, pen: DocumentSigner | None = None, **other: object) -> Permit:
        """Record a permit for the node; `other` fields replace the right ones."""
        now, resource = clock.now(), str(of["resource"])
        fields: Document = {
            "jti": str(new_id()),
            "op": "instance.create",
            "resource": resource,
            "gen": 1,
            "aud": self.node,
            "zone": self.zone,
            "roles": ROLES,
            "organization": str(self.organization),
            "project": str(self.project),
            "policy_digest": str(of["policy_digest"]),
            "epoch": self.epoch,
            "classifications": (),
            "decision": str(of["decision"]),
            "nbf": now,
            "exp": expiry(now),
            "limits": Limits(1, 512, 10),
            "contents": Contents(instances=(resource,), volumes=("vol-1",)),
        }
        created = Permit(**(fields | other))  # type: ignore[arg-type]
        self._record("permit", (pen or self.signer).write("permit", created.payload()), UUID(created.resource))
        return created

    def cosign(self, permit: Permit, pen: DocumentSigner) -> None:
        signed = from_envelope(self.signer.write("permit", permit.payload()))
        document = pen.write(sentinel_signature.KIND, sentinel_signature.payload(signed))
        self._record("cosignature", document, UUID(permit.resource))

    def receipt(
        self, permit: Permit, event: str = "opened", *, pen: DocumentSigner | None = None, **other: object
    ) -> None:
        self.receipts += 1
        body: Document = {
            "number": self.receipts,
            "jti": permit.jti,
            "node": self.node,
            "zone": self.zone,
            "event": event,
            "kind": "instance",
            "resource": permit.resource,
            "at": as_rfc3339(clock.now()),
            "generation": 1,
            "measured": {},
        }
        body |= other
        self._record("receipt", (pen or self.machine).write("receipt", body), as_uuid(str(body["resource"])))

    def create(self) -> Permit:
        """Create an instance: all records from the decision to the node's receipt."""
        permit = self.permit(self.decide())
        self.receipt(permit)
        return permit

    def _record(self, kind: str, document: Document, resource: UUID | None) -> EvidenceRecord:
        owners = {"organization_id": self.organization, "project_id": self.project, "resource_id": resource}
        return evidence_log.append(kind, document, **owners)


def make_sample_evidence(organization: UUID, *, instances: int = 3) -> SampleEvidence:
    """Make evidence with records of each kind."""
    story = SampleEvidence(organization)
    story.found()
    story.demand("eu", EU)
    for _ in range(instances):
        story.create()
    story.demand("qualified", QUALIFIED)
    now = clock.now()
    story.state([story.statement("zone", "fr-idf-2", "admin.access_from", ["FR", "US"], now=now)])
    story.receipt(story.create(), "closed")
    evidence_log.append("incident", {"what": "an unknown domain"}, organization_id=organization)
    evidence_log.append("incident", {"what": "of nobody"})
    return story
