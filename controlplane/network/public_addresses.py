"""Public addresses: reservation, edits, release, detachment, and suspension by operators.

compute/public_address_attachments.py attaches them. A change is written at once; the signer then signs anew the
network's list of ports, from which the nodes take it, and the zone's announcements, from which the routers learn it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address

from django.db import transaction
from django.db.models import Manager

from andromede_core.documents.messages import Message
from controlplane.audit.services import record
from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel import clock
from controlplane.kernel.db import raise_on_violation, write_version
from controlplane.kernel.ids import new_id
from controlplane.kernel.names import check_labels, check_name
from controlplane.kernel.prepared_queries import preparing_cursor
from controlplane.network import port_rules
from controlplane.network.address_pool_ranges import is_usable, usable_ranges
from controlplane.network.address_pools import address_pool_lock
from controlplane.network.announced_prefixes import request_announcements
from controlplane.network.egress_gateways import request_egress
from controlplane.network.errors import (
    AddressPoolEmpty,
    AddressPoolForSubnets,
    PublicAddressAttached,
    PublicAddressIsEgress,
    PublicAddressNameTaken,
    PublicAddressNotAttached,
    PublicAddressNotFound,
    PublicAddressOutsidePool,
    PublicAddressTaken,
    PublicAddressTranslated,
    ReverseNameInvalid,
)
from controlplane.network.models import FOR_ADDRESSES, AddressPool, EgressAddress, Port, PublicAddress
from controlplane.network.ranges import Address, Range
from controlplane.network.reverse_zones import HOST_NAME, record_reverse_change
from controlplane.nodes.models import Node
from controlplane.quotas import services as quotas

# An address that was in use is not given to another project so soon, if another one is free: peers and caches of names
# still expect the former holder there.
REST = timedelta(minutes=30)
SUSPEND, RESUME = "public_address.suspend", "public_address.resume"  # verbs of audit entries, as in its residency
DETACH = Message("Detach it first.")
DETACH_OR_MOVE = Message("Detach it first, or attach it with `move`.")
# The lowest address of the range that is neither reserved nor, since a moment, was in use.
FREE = """
SELECT host(min(ip) + 1) FROM (
    SELECT ip, lead(ip) OVER (ORDER BY ip) AS next FROM (
        SELECT %(first)s::inet - 1 AS ip
        UNION SELECT ip FROM network_publicaddress WHERE ip BETWEEN %(first)s::inet AND %(last)s::inet
        UNION SELECT ip FROM network_publicaddressuse
        WHERE ip BETWEEN %(first)s::inet AND %(last)s::inet AND ended_at > %(since)s
    ) AS taken
) AS neighbours WHERE next > ip + 1 OR (next IS NULL AND ip < %(last)s::inet)
"""


@dataclass(frozen=True)
class NewAddress:
    """An address to reserve. `ip` None: the lowest free one. `name` empty: one is made of its id."""

    pool: AddressPool
    name: str = ""
    ip: Address | None = None
    ptr: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@transaction.atomic
def public_address_create(actor: Actor, project: Project, new: NewAddress) -> PublicAddress:
    """Reserve an address for the project, until it is released.

    Raises:
        InvalidName, InvalidLabels, ReverseNameInvalid, PublicAddressNameTaken, QuotaExceeded.
        PublicAddressTaken, PublicAddressOutsidePool: for a requested address.
        AddressPoolEmpty, AddressPoolForSubnets, AddressPoolNotFound.
    """
    actor.may_write()
    address_id, pool = new_id(), new.pool
    name = check_name(new.name or f"address-{str(address_id)[-12:]}")
    if pool.purpose != FOR_ADDRESSES:
        raise AddressPoolForSubnets(field="pool", name=pool.name)
    address_pool_lock(pool)
    ip = _free(pool) if new.ip is None else _chosen(pool, new.ip)
    with raise_on_violation("network_publicaddress_name_taken", PublicAddressNameTaken(field="name", name=name)):
        address = PublicAddress.objects.create(
            id=address_id,
            project=project,
            pool=pool,
            name=name,
            labels=check_labels(new.labels),
            ip=ip,
            mode="nat" if pool.family == "ipv4" else "routed",
            ptr=check_ptr(new.ptr),
        )
    if address.ptr:
        record_reverse_change(pool)
    quotas.claim(project.pk, address.pk, public_addresses=1)
    facts = {"name": name, "ip": ip, "pool": pool.name}
    record(actor, "public_address.create", address.pk, project_id=project.pk, **facts)
    return address


@transaction.atomic
def public_address_update(
    actor: Actor, address: PublicAddress, *, name: str, labels: dict[str, str], ptr: str
) -> PublicAddress:
    """Rename or relabel the address, or change the name in its reverse zone.

    Raises:
        InvalidName, InvalidLabels, ReverseNameInvalid, PublicAddressNameTaken, PublicAddressNotFound.
    """
    actor.may_write()
    public_address_lock(address)
    fields = {"name": check_name(name), "labels": check_labels(labels), "ptr": check_ptr(ptr)}
    if fields["ptr"] != address.ptr:
        record_reverse_change(address.pool)  # before the name is written: who reserves locks the pool before the name
    with raise_on_violation("network_publicaddress_name_taken", PublicAddressNameTaken(field="name", name=name)):
        write_version(address, **fields)
    facts = {"name": name, "ptr": address.ptr}
    record(actor, "public_address.update", address.pk, project_id=address.project_id, **facts)
    return address


@transaction.atomic
def public_address_delete(actor: Actor, address: PublicAddress) -> None:
    """Release the address to its pool. Who had it when stays on record.

    A suspended one leaves the project, and its pool keeps it back until an operator resumes it: neither may a release
    end the suspension, nor may the next project get an address with a bad reputation.

    Raises:
        PublicAddressAttached, PublicAddressNotFound.
    """
    actor.may_write()
    public_address_lock(address)
    require_detached(address)
    quotas.release(address.pk)
    facts = {"name": address.name, "ip": address.ip}
    record(actor, "public_address.delete", address.pk, project_id=address.project_id, **facts)
    request_announcements(address.pool.zone_id)
    if address.ptr:
        record_reverse_change(address.pool)
    if address.suspended_at is None:
        address.delete()
    else:
        name = f"released-{str(address.pk)[-12:]}"  # the project may use the former one again
        write_version(address, released_at=clock.now(), name=name, labels={}, ptr="")


@transaction.atomic
def public_address_detach(actor: Actor, address: PublicAddress) -> PublicAddress:
    """Take the address from its port or network; it stays reserved.

    Raises:
        PublicAddressNotAttached, PublicAddressNotFound.
    """
    actor.may_write()
    public_address_lock(address)
    egress = egress_of(address)
    facts: dict[str, object]
    if egress is not None:
        facts = {"name": address.name, "ip": address.ip, "network": str(egress.network_id)}
        end_egress(address, egress)
        write_version(address)
    else:
        port = require_attached(address)
        write_version(address, port=None, fixed_ip=None)
        facts = {"name": address.name, "ip": address.ip, "port": str(port.pk), "instance": _text(port.instance_id)}
        request_publication(address, port)
    record(actor, "public_address.detach", address.pk, project_id=address.project_id, **facts)
    return address


@transaction.atomic
def public_address_suspend(actor: Actor, address: PublicAddress, *, reason: str) -> PublicAddress:
    """Withdraw the address, as an operator; its project keeps it, and sees the reason. Idempotent.

    Raises:
        RoleNeeded, PublicAddressNotFound.
    """
    actor.may_operate()
    public_address_lock(address)
    write_version(address, suspended_at=address.suspended_at or clock.now(), suspended_reason=reason)
    facts = {"name": address.name, "ip": address.ip, "reason": reason}
    record(actor, SUSPEND, address.pk, project_id=address.project_id, **facts)
    _request_holder(address)
    return address


@transaction.atomic
def public_address_resume(actor: Actor, address: PublicAddress) -> PublicAddress:
    """End a suspension, as an operator; an address that was released goes back to its pool. Idempotent.

    Raises:
        RoleNeeded, PublicAddressNotFound.
    """
    actor.may_operate()
    public_address_lock(address, rows=PublicAddress.everything)
    if address.released_at is None:
        write_version(address, suspended_at=None, suspended_reason="")
    else:
        PublicAddress.everything.filter(pk=address.pk).delete()
        address.suspended_at, address.suspended_reason = None, ""
    facts = {"name": address.name, "ip": address.ip}
    record(actor, RESUME, address.pk, project_id=address.project_id, **facts)
    _request_holder(address)
    return address


def public_address_lock(address: PublicAddress, *, rows: Manager[PublicAddress] = PublicAddress.objects) -> None:
    """Read again where the address is, and lock its row until the transaction ends. A port is locked before.

    Raises:
        PublicAddressNotFound: it has just been released.
    """
    locked = rows.select_for_update(no_key=True, of=("self",)).select_related("port", "egress__network")
    current = locked.filter(pk=address.pk).first()
    if current is None:
        raise PublicAddressNotFound(name=address.name)
    address.port, address.fixed_ip, address.mode = current.port, current.fixed_ip, current.mode
    address.egress = egress_of(current)
    address.suspended_at, address.suspended_reason = current.suspended_at, current.suspended_reason
    address.ptr, address.released_at = current.ptr, current.released_at


def require_attached(address: PublicAddress) -> Port:
    """Return the port. Raises PublicAddressNotAttached."""
    if address.port is None:
        raise PublicAddressNotAttached(ip=address.ip)
    return address.port


def require_detached(address: PublicAddress) -> None:
    """Raise PublicAddressAttached, PublicAddressIsEgress if a port or a network has the address."""
    problem = attached_problem(address, DETACH)
    if problem is not None:
        raise problem


def attached_problem(address: PublicAddress, remedy: Message) -> PublicAddressAttached | PublicAddressIsEgress | None:
    """Return the problem that a port or a network has the address; None: it is detached."""
    if address.port is not None:
        return PublicAddressAttached(ip=address.ip, port=address.port.name, remedy=remedy)
    egress = egress_of(address)
    if egress is None:
        return None
    return PublicAddressIsEgress(ip=address.ip, network=egress.network.name, remedy=remedy)


def egress_of(address: PublicAddress) -> EgressAddress | None:
    """Return the network that has the address as its egress address; None: none has."""
    return getattr(address, "egress", None)


def end_egress(address: PublicAddress, egress: EgressAddress) -> None:
    """Take the address from its network, inside the caller's transaction."""
    EgressAddress.objects.filter(pk=egress.pk).delete()
    request_egress(egress.network_id, egress.zone_id)
    address.egress = None


def attached_to(ports: Iterable[Port]) -> list[PublicAddress]:
    """Return the public addresses of these ports, with their pools."""
    ids = [port.pk for port in ports]
    return list(PublicAddress.objects.select_related("pool").filter(port__in=ids).order_by("ip")) if ids else []


def require_untranslated(port: Port, left: Iterable[str]) -> None:
    """Raise PublicAddressTranslated if a public address is translated to one of these addresses of the port."""
    address = PublicAddress.objects.filter(port=port, fixed_ip__in=list(left)).first()
    if address is not None:
        raise PublicAddressTranslated(field="addresses", ip=address.ip, fixed_ip=address.fixed_ip)


def request_publication(address: PublicAddress, *ports: Port) -> None:
    """Request, after the commit, that nodes and routers learn of the address's change at these ports."""
    request_announcements(address.pool.zone_id)
    for port in ports:
        _request_listing(port)


def _request_holder(address: PublicAddress) -> None:
    egress = egress_of(address)
    if address.port is not None:
        request_publication(address, address.port)
    elif egress is not None:
        request_egress(egress.network_id, egress.zone_id)


def _request_listing(port: Port) -> None:
    """Request that the port is listed with its present public addresses where nodes carry it."""
    for zone in set(Node.objects.filter(portbinding__port=port).values_list("zone", flat=True)):
        port_rules.request_port_rules(port.pk, zone)


def check_ptr(name: str) -> str:
    """Return the name of a host in lower case and without a final dot. Raises ReverseNameInvalid."""
    host_name = name.lower().removesuffix(".")
    if name and not HOST_NAME.fullmatch(host_name):
        raise ReverseNameInvalid(field="ptr", value=name[:80])
    return host_name


def _free(pool: AddressPool) -> str:
    """Return the lowest free address of the first range that has one; one of a recent holder if there is no other.

    Raises:
        AddressPoolEmpty.
    """
    for since in (clock.now() - REST, clock.now()):
        for usable in usable_ranges(pool):
            ip = _lowest(usable, {"since": since})
            if ip is not None:
                return ip
    raise AddressPoolEmpty(field="pool", name=pool.name)


def _lowest(usable: Range, values: Mapping[str, object]) -> str | None:
    first, last = usable
    with preparing_cursor() as cursor:
        cursor.execute(FREE, {**values, "first": str(first), "last": str(last)})
        ip: str | None = cursor.fetchone()[0]
    return ip


def _chosen(pool: AddressPool, ip: Address) -> str:
    """Return the requested address. Raises PublicAddressOutsidePool, PublicAddressTaken."""
    if not is_usable(pool, ip):
        raise PublicAddressOutsidePool(field="ip", pool=pool.name, ip=str(ip))
    if PublicAddress.everything.filter(ip=str(ip)).exists():
        raise PublicAddressTaken(field="ip", ip=str(ip))
    return str(ip_address(ip))


def _text(value: object) -> str | None:
    return None if value is None else str(value)
