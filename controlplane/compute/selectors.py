"""Instances, keys, groups and attachments that an actor may see."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Count, Model, Q, QuerySet

from controlplane.catalog.models import Image
from controlplane.compute.errors import (
    AffinityGroupNotFound,
    AttachmentNotFound,
    InstanceNotFound,
    SshKeyNotFound,
)
from controlplane.compute.models import AffinityGroup, Attachment, Instance, SshKey
from controlplane.compute.user_data import USER_DATA
from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.identity.models import Project
from controlplane.kernel.db import by_id, by_ref
from controlplane.kernel.errors import NotFound
from controlplane.kernel.names import as_uuid
from controlplane.kernel.prepared_queries import Collection, PreparedByRef
from controlplane.nodes.models import Node, Pool
from controlplane.operations.models import Operation
from controlplane.storage.models import Snapshot, Volume

M = TypeVar("M", bound=Model)


def _by_ref(rows: QuerySet[M], ref: str, error: type[NotFound]) -> M:
    row = by_ref(rows, ref)
    if row is None:
        raise error(name=ref)
    return row


def _instances(project: Any) -> QuerySet[Instance]:
    rows = Instance.objects.filter(project=project).exclude(state="deleted")
    return rows.select_related("node", "image", "affinity_group").defer(*USER_DATA)


INSTANCE = PreparedByRef(_instances, InstanceNotFound)


@dataclass
class PoolUsage:
    """The use of a pool: numbers of root disks and volumes, and the nodes whose guests use any of them."""

    instances: int = 0
    volumes: int = 0
    nodes: set[UUID] = field(default_factory=set)


NOT_SHOWN = (*USER_DATA, "ssh_public_keys", "power_reason", "root_volume_id", "restart_count")
SHOWN_OF_NODE = ("node__zone", "node__state", "node__last_heartbeat_at", "node__updated_at")


def _shown(project: Any) -> QuerySet[Instance]:
    """Load only the columns that an answer has, of instance, image and node: there may be many rows."""
    own = [each.name for each in Instance._meta.concrete_fields if each.name not in NOT_SHOWN]
    return _instances(project).only(*own, *SHOWN_OF_NODE, "image__name", "affinity_group__name")


def instances(actor: Actor, project: Project) -> Collection[Instance]:
    return Collection(_shown, (project.pk,))


def instances_on(node: Node) -> QuerySet[Instance]:
    """Return the instances of all projects on the node, for a caller that may see the node."""
    rows = Instance.objects.filter(node=node).exclude(state="deleted").select_related("project__organization")
    return rows.defer(*USER_DATA)


def instances_in(pool: Pool) -> QuerySet[Instance]:
    """Return the instances of all projects with a root disk in the pool, for a caller that may see the pool."""
    rows = Instance.objects.filter(root_pool=pool).exclude(state="deleted")
    return rows.select_related("project__organization").defer(*USER_DATA)


def volumes_in(pool: Pool) -> QuerySet[Volume]:
    """Return the volumes of all projects in the pool, for a caller that may see the pool."""
    rows = Volume.objects.filter(pool=pool).exclude(state="deleted")
    return rows.select_related("project__organization", "node")


def pool_usage(pools: Sequence[Pool]) -> dict[UUID, PoolUsage]:
    """Return the usage by pool id; a pool without any is left out."""
    usage: dict[UUID, PoolUsage] = defaultdict(PoolUsage)
    roots = Instance.objects.filter(root_pool__in=pools).exclude(state="deleted")
    for pool, node, count in roots.values_list("root_pool", "node").annotate(Count("pk")):
        usage[pool].instances += count
        usage[pool].nodes |= {node} - {None}
    volumes = Volume.objects.filter(pool__in=pools).exclude(state="deleted")
    for pool, node, state, count in volumes.values_list("pool", "node", "state").annotate(Count("pk")):
        usage[pool].volumes += count
        usage[pool].nodes |= {node} if state == "in-use" else set()
    return usage


def names_of(resources: Sequence[UUID]) -> dict[UUID, str]:
    """Return the names of instances, volumes, snapshots and images by id; deleted ones are left out."""
    kinds = (Instance, Volume, Snapshot, Image)
    first, *others = (kind.objects.filter(pk__in=resources).exclude(state="deleted") for kind in kinds)
    return dict(first.values_list("pk", "name").union(*(rows.values_list("pk", "name") for rows in others)))


def instance_get(actor: Actor, project: Project, ref: str) -> Instance:
    return INSTANCE.get(ref, project.pk)


def instance_anywhere(actor: Actor, ref: str) -> Instance:
    """Return the instance with this id, of any project.

    Raises:
        RoleNeeded: the actor has no platform role.
        InstanceNotFound.
    """
    if not actor.sees_all:
        raise RoleNeeded(role="operator")
    instance = by_id(Instance.objects.exclude(state="deleted").defer(*USER_DATA), ref)
    if instance is None:
        raise InstanceNotFound(name=ref)
    return instance


def ssh_keys(actor: Actor, project: Project) -> QuerySet[SshKey]:
    return SshKey.objects.filter(project=project)


def ssh_key_get(actor: Actor, project: Project, ref: str) -> SshKey:
    return _by_ref(ssh_keys(actor, project), ref, SshKeyNotFound)


def affinity_groups(actor: Actor, project: Project) -> QuerySet[AffinityGroup]:
    return AffinityGroup.objects.filter(project=project)


def affinity_group_get(actor: Actor, project: Project, ref: str) -> AffinityGroup:
    return _by_ref(affinity_groups(actor, project), ref, AffinityGroupNotFound)


def attachments(actor: Actor, instance: Instance) -> QuerySet[Attachment]:
    return Attachment.objects.filter(instance=instance).select_related("volume")


def attachment_get(actor: Actor, instance: Instance, ref: str) -> Attachment:
    """Return the attachment by its own id, or by the id or name of its volume."""
    as_id = as_uuid(ref)
    match = Q(pk=as_id) | Q(volume_id=as_id) if as_id else Q(volume__name=ref)
    attachment = attachments(actor, instance).filter(match).first()
    if attachment is None:
        raise AttachmentNotFound(name=ref)
    return attachment


def was_detached(instance: Instance, ref: str) -> bool:
    """Tell if `ref` is the id of a former attachment to this instance, or of its volume.

    Detaching it again is no error.
    """
    as_id = as_uuid(ref)
    if as_id is None or Attachment.objects.filter(Q(pk=as_id) | Q(volume_id=as_id), instance=instance).exists():
        return False
    done = Operation.objects.filter(
        project_id=instance.project_id, kind="volume.detach", state="succeeded", args__instance=str(instance.pk)
    )
    return done.filter(Q(args__attachment=str(as_id)) | Q(resource_id=as_id)).exists()


def attached_to(volume_id: UUID) -> UUID | None:
    """Return the instance that has the volume, or is getting it."""
    return Attachment.objects.filter(volume_id=volume_id).values_list("instance_id", flat=True).first()
