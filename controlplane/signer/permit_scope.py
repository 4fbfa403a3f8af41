"""Scope of an operation's permit, read from the rows: allocation, contents and policies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist

from andromede_core.documents.messages import Message
from andromede_core.permits.permit import Contents, Peer, address
from controlplane.catalog.models import Image
from controlplane.compute.actions import STARTS
from controlplane.compute.attachments import attachment_request, instance_with_volumes_request
from controlplane.compute.instance_snapshots import snapshots_placement_request
from controlplane.compute.migration import migration_of, migration_request
from controlplane.compute.models import EVACUATE, Attachment, Instance
from controlplane.compute.port_attachments import ATTACH, DETACH
from controlplane.compute.rebuild import instance_after_rebuild
from controlplane.compute.volume_moves import move_of, volume_move_request
from controlplane.kernel.prepared_queries import Prepared
from controlplane.network.port_specs import OF_INSTANCE as PORTS
from controlplane.network.port_specs import addresses_of
from controlplane.nodes.models import Node
from controlplane.operations.models import Operation
from controlplane.placement.decisions import PlacementRequest
from controlplane.placement.effective_policies import DataSource, PolicySubject
from controlplane.signer.errors import PermitOutdated
from controlplane.storage.image_sources import image_placement_request, snapshot_id, source_of, volume_of
from controlplane.storage.models import Snapshot, Volume
from controlplane.storage.services import CREATE, image_sources, volume_placement_request
from controlplane.storage.snapshot_placement import snapshot_placement_request

# Operations that open disks in storage clusters anew where a node has lost the keys, before it starts the guest.
REOPEN = frozenset({*STARTS, ATTACH, DETACH})
# The related rows of an instance that are read, unless placement has to decide again.
OF_INSTANCE = ("generation", "root_volume_id", "boot_volume", "project__organization", "image__sha256")


@dataclass(frozen=True)
class PermitScope:
    """The scope of a permit.

    `consumers`: their allocations have to be on the node; the first one's is the limit. `subject`: its policies have to
    hold, with the sources whose data it meets there. `make_request`: makes the placement request, if placement has
    to decide again.

    `brings_disks`: each of the consumers gets its disk there, or opens it there again. `peer`: the other node of a
    move. `decided_for`: the zone that the decision has to admit, if it is not that of the node.
    """

    generation: int
    contents: Contents
    consumers: tuple[UUID, ...]
    subject: PolicySubject
    make_request: Callable[[], PlacementRequest]
    brings_disks: bool = False
    peer: Peer | None = None
    decided_for: str | None = None


def for_operation(operation: Operation, op: str, resource_id: UUID | None = None) -> PermitScope:
    """Return the scope of an operation's permit. `resource_id`: of the permit, if it is not the operation's.

    Raises:
        PermitOutdated: the operation gives nodes nothing, or its resource is gone.
    """
    try:
        if op == CREATE:
            return _of_new_volume(operation, resource_id or operation.resource_id)
        if op in KINDS:
            return KINDS[op](operation)
    except ObjectDoesNotExist as exc:
        raise PermitOutdated(reason=Message("its resource no longer exists.")) from exc
    raise PermitOutdated(reason=Message("{kind} needs none.", kind=op))


INSTANCES = Prepared(
    lambda instance: (
        Instance.objects.select_related("project__organization", "image").only(*OF_INSTANCE).filter(pk=instance)
    )
)
ATTACHMENTS = Prepared(lambda instance: Attachment.objects.filter(instance=instance).order_by("pk"))


def _of_instance(operation: Operation) -> PermitScope:
    return _of_whole(operation, INSTANCES.get(operation.resource_id))


def _of_rebuild(operation: Operation) -> PermitScope:
    """Return the scope of a rebuild: with the new disk and its image; during the undo with the old one."""
    if operation.state == "undoing":
        return _of_instance(operation)
    instance = instance_after_rebuild(operation.resource_id)
    scope = _of_whole(operation, instance, gets=image_sources(instance.image))
    made = (instance.boot_volume_id,) if instance.boot_volume_id is not None else ()
    return replace(scope, consumers=(*scope.consumers, *made))


def _of_whole(operation: Operation, instance: Instance, *, gets: tuple[DataSource, ...] = ()) -> PermitScope:
    """Return the scope of the whole instance. `gets`: new sources of its data, besides those of its volumes."""
    rows = ATTACHMENTS.rows(instance.pk)
    attachments = {each.pk: each.volume_id for each in rows if not each.is_boot}
    volumes = [each.volume_id for each in rows]
    ports = PORTS.rows(instance.pk)
    is_sent = _is_root_sent(operation, instance)
    contents = Contents(
        volumes=_texts(instance.root_id, *attachments.values()),
        images=(instance.image.sha256,) if instance.boot_volume_id is None or is_sent else (),
        nics=_texts(*(port.pk for port in ports)),
        attachments=_texts(*attachments),
        instances=_texts(instance.pk),
        addresses=tuple(
            address(str(port.pk), network=str(port.network_id), mac=port.mac, ip=ip)
            for port in ports
            for ip in addresses_of(port)
        ),
        shared=_texts(*(each.volume_id for each in rows if each.is_shared)),
    )
    sources = tuple(DataSource(volume, instance.project) for volume in volumes)
    make_request = partial(instance_with_volumes_request, instance, volumes, operation=operation.kind, gets=gets)
    subject = PolicySubject(instance.project, instance.pk, sources=(*sources, *gets))
    consumers = (instance.pk, *(each.holder_id for each in rows))
    is_brought = any(operation.args.get(each) for each in ("shared", "first_uses")) or operation.kind in REOPEN
    return PermitScope(
        instance.generation, contents, consumers, subject, make_request, brings_disks=is_sent or is_brought
    )


def _is_root_sent(operation: Operation, instance: Instance) -> bool:
    """Tell if the operation makes or enlarges the volume that the instance boots from."""
    made, grown = operation.args.get("root_volume"), operation.args.get("grown_volume")
    return instance.boot_volume_id is not None and str(instance.boot_volume_id) in (made, grown)


def _incoming_scope(operation: Operation) -> PermitScope:
    """Return the scope at the destination: the migration has the allocations there, and the generation."""
    migration = migration_of(operation)
    whole = _of_whole(operation, migration.instance)
    parts = migration.volumes.select_related("volume__image").order_by("pk")
    images = {*whole.contents.images, *(part.volume.image.sha256 for part in parts if part.volume.image)}
    return replace(
        whole,
        generation=migration.generation,
        contents=replace(whole.contents, images=tuple(sorted(images))),
        consumers=(migration.pk, *(part.pk for part in parts)),
        make_request=partial(migration_request, migration),
        brings_disks=True,
        peer=_peer(migration.source),
    )


def _of_evacuation(operation: Operation) -> PermitScope:
    """Return the scope at the new node: as for an arrival, but without a peer, since the source is fenced."""
    migration = migration_of(operation)
    source = migration.source
    if migration.kind != EVACUATE or source.admin_state != "fenced" or not source.fenced_by:
        raise PermitOutdated(reason=Message("its source node is not fenced."))
    return replace(_incoming_scope(operation), peer=None)


def _outgoing_scope(operation: Operation) -> PermitScope:
    """Return the scope at the source, which gets nothing: only its peer, whose zone the decision has to admit."""
    migration = migration_of(operation)
    if migration.destination is None:
        raise PermitOutdated(reason=Message("it has no destination."))
    whole = _of_whole(operation, migration.instance)
    return replace(
        whole,
        contents=Contents(instances=whole.contents.instances),
        make_request=partial(migration_request, migration),
        peer=_peer(migration.destination),
        decided_for=migration.destination.zone_id,
    )


def _peer(node: Node) -> Peer:
    return Peer(str(node.pk), node.certificate_sha256)


def _of_volume(operation: Operation) -> PermitScope:
    return _of_one_volume(operation.resource_id, op=operation.kind)


def _of_one_volume(volume_id: UUID, *, op: str) -> PermitScope:
    """Return the scope of a volume. `op`: of the permit."""
    volume = Volume.objects.select_related("project__organization", "image").get(pk=volume_id)
    images = (volume.image.sha256,) if volume.image is not None else ()
    make_request = partial(volume_placement_request, volume, operation=op)
    shared = _texts(volume.pk) if volume.is_multi_attach else ()
    contents = Contents(volumes=_texts(volume.pk), images=images, shared=shared)
    return PermitScope(
        volume.generation, contents, (volume.pk,), PolicySubject(volume.project, volume.pk), make_request
    )


def _of_volume_move(operation: Operation) -> PermitScope:
    """Return the scope of a move: until the switch the move has the allocation at the destination."""
    volume_move = move_of(operation)
    scope = _of_volume(operation)
    if volume_move.state == "switched":
        return scope
    request = volume_move_request(volume_move)
    return replace(
        scope,
        peer=_peer(volume_move.source) if volume_move.requested_zone_id is not None else None,
        generation=volume_move.generation,
        consumers=(volume_move.pk,),
        subject=replace(scope.subject, sources=request.sources),
        make_request=lambda: request,
    )


def _of_volume_departure(operation: Operation) -> PermitScope:
    """Return the scope at the source of a relocation, which gets nothing: as _outgoing_scope()."""
    volume_move = move_of(operation)
    if volume_move.destination is None:
        raise PermitOutdated(reason=Message("it has no destination."))
    scope, request = _of_volume(operation), volume_move_request(volume_move)
    return replace(
        scope,
        generation=volume_move.generation,
        contents=Contents(volumes=scope.contents.volumes),
        make_request=lambda: request,
        peer=_peer(volume_move.destination),
        decided_for=volume_move.destination.zone_id,
    )


def _of_new_volume(operation: Operation, volume_id: UUID) -> PermitScope:
    """Return the scope of a creation, which may be from a snapshot of the project.

    Raises:
        PermitOutdated: it is a part of the first use of a volume, and the volume has its place already, or is not one
            of those that the operation makes.
    """
    if operation.kind != CREATE and not _is_first_use(operation, volume_id):
        raise PermitOutdated(reason=Message("the volume has its place already."))
    scope = _of_one_volume(volume_id, op=CREATE)
    made_from = Snapshot.objects.filter(
        pk__in=Volume.objects.filter(pk=volume_id).values("snapshot"), project_id=scope.subject.project.pk
    )
    return _with_snapshots(scope, *made_from.values_list("pk", flat=True))


def _is_first_use(operation: Operation, volume_id: UUID) -> bool:
    """Tell if the operation attaches the volume, or creates an instance with it, for the first time."""
    unbound = Volume.objects.filter(pk=volume_id, is_unbound=True)
    if operation.kind == "instance.create":
        made = operation.args.get("first_uses", ())
        unbound = unbound.filter(attachment__in=made, attachment__instance=operation.resource_id)
    return unbound.exists()


def _of_revert(operation: Operation) -> PermitScope:
    """Return the scope of a revert: the snapshot is one of the volume, and a source of it in the lineage."""
    snapshot = Snapshot.objects.get(pk=operation.args["snapshot"], volume_id=operation.resource_id)
    return _with_snapshots(_of_volume(operation), snapshot.pk)


def _with_snapshots(scope: PermitScope, *snapshots: UUID) -> PermitScope:
    return replace(scope, contents=replace(scope.contents, snapshots=_texts(*snapshots)))


def _of_snapshot(operation: Operation) -> PermitScope:
    """Return the scope of a snapshot: a copy of the volume's data, where the volume has its allocation."""
    snapshot = Snapshot.objects.select_related("project__organization").get(pk=operation.resource_id)
    request = snapshot_placement_request(snapshot, operation=operation.kind)
    return PermitScope(
        snapshot.generation,
        Contents(volumes=_texts(snapshot.volume_id), snapshots=_texts(snapshot.pk)),
        (snapshot.volume_id,),
        PolicySubject(snapshot.project, snapshot.pk, sources=request.sources),
        lambda: request,
    )


def _of_instance_snapshots(operation: Operation) -> PermitScope:
    """Return the scope of snapshots of an instance's disks, which are where the instance has its allocation."""
    instance = INSTANCES.get(operation.resource_id)
    group = Snapshot.objects.filter(group=operation.args["group"], instance_id=instance.pk, project=instance.project)
    snapshots = dict(group.order_by("pk").values_list("pk", "volume_id"))
    volumes = tuple(snapshots.values())
    request = snapshots_placement_request(instance, volumes)
    return PermitScope(
        instance.generation,
        Contents(volumes=_texts(*volumes), snapshots=_texts(*snapshots)),
        (instance.pk, *volumes),
        PolicySubject(instance.project, instance.pk, sources=request.sources),
        lambda: request,
    )


def _of_image(operation: Operation) -> PermitScope:
    """Return the scope of an image that is made of a volume or a snapshot of its project."""
    image = Image.objects.get(pk=operation.resource_id)
    source = source_of(image)
    volume, request = volume_of(source), image_placement_request(image, source, operation=operation.kind)
    return PermitScope(
        image.generation,
        Contents(volumes=_texts(volume.pk), snapshots=_texts(snapshot_id(image, source))),
        (volume.pk,),
        PolicySubject(source.project, image.pk, sources=request.sources),
        lambda: request,
    )


def _of_attachment(operation: Operation) -> PermitScope:
    attachment = Attachment.objects.select_related("volume__project__organization").get(
        pk=operation.args["attachment"], volume_id=operation.resource_id
    )
    volume = attachment.volume
    contents = Contents(
        volumes=_texts(volume.pk),
        attachments=_texts(attachment.pk),
        instances=_texts(attachment.instance_id),
        shared=_texts(volume.pk) if attachment.is_shared else (),
    )
    make_request = partial(attachment_request, attachment, operation=operation.kind)
    subject = PolicySubject(volume.project, volume.pk, sources=(DataSource(attachment.instance_id, volume.project),))
    consumers = (attachment.holder_id, attachment.instance_id)
    return PermitScope(volume.generation, contents, consumers, subject, make_request)


def _texts(*ids: UUID) -> tuple[str, ...]:
    return tuple(str(each) for each in ids)


# op of a permit → what is read for it; that of a new volume is for a part of an operation, too
KINDS: Mapping[str, Callable[[Operation], PermitScope]] = {
    "instance.create": _of_instance,
    "instance.start": _of_instance,
    "instance.reboot": _of_instance,
    "instance.reset": _of_instance,
    "instance.resize": _of_instance,
    "instance.rebuild": _of_rebuild,
    "instance.migrate": _incoming_scope,
    "instance.migrate-out": _outgoing_scope,
    "instance.evacuate": _of_evacuation,
    "port.attach": _of_instance,
    "port.detach": _of_instance,
    "volume.grow": _of_volume,
    "volume.retype": _of_volume,
    "volume.move": _of_volume_move,
    "volume.relocate": _of_volume_move,
    "volume.relocate-out": _of_volume_departure,
    "volume.revert": _of_revert,
    "volume.attach": _of_attachment,
    "volume.detach": _of_attachment,
    "snapshot.create": _of_snapshot,
    "instance.snapshot": _of_instance_snapshots,
    "image.create": _of_image,
}
