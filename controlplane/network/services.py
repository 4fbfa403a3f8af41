"""Network writes. Nodes get a network with their first port of it."""

from collections.abc import Iterable

from django.conf import settings
from django.db import transaction

from andromede_core.documents.messages import Message
from controlplane.audit.services import record
from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel.db import raise_on_violation, write_version
from controlplane.kernel.errors import InvalidRequest
from controlplane.kernel.names import check_labels, check_name
from controlplane.network.addresses import SUBNETS_LOCKED
from controlplane.network.announced_prefixes import request_announcements
from controlplane.network.errors import NetworkInUse, NetworkNameTaken, NetworkNotFound
from controlplane.network.ipv6_subnets import NO_IPV6, Ipv6Choice, choose_ipv6
from controlplane.network.models import EgressAddress, Network, Port, Subnet
from controlplane.network.mtu import require_mtu
from controlplane.network.ranges import parse_cidr, parse_gateway
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
    dns_servers: list[str],
    labels: dict[str, str],
    ipv6: Ipv6Choice = NO_IPV6,
    mtu: int = DEFAULT_MTU,
) -> Network:
    """Create a network, with a subnet `default` unless `cidr` is None; its gateway is the first address.

    Raises:
        MtuNotCarried, SubnetInvalid, NetworkNameTaken, QuotaExceeded, AddressPoolHasNoSubnets, AddressPoolOutOfSubnets.
    """
    actor.may_write()
    if cidr is None and dns_servers:
        raise InvalidRequest(field="cidr", reason=Message("DNS servers need the range of a subnet."))
    if cidr is None and ipv6 != NO_IPV6:
        raise InvalidRequest(field="cidr", reason=Message("IPv6 needs the IPv4 range of a subnet too."))
    subnet_cidr = parse_cidr(cidr) if cidr is not None else None
    check_name(name)
    require_mtu(mtu)
    with raise_on_violation("network_network_name_taken", NetworkNameTaken(field="name", name=name)):
        network = Network.objects.create(project=project, name=name, labels=check_labels(labels), mtu=mtu)
    quotas.claim(project.pk, network.pk, networks=1)
    facts = {"name": name, "cidr": cidr, "mtu": mtu}
    if subnet_cidr is not None:
        subnet = Subnet.objects.create(
            network=network,
            cidr=str(subnet_cidr),
            gateway_ip=str(parse_gateway(subnet_cidr, None)),
            dns_servers=dns_servers or settings.DEFAULT_DNS_SERVERS,
            **choose_ipv6(ipv6, ()),
        )
        facts |= {"ipv6_cidr": subnet.ipv6_cidr} if subnet.ipv6_cidr else {}
    default_group(project)  # so that its rules can be set before the first instance
    record(actor, "network.create", network.pk, project_id=project.pk, **facts)
    return network


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
