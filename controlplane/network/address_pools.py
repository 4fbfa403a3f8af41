"""Pools of public addresses: writes of operators, and the use of pools."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count

from andromede_core.documents.messages import Message
from andromede_core.documents.parsing import Malformed
from andromede_core.permits.announcements import parse_community
from controlplane.audit.services import record_of_organization
from controlplane.catalog.models import Zone
from controlplane.identity.actor import Actor
from controlplane.identity.models import Organization
from controlplane.kernel.db import raise_on_violation, write_version
from controlplane.kernel.names import check_labels, check_name
from controlplane.network.address_pool_ranges import parse_cidrs, parse_reserved, pool_size
from controlplane.network.errors import (
    AddressPoolInUse,
    AddressPoolInvalid,
    AddressPoolNameTaken,
    AddressPoolNotFound,
    AddressPoolOverlaps,
)
from controlplane.network.models import FOR_ADDRESSES, FOR_SUBNETS, AddressPool, PublicAddress, Subnet
from controlplane.network.ranges import Cidr, overlap
from controlplane.network.services import NAMED_MAX, named


@dataclass(frozen=True)
class NewPool:
    """A pool to create. `organization`: the only one that may use it; None: all."""

    name: str
    zone: Zone
    family: str
    cidrs: Sequence[str]
    purpose: str = FOR_ADDRESSES
    organization: Organization | None = None
    reserved_ranges: Sequence[str] = ()
    community: str = ""
    local_preference: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@transaction.atomic
def address_pool_create(actor: Actor, new: NewPool) -> AddressPool:
    """Create a pool; announcers of its zone announce the addresses that are in use.

    Raises:
        RoleNeeded, InvalidName, InvalidLabels, AddressPoolNameTaken, AddressPoolInvalid, AddressPoolOverlaps.
    """
    actor.may_operate()
    name = check_name(new.name)
    if new.purpose == FOR_SUBNETS and new.family != "ipv6":
        reason = Message("subnets get ranges of IPv6 only.")
        raise AddressPoolInvalid(field="purpose", value=new.purpose, reason=reason)
    cidrs = parse_cidrs(new.family, new.purpose, new.cidrs)
    reserved = parse_reserved(cidrs, new.reserved_ranges)
    _check_community(new.community)
    _refuse_overlap(cidrs, AddressPool.objects.all())
    with raise_on_violation("network_addresspool_name_key", AddressPoolNameTaken(field="name", name=name)):
        pool = AddressPool.objects.create(
            name=name,
            labels=check_labels(new.labels),
            zone=new.zone,
            organization=new.organization,
            family=new.family,
            purpose=new.purpose,
            cidrs=list(map(str, cidrs)),
            reserved_ranges=reserved,
            community=new.community,
            local_preference=new.local_preference,
        )
    facts = {"name": name, "zone": new.zone.pk, "cidrs": pool.cidrs}
    record_of_organization(actor, "address_pool.create", pool.pk, None, **facts)
    return pool


@transaction.atomic
def address_pool_update(actor: Actor, pool: AddressPool, changes: Mapping[str, Any]) -> AddressPool:
    """Change name, labels, ranges, reserved ranges, community or local preference: those that `changes` has.

    A range with addresses in use stays, or grows. Addresses that become reserved stay with their projects.

    Raises:
        RoleNeeded, InvalidName, InvalidLabels, AddressPoolNameTaken, AddressPoolInvalid, AddressPoolOverlaps,
        AddressPoolInUse, AddressPoolNotFound.
    """
    actor.may_operate()
    fields = dict(changes)
    address_pool_lock(pool)
    fields["name"] = check_name(fields.get("name", pool.name))
    fields["labels"] = check_labels(fields.get("labels", pool.labels))
    _check_community(fields.get("community", ""))
    cidrs = parse_cidrs(pool.family, pool.purpose, fields.get("cidrs", pool.cidrs))
    if "cidrs" in fields:
        _refuse_overlap(cidrs, AddressPool.objects.exclude(pk=pool.pk))
        _keep_used(pool, cidrs)
        fields["cidrs"] = list(map(str, cidrs))
    fields["reserved_ranges"] = parse_reserved(cidrs, fields.get("reserved_ranges", pool.reserved_ranges))
    with raise_on_violation("network_addresspool_name_key", AddressPoolNameTaken(field="name", name=fields["name"])):
        write_version(pool, **fields)
    facts = {"name": pool.name, "cidrs": pool.cidrs}
    record_of_organization(actor, "address_pool.update", pool.pk, None, **facts)
    return pool


@transaction.atomic
def address_pool_delete(actor: Actor, pool: AddressPool) -> None:
    """Delete a pool of which nothing is in use.

    Raises:
        RoleNeeded, AddressPoolInUse, AddressPoolNotFound.
    """
    actor.may_operate()
    address_pool_lock(pool)
    _refuse_used(_used(pool))
    record_of_organization(actor, "address_pool.delete", pool.pk, None, name=pool.name)
    pool.delete()


def address_pool_lock(pool: AddressPool) -> None:
    """Lock the pool until the transaction ends, so that two requests do not take the same address.

    Raises:
        AddressPoolNotFound: it has just been deleted.
    """
    if AddressPool.objects.select_for_update(no_key=True, of=("self",)).filter(pk=pool.pk).first() is None:
        raise AddressPoolNotFound(name=pool.name)


@dataclass(frozen=True)
class PoolUse:
    """Numbers of addresses, or of /64 ranges of a pool for subnets."""

    size: int
    used: int

    @property
    def free(self) -> int:
        return max(0, self.size - self.used)


def pool_uses(pools: Sequence[AddressPool]) -> Mapping[UUID, PoolUse]:
    """Return how much of each pool is in use."""
    ids = [pool.pk for pool in pools]
    addresses = PublicAddress.everything.filter(pool__in=ids).order_by().values_list("pool").annotate(Count("pk"))
    subnets = Subnet.objects.filter(ipv6_pool__in=ids).order_by().values_list("ipv6_pool").annotate(Count("pk"))
    used = dict(addresses.union(subnets, all=True))
    return {pool.pk: PoolUse(pool_size(pool), used.get(pool.pk, 0)) for pool in pools}


def _check_community(community: str) -> None:
    """Raise AddressPoolInvalid unless announcements can have this community of BGP; empty: none."""
    if not community:
        return
    try:
        parse_community(community, "community")
    except Malformed as exc:
        reason = Message("write AS:value, two numbers up to 65535, such as 64500:100.")
        raise AddressPoolInvalid(field="community", value=community[:20], reason=reason) from exc


def _refuse_overlap(cidrs: Sequence[Cidr], others: Iterable[AddressPool]) -> None:
    """Raise AddressPoolOverlaps. Writes of ranges wait for one another until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('address pools', 0))")
    for other in others:
        for number, cidr in enumerate(cidrs):
            shared = next((each for each in other.cidrs if overlap(cidr, ip_network(each))), None)
            if shared is not None:
                facts = {"cidr": str(cidr), "other": shared, "name": other.name}
                raise AddressPoolOverlaps(field=f"cidrs/{number}", **facts)


def _used(pool: AddressPool) -> list[str]:
    """Return the addresses, or the ranges of subnets, that are in use."""
    if pool.purpose == FOR_SUBNETS:
        return list(Subnet.objects.filter(ipv6_pool=pool).order_by("pk").values_list("ipv6_cidr", flat=True))
    return list(PublicAddress.everything.filter(pool=pool).order_by("ip").values_list("ip", flat=True))


def _keep_used(pool: AddressPool, cidrs: Sequence[Cidr]) -> None:
    """Raise AddressPoolInUse if what is in use is outside the new ranges."""
    outside = []
    for each in _used(pool):
        first = ip_network(each)[0] if "/" in each else ip_address(each)
        if not any(first in cidr for cidr in cidrs):
            outside.append(each)
    _refuse_used(outside, field="cidrs")


def _refuse_used(used: Sequence[str], *, field: str | None = None) -> None:
    if used:
        raise AddressPoolInUse(field=field, count=len(used), used=named(used[:NAMED_MAX], len(used)))
