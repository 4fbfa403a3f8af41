"""Security groups of a project, and the default group that ports get without a request."""

from collections.abc import Collection, Mapping

from django.db import transaction

from controlplane.audit.services import record
from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel.db import edit, raise_on_violation
from controlplane.kernel.names import check_labels, check_name
from controlplane.kernel.prepared_queries import Prepared
from controlplane.network.errors import (
    SecurityGroupInUse,
    SecurityGroupIsDefault,
    SecurityGroupNameTaken,
)
from controlplane.network.models import Port, SecurityGroup, SecurityGroupRule
from controlplane.network.security_group_rules import NewRule, insert_rules, security_group_lock
from controlplane.network.selected_groups import (
    check_selector,
    check_selectors_number,
    selected_groups_end,
    selected_groups_refresh,
)
from controlplane.quotas import services as quotas

DEFAULT = "default"
SHOWN_MAX = 5  # names in an error
# Everything out; in from other members of the group.
DEFAULT_RULES = tuple(
    NewRule(direction=direction, family=family, has_own_group_as_peer=direction == "in")
    for direction in ("out", "in")
    for family in ("ipv4", "ipv6")
)


@transaction.atomic
def security_group_create(
    actor: Actor,
    project: Project,
    *,
    name: str,
    description: str = "",
    selector: str = "",
    labels: Mapping[str, str] | None = None,
) -> SecurityGroup:
    """Create a group without rules: a port with no other group neither sends nor receives.

    `selector`: the filtered ports that it selects are in the group, present and future ones.

    Raises:
        SecurityGroupNameTaken, InvalidName, InvalidLabels, ProjectNotFound, QuotaExceeded, SelectorInvalid,
        SelectorsExhausted.
    """
    actor.may_write()
    default_group(project)  # so that nobody takes its name
    fields = {"name": check_name(name), "description": description, "labels": check_labels(dict(labels or {}))}
    fields["selector"] = check_selector(selector)
    if fields["selector"]:
        check_selectors_number(project.pk)
    with raise_on_violation("network_security_group_name_taken", SecurityGroupNameTaken(field="name", name=name)):
        group = SecurityGroup.objects.create(project=project, **fields)
    if group.selector:
        selected_groups_refresh(project.pk, group=group)
    quotas.claim(project.pk, group.pk, security_groups=1)
    record(actor, "security_group.create", group.pk, project_id=project.pk, name=name, selector=group.selector)
    return group


@transaction.atomic
def security_group_update(
    actor: Actor, group: SecurityGroup, *, name: str, description: str, selector: str, labels: dict[str, str]
) -> SecurityGroup:
    """Raises SecurityGroupIsDefault, SecurityGroupNameTaken, InvalidName, InvalidLabels, SelectorInvalid,
    SelectorsExhausted.
    """
    actor.may_write()
    if group.is_default and name != group.name:
        raise SecurityGroupIsDefault(field="name")
    was, selector = group.selector, check_selector(selector)
    if selector and not was:
        check_selectors_number(group.project_id)
    with raise_on_violation("network_security_group_name_taken", SecurityGroupNameTaken(field="name", name=name)):
        edit(group, name=name, labels=labels, description=description, selector=selector)
    if selector != was:
        selected_groups_refresh(group.project_id, group=group)
    record(actor, "security_group.update", group.pk, project_id=group.project_id, name=name, selector=selector)
    return group


@transaction.atomic
def security_group_delete(actor: Actor, group: SecurityGroup) -> None:
    """Delete a group that no port has but by its selector, and no rule of another group names.

    Raises:
        SecurityGroupIsDefault, SecurityGroupInUse, SecurityGroupNotFound.
    """
    actor.may_write()
    if group.is_default:
        raise SecurityGroupIsDefault()
    security_group_lock(group)
    ports = Port.objects.filter(portsecuritygroup__group=group, portsecuritygroup__is_selected=False)
    naming = SecurityGroupRule.objects.filter(peer_group=group).exclude(group=group)
    count = ports.count()
    if count or naming.exists():
        groups = sorted(set(naming.values_list("group__name", flat=True)))
        instances = [str(instance) for instance in ports.values_list("instance_id", flat=True).distinct()[:SHOWN_MAX]]
        raise SecurityGroupInUse(count=count, instances=_some(instances), groups=_some(groups))
    selected_groups_end(group)
    group.rules.all().delete()
    quotas.release(group.pk)
    record(actor, "security_group.delete", group.pk, project_id=group.project_id, name=group.name)
    group.delete()


DEFAULT_GROUP = Prepared(lambda project: SecurityGroup.objects.filter(project=project, is_default=True))


def default_group(project: Project) -> SecurityGroup:
    """Return the default group, which is made when first needed: all traffic out, in from its own members.

    It counts against no quota. Inside the caller's transaction.
    """
    return DEFAULT_GROUP.first(project.pk) or _make_default_group(project)


def _make_default_group(project: Project) -> SecurityGroup:
    created = SecurityGroup(project=project, name=DEFAULT, is_default=True)
    SecurityGroup.objects.bulk_create([created], ignore_conflicts=True)
    # A concurrent transaction that made it has committed, since the insertion waits for it.
    group = SecurityGroup.objects.get(project=project, is_default=True)
    if group.pk == created.pk:
        insert_rules(group, DEFAULT_RULES)
    return group


def _some(names: Collection[str]) -> str:
    shown = list(names)[:SHOWN_MAX]
    return ", ".join([*shown, *(["…"] if len(names) > SHOWN_MAX else [])]) or "-"
