"""Translate a call into the terms of a permit. Pure.

The table states what each call may rest on: a call that is not in it cannot be permitted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from uuid import UUID

from agents.node import codec, specs
from agents.node.adapters.interfaces import Power
from agents.node.adapters.network_specs import PortSpec
from agents.node.specs import (
    AttachmentSpec,
    ImageSpec,
    IncomingAttachment,
    IncomingSpec,
    InstanceSpec,
    OutgoingSpec,
    Subject,
    VolumeCopySpec,
    VolumeSpec,
)
from andromede_core.documents.canonical import digest
from andromede_core.permits.permit import Peer, address

GIB = 2**30

ARRIVAL_OPS = frozenset({"instance.migrate"})
# What comes to another node, by whatever way: from one that sends it, or from one that is dead.
COMING_OPS = ARRIVAL_OPS | {"instance.evacuate"}
DEPARTURE_OPS = frozenset({"instance.migrate-out"})
IMAGE_OPS = frozenset({"instance.create", "instance.rebuild", "volume.create"}) | COMING_OPS
# A volume changes its place: it is copied there, then opened there.
COPY_OPS = frozenset({"volume.move"})
# The same, from one node to another: each has a permit of its own, which names the other one.
TRANSFER_OPS = frozenset({"volume.relocate"})
SENDING_OPS = frozenset({"volume.relocate-out"})
VOLUME_OPS = (
    frozenset(
        {"instance.create", "instance.resize", "instance.rebuild", "volume.create", "volume.grow", "volume.retype"}
    )
    | ARRIVAL_OPS
    | COPY_OPS
    | TRANSFER_OPS
)
START_OPS = frozenset({"instance.start", "instance.reboot", "instance.reset"})
# A guest gets a network card, or loses one; a detachment may be cancelled. One that is to run and does not is started.
CARD_OPS = frozenset({"port.attach", "port.detach"})
# What is in a pool already; nothing is made. A node that was rebooted gets its keys of volumes anew before a start.
TAKE_OVER_OPS = VOLUME_OPS | START_OPS | CARD_OPS | {"volume.attach", "volume.detach", "instance.evacuate"}
PORT_OPS = frozenset({"instance.create"}) | COMING_OPS | CARD_OPS
# A detachment may be cancelled. An arriving guest that is off gets its attachments without its source.
ATTACHMENT_OPS = frozenset({"instance.create", "volume.attach", "volume.detach"}) | COMING_OPS
RUN_OPS = frozenset({"instance.create", "instance.rebuild"} | START_OPS | COMING_OPS | CARD_OPS)
DEFINE_OPS = frozenset({"instance.create", "instance.resize", "instance.rebuild"} | COMING_OPS | CARD_OPS)


@dataclass(frozen=True, slots=True)
class PermitAction:
    """Describes one call. `listed_in` and `id`: the resource, as the permit lists it; `kind`: its kind in receipts.

    `names`: everything else that the permit has to list, by list. `content`: a digest of the spec, by which a
    repetition is recognised. `generation` is 0 for images, which have none. `project` empty: the call names none.
    `opens`: the call creates or starts the resource. `peer`: the other node of a migration, or of a copy to it.
    """

    call: str
    ops: frozenset[str]
    kind: str
    listed_in: str
    id: str
    generation: int
    content: str
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    vcpus: int = 0
    memory_mib: int = 0
    disk_bytes: int = 0
    project: str = ""
    opens: bool = True
    peer: Peer | None = None


def image(spec: ImageSpec) -> PermitAction:
    return PermitAction("EnsureImage", IMAGE_OPS, "image", "images", spec.sha256, 0, _content(spec))


def volume(subject: Subject, spec: VolumeSpec) -> PermitAction:
    return PermitAction(
        "EnsureVolume",
        TAKE_OVER_OPS if spec.is_taken_over else VOLUME_OPS,
        "volume",
        "volumes",
        str(subject.id),
        subject.generation,
        _content(spec),
        names={"images": (spec.image_sha256,) if spec.image_sha256 else ()},
        disk_bytes=spec.size_bytes,
    )


def volume_copy(subject: Subject, spec: VolumeCopySpec) -> PermitAction:
    return PermitAction(
        "EnsureVolumeCopy",
        _copy_ops(spec),
        copy_kind(spec),
        "volumes",
        str(subject.id),
        subject.generation,
        _content(spec),
        disk_bytes=spec.size_bytes,
        peer=_peer(spec.peer) if spec.peer is not None else None,
    )


def copy_kind(spec: VolumeCopySpec) -> str:
    """Return the kind of receipts. The source of a copy between nodes gets no data, and has the volume already."""
    return "volume-departure" if spec.sent_to is not None else "volume-copy"


def _copy_ops(spec: VolumeCopySpec) -> frozenset[str]:
    if spec.sent_to is not None:
        return SENDING_OPS
    return TRANSFER_OPS if spec.received_from is not None else COPY_OPS


def port(subject: Subject, spec: PortSpec) -> PermitAction:
    """Describe an EnsurePort call. A port without addresses is listed once, with an empty one."""
    addresses = [str(each) for each in spec.addresses] or [""]
    where = partial(address, str(subject.id), network=str(spec.network.id), mac=spec.mac)
    return PermitAction(
        "EnsurePort",
        PORT_OPS,
        "port",
        "nics",
        str(subject.id),
        subject.generation,
        _content(spec),
        names={"addresses": tuple(where(ip=each) for each in addresses)},
    )


def instance(subject: Subject, spec: InstanceSpec, *, attached: Mapping[UUID, AttachmentSpec]) -> PermitAction:
    """Describe an EnsureInstance call; `attached` are the attachments that the guest would run with."""
    runs = spec.power is Power.RUNNING
    plugged = attached if runs else {}
    volumes = (spec.root_volume_id, *(each.volume_id for each in plugged.values()))
    return PermitAction(
        "EnsureInstance",
        RUN_OPS if runs else DEFINE_OPS,
        "instance",
        "instances",
        str(subject.id),
        subject.generation,
        _content(spec),
        names={
            "volumes": _texts(volumes),
            "nics": _texts(spec.port_ids),
            "attachments": _texts(tuple(plugged)),
            "shared": _shared(plugged.values()),
        },
        vcpus=spec.vcpus,
        memory_mib=spec.memory_mib,
        project=str(spec.project_id),
        opens=runs,
    )


def arrival(subject: Subject, spec: IncomingSpec) -> PermitAction:
    run = instance(subject, spec.instance, attached={})
    plugged = tuple(each.id for each in spec.plugged)
    volumes = (spec.instance.root_volume_id, *(each.volume_id for each in spec.plugged))
    return replace(
        run,
        call="EnsureArrival",
        ops=ARRIVAL_OPS,
        kind="arrival",
        content=_content(spec),
        names={
            **run.names,
            "volumes": _texts(volumes),
            "attachments": _texts(plugged),
            "shared": _shared(spec.plugged),
        },
        opens=True,
        peer=_peer(spec.source),
    )


def departure(subject: Subject, spec: OutgoingSpec) -> PermitAction:
    return PermitAction(
        "EnsureDeparture",
        DEPARTURE_OPS,
        "departure",
        "instances",
        str(subject.id),
        subject.generation,
        _content(spec),
        peer=_peer(spec.destination),
    )


def attachment(subject: Subject, spec: AttachmentSpec) -> PermitAction:
    return PermitAction(
        "EnsureAttachment",
        ATTACHMENT_OPS,
        "attachment",
        "attachments",
        str(subject.id),
        subject.generation,
        _content(spec),
        names={
            "volumes": (str(spec.volume_id),),
            "instances": (str(spec.instance_id),),
            "shared": _shared((spec,)),
        },
    )


def _shared(plugged: Iterable[AttachmentSpec | IncomingAttachment]) -> tuple[str, ...]:
    """Return the volumes to which guests of other nodes may write too."""
    return tuple(str(each.volume_id) for each in plugged if each.is_shared)


def _content(spec: object) -> str:
    return digest(codec.dumps(spec))


def _peer(other: specs.Peer) -> Peer:
    return Peer(str(other.node_id), other.certificate_sha256)


def _texts(ids: tuple[UUID, ...]) -> tuple[str, ...]:
    return tuple(str(each) for each in ids)
