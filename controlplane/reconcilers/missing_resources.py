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
from controlplane.storage_clusters.services import missing_volumes

GUEST, VOLUME, PORT = "missing-guest", "missing-volume", "missing-port"
# A node may have forgotten an unattached volume of a folder pool; its file is there for all nodes of the pool.
HAD_THERE = Q(state="in-use") | Q(state="available") & (Q(pool=None) | Q(pool__cluster__isnull=False))
CODES = [error.code for error in (GuestMissing, DataMissing, PortMissing)]
NOTHING_ELSE = Q(last_error__isnull=True) | Q(last_error__code__in=CODES)

# ---- expected on a node: resources without an operation and without a recent change


def unchanged_since(before: datetime) -> Q:
    return ~Q(pk__in=ResourceLock.objects.values("resource_id")) & Q(updated_at__lte=before)


def _expected_guests(node: Node, before: datetime) -> QuerySet[Instance]:
    guests = Instance.objects.filter(
        unchanged_since(before), node=node, state__in=("active", "stopped"), is_deleting=False
    )
    return guests.exclude(migrations__state__in=MOVING).select_related("root_pool")


def _expected_volumes(node: Node, before: datetime) -> QuerySet[Volume]:
    return Volume.objects.filter(unchanged_since(before), HAD_THERE, node=node)


def _in_clusters(guests: Iterable[Instance], volumes: Iterable[Volume]) -> set[UUID]:
    """Return those of the disks that storage clusters have: reconcilers/cluster_orphans.py looks for them there."""
    ids = {row.pk for row in volumes} | {row.boot_volume_id for row in guests if row.boot_volume_id}
    of_volumes = Volume.objects.filter(pk__in=ids, pool__cluster__isnull=False).values_list("pk", flat=True)
    roots = {row.root_volume_id for row in guests if row.root_pool is not None and row.root_pool.is_of_cluster}
    return roots | set(of_volumes)


# ----


def reconcile_node(node: Node, description: pb.NodeDescription) -> int:
    """Compare with `description`: the node's description of a moment ago. Returns how much is missing."""
    here = {as_uuid(each.subject.id) for each in description.instances} - {
        as_uuid(text) for text in description.lost_domains
    }
    files = {as_uuid(each.subject.id) for each in description.volumes if each.size_bytes}
    ports = {as_uuid(each.subject.id) for each in description.ports}
    before = clock.now() - expected_resources.IN_TRANSIT
    guests, volumes = list(_expected_guests(node, before)), list(_expected_volumes(node, before))
    in_clusters = _in_clusters(guests, volumes)
    files = (files - in_clusters) | (in_clusters - missing_volumes(in_clusters))
    bindings = PortBinding.objects.filter(node=node).select_related("port")
    bound = {each.port_id: each.port.instance_id for each in bindings}
    without_guest = {row.pk for row in guests if row.pk not in here}
    without_disk = {row.pk: row.root_id for row in guests if row.root_id not in files}
    expected = {row.pk for row in guests}
    without_port = {owner: port for port, owner in bound.items() if owner in expected and port not in ports}
    without_data = {row.pk for row in volumes if row.pk not in files}
    without_file = {*without_disk.values(), *without_data} - in_clusters
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
