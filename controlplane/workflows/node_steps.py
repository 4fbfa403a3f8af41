"""Steps on nodes that several workflows share: rows turned into specs, and removals that outlive their node."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from uuid import UUID

from django.db.models import Q

from agents.protocol import agent_pb2 as pb
from controlplane.catalog.io_limits import IO_LIMITS, IoLimits
from controlplane.catalog.models import Image
from controlplane.compute import user_data
from controlplane.compute.migration import is_off
from controlplane.compute.models import Attachment, Instance, Migration
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.kernel.prepared_queries import Prepared
from controlplane.kernel.units import GIB
from controlplane.network import port_rules, segments
from controlplane.network.models import Port
from controlplane.network.port_specs import PortSpec
from controlplane.nodes import agent_client, selectors, services
from controlplane.nodes.agent_client import CallAuthorization, subject
from controlplane.nodes.errors import NodeAbandoned, NodeFailed, NodeOutdated, NodeRefused, NodeUnreachable
from controlplane.nodes.models import AUTO_CONVERGE, Node, Pool
from controlplane.nodes.pools import nodes_with_pool
from controlplane.operations import queues
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.storage.models import Snapshot, Volume
from controlplane.storage_clusters.errors import StorageClusterRefused
from controlplane.workflows import cluster_disks, image_transfer
from controlplane.workflows.step_permits import using_permit
from controlplane.workflows.workflow_types import Effect

log = logging.getLogger(__name__)

# The agent's code for a missing resource (agents/node/errors.py).
NOT_ON_NODE = "agent.not_found"
KEY_MISSING = "agent.volume_key_missing"
# The storage agent's code (agents/storage/errors.py).
IMAGE_MISSING = "storage.image_missing"


def ensure_image(authorization: CallAuthorization, image: Image, pool: Pool | None = None) -> None:
    """Send the image to the node, or to the storage cluster of the `pool` in which a disk is to be a clone of it.

    Raises HandOver when it is not there, and this queue does not send images.
    """
    if pool is not None and pool.is_of_cluster:
        cluster_disks.ensure_image(authorization, image, pool)
        return
    with using_permit(authorization):
        image_transfer.ensure_image(partial(agent_client.ensure_image, authorization), image)


@dataclass(frozen=True)
class Disk:
    """A volume's file. `pool`: where it is; None: on a node alone. `limits`: of the guest that uses it.

    `snapshot`: what a new one is a clone of. `is_multi_attach`: the nodes whose guests have it attached have it open at
    once, and no other node has.
    """

    id: UUID
    generation: int
    size_gib: int
    image: Image | None = None
    pool: Pool | None = None
    limits: IoLimits = field(default_factory=IoLimits)
    snapshot: Snapshot | None = None
    is_multi_attach: bool = False

    @property
    def cluster_pool(self) -> Pool | None:
        """The pool, if it is of a storage cluster, whose agent makes, opens and closes the disk."""
        return self.pool if self.pool is not None and self.pool.is_of_cluster else None


def disk_of(volume: Volume) -> Disk:
    image = None if volume.is_whole else volume.image
    return Disk(
        volume.pk,
        volume.generation,
        volume.size_gib,
        image,
        volume.pool,
        volume.limits,
        is_multi_attach=volume.is_multi_attach,
    )


def requested_limits(operation: Operation) -> IoLimits:
    """Return the limits that a growth or a retype gives; none of a growth that an earlier release requested."""
    return IoLimits(**operation.args.get("limits", {}))


def root_of(instance: Instance) -> Disk:
    """Return its own root disk, which an instance that boots from a volume does not have."""
    return Disk(
        instance.root_volume_id,
        instance.generation,
        instance.disk_gib,
        instance.image,
        pool=instance.root_pool,
        limits=instance.root_limits,
    )


def make_disk(authorization: CallAuthorization, disk: Disk) -> None:
    """Create an empty disk, or a copy of its image or snapshot; its node has it open then, unless it is for several.

    An image that has been lost since an earlier step, as by the removal of another image with the same bytes, is sent
    once more.
    """
    opens = not disk.is_multi_attach
    try:
        _ensure_disk(authorization, disk, is_taken_over=False, opens=opens)
    except (NodeRefused, StorageClusterRefused) as exc:
        if disk.image is None or exc.facts.get("agent_code") not in (NOT_ON_NODE, IMAGE_MISSING):
            raise
        ensure_image(authorization, disk.image, disk.pool)
        _ensure_disk(authorization, disk, is_taken_over=False, opens=opens)


def open_disk(authorization: CallAuthorization, disk: Disk) -> None:
    """Open an existing disk: of its node, or in a pool, whichever node has created it."""
    _ensure_disk(authorization, disk, is_taken_over=disk.pool is not None)


def grow_disk(authorization: CallAuthorization, disk: Disk) -> None:
    """Grow an existing disk, which its node has open then, unless it is for several."""
    _ensure_disk(authorization, disk, is_taken_over=disk.pool is not None, opens=not disk.is_multi_attach)


def _ensure_disk(authorization: CallAuthorization, disk: Disk, *, is_taken_over: bool, opens: bool = True) -> None:
    """Send the disk; in a storage cluster, the key of the disk, which is made or grown there first.

    `opens` False: it is made or grown in its storage cluster, and no node gets it.

    Raises:
        NodeOutdated: the disk has limits, which the agent of the node would ignore.
    """
    if not disk.limits.traits <= set(authorization.node.traits):
        raise NodeOutdated(cause="no limits of disks", status=IO_LIMITS)
    pool, image_sha256 = disk.pool, disk.image.sha256 if disk.image is not None and not is_taken_over else ""
    request = pb.EnsureVolumeRequest(
        subject=subject(disk.id, disk.generation),
        size_bytes=disk.size_gib * GIB,
        image_sha256=image_sha256,
        pool=pool.name if pool is not None else "",
        is_taken_over=is_taken_over,
    )
    if disk.limits:
        request.limits.iops, request.limits.bytes_per_s = disk.limits.iops, disk.limits.bytes_per_s
    if disk.cluster_pool is not None:
        snapshot = None if is_taken_over else disk.snapshot
        is_shared = disk.is_multi_attach
        cluster_disks.ensure_volume(
            authorization, request, disk.cluster_pool, snapshot=snapshot, is_multi_attach=is_shared
        )
        if not opens:
            return
        source = cluster_disks.open_for(authorization, disk.id, disk.cluster_pool, is_shared=is_shared)
        request.rbd.CopyFrom(source)
        request.image_sha256, request.is_taken_over = "", True
    elif request.pool and request.image_sha256:
        queues.need_transfers()  # the node copies the image
    with using_permit(authorization):
        agent_client.ensure_volume(authorization, request)


def remove_disk(node: Node | None, disk: Disk) -> Effect | None:
    """Delete the disk's data.

    In a pool another node does it if the disk's node is unreachable; that node forgets the disk when it is back.
    """
    if node is None or disk.pool is None:
        return remove(node, kind="volume", resource_id=disk.id, generation=disk.generation)
    if disk.cluster_pool is not None:
        forgotten = None if disk.is_multi_attach else release_disk(node, disk)
        cluster_disks.remove(disk.cluster_pool, disk.id, generation=disk.generation)
        return forgotten
    try:
        _delete_from(node, disk, disk.pool)
        return None
    except NodeAbandoned:
        pass
    except NodeUnreachable:
        if selectors.is_reachable(node.pk):
            raise
    other = nodes_with_pool(disk.pool).exclude(pk=node.pk).first()
    if other is not None:
        _delete_from(other, disk, disk.pool)
    kind, pool = ("shared-volume", "") if other is not None else ("volume", disk.pool.name)
    return partial(services.record_removal, node, kind=kind, resource_id=disk.id, generation=disk.generation, pool=pool)


def _delete_from(node: Node, disk: Disk, pool: Pool) -> None:
    agent_client.remove(node, kind="volume", resource_id=disk.id, generation=disk.generation, pool=pool.name)


def release_disk(node: Node | None, disk: Disk) -> Effect | None:
    """Release the disk from its node: the data in a pool stays for the other nodes.

    In a storage cluster the node's key is removed, and what is seen to have the disk open with it is fenced.
    """
    kind = "volume" if disk.pool is None else "shared-volume"
    forgotten = remove(node, kind=kind, resource_id=disk.id, generation=disk.generation)
    if node is not None and disk.cluster_pool is not None:
        cluster_disks.close(disk.cluster_pool, disk.id, node_id=node.pk)
    return forgotten


def close_shared_disk(node: Node | None, disk: Disk) -> Effect | None:
    """Close a disk for several nodes on one of them, whose guest has it no more, and fence it from there alone."""
    forgotten = remove(node, kind="shared-volume", resource_id=disk.id, generation=disk.generation)
    fence_disk(node, disk)
    return forgotten


def fence_disk(node: Node | None, disk: Disk) -> None:
    """Fence a disk in a storage cluster from its node, where no guest may have it open, before it is opened anew.

    What the cluster does not see any more is fenced too, such as a guest that was killed, or sleeps.
    """
    if node is not None and disk.cluster_pool is not None:
        cluster_disks.close(disk.cluster_pool, disk.id, node_id=node.pk, is_dead=True)


def reopen_disks(authorization: CallAuthorization, instance: Instance) -> None:
    """Fence the disks in storage clusters and open them anew before a start, unless the guest runs.

    A guest that ended uncleanly has left them open: its lock would keep the next guest from writing.
    """
    disks = cluster_disks_of(instance)
    if disks and not _may_run(authorization.node, instance):
        _reopen(authorization, disks)


def _reopen(authorization: CallAuthorization, disks: Sequence[Disk]) -> None:
    for disk in disks:
        fence_disk(authorization.node, disk)
        open_disk(authorization, disk)


def cluster_disks_of(instance: Instance, generation: int | None = None) -> list[Disk]:
    """Return the instance's disks in storage clusters. `generation`: of a migration; None: that of each row."""
    attached = Q(attachment__instance=instance, attachment__is_boot=False) | Q(pk=instance.boot_volume_id)
    rows = Volume.objects.filter(attached, pool__cluster__isnull=False)
    roots = () if instance.boot_volume_id or instance.root_pool is None else (root_of(instance),)
    disks = [*roots, *map(disk_of, rows.select_related("pool", "image").order_by("pk"))]
    return [replace(disk, generation=generation or disk.generation) for disk in disks if disk.cluster_pool is not None]


def _may_run(node: Node, instance: Instance) -> bool:
    """Tell if the guest may have the disks open: it runs, or an earlier attempt of this start has reached the node."""
    states = agent_client.describe(node, instance.pk).instances
    is_off = {state.subject.generation: state.power in (pb.POWER_OFF, pb.POWER_CRASHED) for state in states}
    return not all(is_off.values()) or instance.generation in is_off


def open_shared_volume(authorization: CallAuthorization, volume: Volume) -> Effect | None:
    """Open a volume of a pool on the authorized node, which has its allocation, and close it on its former node.

    The call is repeated even if the rows show it open there: an earlier failure may have closed it.
    """
    disk = disk_of(volume)
    fence_disk(volume.node, disk)
    open_disk(authorization, disk)
    return follow_allocation(volume)


def finish_opening(authorize: Callable[[], CallAuthorization], volume: Volume) -> Effect | None:
    """Open a volume of a pool where its allocation is, in the undo of a step that was to do so, or follow the
    allocation if it cannot be opened there.

    The volume stays open on one node or the other, so that its residency has no gap.
    """
    here = placement.call_authorization(volume.pk).node
    if volume.node_id == here.pk:
        return None
    try:
        return open_shared_volume(authorize(), volume)
    except CloudError as exc:
        is_lost = isinstance(exc, NodeUnreachable) and not selectors.is_reachable(here.pk)
        if exc.retryable and not is_lost:
            raise
        log.warning("volume %s is not open on its node %s: %s", volume.pk, here.pk, exc)
    return follow_allocation(volume)


def follow_allocation(volume: Volume) -> Effect | None:
    """Set the volume's node to that of its allocation, whether that node has it open or not."""
    here = placement.call_authorization(volume.pk).node
    if volume.node_id == here.pk:
        return None
    return combine_effects(release_disk(volume.node, disk_of(volume)), partial(_is_here, volume, here))


def _is_here(volume: Volume, node: Node) -> None:
    Volume.objects.filter(pk=volume.pk).update(node_id=node.pk, updated_at=clock.now())


def ensure_port(authorization: CallAuthorization, spec: PortSpec, *, hostname: str) -> None:
    """Bind the port to the node, then send the port with its rules and the subnets and the segment of its network.

    Raises:
        NodeOutdated: the port is filtered, and the node's agent has no security groups.
    """
    port, node = spec.port, authorization.node
    network, subnets = port.network, [pb.Subnet(**each) for each in spec.subnets_in(node.zone_id)]
    segments.record_binding(port, node)
    documents = port_rules.port_documents(port, node)
    request = pb.EnsurePortRequest(
        subject=subject(port.pk, port.generation),
        network=pb.Network(
            id=str(network.pk),
            cidr=subnets[0].cidr,
            gateway_ip=subnets[0].gateway_ip,
            dns_servers=subnets[0].dns_servers,
            mtu=network.mtu,
            segment=segments.segment_document(port, node),
            subnets=subnets,
        ),
        mac=port.mac,
        ip=spec.ip,
        hostname=hostname,
        addresses=spec.addresses,
        ports=documents.ports,
        security_groups=documents.groups,
    )
    with using_permit(authorization):
        agent_client.ensure_port(authorization, request)
    if documents.ports:
        port_rules.request_update()


def ensure_instance(
    authorization: CallAuthorization,
    instance: Instance,
    *,
    power: "pb.Power",
    generation: int | None = None,
    restart: "pb.RestartKind" = pb.RESTART_KIND_UNSPECIFIED,
    has_left: bool = False,
) -> pb.InstanceState:
    """Send the spec. `has_left`: the source of a migrating guest has released it."""
    request = instance_spec(instance, power=power, generation=generation, restart=restart)
    request.has_left_source = has_left
    return _send(authorization, instance, request, generation=generation)


def ensure_cards(authorization: CallAuthorization, instance: Instance, *, without: UUID | None) -> None:
    """Send the spec with the present ports. `without`: one to leave out."""
    request = instance_spec(instance, power=power_of(instance))
    if without is not None:
        request.port_ids.remove(str(without))
    _send(authorization, instance, request)


def _send(
    authorization: CallAuthorization,
    instance: Instance,
    request: pb.EnsureInstanceRequest,
    *,
    generation: int | None = None,
) -> pb.InstanceState:
    """Send the spec. A node that was rebooted has no keys of volumes any more, and cannot start a guest that is to run:
    the volumes are opened anew before the error is raised, and the next attempt finds the keys.
    """
    with using_permit(authorization):
        try:
            return agent_client.ensure_instance(authorization, request)
        except NodeFailed as exc:
            if request.power == pb.POWER_RUNNING and exc.facts.get("agent_code") == KEY_MISSING:
                _reopen(authorization, cluster_disks_of(instance, generation))
            raise


PORTS = Prepared(lambda instance: Port.objects.filter(instance_id=instance).order_by("position", "pk"))


def instance_spec(
    instance: Instance,
    *,
    power: "pb.Power",
    generation: int | None = None,
    restart: "pb.RestartKind" = pb.RESTART_KIND_UNSPECIFIED,
) -> pb.EnsureInstanceRequest:
    """Build the whole spec of an instance from its row."""
    ports = PORTS.rows(instance.pk)
    return pb.EnsureInstanceRequest(
        subject=subject(instance.pk, generation or instance.generation),
        vcpus=instance.vcpus,
        memory_mib=instance.memory_mib,
        firmware=f"FIRMWARE_{instance.image.firmware.upper()}",
        root_volume_id=str(instance.root_id),
        port_ids=[str(port.pk) for port in ports],
        guest_data=pb.GuestData(
            hostname=instance.name,
            ssh_public_keys=instance.ssh_public_keys,
            user_data=user_data.read(instance),
            metadata=f"METADATA_ACCESS_{instance.metadata.upper()}",
        ),
        power=power,
        restart=pb.Restart(count=instance.restart_count, kind=restart),
        project_id=str(instance.project_id),
    )


def ensure_attachment(authorization: CallAuthorization, attachment: Attachment) -> None:
    request = pb.EnsureAttachmentRequest(
        subject=subject(attachment.pk, attachment.generation),
        instance_id=str(attachment.instance_id),
        volume_id=str(attachment.volume_id),
        is_read_only=attachment.is_read_only,
        is_shared=attachment.is_shared,
    )
    with using_permit(authorization):
        agent_client.ensure_attachment(authorization, request)


def ensure_arrival(authorization: CallAuthorization, migration: Migration) -> pb.ArrivalState:
    """Prepare the destination for an incoming migration."""
    instance, generation = migration.instance, migration.generation
    request = pb.EnsureArrivalRequest(
        instance=instance_spec(instance, power=power_of(instance), generation=generation),
        source=peer_of(migration.source),
        plugged=[
            pb.Plugged(
                subject=subject(attachment.pk, generation),
                volume_id=str(attachment.volume_id),
                is_read_only=attachment.is_read_only,
            )
            for attachment in Attachment.objects.filter(instance=instance, is_boot=False).order_by("pk")
        ],
    )
    with using_permit(authorization):
        return agent_client.ensure_arrival(authorization, request)


def power_of(instance: Instance) -> "pb.Power":
    """Return the desired power; for a migrating guest, at both ends."""
    return pb.POWER_OFF if is_off(instance) else pb.POWER_RUNNING


def ensure_departure(
    authorization: CallAuthorization, migration: Migration, *, deadline_s: int, convergence: str = AUTO_CONVERGE
) -> pb.DepartureState:
    assert migration.destination is not None, "it has had a place since its first step"
    request = pb.EnsureDepartureRequest(
        subject=subject(migration.instance_id, migration.instance.generation),
        destination=peer_of(migration.destination),
        uri=migration.uri,
        deadline_s=deadline_s,
        convergence=f"CONVERGENCE_{convergence.upper()}",
        is_off=is_off(migration.instance),
    )
    with using_permit(authorization):
        return agent_client.ensure_departure(authorization, request)


def peer_of(node: Node) -> pb.Peer:
    return pb.Peer(node_id=str(node.pk), certificate_sha256=node.certificate_sha256)


def remove(node: Node | None, *, kind: str, resource_id: UUID, generation: int, pool: str = "") -> Effect | None:
    """Remove a resource from a node. `pool`: as in agent_client.remove.

    For an unreachable or abandoned node the returned effect records a pending removal.
    """
    if node is None:
        return None
    unbound = partial(segments.delete_binding, resource_id, node) if kind == "port" else None
    try:
        agent_client.remove(node, kind=kind, resource_id=resource_id, generation=generation, pool=pool)
        return unbound
    except NodeAbandoned:
        pass
    except NodeUnreachable:
        if selectors.is_reachable(node.pk):
            raise
    later = partial(services.record_removal, node, kind=kind, resource_id=resource_id, generation=generation, pool=pool)
    return combine_effects(unbound, later)


def combine_effects(*effects: Effect | None) -> Effect:
    """Combine several effects into one."""

    def apply() -> None:
        for effect in effects:
            if effect is not None:
                effect()

    return apply
