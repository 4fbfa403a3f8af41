"""Build requests of the control plane, with defaults for fields that a test does not use."""

import hashlib
import secrets
import time
from uuid import UUID

from agents.protocol import agent_pb2 as pb

NODE_ID = UUID("01980000-0000-7000-8000-00000000a001")
ZONE = "fr-par-1"
MIB = 2**20
NETWORK_ID = "01980000-0000-7000-8000-00000000b001"
PROJECT_ID = "01980000-0000-7000-8000-00000000c001"


def new_id() -> str:
    """Return a UUIDv7."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return str(UUID(int=value & ~(0xF << 76) & ~(0x3 << 62) | (7 << 76) | (2 << 62)))


def subject(resource_id: str | None = None, generation: int = 1) -> pb.Subject:
    return pb.Subject(id=resource_id or new_id(), generation=generation)


def removal(of: pb.Subject, generation: int | None = None) -> pb.RemoveRequest:
    return pb.RemoveRequest(subject=subject(of.id, generation or of.generation))


def image_header(content: bytes, **changes: object) -> pb.ImageHeader:
    header = pb.ImageHeader(
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        format=pb.IMAGE_FORMAT_RAW,
    )
    header.MergeFrom(pb.ImageHeader(**changes))  # type: ignore[arg-type]
    return header


def volume(
    resource_id: str | None = None, *, generation: int = 1, size_mib: int = 64, image: str = ""
) -> pb.EnsureVolumeRequest:
    return pb.EnsureVolumeRequest(
        subject=subject(resource_id, generation), size_bytes=size_mib * MIB, image_sha256=image
    )


def port(
    number: int = 11, *, resource_id: str | None = None, generation: int = 1, hostname: str = "web-1"
) -> pb.EnsurePortRequest:
    network = pb.Network(
        id=NETWORK_ID, cidr="10.10.0.0/24", gateway_ip="10.10.0.1", dns_servers=["10.10.0.1"], mtu=1450
    )
    return pb.EnsurePortRequest(
        subject=subject(resource_id, generation),
        network=network,
        mac=f"52:54:00:00:00:{number:02x}",
        ip=f"10.10.0.{number}",
        hostname=hostname,
    )


def instance(
    root: pb.EnsureVolumeRequest,
    *ports: pb.EnsurePortRequest,
    resource_id: str | None = None,
    generation: int = 1,
    power: "pb.Power" = pb.POWER_RUNNING,
    restart: pb.Restart | None = None,
    vcpus: int = 1,
    memory_mib: int = 128,
) -> pb.EnsureInstanceRequest:
    return pb.EnsureInstanceRequest(
        subject=subject(resource_id, generation),
        vcpus=vcpus,
        memory_mib=memory_mib,
        firmware=pb.FIRMWARE_BIOS,
        root_volume_id=root.subject.id,
        port_ids=[port.subject.id for port in ports],
        guest_data=pb.GuestData(hostname="web-1", ssh_public_keys=["ssh-ed25519 AAAA test"]),
        power=power,
        restart=restart,
        project_id=PROJECT_ID,
    )


def next_generation(request: pb.EnsureInstanceRequest, **changes: object) -> pb.EnsureInstanceRequest:
    """Return the next generation of an instance's spec."""
    changed = pb.EnsureInstanceRequest()
    changed.CopyFrom(request)
    changed.subject.generation += 1
    changed.MergeFrom(pb.EnsureInstanceRequest(**changes))  # type: ignore[arg-type]
    return changed


def attachment(
    instance: pb.EnsureInstanceRequest,
    volume: pb.EnsureVolumeRequest,
    *,
    is_read_only: bool = False,
    is_shared: bool = False,
) -> pb.EnsureAttachmentRequest:
    return pb.EnsureAttachmentRequest(
        subject=subject(),
        instance_id=instance.subject.id,
        volume_id=volume.subject.id,
        is_read_only=is_read_only,
        is_shared=is_shared,
    )
