"""What a call asks for, in the terms of a permit. Pure.

The table of what each call may rest on stands here: a call that is not in it cannot be permitted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from agents.node import codec, wishes
from agents.node.adapters.base import PortSpec, Power
from agents.node.wishes import ArrivalWish, AttachmentWish, DepartureWish, ImageWish, InstanceWish, Subject, VolumeWish
from andromede_core.documents.canonical import digest
from andromede_core.permits.permit import Peer, address

GIB = 2**30

ARRIVAL_OPS = frozenset({"instance.migrate"})
# What comes to another node, by whatever way: from one that sends it, or from one that is dead.
COMING_OPS = ARRIVAL_OPS | {"instance.evacuate"}
DEPARTURE_OPS = frozenset({"instance.migrate-out"})
IMAGE_OPS = frozenset({"instance.create", "instance.rebuild", "volume.create"}) | COMING_OPS
VOLUME_OPS = (
    frozenset({"instance.create", "instance.resize", "instance.rebuild", "volume.create", "volume.grow"}) | ARRIVAL_OPS
)
# What is in a pool already; nothing is made.
TAKE_OVER_OPS = VOLUME_OPS | {"volume.attach", "instance.evacuate"}
PORT_OPS = frozenset({"instance.create"}) | COMING_OPS
# A detachment may be cancelled.
ATTACHMENT_OPS = frozenset({"instance.create", "instance.evacuate", "volume.attach", "volume.detach"})
RUN_OPS = frozenset(
    {"instance.create", "instance.start", "instance.reboot", "instance.reset", "instance.rebuild"} | COMING_OPS
)
DEFINE_OPS = frozenset({"instance.create", "instance.resize", "instance.rebuild"} | COMING_OPS)


@dataclass(frozen=True, slots=True)
class Deed:
    """`listed_in` and `id`: what is to be made so, as the permit lists it; `kind`: what receipts call it.

    `names`: everything else that the permit has to list, by list. `content`: a digest of the wish, by which a
    repetition is known. `generation` is 0 for images, which have none. `project` empty: the call names none.
    `opens`: something is there afterwards, or runs. `peer`: the other node of a move.
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


def image(wish: ImageWish) -> Deed:
    return Deed("EnsureImage", IMAGE_OPS, "image", "images", wish.sha256, 0, _content(wish))


def volume(subject: Subject, wish: VolumeWish) -> Deed:
    return Deed(
        "EnsureVolume",
        TAKE_OVER_OPS if wish.is_taken_over else VOLUME_OPS,
        "volume",
        "volumes",
        str(subject.id),
        subject.generation,
        _content(wish),
        names={"images": (wish.image_sha256,) if wish.image_sha256 else ()},
        disk_bytes=wish.size_bytes,
    )


def port(subject: Subject, wish: PortSpec) -> Deed:
    where = address(str(subject.id), network=str(wish.network.id), mac=wish.mac, ip=str(wish.ip))
    return Deed(
        "EnsurePort",
        PORT_OPS,
        "port",
        "nics",
        str(subject.id),
        subject.generation,
        _content(wish),
        names={"addresses": (where,)},
    )


def instance(subject: Subject, wish: InstanceWish, *, attached: Mapping[UUID, AttachmentWish]) -> Deed:
    """`attached`: the attachments that the guest would run with."""
    runs = wish.power is Power.RUNNING
    plugged = attached if runs else {}
    volumes = (wish.root_volume_id, *(each.volume_id for each in plugged.values()))
    return Deed(
        "EnsureInstance",
        RUN_OPS if runs else DEFINE_OPS,
        "instance",
        "instances",
        str(subject.id),
        subject.generation,
        _content(wish),
        names={"volumes": _texts(volumes), "nics": _texts(wish.port_ids), "attachments": _texts(tuple(plugged))},
        vcpus=wish.vcpus,
        memory_mib=wish.memory_mib,
        project=str(wish.project_id),
        opens=runs,
    )


def arrival(subject: Subject, wish: ArrivalWish) -> Deed:
    run = instance(subject, wish.instance, attached={})
    plugged = tuple(each.id for each in wish.plugged)
    volumes = (wish.instance.root_volume_id, *(each.volume_id for each in wish.plugged))
    return replace(
        run,
        call="EnsureArrival",
        ops=ARRIVAL_OPS,
        kind="arrival",
        content=_content(wish),
        names={**run.names, "volumes": _texts(volumes), "attachments": _texts(plugged)},
        opens=True,
        peer=_peer(wish.source),
    )


def departure(subject: Subject, wish: DepartureWish) -> Deed:
    return Deed(
        "EnsureDeparture",
        DEPARTURE_OPS,
        "departure",
        "instances",
        str(subject.id),
        subject.generation,
        _content(wish),
        peer=_peer(wish.destination),
    )


def attachment(subject: Subject, wish: AttachmentWish) -> Deed:
    return Deed(
        "EnsureAttachment",
        ATTACHMENT_OPS,
        "attachment",
        "attachments",
        str(subject.id),
        subject.generation,
        _content(wish),
        names={"volumes": (str(wish.volume_id),), "instances": (str(wish.instance_id),)},
    )


def _content(wish: object) -> str:
    return digest(codec.dumps(wish))


def _peer(other: wishes.Peer) -> Peer:
    return Peer(str(other.node_id), other.certificate_sha256)


def _texts(ids: tuple[UUID, ...]) -> tuple[str, ...]:
    return tuple(str(each) for each in ids)
