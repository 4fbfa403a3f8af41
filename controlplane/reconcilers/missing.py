"""What should be on a node and is not: an incident, and said on the instance or volume, until it is there again."""

from collections.abc import Collection, Iterable
from uuid import UUID

from django.db.models import Q, QuerySet

from agents.protocol import agent_pb2 as pb
from controlplane.compute import meant
from controlplane.compute.errors import DataMissing, GuestMissing, PortMissing
from controlplane.compute.models import MOVING, Instance
from controlplane.kernel.errors import CloudError
from controlplane.kernel.names import as_uuid
from controlplane.network.models import PortBinding
from controlplane.nodes import incidents
from controlplane.nodes.models import Node
from controlplane.operations.models import OperationHold
from controlplane.storage.models import Volume

GUEST, VOLUME, PORT = "missing-guest", "missing-volume", "missing-port"
# A node may have forgotten a volume of a pool that nothing has attached; its file is there for all of them.
HAD_THERE = Q(state="in-use") | Q(state="available", pool=None)
CODES = [error.code for error in (GuestMissing, DataMissing, PortMissing)]


def settle(node: Node, said: pb.NodeDescription) -> int:
    """`said`: all that the node has, as it described itself a moment ago. How much is missing."""
    here = {as_uuid(each.subject.id) for each in said.instances} - {as_uuid(text) for text in said.lost_domains}
    files = {as_uuid(each.subject.id) for each in said.volumes if each.size_bytes}
    ports = {as_uuid(each.subject.id) for each in said.ports}
    guests = list(_settled_guests(node))
    bound = dict(PortBinding.objects.filter(node=node).values_list("port_id", "port__instance_id"))
    volumes = list(Volume.objects.filter(_settled(), HAD_THERE, node=node))
    without_guest = {row.pk for row in guests if row.pk not in here}
    without_disk = {row.pk: row.root_volume_id for row in guests if row.root_volume_id not in files}
    settled = {row.pk for row in guests}
    without_port = {owner: port for port, owner in bound.items() if owner in settled and port not in ports}
    without_data = {row.pk for row in volumes if row.pk not in files}
    _report(node, GUEST, without_guest)
    _report(node, VOLUME, {*without_disk.values(), *without_data})
    _report(node, PORT, without_port.values())
    _say(Instance.objects.filter(node=node), _errors(guests, without_guest, without_disk, without_port))
    _say(Volume.objects.filter(node=node), dict.fromkeys(without_data, DataMissing()))
    return len(without_guest) + len(without_disk) + len(without_data) + len(without_port)


def _settled() -> Q:
    """No operation works on it, and nothing has changed just now."""
    return ~Q(pk__in=OperationHold.objects.values("resource_id")) & ~meant.just_now()


def _settled_guests(node: Node) -> Iterable[Instance]:
    rows = Instance.objects.filter(_settled(), node=node, state__in=("active", "stopped"), is_deleting=False)
    return rows.exclude(migrations__state__in=MOVING)


def _errors(
    guests: Iterable[Instance],
    without_guest: Collection[UUID],
    without_disk: Collection[UUID],
    without_port: Collection[UUID],
) -> dict[UUID, CloudError]:
    """The worst of each."""
    found: dict[UUID, CloudError] = {}
    for row in guests:
        if row.pk in without_disk:
            found[row.pk] = DataMissing()
        elif row.pk in without_guest:
            found[row.pk] = GuestMissing()
        elif row.pk in without_port:
            found[row.pk] = PortMissing()
    return found


def _report(node: Node, kind: str, missing: Iterable[UUID]) -> None:
    names = sorted(map(str, missing))
    for name in names:
        incidents.report(node, kind, name)
    incidents.end(node, kind, but=names)


def _say(rows: QuerySet[Instance] | QuerySet[Volume], errors: dict[UUID, CloudError]) -> None:
    """What else a resource says of its last failure stays; and it is no change of the resource."""
    for pk, error in errors.items():
        rows.filter(Q(last_error__isnull=True) | Q(last_error__code__in=CODES), pk=pk).update(
            last_error=error.as_document()
        )
    rows.filter(last_error__code__in=CODES).exclude(pk__in=list(errors)).update(last_error=None)
