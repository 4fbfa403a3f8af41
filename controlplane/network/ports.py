"""Port writes: ports that are made by themselves, and those that come with an instance.

compute/port_attachments.py attaches ports to instances.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction

from andromede_core.permits.network_ports import Bandwidth
from controlplane.audit.services import record
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.kernel.db import raise_on_violation, write_version
from controlplane.kernel.errors import StateConflict
from controlplane.kernel.ids import new_id
from controlplane.kernel.multi_insert import insert
from controlplane.kernel.names import check_labels, check_name
from controlplane.network.addresses import ANY, AddressRequest, assign, first_ipv4, lock_subnets
from controlplane.network.allowed_addresses import AllowedRequest, parse_allowed
from controlplane.network.announced_prefixes import request_announcements_of
from controlplane.network.errors import (
    BandwidthUnsupported,
    PortAttached,
    PortNameTaken,
    PortNotFound,
)
from controlplane.network.models import AllowedAddress, Network, Port, SecurityGroup
from controlplane.network.port_addresses import addresses_replace, check_number, claim_addresses, counted
from controlplane.network.port_groups import check_groups, port_groups_begin, port_groups_set
from controlplane.network.port_rules import FILTERS, request_port_rules
from controlplane.network.selected_groups import selected_groups_refresh
from controlplane.nodes.models import Node
from controlplane.quotas import services as quotas


@dataclass(frozen=True)
class NewPort:
    """A port to create. `name` empty: one is made of its id. `addresses`: a free one unless others are requested.

    `security_groups`: None for the project's default group. `bandwidth`: limits in Mbit/s.
    """

    network: Network
    name: str = ""
    addresses: Sequence[AddressRequest] = ANY
    allowed: Sequence[AllowedRequest] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    security_groups: Sequence[SecurityGroup] | None = None
    bandwidth: Bandwidth = Bandwidth()


@transaction.atomic
def port_create(actor: Actor, new: NewPort) -> Port:
    """Create a free port of the network's project; it keeps its addresses until it is deleted.

    Raises:
        PortNameTaken, QuotaExceeded, AddressesMissing, Ipv4AddressMissing, AddressTaken, AddressNotUsable,
        AddressesExhausted, Ipv6Missing, AllowedAddressInvalid, SubnetMissing, SubnetNotFound, NetworkNotFound,
        SecurityGroupsTooMany, SecurityGroupNotFound.
    """
    actor.may_write()
    port_id, network = new_id(), new.network
    name = check_name(new.name or default_name(port_id))
    check_number(len(new.addresses))
    check_groups(new.security_groups or ())
    subnets = lock_subnets(network)
    allowed = parse_allowed(port_id, new.allowed, subnets)
    port = Port(
        id=port_id,
        project_id=network.project_id,
        network=network,
        name=name,
        labels=check_labels(new.labels),
        is_own=True,
        mac=_mac(port_id),
        is_filtered=True,
        to_guest_mbit=new.bandwidth.to_guest,
        from_guest_mbit=new.bandwidth.from_guest,
    )
    addresses = assign(network, subnets, port_id, new.addresses)
    check_number(len(addresses))
    port.ip = first_ipv4(addresses)
    with raise_on_violation("network_port_name_taken", PortNameTaken(field="name", name=name)):
        insert(port, *addresses, *allowed)
    port_groups_begin(network.project, [port_id], new.security_groups)
    quotas.claim(network.project_id, port_id, ports=1, addresses=counted(addresses))
    facts = {"name": name, "network": str(network.pk), "addresses": [each.ip for each in addresses]}
    record(actor, "port.create", port_id, project_id=network.project_id, **facts)
    return port


def instance_port_create(network: Network, *, port_id: UUID, instance_id: UUID, position: int = 0) -> Port:
    """Create a port that belongs to the instance, with a free address of each family that the subnet has.

    Inside the caller's transaction.

    The caller gives it security groups (port_groups.py); without any nothing passes.

    Raises:
        AddressesExhausted: no subnet has an address left.
        SubnetMissing: the network has no subnet.
        NetworkNotFound: the network has just been deleted.
        StateConflict: another port has the same MAC by chance; with another id it works.
    """
    addresses = assign(network, lock_subnets(network), port_id, ANY)
    port = Port(
        id=port_id,
        project_id=network.project_id,
        network=network,
        name=default_name(port_id),
        instance_id=instance_id,
        position=position,
        mac=_mac(port_id),
        ip=first_ipv4(addresses),
        is_filtered=True,
    )
    with raise_on_violation("network_port_mac_once", StateConflict(), is_end=True):
        insert(port, *addresses)
    return port


@dataclass(frozen=True)
class PortChange:
    """A change of a port.

    `addresses`, `allowed`, `security_groups`, `bandwidth`: in place of the former ones; None: they stay.
    """

    name: str
    labels: dict[str, str]
    addresses: Sequence[AddressRequest] | None = None
    allowed: Sequence[AllowedRequest] | None = None
    security_groups: Sequence[SecurityGroup] | None = None
    bandwidth: Bandwidth | None = None


@transaction.atomic
def port_update(actor: Actor, port: Port, change: PortChange) -> Port:
    """Rename or relabel the port, or replace its addresses, allowed addresses, security groups or bandwidth.

    Addresses that the port has and that are requested again stay; an attached port keeps all of them.

    Raises:
        InvalidName, InvalidLabels, PortNameTaken, PortNotFound, and for addresses the errors of port_create and of
        addresses_replace.
        SecurityGroupsTooMany, SecurityGroupNotFound, SecurityGroupsUnsupported, BandwidthUnsupported.
    """
    actor.may_write()
    name, addresses, allowed = check_name(change.name), change.addresses, change.allowed
    fields: dict[str, object] = {"name": name, "labels": check_labels(change.labels)}
    port_lock(port)
    subnets = lock_subnets(port.network) if addresses is not None or allowed is not None else []
    if addresses is not None:
        fields["ip"] = addresses_replace(port, subnets, addresses)
    if allowed is not None:
        AllowedAddress.objects.filter(port=port).delete()
        AllowedAddress.objects.bulk_create(parse_allowed(port.pk, allowed, subnets))
    facts: dict[str, object] = {}
    if change.security_groups is not None:
        port_groups_set([port], change.security_groups)
        port.is_filtered = True
        facts["groups"] = sorted(group.name for group in change.security_groups)
    if change.bandwidth is not None and change.bandwidth != Bandwidth(port.to_guest_mbit, port.from_guest_mbit):
        fields |= _limited(port, change.bandwidth)
        facts |= {"to_guest_mbit": change.bandwidth.to_guest, "from_guest_mbit": change.bandwidth.from_guest}
    has_other_labels = fields["labels"] != port.labels
    with raise_on_violation("network_port_name_taken", PortNameTaken(field="name", name=name)):
        write_version(port, **fields)
    if has_other_labels:
        selected_groups_refresh(port.project_id, ports=[port.pk])
    record(actor, "port.update", port.pk, project_id=port.project_id, name=name, **facts)
    return port


@transaction.atomic
def port_delete(actor: Actor, port: Port) -> None:
    """Delete the port; its addresses are free again.

    Raises:
        PortAttached: an instance has it.
        PortNotFound: it is deleted already.
    """
    actor.may_write()
    port_lock(port)
    require_free(port)
    quotas.release(port.pk)
    record(actor, "port.delete", port.pk, project_id=port.project_id, name=port.name)
    port.delete()


def _limited(port: Port, bandwidth: Bandwidth) -> dict[str, object]:
    """Return the fields of these limits, and request new documents for the nodes of the port.

    Raises:
        BandwidthUnsupported: the agent of a node does not limit.
    """
    nodes = list(Node.objects.filter(portbinding__port=port).distinct())
    if any(FILTERS not in node.traits for node in nodes):
        raise BandwidthUnsupported(field="bandwidth")
    for zone in {node.zone_id for node in nodes}:
        request_port_rules(port.pk, zone)
    return {"to_guest_mbit": bandwidth.to_guest, "from_guest_mbit": bandwidth.from_guest}


def port_lock(port: Port) -> None:
    """Read again who has the port, and lock its row until the caller's transaction ends.

    Raises:
        PortNotFound: it has just been deleted.
    """
    rows = Port.objects.select_for_update(no_key=True, of=("self",))
    current = rows.filter(pk=port.pk).values_list("instance_id", "is_own", "generation").first()
    if current is None:
        raise PortNotFound(name=port.name)
    port.instance_id, port.is_own, port.generation = current


def require_free(port: Port, *, field: str | None = None) -> None:
    """Raise PortAttached if an instance has the port."""
    if port.instance_id is not None:
        raise PortAttached(field=field, name=port.name)


def port_release(port: Port) -> None:
    """Free a port that was made by itself; delete another one with its share of the instance's quota.

    Inside the caller's transaction.
    """
    request_announcements_of(Port.objects.filter(pk=port.pk))
    if port.is_own:
        Port.objects.filter(pk=port.pk).update(instance_id=None, position=0, updated_at=clock.now())
        selected_groups_refresh(port.project_id, ports=[port.pk])
        return
    assert port.instance_id is not None, "it came with one"
    Port.objects.filter(pk=port.pk).delete()
    claim_addresses(port)


def ports_take(ports: Sequence[Port], instance_id: UUID, *, positions: Sequence[int], generation: int) -> None:
    """Give free ports to a new instance. Inside the caller's transaction.

    `generation`: of their specs, above all that any node knows of them.

    Raises:
        PortAttached: an instance has one of them.
        PortNotFound: one of them has just been deleted.
    """
    for number, (port, position) in enumerate(zip(ports, positions, strict=True)):
        require_free(port, field=f"ports/{number}")
        fields = {"position": position, "generation": generation, "last_error": None, "updated_at": clock.now()}
        Port.objects.filter(pk=port.pk).update(instance_id=instance_id, **fields)


def ports_release(instance_id: UUID) -> None:
    """Free the ports that were made by themselves, and delete the others of the instance. Idempotent.

    Inside the caller's transaction.
    """
    rows = Port.objects.filter(instance_id=instance_id)
    request_announcements_of(rows)
    rows.filter(is_own=False).delete()
    own = dict(rows.values_list("pk", "project"))
    if own:
        rows.update(instance_id=None, position=0, updated_at=clock.now())
        selected_groups_refresh(next(iter(own.values())), ports=list(own))


def default_name(port_id: UUID) -> str:
    return f"port-{str(port_id)[-12:]}"


def _mac(port_id: UUID) -> str:
    """Return a locally administered unicast address with the last 40 bits of the port's id.

    These bits are random (RFC 9562, 5.7). All have the first byte in common, since libvirt replaces it in the address
    of the host's end.
    """
    return "56:" + port_id.bytes[-5:].hex(":")
