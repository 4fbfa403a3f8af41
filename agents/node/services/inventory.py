"""Inventory: describe the node and its resources as observed now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from agents.node.adapters.interfaces import GuestState, HostFacts
from agents.node.adapters.network_specs import PortSpec
from agents.node.adapters.pools import PoolFacts
from agents.node.context import Identity, Node
from agents.node.services import attachments, images, instances, migration_state, quarantine, volumes
from agents.node.services.attachments import AttachmentStatus
from agents.node.services.images import ImageStatus
from agents.node.services.instances import InstanceStatus
from agents.node.services.quarantine import UnmanagedResource
from agents.node.services.volume_copies import CopyStatus, VolumeCopies
from agents.node.services.volumes import VolumeStatus

SELF_FENCING = "self-fencing"  # trait of a node that stops its guests after the end of its lease
SECURITY_GROUPS = "security-groups"  # ports are filtered by their groups
INSTANCE_METADATA = "instance-metadata"  # labels and identity documents reach guests
LISTED_SUBNETS = "listed-subnets"  # subnets and new addresses of ports are taken from the signed list
DHCP_OPTIONS = "dhcp-options"  # NTP servers, search domains and static routes of listed subnets reach guests
IO_LIMITS = "io-limits"  # the limits of volumes hold, and `volume.retype` changes them
GUEST_PAUSE = "guest-pause"  # a freeze can pause a guest, so that snapshots of its disks are of one moment
LIVE_MIGRATION = "live-migration"  # guests may move here from others of the same kind, and to them
COLD_MIGRATION = "cold-migration"  # the same for guests that are off
VOLUME_COPY = "volume-copy"  # volumes are copied to other places
VOLUME_MIRROR = "volume-mirror"  # the same while a guest has them open
CLUSTER_COPY = "cluster-copy"  # volumes are also copied from one Ceph cluster, or pool of it, to another
VOLUME_TRANSFER = "volume-transfer"  # volumes of the own folder are copied to that of another node, and from there
MULTI_ATTACH = "multi-attach"  # a volume of a Ceph cluster is attached while guests of other nodes have it, too
OF_EACH_AGENT = (  # of this release
    SECURITY_GROUPS,
    INSTANCE_METADATA,
    LISTED_SUBNETS,
    DHCP_OPTIONS,
    IO_LIMITS,
    VOLUME_COPY,
    VOLUME_MIRROR,
    CLUSTER_COPY,
    GUEST_PAUSE,
    MULTI_ATTACH,
)


@dataclass(frozen=True, slots=True)
class Inventory:
    identity: Identity
    boot_id: str
    host: HostFacts
    disk_gib: int
    pools: Sequence[PoolFacts] = ()


@dataclass(frozen=True, slots=True)
class PortStatus:
    generation: int
    port: PortSpec


@dataclass(frozen=True, slots=True)
class Description:
    inventory: Inventory
    instances: Sequence[InstanceStatus]
    volumes: Sequence[VolumeStatus]
    ports: Sequence[PortStatus]
    attachments: Sequence[AttachmentStatus]
    images: Sequence[ImageStatus]
    unknown_domains: Sequence[str]
    unmanaged: Sequence[UnmanagedResource]
    lost_domains: Sequence[UUID]
    volume_copies: Sequence[CopyStatus] = ()


def inventory(node: Node) -> Inventory:
    host = node.adapters.hypervisor.host()
    host = replace(host, traits=(*host.traits, *OF_EACH_AGENT))
    if node.adapters.migrations.accepts_incoming():
        host = replace(host, traits=(*host.traits, LIVE_MIGRATION, COLD_MIGRATION))
    if node.adapters.transfers.accepts_incoming():
        host = replace(host, traits=(*host.traits, VOLUME_TRANSFER))
    if node.lease.is_armed:
        host = replace(host, traits=(*host.traits, SELF_FENCING))
    return Inventory(
        identity=node.identity,
        boot_id=node.boot_id,
        host=host,
        disk_gib=node.adapters.disks.capacity_gib(),
        pools=node.adapters.disks.pools(),
    )


def instance_statuses(node: Node) -> list[InstanceStatus]:
    """Return the status of all instances of this node, without those that have left."""
    states = node.adapters.hypervisor.states()
    entries = [
        entry for entry in node.state_store.instances.held() if not migration_state.has_left(node, UUID(entry.id))
    ]
    own = [instances.observed_status(node, entry, states.get(UUID(entry.id))) for entry in entries]
    return [*own, *_arrived(node, states)]


def _arrived(node: Node, states: Mapping[UUID, GuestState]) -> list[InstanceStatus]:
    """Return the guests that have arrived, were let go of by their sources, and are not adopted yet."""
    here = [
        (entry, state)
        for entry in node.state_store.arrivals.held()
        if (state := states.get(UUID(entry.id))) is not None and migration_state.is_handed_over(entry.spec, state)
    ]
    return [
        InstanceStatus(
            UUID(entry.id), entry.generation, state.power, state.virt_type, 0, reason="", guest_agent=state.guest_agent
        )
        for entry, state in here
    ]


def instance_status(node: Node, instance_id: UUID) -> InstanceStatus | None:
    entry = node.state_store.instances.get(instance_id)
    if entry is None or not entry.is_held or migration_state.has_left(node, instance_id):
        return None
    return instances.status(node, entry)


def describe(node: Node, ids: Sequence[str], *, copies: VolumeCopies | None = None) -> Description:
    """Describe everything, or only the resources in `ids` (UUIDs, or digests of images)."""
    names = frozenset(ids)

    def is_named(resource_id: str) -> bool:
        return not names or resource_id in names

    state_store = node.state_store
    return Description(
        inventory=inventory(node),
        instances=[status for status in instance_statuses(node) if is_named(str(status.id))],
        volumes=[volumes.status(node, entry) for entry in state_store.volumes.held() if is_named(entry.id)],
        ports=[PortStatus(e.generation, e.spec) for e in state_store.ports.held() if is_named(e.id)],
        attachments=[attachments.status(entry) for entry in state_store.attachments.held() if is_named(entry.id)],
        images=[image for image in images.all_cached(node) if is_named(image.sha256)],
        unknown_domains=() if names else quarantine.unknown_domains(node),
        unmanaged=() if names else quarantine.unmanaged_resources(node),
        lost_domains=() if names else quarantine.lost_domains(node),
        volume_copies=[each for each in (copies.statuses() if copies else ()) if is_named(str(each.id))],
    )
