"""An authority for tests: an offline root, a signer of permits and an officer who states facts.

It makes the signed documents that a node trusts, and permits, as the control plane does; also bad ones.
"""

import base64
import secrets
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from ipaddress import IPv4Address, ip_address
from typing import Any, TypeVar
from uuid import UUID

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agents.protocol import agent_pb2 as pb
from agents.protocol.agent_pb2_grpc import AgentStub
from andromede_core.documents import signed
from andromede_core.documents.canonical import digest, dumps
from andromede_core.facts.statements import Statement
from andromede_core.permits import instance_metadata, network_ports, security_group, trust_documents
from andromede_core.permits.instance_metadata import InstanceMetadata
from andromede_core.permits.network_ports import EgressAddress, ListedPort, ListedSubnet, NetworkPorts
from andromede_core.permits.permit import LIFETIME, Contents, Limits, Peer, Permit, address
from andromede_core.permits.security_group import Rule, SecurityGroup
from andromede_core.permits.segment import Segment

Envelope = dict[str, object]

ANY = frozenset({trust_documents.ANY})
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


BEGAN = now()  # fixed, so that equal documents are made twice


def new_jti() -> str:
    """Return a UUIDv7."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return str(UUID(int=value & ~(0xF << 76) & ~(0x3 << 62) | (7 << 76) | (2 << 62)))


@dataclass(frozen=True)
class SigningKey:
    """A key. `public_key`: base64 of its SubjectPublicKeyInfo; `public_pem` is the form for a node's enrolment."""

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

    def entry(self, use: trust_documents.Use, **changes: object) -> trust_documents.Key:
        """Return the key's entry in a keyset: for every use and long enough, unless `changes` differ."""
        fields: dict[str, object] = {
            "zones": ANY,
            "classifications": ANY,
            "not_before": BEGAN - timedelta(days=1),
            "not_after": BEGAN + timedelta(days=30),
        }
        return trust_documents.Key(
            id=self.id,
            use=use,
            algorithm=self.algorithm,
            public_key=self.public_key,
            **(fields | changes),  # type: ignore[arg-type]
        )


@dataclass
class Authority:
    """Signs documents. `epoch` and `zone_facts` (attribute → value) are those of the next `trust` and of permits.

    `attachments`: instance → attachment → volume, since a permit to start a guest lists what is plugged into it.
    `shared`: those of the volumes that guests of several nodes may have.
    """

    root: SigningKey = field(default_factory=lambda: SigningKey.ed25519("root-1"))
    signer: SigningKey = field(default_factory=lambda: SigningKey.ed25519("signer-1"))
    officer: SigningKey = field(default_factory=lambda: SigningKey.ed25519("officer-1"))
    epoch: int = 1
    zone_facts: dict[str, object] = field(default_factory=lambda: {"location.territory": "FR"})
    attachments: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    shared: set[str] = field(default_factory=set)

    # ---- what a node trusts

    def keyset(self, version: int = 1, keys: Iterable[trust_documents.Key] | None = None, **reached: int) -> bytes:
        entries = list(keys) if keys is not None else [self.signer.entry("permit"), self.officer.entry("facts")]
        keyset = trust_documents.Keyset(version, {key.id: key for key in entries}, **reached)
        return self.root.document("keyset", keyset.payload())

    def charter(self, node_id: UUID | str, zone: str, *, version: int = 1, **changes: object) -> bytes:
        fields: dict[str, object] = {
            "version": version,
            "node": str(node_id),
            "zone": zone,
            "classifications": ANY,
            "serial": "TEST-0001",
            "valid_from": BEGAN - timedelta(days=1),
            "valid_to": BEGAN + timedelta(days=365),
            "witnesses": ("alice", "bruno"),
        }
        return self.root.document("charter", trust_documents.Charter(**(fields | changes)).payload())  # type: ignore[arg-type]

    def fact(self, zone: str, attribute: str, value: object, *, by: SigningKey | None = None) -> Envelope:
        since = BEGAN - timedelta(days=1)
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
        floor = trust_documents.Floor(zone, self.epoch, sha256(facts).hexdigest(), issued_at or now())
        return (by or self.signer).document("floor", floor.payload())

    def deny(self, version: int = 1, *, by: SigningKey | None = None, **names: Iterable[str]) -> bytes:
        lists = {kind: frozenset(some) for kind, some in names.items()}
        return (by or self.signer).document("deny", trust_documents.DenyList(version, **lists).payload())

    def segment(
        self,
        zone: str,
        network: str,
        members: Mapping[UUID | str, str],
        *,
        version: int = 1,
        vni: int = 0x12345,
        by: SigningKey | None = None,
    ) -> bytes:
        addresses = {str(node): IPv4Address(address) for node, address in members.items()}
        payload = Segment(zone, network, vni, version, addresses).payload()
        return (by or self.signer).document("segment", payload)

    def network_ports(
        self,
        zone: str,
        network: str,
        ports: Mapping[str, ListedPort],
        *,
        version: int = 1,
        egress: EgressAddress | None = None,
        subnets: tuple[ListedSubnet, ...] | None = None,
        by: SigningKey | None = None,
    ) -> bytes:
        payload = NetworkPorts(zone, network, version, ports, egress, subnets).payload()
        return (by or self.signer).document(network_ports.KIND, payload)

    def security_group(
        self,
        zone: str,
        group: str,
        rules: Sequence[Rule] = (),
        members: Mapping[str, Sequence[str]] | None = None,
        *,
        version: int = 1,
        by: SigningKey | None = None,
    ) -> bytes:
        addresses = {network: tuple(map(ip_address, each)) for network, each in (members or {}).items()}
        payload = SecurityGroup(zone, group, version, tuple(rules), addresses).payload()
        return (by or self.signer).document(security_group.KIND, payload)

    def instance_metadata(
        self,
        zone: str,
        node: str,
        instance: str,
        labels: Mapping[str, str],
        *,
        identity: str = "e30.e30.AA",
        version: int = 1,
        by: SigningKey | None = None,
    ) -> bytes:
        payload = InstanceMetadata(zone, node, instance, version, identity, labels).payload()
        return (by or self.signer).document(instance_metadata.KIND, payload)

    def trust(self, node_id: UUID | str, zone: str) -> pb.EnsureTrustRequest:
        """Return all trust documents of a new node."""
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
        """Return a permit. `changes`: any field of a Permit; by default it lists nothing and its limits are ROOMY."""
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


Giving = (
    pb.ImageHeader
    | pb.EnsureVolumeRequest
    | pb.EnsureVolumeCopyRequest
    | pb.EnsurePortRequest
    | pb.EnsureInstanceRequest
    | pb.EnsureAttachmentRequest
    | pb.EnsureDepartureRequest
)
Asking = Giving | pb.EnsureArrivalRequest  # whose permit is the one of its instance
G = TypeVar("G", bound=Giving)


def addresses_of(request: pb.EnsurePortRequest) -> tuple[str, ...]:
    addresses = [*request.addresses] or [request.ip]
    where = partial(address, request.subject.id, network=request.network.id, mac=request.mac)
    return tuple(where(ip=each) for each in addresses)


class PermittedStub:
    """The agent's calls, each under a permit of its own that allows just this call, unless the request has one.

    `watcher`: the stub of the same agent with the watcher's certificate.
    """

    def __init__(
        self, stub: AgentStub, authority: Authority, *, node: UUID | str, zone: str, watcher: AgentStub | None = None
    ) -> None:
        self.bare: Any = stub
        self.watcher: Any = watcher
        self.authority = authority
        self._node = node
        self._zone = zone

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bare, name)

    def Watch(self, request: pb.WatchRequest, **options: object) -> Any:
        return self.watcher.Watch(request, **options)

    def EnsureImage(self, parts: Iterable[pb.ImagePart], **options: object) -> pb.ImageState:
        first, *others = parts
        header = pb.ImagePart(header=self.permitted(first.header))
        done: pb.ImageState = self.bare.EnsureImage(iter([header, *others]), **options)
        return done

    def EnsureVolume(self, request: pb.EnsureVolumeRequest, **options: object) -> pb.VolumeState:
        done: pb.VolumeState = self.bare.EnsureVolume(self.permitted(request), **options)
        return done

    def EnsureVolumeCopy(self, request: pb.EnsureVolumeCopyRequest, **options: object) -> pb.VolumeCopyState:
        done: pb.VolumeCopyState = self.bare.EnsureVolumeCopy(self.permitted(request), **options)
        return done

    def EnsurePort(self, request: pb.EnsurePortRequest, **options: object) -> pb.PortState:
        done: pb.PortState = self.bare.EnsurePort(self.permitted(request), **options)
        return done

    def EnsureInstance(self, request: pb.EnsureInstanceRequest, **options: object) -> pb.InstanceState:
        done: pb.InstanceState = self.bare.EnsureInstance(self.permitted(request), **options)
        return done

    def EnsureAttachment(self, request: pb.EnsureAttachmentRequest, **options: object) -> pb.AttachmentState:
        done: pb.AttachmentState = self.bare.EnsureAttachment(self.permitted(request), **options)
        self.authority.attachments[request.instance_id][request.subject.id] = request.volume_id
        if request.is_shared:
            self.authority.shared.add(request.volume_id)
        return done

    def EnsureArrival(self, request: pb.EnsureArrivalRequest, **options: object) -> pb.ArrivalState:
        copy = deepcopy(request)
        if not copy.instance.HasField("permit"):
            copy.instance.permit.CopyFrom(self.permit_for(request))
        done: pb.ArrivalState = self.bare.EnsureArrival(copy, **options)
        plugged = {each.subject.id: each.volume_id for each in request.plugged}
        self.authority.attachments[request.instance.subject.id].update(plugged)
        self.authority.shared.update(each.volume_id for each in request.plugged if each.is_shared)
        return done

    def EnsureDeparture(self, request: pb.EnsureDepartureRequest, **options: object) -> pb.DepartureState:
        done: pb.DepartureState = self.bare.EnsureDeparture(self.permitted(request), **options)
        return done

    def RemoveAttachment(self, request: pb.RemoveRequest, **options: object) -> pb.Removed:
        done: pb.Removed = self.bare.RemoveAttachment(request, **options)
        for plugged in self.authority.attachments.values():
            plugged.pop(request.subject.id, None)
        return done

    def permitted(self, request: G) -> G:
        """Return a copy of the request with a permit for it."""
        copy = deepcopy(request)
        if not copy.HasField("permit"):
            copy.permit.CopyFrom(self.permit_for(copy))
        return copy

    def permit_for(self, request: Asking, op: str = "", **changes: object) -> pb.Permit:
        """Return a permit for just this call. `changes`: of the permit's fields, to make it a bad one."""
        usual, contents = self._contents(request)
        fields: dict[str, object] = {"contents": contents}
        if isinstance(request, pb.EnsureArrivalRequest):
            subject, peer = request.instance.subject, request.source
            fields |= {"resource": subject.id, "gen": subject.generation, "project": request.instance.project_id}
            fields["peer"] = Peer(peer.node_id, peer.certificate_sha256)
        elif isinstance(request, pb.EnsureDepartureRequest):
            fields["peer"] = Peer(request.destination.node_id, request.destination.certificate_sha256)
        elif isinstance(request, pb.EnsureVolumeCopyRequest) and (other := _peer_of_copy(request)) is not None:
            fields["peer"] = Peer(other.node_id, other.certificate_sha256)
        if not isinstance(request, pb.ImageHeader | pb.EnsureArrivalRequest):
            fields |= {"resource": request.subject.id, "gen": request.subject.generation}
        if isinstance(request, pb.EnsureInstanceRequest):
            fields["project"] = request.project_id
        at = {"node": self._node, "zone": self._zone}
        return self.authority.permit(op or usual, **(at | fields | changes))  # type: ignore[arg-type]

    def _contents(self, request: Asking) -> tuple[str, Contents]:
        """Return the contents of a usual permit: every id of the request."""
        if isinstance(request, pb.ImageHeader):
            return "instance.create", Contents(images=(request.sha256,))
        if isinstance(request, pb.EnsureArrivalRequest):
            guest = request.instance
            brought = {each.subject.id: each.volume_id for each in request.plugged}
            contents = Contents(
                volumes=(guest.root_volume_id, *brought.values()),
                nics=tuple(guest.port_ids),
                attachments=tuple(brought),
                instances=(guest.subject.id,),
                shared=tuple(each.volume_id for each in request.plugged if each.is_shared),
            )
            return "instance.migrate", contents
        own = (request.subject.id,)
        if isinstance(request, pb.EnsureVolumeRequest):
            return "volume.create", Contents(volumes=own, images=tuple(filter(None, [request.image_sha256])))
        if isinstance(request, pb.EnsureVolumeCopyRequest):
            between = "volume.relocate-out" if request.HasField("sent_to") else "volume.relocate"
            return between if _peer_of_copy(request) else "volume.move", Contents(volumes=own)
        if isinstance(request, pb.EnsurePortRequest):
            return "instance.create", Contents(nics=own, addresses=addresses_of(request))
        if isinstance(request, pb.EnsureAttachmentRequest):
            volumes = (request.volume_id,)
            shared = volumes if request.is_shared else ()
            contents = Contents(volumes, attachments=own, instances=(request.instance_id,), shared=shared)
            return "volume.attach", contents
        if isinstance(request, pb.EnsureDepartureRequest):
            return "instance.migrate-out", Contents(instances=own)
        plugged = self.authority.attachments[request.subject.id]
        contents = Contents(
            volumes=(request.root_volume_id, *plugged.values()),
            nics=tuple(request.port_ids),
            attachments=tuple(plugged),
            instances=own,
            shared=tuple(each for each in plugged.values() if each in self.authority.shared),
        )
        return "instance.start" if request.power == pb.POWER_RUNNING else "instance.resize", contents


def _peer_of_copy(request: pb.EnsureVolumeCopyRequest) -> pb.Peer | None:
    """Return the other node of a copy between two nodes."""
    for name in ("received_from", "sent_to"):
        if request.HasField(name):
            peer: pb.Peer = getattr(request, name)
            return peer
    return None
