"""Resources expected on a node, or in a pool of a storage cluster.

They are allocated there, migrating to or from it, under an operation, or pending removal. Any other resource that a
node or a storage agent reports is an orphan. Node and pool are described first and the rows are read
afterwards: a resource created in between has its row by then.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, Q, QuerySet

from controlplane.catalog.models import VOLUME_SOURCE, Image
from controlplane.compute.models import MOVING, Attachment, Instance, MigratedVolume, Migration, Rebuild
from controlplane.kernel import clock
from controlplane.network.models import Port, PortBinding
from controlplane.nodes.models import Node, NodeRemoval, Pool
from controlplane.operations.models import ResourceLock
from controlplane.placement.models import Allocation, Permit
from controlplane.storage.models import MOVING_VOLUME, Snapshot, Volume, VolumeMove
from controlplane.storage.snapshot_sources import being_made

# A resource removed or placed less than this ago may be on the node without a row here, or the reverse.
IN_TRANSIT = timedelta(minutes=2)

Ids = Collection[UUID]


def instances(node: Node, ids: Ids) -> set[UUID]:
    rows = Instance.objects.filter(_here(node) | just_now() | _migrating(node), pk__in=ids)
    return {*_placed(node, ids), *rows.values_list("pk", flat=True), *held(ids)}


def volumes(node: Node, ids: Ids) -> set[UUID]:
    """Return the expected ones of these volumes. Root disks have the id of their instance."""
    having = Instance.objects.filter(_here(node) | just_now() | _migrating(node) | Q(pk__in=_worked_on()))
    roots = having.filter(root_volume_id__in=ids).values_list("root_volume_id", flat=True)
    coming = Rebuild.objects.filter(instance__node=node, root_volume_id__in=ids)
    own = Volume.objects.filter(_here(node) | just_now(), pk__in=ids).values_list("pk", flat=True)
    moved = MigratedVolume.objects.filter(_ends_of("migration__", node), volume_id__in=ids)
    return {
        *_placed(node, ids),
        *roots,
        *coming.values_list("root_volume_id", flat=True),
        *own,
        *moved.values_list("volume_id", flat=True),
        *held(ids),
    }


def in_pool(pool: Pool, ids: Ids) -> set[UUID]:
    """Return the expected ones of these images in a pool of a storage cluster: volumes and root disks."""
    there = Instance.objects.filter(Q(root_pool=pool) & ~Q(state="deleted") | just_now() | Q(pk__in=_worked_on()))
    own = Volume.objects.filter(Q(pool=pool) & ~Q(state="deleted") | just_now(), pk__in=ids)
    kept = Snapshot.objects.filter(pool=pool, volume_id__in=ids).exclude(state="deleted")
    coming = Rebuild.objects.filter(root_volume_id__in=ids)
    removed = NodeRemoval.objects.filter(resource_id__in=ids)
    return {
        *there.filter(root_volume_id__in=ids).values_list("root_volume_id", flat=True),
        *own.values_list("pk", flat=True),
        *kept.values_list("volume_id", flat=True),
        *coming.values_list("root_volume_id", flat=True),
        *removed.values_list("resource_id", flat=True),
        *_allocated(Q(), ids),
        *held(ids),
    }


def snapshots(ids: Ids) -> set[UUID]:
    """Return the expected ones of these snapshots in a storage cluster.

    One with the id of an image is for its operation, which makes the image of a volume.
    """
    rows = Snapshot.objects.filter(~Q(state="deleted") | just_now(), pk__in=ids)
    images = Image.objects.filter(being_made() | just_now(), source_kind=VOLUME_SOURCE, pk__in=ids)
    return {*rows.values_list("pk", flat=True), *images.values_list("pk", flat=True), *held(ids)}


def ports(node: Node, ids: Ids) -> set[UUID]:
    bound = PortBinding.objects.filter(node=node, port_id__in=ids).values_list("port_id", flat=True)
    busy = Port.objects.filter(just_now() | Q(instance_id__in=_worked_on()), pk__in=ids)
    moving = Instance.objects.filter(_migrating(node)).values("pk")
    on_the_way = Port.objects.filter(instance_id__in=moving, pk__in=ids)
    return {
        *bound,
        *busy.values_list("pk", flat=True),
        *on_the_way.values_list("pk", flat=True),
        *_to_be_removed(node, ids),
        *held(ids),
    }


def attachments(node: Node, ids: Ids) -> set[UUID]:
    having = Instance.objects.filter(_here(node) | just_now() | _migrating(node)).values("pk")
    working = _worked_on()
    busy = Q(instance_id__in=working) | Q(volume_id__in=working) | just_now()
    rows = Attachment.objects.filter(Q(instance_id__in=having) | busy, pk__in=ids)
    return {*rows.values_list("pk", flat=True), *_to_be_removed(node, ids), *held(ids)}


def images(node: Node, names: Collection[str]) -> set[str]:
    """Return the expected ones of these images.

    An expected image is needed by a resource on the node, or was cached by the platform: images of the catalogue that
    are public or of a project that ever had a permit there. An image stays in the cache when its last guest was rebuilt
    from another one; reconcilers/image_files.py removes images that the catalogue no longer has.
    """
    permits = Permit.objects.filter(node=node, state="signed")
    here = Q(node=node) | Q(pk__in=permits.values("resource_id"))
    expected: set[str] = set()
    coming = Q(migratedvolume__migration__destination=node, migratedvolume__migration__state__in=MOVING)
    for rows in (Instance.objects.filter(here), Volume.objects.filter(here | coming, is_whole=False)):
        expected |= set(rows.filter(image__sha256__in=names).values_list("image__sha256", flat=True))
    if rest := set(names) - expected:
        put_here = Q(project=None) & Exists(permits) | Q(project_id__in=permits.values("project_id"))
        expected |= set(Image.objects.filter(put_here, sha256__in=rest).values_list("sha256", flat=True))
    return expected


def held(ids: Ids) -> set[UUID]:
    """Return those of the ids that an operation has locked."""
    return set(ResourceLock.objects.filter(resource_id__in=ids).values_list("resource_id", flat=True))


def _worked_on() -> QuerySet[ResourceLock, UUID]:
    return ResourceLock.objects.values_list("resource_id", flat=True)


def just_now() -> Q:
    return Q(updated_at__gt=clock.now() - IN_TRANSIT)


# ---- orphaned rows


def allocations_without_owner() -> Iterable[Allocation]:
    """Return allocations without an instance, volume, shared attachment or migration, and without an operation."""
    owners: Sequence[QuerySet[Any, Any]] = (
        Instance.objects.exclude(state="deleted").values("pk"),
        Instance.objects.exclude(state="deleted").values("root_volume_id"),
        Rebuild.objects.values("root_volume_id"),
        Volume.objects.exclude(state="deleted").values("pk"),
        Attachment.objects.filter(is_shared=True).values("pk"),
        Migration.objects.filter(state__in=MOVING).values("pk"),
        MigratedVolume.objects.filter(migration__state__in=MOVING).values("pk"),
        VolumeMove.objects.filter(state__in=MOVING_VOLUME).values("pk"),
        _worked_on(),
    )
    rows = Allocation.objects.exclude(just_now())
    for owner_ids in owners:
        rows = rows.exclude(consumer_id__in=owner_ids)
    return rows.select_related("node", "project").order_by("pk")


def ports_without_instance() -> Iterable[Port]:
    """Return ports without an instance and without an operation."""
    rows = (
        Port.objects.filter(instance_id__isnull=False)
        .exclude(just_now())
        .exclude(instance_id__in=Instance.objects.exclude(state="deleted").values("pk"))
    )
    return rows.exclude(instance_id__in=_worked_on()).select_related("network").order_by("pk")


# ---- parts of an answer


def _placed(node: Node, ids: Ids) -> set[UUID]:
    return _allocated(_here(node), ids) | _to_be_removed(node, ids)


def _allocated(where: Q, ids: Ids) -> set[UUID]:
    places = Allocation.objects.filter(where, Q(consumer_id__in=ids) | Q(moving_id__in=ids))
    return {
        resource_id
        for pair in places.values_list("consumer_id", "moving_id")
        for resource_id in pair
        if resource_id is not None
    }


def _to_be_removed(node: Node, ids: Ids) -> set[UUID]:
    return set(NodeRemoval.objects.filter(node=node, resource_id__in=ids).values_list("resource_id", flat=True))


def _here(node: Node) -> Q:
    return Q(node=node)


def _migrating(node: Node) -> Q:
    """Return the filter for instances that migrate from or to this node."""
    return _ends_of("migrations__", node)


def _ends_of(path: str, node: Node) -> Q:
    ends = Q(**{f"{path}source": node}) | Q(**{f"{path}destination": node})
    return ends & Q(**{f"{path}state__in": MOVING})
