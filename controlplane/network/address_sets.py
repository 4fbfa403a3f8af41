"""Address sets: named ranges that rules of security groups name as their peer."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_network

from django.db import transaction

from andromede_core.documents.messages import Message
from controlplane.audit.services import record
from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel.db import edit, raise_on_violation
from controlplane.kernel.names import check_labels, check_name
from controlplane.network.errors import AddressSetInUse, AddressSetInvalid, AddressSetNameTaken, AddressSetNotFound
from controlplane.network.models import AddressSet, SecurityGroup
from controlplane.network.security_group_rules import security_group_changed, security_group_lock
from controlplane.quotas import services as quotas

RANGES_MAX = 100  # as of a rule, so that a group's document keeps its size
SHOWN_MAX = 5  # names in an error


@transaction.atomic
def address_set_create(
    actor: Actor,
    project: Project,
    *,
    name: str,
    cidrs: Sequence[str],
    description: str = "",
    labels: Mapping[str, str] | None = None,
) -> AddressSet:
    """Raises AddressSetNameTaken, AddressSetInvalid, InvalidName, InvalidLabels, QuotaExceeded."""
    actor.may_write()
    fields = {"name": check_name(name), "description": description, "labels": check_labels(dict(labels or {}))}
    ranges = parse_ranges(cidrs)
    with raise_on_violation("network_address_set_name_taken", AddressSetNameTaken(field="name", name=name)):
        address_set = AddressSet.objects.create(project=project, cidrs=ranges, **fields)
    quotas.claim(project.pk, address_set.pk, address_sets=1)
    record(actor, "address_set.create", address_set.pk, project_id=project.pk, name=name, cidrs=ranges)
    return address_set


@transaction.atomic
def address_set_update(
    actor: Actor, of: AddressSet, *, name: str, cidrs: Sequence[str], description: str, labels: dict[str, str]
) -> AddressSet:
    """Change the set; nodes apply other ranges within moments.

    Raises:
        AddressSetNameTaken, AddressSetInvalid, AddressSetNotFound, InvalidName, InvalidLabels.
    """
    actor.may_write()
    ranges = parse_ranges(cidrs)
    address_set_lock(of)
    has_other_ranges = ranges != of.cidrs
    with raise_on_violation("network_address_set_name_taken", AddressSetNameTaken(field="name", name=name)):
        edit(of, name=name, labels=labels, description=description, cidrs=ranges)
    if has_other_ranges:
        for group in SecurityGroup.objects.filter(rules__address_set=of).distinct().order_by("pk"):
            security_group_lock(group)
            security_group_changed(group)
    record(actor, "address_set.update", of.pk, project_id=of.project_id, name=name, cidrs=ranges)
    return of


@transaction.atomic
def address_set_delete(actor: Actor, of: AddressSet) -> None:
    """Delete a set that no rule names. Raises AddressSetInUse, AddressSetNotFound."""
    actor.may_write()
    address_set_lock(of)
    groups = sorted(set(of.rules.values_list("group__name", flat=True)))
    if groups:
        shown = [*groups[:SHOWN_MAX], *(["…"] if len(groups) > SHOWN_MAX else [])]
        raise AddressSetInUse(groups=", ".join(shown))
    quotas.release(of.pk)
    record(actor, "address_set.delete", of.pk, project_id=of.project_id, name=of.name)
    of.delete()


def address_set_lock(of: AddressSet) -> None:
    """Lock the set until the transaction ends, and read its ranges again. Raises AddressSetNotFound."""
    locked = AddressSet.objects.select_for_update().filter(pk=of.pk).first()
    if locked is None:
        raise AddressSetNotFound(name=of.name)
    of.cidrs = locked.cidrs


def parse_ranges(cidrs: Sequence[str]) -> list[str]:
    """Return ranges of both families in their usual form, sorted and once each.

    Raises:
        AddressSetInvalid: a text is no range, or is not written with its first address.
    """
    ranges = set()
    for number, cidr in enumerate(cidrs):
        try:
            ranges.add(ip_network(cidr))
        except ValueError as exc:
            reason = Message("write {cidr!r} as a range with its first address, such as 192.0.2.0/24", cidr=cidr[:50])
            raise AddressSetInvalid(field=f"cidrs/{number}", reason=reason) from exc
    return [
        str(each) for each in sorted(ranges, key=lambda each: (each.version, int(each.network_address), each.prefixlen))
    ]
