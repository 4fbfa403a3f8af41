"""Network writes. Nodes get a network with their first port of it."""

from collections.abc import Iterable, Mapping
from typing import Any, Unpack

from django.db import transaction

from andromede_core.documents.messages import Message
from andromede_core.permits.dhcp_options import FIELDS
from controlplane.audit.services import record
from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel.db import raise_on_violation, write_version
from controlplane.kernel.errors import InvalidRequest
from controlplane.kernel.names import check_labels, check_name
from controlplane.network.addresses import SUBNETS_LOCKED
from controlplane.network.announced_prefixes import request_announcements
from controlplane.network.errors import NetworkInUse, NetworkNameTaken, NetworkNotFound
from controlplane.network.ipv6_subnets import NO_IPV6, Ipv6Choice
from controlplane.network.models import DEFAULT_SUBNET, EgressAddress, Network, Port
from controlplane.network.mtu import require_mtu
from controlplane.network.new_subnets import NewSubnet, SubnetFields, checked_subnet
from controlplane.network.security_groups import default_group
from controlplane.nodes.models import DEFAULT_MTU
from controlplane.quotas import services as quotas

NAMED_MAX = 5


@transaction.atomic
def network_create(  # noqa: PLR0913 - the fields of the request, by name
    actor: Actor,
    project: Project,
    *,
    name: str,
    cidr: str | None,
    labels: dict[str, str],
    ipv6: Ipv6Choice = NO_IPV6,
    mtu: int = DEFAULT_MTU,
    **of_subnet: Unpack[SubnetFields],
) -> Network:
    """Create a network, with a subnet `default` unless `cidr` is None.

    Raises:
        MtuNotCarried, NetworkNameTaken, QuotaExceeded, SubnetInvalid, GatewayInvalid, ReservedRangeInvalid,
        DhcpOptionInvalid, AddressPoolHasNoSubnets, AddressPoolOutOfSubnets.
        InvalidRequest: what a subnet has is given, and no `cidr`.
    """
    actor.may_write()
    if cidr is None:
        _require_no_subnet(of_subnet, ipv6)
    check_name(name)
    require_mtu(mtu)
    with raise_on_violation("network_network_name_taken", NetworkNameTaken(field="name", name=name)):
        network = Network.objects.create(project=project, name=name, labels=check_labels(labels), mtu=mtu)
    quotas.claim(project.pk, network.pk, networks=1)
    facts: dict[str, Any] = {"name": name, "cidr": cidr, "mtu": mtu}
    if cidr is not None:
        subnet = checked_subnet(network, NewSubnet(DEFAULT_SUBNET, cidr, ipv6=ipv6, **of_subnet), ())
        subnet.save(force_insert=True)
        set_ones = {option: getattr(subnet, option) for option in ("ipv6_cidr", *FIELDS)}
        facts |= {option: values for option, values in set_ones.items() if values}
    default_group(project)  # so that its rules can be set before the first instance
    record(actor, "network.create", network.pk, project_id=project.pk, **facts)
    return network


def _require_no_subnet(of_subnet: Mapping[str, object], ipv6: Ipv6Choice) -> None:
    """Raise InvalidRequest if the request of a network without a subnet has a field of its subnet."""
    if ipv6 != NO_IPV6:
        raise InvalidRequest(field="cidr", reason=Message("IPv6 needs the IPv4 range of a subnet too."))
    if given := [field for field, value in of_subnet.items() if value]:
        reason = Message("{fields}: give the IPv4 range of a subnet too.", fields=", ".join(given))
        raise InvalidRequest(field="cidr", reason=reason)


@transaction.atomic
def network_delete(actor: Actor, network: Network) -> None:
    """Delete the network. Raises NetworkInUse while ports are on it, NetworkNotFound when it is deleted already."""
    actor.may_write()
    network_lock(network)
    SUBNETS_LOCKED.rows(network.pk)
    ports = Port.objects.filter(network=network).order_by("pk")
    if count := ports.count():
        raise NetworkInUse(count=count, ports=named(ports.values_list("name", flat=True)[:NAMED_MAX], count))
    quotas.release(network.pk)
    record(actor, "network.delete", network.pk, project_id=network.project_id, name=network.name)
    for zone in EgressAddress.objects.filter(network=network).values_list("zone", flat=True):
        request_announcements(zone)
    network.delete()


def network_lock(network: Network) -> None:
    """Lock the network against deletion and other changes of its subnets; taken before the subnets.

    Raises:
        NetworkNotFound: it has just been deleted.
    """
    if Network.objects.select_for_update(no_key=True).filter(pk=network.pk).first() is None:
        raise NetworkNotFound(name=network.name)


def named(some: Iterable[str], count: int) -> str:
    """Return the names as a text, with an ellipsis where there are more."""
    names = list(some)
    return ", ".join(names) + (", …" if count > len(names) else "")


@transaction.atomic
def network_update(actor: Actor, network: Network, *, name: str, labels: dict[str, str]) -> Network:
    actor.may_write()
    with raise_on_violation("network_network_name_taken", NetworkNameTaken(field="name", name=name)):
        write_version(network, name=check_name(name), labels=check_labels(labels))
    record(actor, "network.update", network.pk, project_id=network.project_id, name=name)
    return network
