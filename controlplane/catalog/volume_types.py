"""Volume types: writes of operators, and the types that a project may use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db import transaction
from django.db.models import F, ProtectedError, Q, QuerySet

from controlplane.audit.services import record_of_organization
from controlplane.catalog.errors import (
    MultiAttachWithoutPool,
    RootTypeForSeveral,
    VolumeTypeInUse,
    VolumeTypeInvalid,
    VolumeTypeNotFound,
    VolumeTypeRetired,
    VolumeTypeTaken,
)
from controlplane.catalog.models import IMMEDIATE, LOCAL, VolumeType
from controlplane.identity.actor import Actor
from controlplane.identity.models import Organization, Project
from controlplane.kernel.db import raise_on_violation
from controlplane.kernel.names import check_name
from controlplane.kernel.prepared_queries import Prepared


@dataclass(frozen=True)
class NewVolumeType:
    """A volume type to create; see VolumeType."""

    id: str
    description: str
    pool: str = ""
    binding: str = IMMEDIATE
    is_multi_attach: bool = False
    iops: int = 0
    mb_per_s: int = 0
    iops_per_gib: int = 0
    mb_per_s_per_gib: int = 0
    organizations: Sequence[Organization] = ()


def volume_types(actor: Actor) -> QuerySet[VolumeType]:
    """Return the types that the actor sees: those for all organizations, and for its own."""
    rows = VolumeType.objects.order_by("pk")
    if actor.sees_all:
        return rows
    return rows.filter(Q(organization_ids=[]) | Q(organization_ids__overlap=list(actor.organization_ids)))


def volume_type_get(actor: Actor, ref: str) -> VolumeType:
    """Raises VolumeTypeNotFound, also for a type of other organizations."""
    volume_type = volume_types(actor).filter(pk=ref).first()
    if volume_type is None:
        raise VolumeTypeNotFound(name=ref)
    return volume_type


def project_volume_types(project: Project) -> QuerySet[VolumeType]:
    """Return the types that the project's organization may use, and retired ones."""
    return _usable_by([project.organization_id]).order_by("pk")


def _usable_by(organization_ids: Any) -> QuerySet[VolumeType]:
    return VolumeType.objects.filter(Q(organization_ids=[]) | Q(organization_ids__contains=organization_ids))


USABLE = Prepared(lambda ref, organization_ids: _usable_by(organization_ids).filter(pk=ref))


def usable_volume_type(project: Project, ref: str, *, field: str = "volume_type") -> VolumeType:
    """Return a type for a new disk of the project.

    Raises:
        VolumeTypeNotFound, VolumeTypeRetired: `field` is that of the body.
    """
    volume_type = USABLE.first(ref, [project.organization_id])
    if volume_type is None:
        raise VolumeTypeNotFound(field=field, name=ref)
    if volume_type.is_retired:
        raise VolumeTypeRetired(field=field, name=ref)
    return volume_type


def usable_root_type(project: Project, ref: str) -> VolumeType | None:
    """Return the type of an instance's root disk; None: on its node's own disk, of which no type is defined.

    Raises:
        VolumeTypeNotFound, VolumeTypeRetired, RootTypeForSeveral.
    """
    try:
        volume_type = usable_volume_type(project, ref, field="root_volume_type")
    except VolumeTypeNotFound:
        if ref == LOCAL and not VolumeType.objects.filter(pk=LOCAL).exists():
            return None
        raise
    if volume_type.is_multi_attach:
        raise RootTypeForSeveral(field="root_volume_type", volume_type=volume_type.pk)
    return volume_type


LIMITS = ("iops", "mb_per_s", "iops_per_gib", "mb_per_s_per_gib")


@transaction.atomic
def volume_type_create(actor: Actor, new: NewVolumeType) -> VolumeType:
    """Create a volume type.

    Raises:
        RoleNeeded, InvalidName, VolumeTypeTaken, VolumeTypeInvalid, MultiAttachWithoutPool.
    """
    actor.may_operate()
    name = check_name(new.id, field="id")
    if name == LOCAL and new.pool:
        raise VolumeTypeInvalid(field="pool", name=name)
    if new.is_multi_attach and not (new.pool and new.binding == IMMEDIATE):
        raise MultiAttachWithoutPool(field="is_multi_attach")
    with raise_on_violation("catalog_volumetype_pkey", VolumeTypeTaken(field="id", name=name)):
        volume_type = VolumeType.objects.create(
            id=name,
            description=new.description,
            pool=new.pool and check_name(new.pool, field="pool"),
            binding=new.binding,
            is_multi_attach=new.is_multi_attach,
            iops=new.iops,
            mb_per_s=new.mb_per_s,
            iops_per_gib=new.iops_per_gib,
            mb_per_s_per_gib=new.mb_per_s_per_gib,
            organization_ids=_ids(new.organizations),
        )
    _record(actor, "volume_type.create", volume_type, "pool", "binding", "is_multi_attach", *LIMITS, "organization_ids")
    return volume_type


@transaction.atomic
def volume_type_update(actor: Actor, volume_type: VolumeType, changes: Mapping[str, Any]) -> VolumeType:
    """Change description, limits, organizations or retirement: those that `changes` has. The rest stays.

    Limits of present volumes stay until their next growth or retype.

    Raises:
        RoleNeeded, VolumeTypeNotFound.
    """
    actor.may_operate()
    fields = dict(changes)
    if "organizations" in fields:
        fields["organization_ids"] = _ids(fields.pop("organizations"))
    _lock(volume_type)
    own = VolumeType.objects.filter(pk=volume_type.pk)
    own.update(generation=F("generation") + 1, is_imported=False, **fields)
    volume_type.refresh_from_db()
    _record(actor, "volume_type.update", volume_type, *fields)
    return volume_type


@transaction.atomic
def volume_type_delete(actor: Actor, volume_type: VolumeType) -> None:
    """Delete a type that no disk names, not even a deleted one.

    Raises:
        RoleNeeded, VolumeTypeInUse, VolumeTypeNotFound.
    """
    actor.may_operate()
    name = volume_type.pk
    _lock(volume_type)
    try:
        volume_type.delete()
    except ProtectedError as exc:
        raise VolumeTypeInUse(name=name) from exc
    record_of_organization(actor, "volume_type.delete", audit_id(name), None, name=name)


def audit_id(name: str) -> UUID:
    """Return the id of a volume type in audit entries, which name resources by UUID."""
    return uuid5(NAMESPACE_URL, f"volume-types/{name}")


def _record(actor: Actor, verb: str, volume_type: VolumeType, *fields: str) -> None:
    facts = {field: getattr(volume_type, field) for field in fields}
    if "organization_ids" in facts:
        facts["organizations"] = [str(each) for each in facts.pop("organization_ids")]
    record_of_organization(actor, verb, audit_id(volume_type.pk), None, name=volume_type.pk, **facts)


def _lock(volume_type: VolumeType) -> None:
    """Lock the row against new references, too, until the transaction ends. Raises VolumeTypeNotFound."""
    if VolumeType.objects.select_for_update().filter(pk=volume_type.pk).first() is None:
        raise VolumeTypeNotFound(name=volume_type.pk)


def _ids(organizations: Sequence[Organization]) -> list[UUID]:
    return sorted({organization.pk for organization in organizations})
