"""Affinity groups: rows that no node stores."""

from collections.abc import Mapping

from django.db import transaction

from controlplane.audit.services import record
from controlplane.compute.errors import (
    AffinityGroupInUse,
    AffinityGroupNameTaken,
)
from controlplane.compute.models import AffinityGroup, Instance
from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.identity.row_locks import lock_project
from controlplane.kernel import count_limits
from controlplane.kernel.db import edit, raise_on_violation
from controlplane.kernel.names import check_labels, check_name


@transaction.atomic
def affinity_group_create(
    actor: Actor, project: Project, *, name: str, rule: str, is_strict: bool, labels: Mapping[str, str] | None = None
) -> AffinityGroup:
    """Raises AffinityGroupNameTaken, InvalidName, InvalidLabels, ProjectNotFound, CountExhausted."""
    actor.may_write()
    lock_project(project)
    count_limits.require_below_limit("affinity_groups", AffinityGroup.objects.filter(project=project))
    checked_labels = check_labels(dict(labels or {}))
    with raise_on_violation("compute_affinity_group_name_taken", AffinityGroupNameTaken(field="name", name=name)):
        group = AffinityGroup.objects.create(
            project=project, name=check_name(name), labels=checked_labels, rule=rule, is_strict=is_strict
        )
    record(actor, "affinity_group.create", group.pk, project_id=project.pk, name=name, rule=rule)
    return group


@transaction.atomic
def affinity_group_update(actor: Actor, group: AffinityGroup, *, name: str, labels: dict[str, str]) -> AffinityGroup:
    """Raises AffinityGroupNameTaken, InvalidName, InvalidLabels."""
    actor.may_write()
    with raise_on_violation("compute_affinity_group_name_taken", AffinityGroupNameTaken(field="name", name=name)):
        edit(group, name=name, labels=labels)
    record(actor, "affinity_group.update", group.pk, project_id=group.project_id, name=name)
    return group


@transaction.atomic
def affinity_group_delete(actor: Actor, group: AffinityGroup) -> None:
    """Raises AffinityGroupInUse while instances are in it."""
    actor.may_write()
    AffinityGroup.objects.select_for_update().get(pk=group.pk)
    members = Instance.objects.filter(affinity_group=group)
    if count := members.exclude(state="deleted").count():
        raise AffinityGroupInUse(count=count)
    members.update(affinity_group=None)
    record(actor, "affinity_group.delete", group.pk, project_id=group.project_id, name=group.name)
    group.delete()
