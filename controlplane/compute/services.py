"""Instance requests. workflows/instance_*.py carry them out."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F

from andromede_core.policy.clauses import Policy
from controlplane.audit.services import audit_entry, record
from controlplane.catalog.io_limits import io_limits
from controlplane.catalog.models import Flavor, Image, VolumeType
from controlplane.compute import user_data
from controlplane.compute.actions import require_instance_state
from controlplane.compute.errors import (
    InstanceNameTaken,
    VolumeAlreadyAttached,
    VolumeForSeveral,
)
from controlplane.compute.instance_changes import InstanceChange, action_of, instance_change, instance_lock
from controlplane.compute.instance_checks import check_image, check_ports, check_user_data, lock_affinity_group
from controlplane.compute.instance_metadata import request_metadata
from controlplane.compute.models import METADATA_ACCESS, RESTART_POLICIES, AffinityGroup, Attachment, Instance, SshKey
from controlplane.compute.port_placement import with_ports
from controlplane.compute.root_volumes import (
    keep_changes,
    new_root_volume,
    root_volume_begin,
    root_volume_deleting,
    root_volume_insert,
    root_volume_kept,
    with_new_disk,
    with_root_volume,
)
from controlplane.compute.volume_counts import check_volume_count
from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel import clock
from controlplane.kernel.db import edit, ensure_transaction, raise_on_violation, rolled_back
from controlplane.kernel.ids import new_id
from controlplane.kernel.names import check_labels, check_name
from controlplane.network.addresses import require_free_address
from controlplane.network.models import Network, Port, SecurityGroup
from controlplane.network.port_groups import check_groups, port_groups_begin
from controlplane.network.port_rules import request_names
from controlplane.network.ports import instance_port_create, port_lock, ports_take
from controlplane.network.public_addresses import attached_to
from controlplane.network.routed_zones import require_zone
from controlplane.network.selected_groups import instance_labels_changed
from controlplane.operations import services as operations
from controlplane.operations.models import Operation
from controlplane.operations.selectors import live_of
from controlplane.operations.services import OperationRequest, enqueue
from controlplane.placement import exemptions, lineage
from controlplane.placement import services as placement
from controlplane.placement.decisions import GroupRule, PlacementRequest, PlacementResult
from controlplane.placement.effective_policies import DataSource
from controlplane.placement.errors import ExemptionSpent
from controlplane.placement.lineage import NewData
from controlplane.placement.models import Exemption
from controlplane.placement.selectors import PoolRequirement
from controlplane.quotas import services as quotas
from controlplane.storage.models import Volume
from controlplane.storage.services import (
    CREATE,
    image_sources,
    pool_requirements,
    require_image_ready,
    require_volume_state,
    volume_lock,
    volume_placement_request,
)

# Generation 1 of an instance defines it with its volumes, generation 2 starts it.
FIRST_START = 2
SHUTDOWN_LIMIT = timedelta(seconds=90)


@dataclass(frozen=True)
class NewInstance:
    """An instance to create.

    `zones` empty: any that the policy admits. `volumes` are attached before the first boot; volumes that only one node
    has decide the node, and unbound ones are made where the instance is. `boot_volume`: one made from `image`, which
    is its root disk as it is. `ports`: free ones, as the cards after those on `networks`. `root_volume_type`: None for
    a file on the node's own disk. `host`: the only node allowed, for operators. `security_groups`: of the ports that
    are made with it; None: the project's default group. `is_started`: False for one that is created stopped.
    `classifications` (ids) and `policy`, clauses of its own, hold for its data as long as it exists. `exemption`:
    admits it although a policy refuses it. `keep_root_volume`: its root volume is kept when it is deleted; None: only a
    `boot_volume`.
    """

    name: str
    flavor: Flavor
    image: Image
    networks: tuple[Network, ...] = ()
    ports: tuple[Port, ...] = ()
    security_groups: tuple[SecurityGroup, ...] | None = None
    ssh_keys: tuple[SshKey, ...] = ()
    volumes: tuple[Volume, ...] = ()
    boot_volume: Volume | None = None
    user_data: bytes = b""
    zones: tuple[str, ...] = ()
    affinity_group: AffinityGroup | None = None
    host: str | None = None
    classifications: tuple[str, ...] = ()
    policy: Policy | None = None
    exemption: Exemption | None = None
    restart_policy: str = RESTART_POLICIES[0]
    metadata: str = METADATA_ACCESS[0]
    root_volume_type: VolumeType | None = None
    keep_root_volume: bool | None = None
    is_started: bool = True
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def all_volumes(self) -> tuple[Volume, ...]:
        return self.volumes if self.boot_volume is None else (self.boot_volume, *self.volumes)


def instance_placement_request(
    instance: Instance, *, operation: str, zones: tuple[str, ...] = (), near: tuple[UUID, ...] = ()
) -> PlacementRequest:
    """Return the placement request for an instance."""
    group, pools = instance.affinity_group, root_pools(instance, gib=instance.own_disk_gib)
    return PlacementRequest(
        operation=operation,
        project=instance.project,
        consumer_id=instance.pk,
        kind="instance",
        vcpus=instance.vcpus,
        memory_mib=instance.memory_mib,
        disk_gib=0 if pools else instance.own_disk_gib,
        pools=pools,
        zones=zones,
        near=near,
        group=GroupRule(group.pk, group.rule, group.is_strict) if group else None,
        traits=instance.root_limits.traits | ({"firmware:uefi"} if instance.image.firmware == "uefi" else set()),
    )


def root_pools(instance: Instance, *, gib: int = 0) -> tuple[PoolRequirement, ...]:
    """Return the pool requirement of its own root disk: its present or future pool. `gib`: the space to take."""
    if instance.boot_volume_id is not None:
        return ()
    if instance.root_pool is not None:
        return (PoolRequirement(instance.root_pool.name, gib, instance.root_pool.zone_id),)
    pool = instance.root_volume_type.pool if instance.node_id is None and instance.root_volume_type else ""
    return (PoolRequirement(pool, gib),) if pool else ()


def constrain_to_volumes(request: PlacementRequest, volumes: Iterable[Volume]) -> PlacementRequest:
    """Constrain the request to the node that has the volumes, or to nodes with the pools of the others.

    Unbound ones are made with the instance, and take space where it is.
    """
    volumes = list(volumes)
    bound = [volume for volume in volumes if not volume.is_unbound]
    near = tuple(volume.pk for volume in bound if volume.pool is None)
    others = tuple(requirement for volume in bound for requirement in pool_requirements(volume))
    traits = request.traits.union(*(volume.limits.traits for volume in bound))
    request = replace(request, near=near, pools=(*request.pools, *dict.fromkeys(others)), traits=traits)
    for volume in volumes:
        if volume.is_unbound:
            request = with_new_disk(request, volume)
    return request


def instance_create(actor: Actor, project: Project, new: NewInstance) -> tuple[Instance, Operation]:
    """Request an instance. Placement is checked first, so that a refusal is immediate, with its reasons.

    Raises:
        RoleNeeded: `host`, and the actor is no operator.
        InvalidName, FlavorTooSmall, FlavorWithoutDisk, TooManyVolumes, UserDataTooLarge, InstanceNameTaken,
        QuotaExceeded, VolumeWrongState, Busy, InsufficientCapacity, NoPlace, PolicyUnsatisfiable, UnknownHost,
        AddressesExhausted, PortAttached, TooManyPorts, PortNotFound, SubnetMissing, ExemptionForOther, ExemptionOver,
        ExemptionUnsigned, ExemptionSpent.
        RoutedElsewhere: a public address of a port is routed to another zone.
    """
    new = constrain_to_public_addresses(new)
    instance, request = _plan(actor, project, new)
    placement.check_placement(request)
    check_first_uses(new.all_volumes, zones=new.zones)
    with ensure_transaction():
        return instance, _write(actor, instance, new)


def check_first_uses(volumes: Iterable[Volume], *, zones: tuple[str, ...]) -> None:
    """Check that there is a place for each unbound volume by itself, so that a refusal is immediate where an exemption
    admits the instance alone.
    """
    for volume in volumes:
        if volume.is_unbound:
            placement.check_placement(volume_placement_request(volume, operation=CREATE, zones=zones))


def instance_dry_run(actor: Actor, project: Project, new: NewInstance, *, is_preview: bool = False) -> PlacementResult:
    """Decide the placement, and check the rest; nothing is kept.

    The preview reads and locks nothing: quotas and operations on the volumes are not checked. Raises as
    instance_create, except refusals of placement.
    """
    new = constrain_to_public_addresses(new)
    instance, request = _plan(actor, project, new)
    taken = placement.preview(request)
    if taken.decision.is_admitted and is_preview:
        _check_preview(instance, new)
    elif taken.decision.is_admitted:
        with rolled_back():
            _write(actor, instance, new)
    return taken


def constrain_to_public_addresses(new: NewInstance) -> NewInstance:
    """Constrain the instance to the zone to which public addresses of its ports are routed.

    Raises:
        RoutedElsewhere.
    """
    zones = new.zones
    for address in attached_to(new.ports):
        zone = address.pool.zone_id
        if zones and zone not in zones:
            require_zone({address.ip: zone}, zones[0], field="ports")
        zones = (zone,)
    return new if zones == new.zones else replace(new, zones=zones)


def _check_preview(instance: Instance, new: NewInstance) -> None:
    """Check without locks. Raises InstanceNameTaken, AddressesExhausted."""
    if Instance.objects.filter(project=instance.project, name=instance.name).exclude(state="deleted").exists():
        raise InstanceNameTaken(field="name", name=instance.name)
    for network in new.networks:
        require_free_address(network)


def _plan(actor: Actor, project: Project, new: NewInstance) -> tuple[Instance, PlacementRequest]:
    """Return the instance, not written, and its placement request."""
    actor.may_write()
    if new.host is not None:
        actor.may_operate()
    check_name(new.name)
    _check_fit(new)
    boot = new.boot_volume
    limits = io_limits(new.root_volume_type, new.flavor.disk_gib) if boot is None else boot.limits
    instance = Instance(
        id=_id_for(new),
        project=project,
        name=new.name,
        labels=check_labels(new.labels),
        flavor=new.flavor.pk,
        vcpus=new.flavor.vcpus,
        memory_mib=new.flavor.memory_mib,
        disk_gib=new.flavor.disk_gib if boot is None else boot.size_gib,
        max_volumes=new.flavor.max_volumes,
        root_iops_limit=limits.iops,
        root_mb_per_s_limit=limits.mb_per_s,
        image=new.image,
        generation=FIRST_START,
        root_volume_id=new_id(),
        root_volume_type=new.root_volume_type if boot is None else boot.volume_type,
        boot_volume=boot,
        ssh_public_keys=[key.public_key for key in new.ssh_keys],
        affinity_group=new.affinity_group,
        restart_policy=new.restart_policy,
        metadata=new.metadata,
        keep_root_volume=root_volume_kept(
            new.keep_root_volume, has_boot_volume=boot is not None, is_exempted=new.exemption is not None
        ),
    )
    instance.boot_volume = new_root_volume(instance) or boot
    user_data.write(instance, new.user_data)
    request = constrain_to_volumes(
        instance_placement_request(instance, operation="instance.create", zones=new.zones), new.all_volumes
    )
    request = with_root_volume(request, _made_with(instance, new))
    return instance, replace(
        with_ports(request, new.networks, new.ports, new.security_groups),
        host=new.host,
        classifications=new.classifications,
        own=(new.policy,) if new.policy else (),
        sources=_sources(new),
    )


def _made_with(instance: Instance, new: NewInstance) -> Volume | None:
    """Return the root volume that is made with the instance."""
    return instance.boot_volume if new.boot_volume is None else None


def _id_for(new: NewInstance) -> UUID:
    """Return a new id, or the one that was refused and then exempted."""
    if new.exemption is None:
        return new_id()
    instance_id = exemptions.id_for(new.exemption, op="instance.create")
    if Instance.objects.filter(pk=instance_id).exists():
        raise _exemption_used(instance_id, new.exemption)
    return instance_id


def _exemption_used(instance_id: UUID, exemption: Exemption) -> ExemptionSpent:
    return ExemptionSpent(field="exemption", name=str(exemption.pk), resource=str(instance_id))


def _sources(new: NewInstance) -> tuple[DataSource, ...]:
    copied = image_sources(new.image) if new.boot_volume is None else ()
    return (*copied, *map(DataSource.of, new.all_volumes))


def _check_fit(new: NewInstance) -> None:
    check_user_data(new.user_data)
    boot = new.boot_volume
    check_image(new.image, new.flavor, field="flavor", disk_gib=boot.size_gib if boot else None)
    check_volume_count(len(new.volumes), new.flavor, field="volumes")
    for volume in new.all_volumes:
        require_volume_state(volume, "available")
        _require_for_one(volume, field="boot_volume" if volume == boot else "volumes")
        require_image_ready(volume, field="boot_volume" if volume == boot else "volumes")
    check_groups(new.security_groups or ())
    check_ports(new.networks, new.ports)


def _require_for_one(volume: Volume, *, field: str) -> None:
    """Raise VolumeForSeveral if several instances can have the volume, which is attached to an instance that exists."""
    if volume.is_multi_attach:
        raise VolumeForSeveral(field=field, volume=volume.name)


def _write(actor: Actor, instance: Instance, new: NewInstance) -> Operation:
    """Write the rows. Addresses and quota come last: they lock the network and the project until the commit."""
    lock_affinity_group(new.affinity_group)
    once: AbstractContextManager[None] = nullcontext()
    if new.exemption is not None:
        once = raise_on_violation("compute_instance_pkey", _exemption_used(instance.pk, new.exemption))
    name_taken = InstanceNameTaken(field="name", name=instance.name)
    data = NewData(instance.pk, "instance", instance.project, new.classifications, new.policy, actor.user_id)
    with once, raise_on_violation("compute_instance_name_taken", name_taken, is_end=True):
        lineage.record_data(data, _sources(new), extra_rows=[instance])
    made = _made_with(instance, new)
    around = NewAttachments(
        new.networks, new.ports, new.all_volumes, new.zones, new.host, new.security_groups, new.is_started, made
    )
    return enqueue_create(actor, instance, around)


@dataclass(frozen=True)
class NewAttachments:
    """The resources of other kinds that an instance is created with: see NewInstance.

    `volumes`: also its boot volume. `root_volume`: one that is made with it, and not written yet.
    """

    networks: tuple[Network, ...]
    ports: tuple[Port, ...]
    volumes: tuple[Volume, ...]
    zones: tuple[str, ...]
    host: str | None
    security_groups: tuple[SecurityGroup, ...] | None = None
    is_started: bool = True
    root_volume: Volume | None = None


def enqueue_create(actor: Actor, instance: Instance, new: NewAttachments) -> Operation:
    """Write the operation that creates the instance, with its attachments, ports, quota, audit and events."""
    for volume in sorted(new.volumes, key=lambda volume: volume.pk):
        volume_lock(volume)
    for port in sorted(new.ports, key=lambda port: port.pk):
        port_lock(port)
    _raise_generations(instance, new)
    ports = [(new_id(), network) for network in new.networks]
    made = (new.root_volume,) if new.root_volume is not None else ()
    for volume in made:
        root_volume_insert(volume, instance)
    attachments = [
        Attachment(instance=instance, volume=volume, is_boot=volume.pk == instance.boot_volume_id)
        for volume in (*made, *new.volumes)
    ]
    args = _create_args(new, ports, attachments)
    resources = [instance.pk, *(each.volume.pk for each in attachments), *(port.pk for port in new.ports)]
    facts = {"name": instance.name, "flavor": instance.flavor}
    if instance.boot_volume_id is not None:
        facts["boot_volume"] = str(instance.boot_volume_id)
    entry = audit_entry(actor, "instance.create", instance.pk, project_id=instance.project_id, **facts)
    operation_request = OperationRequest(
        "instance.create", instance.project_id, resources, args, resource_name=instance.name
    )
    operation = enqueue(actor, operation_request, extra_rows=entry)
    for attachment in attachments:
        field = "boot_volume" if attachment.is_boot else "volumes"
        if attachment.volume not in made:
            require_volume_state(attachment.volume, "available")
            require_image_ready(attachment.volume, field=field)
        taken = VolumeAlreadyAttached(field=field, volume=attachment.volume.name)
        with raise_on_violation("compute_attachment_volume_alone", taken):
            attachment.save(force_insert=True)
    _connect(instance, new, ports)
    for volume in made:
        root_volume_begin(actor, volume)
    size = {"vcpus": instance.vcpus, "memory_mib": instance.memory_mib}
    quotas.claim(instance.project_id, instance.pk, instances=1, **size, ports=len(ports), addresses=len(ports))
    return operation


def _create_args(
    new: NewAttachments, ports: Sequence[tuple[UUID, Network]], attachments: Sequence[Attachment]
) -> dict[str, object]:
    """Return what the workflow has to know besides the row. `ports`: new ones."""
    boot_attachment = next((str(each.pk) for each in attachments if each.is_boot), None)
    return {
        "zones": list(new.zones),
        "host": new.host,
        "networks": [str(network.pk) for network in new.networks],
        "security_groups": None if new.security_groups is None else [str(group.pk) for group in new.security_groups],
        "volumes": [str(volume.pk) for volume in new.volumes],
        "ports": [*(str(port_id) for port_id, _ in ports), *(str(port.pk) for port in new.ports)],
        "own_ports": [str(port.pk) for port in new.ports],
        "attachments": [str(each.pk) for each in attachments if not each.is_boot],
        "boot_attachment": boot_attachment,
        "shared": [str(each.pk) for each in attachments if each.volume.pool_id is not None],
        "first_uses": [str(each.pk) for each in attachments if each.volume.is_unbound],
        "is_started": new.is_started,
        "root_volume": None if new.root_volume is None else str(new.root_volume.pk),
    }


def _connect(instance: Instance, new: NewAttachments, ports: Sequence[tuple[UUID, Network]]) -> None:
    """Give the instance its free ports, after new ones with these ids on these networks; all in their groups."""
    own = [port.pk for port in new.ports]
    first, last = len(ports), len(ports) + len(own)
    ports_take(new.ports, instance.pk, positions=range(first, last), generation=instance.generation)
    for position, (port_id, network) in sorted(enumerate(ports), key=lambda each: each[1][1].pk):
        instance_port_create(network, port_id=port_id, instance_id=instance.pk, position=position)
    port_groups_begin(instance.project, [port_id for port_id, _ in ports], new.security_groups, taken=own)


def _raise_generations(instance: Instance, new: NewAttachments) -> None:
    """Raise the generations of volumes in pools, which another node may open, and of unbound ones, which an earlier
    attempt may have made elsewhere, and of the instance.

    The new generations are above all that any node knows, and the permit is for no lower one. Ports get that of the
    instance.
    """
    opened = [volume for volume in new.volumes if volume.pool_id is not None or volume.is_unbound]
    for volume in opened:
        Volume.objects.filter(pk=volume.pk).update(generation=F("generation") + 1)
        volume.refresh_from_db(fields=["generation"])
    generations = [*(volume.generation for volume in opened), *(port.generation + 1 for port in new.ports)]
    newest = max(generations, default=0)
    if newest > instance.generation:
        Instance.objects.filter(pk=instance.pk).update(generation=newest)
        instance.generation = newest


@transaction.atomic
def instance_update(
    actor: Actor,
    instance: Instance,
    *,
    name: str,
    labels: dict[str, str],
    restart_policy: str,
    keep_root_volume: bool | None = None,
) -> Instance:
    """Rename, relabel, change the restart policy, or keep the root volume at the deletion or not; the guest's host name
    follows at its next start, and the name that its networks resolve at once.

    `keep_root_volume`: None leaves it as it is.

    Raises:
        InvalidName, InvalidLabels, InstanceNameTaken.
        RootDiskNotVolume, InstanceWrongState: see keep_changes.
        Busy: an operation uses the name that the instance has, or its root volume.
    """
    actor.may_write()
    instance_lock(instance)
    is_renamed = name != instance.name
    if is_renamed:
        operations.require_unlocked(instance.pk)
    has_other_labels = labels != instance.labels
    kept = keep_changes(instance, keep_root_volume)
    with raise_on_violation("compute_instance_name_taken", InstanceNameTaken(field="name", name=name)):
        edit(instance, name=name, labels=labels, restart_policy=restart_policy, **kept)
    if has_other_labels:
        instance_labels_changed(instance.project_id, instance.pk)
        request_metadata()
    if is_renamed:
        request_names(instance.pk)
    facts = {"name": name, "restart_policy": restart_policy, **kept}
    record(actor, "instance.update", instance.pk, project_id=instance.project_id, **facts)
    return instance


def instance_start(actor: Actor, instance: Instance, *, reason: str = "") -> Operation:
    """Request a start. Placement checks again that the node may run the instance.

    `reason` is shown to the tenant.

    Raises:
        NoAllocation, PolicyUnsatisfiable, InstanceWrongState, Busy.
    """
    return _check_and_change(actor, instance, "instance.start", reason=reason)


@transaction.atomic
def instance_shutdown(actor: Actor, instance: Instance, *, reason: str = "") -> Operation:
    """Ask the guest to power off.

    The operation ends with GuestDidNotStop when the guest does not within SHUTDOWN_LIMIT. `reason` is shown to the
    tenant.
    """
    return instance_change(actor, instance, InstanceChange("instance.shutdown", deadline=SHUTDOWN_LIMIT, reason=reason))


@transaction.atomic
def instance_power_off(actor: Actor, instance: Instance) -> Operation:
    """Cut the power of the guest at once."""
    placement.call_authorization(instance.pk)
    return instance_change(actor, instance, InstanceChange("instance.power-off"))


def instance_reboot(actor: Actor, instance: Instance) -> Operation:
    """Ask the guest to restart; a crashed one is started, so placement is checked as for a start."""
    return _check_and_change(actor, instance, "instance.reboot")


def instance_reset(actor: Actor, instance: Instance) -> Operation:
    """Restart the guest as its reset button would."""
    return _check_and_change(actor, instance, "instance.reset")


def _check_and_change(actor: Actor, instance: Instance, kind: str, *, reason: str = "") -> Operation:
    actor.may_write()
    operations.require_unlocked(instance.pk)
    instance.refresh_from_db(fields=["state", "is_deleting"])
    require_instance_state(instance, action_of(kind))
    placement.check_current_node(instance_placement_request(instance, operation=kind))
    with transaction.atomic():
        return instance_change(actor, instance, InstanceChange(kind, reason=reason))


@transaction.atomic
def instance_delete(actor: Actor, instance: Instance) -> Operation:
    """Request the deletion of the instance in any state; volumes are detached and stay, but for a root volume that it
    does not keep.

    Other operations on it are cancelled. A repeated request returns the deletion that is under way.

    Raises:
        RootVolumeHasSnapshots: the root volume that is deleted with it has snapshots.
    """
    actor.may_write()
    if instance.is_deleting and (under_way := live_of("instance.delete", instance.pk)) is not None:
        return under_way
    Instance.objects.filter(pk=instance.pk).update(is_deleting=True, updated_at=clock.now())
    root_volume = root_volume_deleting(instance)
    attached = Attachment.objects.filter(instance=instance)
    operation_request = OperationRequest(
        "instance.delete",
        instance.project_id,
        [instance.pk, *(each.holder_id for each in attached)],
        {
            "boots_from_volume": instance.boot_volume_id is not None,
            "root_volume": str(root_volume.pk) if root_volume is not None else None,
        },
        resource_name=instance.name,
        is_cancellable=False,
        preempts=True,
    )
    return enqueue(
        actor,
        operation_request,
        extra_rows=audit_entry(actor, "instance.delete", instance.pk, project_id=instance.project_id),
    )
