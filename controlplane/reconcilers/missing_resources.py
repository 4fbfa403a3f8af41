"""Missing resources: expected on a node and not there. They are an incident, and an error of the instance or volume.

Both last until the resource is there again.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from agents.protocol import agent_pb2 as pb
from controlplane.compute import expected_resources
from controlplane.compute.errors import DataMissing, GuestMissing, PortMissing
from controlplane.compute.models import MOVING, Instance
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.kernel.names import as_uuid
from controlplane.network.models import PortBinding
from controlplane.nodes import incidents
from controlplane.nodes.models import Node
from controlplane.operations.models import ResourceLock
from controlplane.storage.models import Volume

GUEST, VOLUME, PORT = "missing-guest", "missing-volume", "missing-port"
# A node may have forgotten an unattached volume of a pool; its file is there for all nodes of the pool.
HAD_THERE = Q(state="in-use") | Q(state="available", pool=None)
CODES = [error.code for error in (GuestMissing, DataMissing, PortMissing)]
NOTHING_ELSE = Q(last_error__isnull=True) | Q(last_error__code__in=CODES)

# ---- expected on a node: resources without an operation and without a recent change


def _settled(before: datetime) -> Q:
    return ~Q(pk__in=ResourceLock.objects.values("resource_id")) & Q(updated_at__lte=before)


def _expected_guests(node: Node, before: datetime) -> QuerySet[Instance]:
    settled = Instance.objects.filter(_settled(before), node=node, state__in=("active", "stopped"), is_deleting=False)
    return settled.exclude(migrations__state__in=MOVING)


def _expected_volumes(node: Node, before: datetime) -> QuerySet[Volume]:
    return Volume.objects.filter(_settled(before), HAD_THERE, node=node)


# ----


def reconcile_node(node: Node, description: pb.NodeDescription) -> int:
    """Compare with `description`: the node's description of a moment ago. Returns how much is missing."""
    here = {as_uuid(each.subject.id) for each in description.instances} - {
        as_uuid(text) for text in description.lost_domains
    }
    files = {as_uuid(each.subject.id) for each in description.volumes if each.size_bytes}
    ports = {as_uuid(each.subject.id) for each in description.ports}
    before = clock.now() - expected_resources.IN_TRANSIT
    guests, volumes = list(_expected_guests(node, before)), _expected_volumes(node, before)
    bindings = PortBinding.objects.filter(node=node).select_related("port")
    bound = {each.port_id: each.port.instance_id for each in bindings}
    without_guest = {row.pk for row in guests if row.pk not in here}
    without_disk = {row.pk: row.root_id for row in guests if row.root_id not in files}
    settled = {row.pk for row in guests}
    without_port = {owner: port for port, owner in bound.items() if owner in settled and port not in ports}
    without_data = {row.pk for row in volumes if row.pk not in files}
    without_file = {*without_disk.values(), *without_data}
    missing = {GUEST: without_guest, VOLUME: without_file, PORT: without_port.values()}
    incidents.reconcile(node, {kind: [str(each) for each in some] for kind, some in missing.items()})
    _record_errors(Instance, node, _errors(guests, without_guest, without_disk, without_port))
    _record_errors(Volume, node, dict.fromkeys(without_data, DataMissing()))
    return len(without_guest) + len(without_disk) + len(without_data) + len(without_port)


def _errors(
    guests: Iterable[Instance],
    without_guest: Collection[UUID],
    without_disk: Collection[UUID],
    without_port: Collection[UUID],
) -> dict[UUID, CloudError]:
    """Return the worst error of each resource."""
    errors: dict[UUID, CloudError] = {}
    for row in guests:
        if row.pk in without_disk:
            errors[row.pk] = DataMissing()
        elif row.pk in without_guest:
            errors[row.pk] = GuestMissing()
        elif row.pk in without_port:
            errors[row.pk] = PortMissing()
    return errors


def _record_errors(model: type[Instance] | type[Volume], node: Node, errors: dict[UUID, CloudError]) -> None:
    """Record the errors of resources on the node, and clear those that are over.

    Other last errors stay; and the record is no change of the resource.
    """
    for pk, error in errors.items():
        model.objects.filter(NOTHING_ELSE, pk=pk).update(last_error=error.as_document())
    model.objects.filter(node=node, last_error__code__in=CODES).exclude(pk__in=list(errors)).update(last_error=None)
