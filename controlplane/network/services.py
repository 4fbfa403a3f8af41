"""Network and port writes. Nodes get a network with their first port of it."""

from ipaddress import IPv4Address, IPv4Network
from uuid import UUID

from django.conf import settings
from django.db import transaction

from andromede_core.documents.messages import Message
from controlplane.audit.services import record
from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel.db import raise_on_violation, write_version
from controlplane.kernel.errors import StateConflict
from controlplane.kernel.multi_insert import insert
from controlplane.kernel.names import check_labels, check_name
from controlplane.kernel.prepared_queries import Prepared, preparing_cursor
from controlplane.network.errors import (
    AddressesExhausted,
    NetworkInUse,
    NetworkNameTaken,
    NetworkNotFound,
    SubnetInvalid,
)
from controlplane.network.models import Network, Port, Subnet
from controlplane.network.security_groups import default_group
from controlplane.quotas import services as quotas

PREFIX_RANGE = (8, 29)
PRIVATE = [IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16")]


@transaction.atomic
def network_create(
    actor: Actor, project: Project, *, name: str, cidr: str, dns_servers: list[str], labels: dict[str, str]
) -> Network:
    """Create a network with one subnet; the gateway is the subnet's first address.

    Raises:
        SubnetInvalid, NetworkNameTaken, QuotaExceeded.
    """
    actor.may_write()
    subnet = parse_cidr(cidr)
    check_name(name)
    with raise_on_violation("network_network_name_taken", NetworkNameTaken(field="name", name=name)):
        network = Network.objects.create(project=project, name=name, labels=check_labels(labels))
    quotas.claim(project.pk, network.pk, networks=1)
    Subnet.objects.create(
        network=network,
        cidr=str(subnet),
        gateway_ip=str(subnet[1]),
        dns_servers=dns_servers or settings.DEFAULT_DNS_SERVERS,
    )
    default_group(project)  # so that its rules can be set before the first instance
    record(actor, "network.create", network.pk, project_id=project.pk, name=name, cidr=str(subnet))
    return network


def parse_cidr(cidr: str) -> IPv4Network:
    """Parse the range. Raises SubnetInvalid unless it is private IPv4, of a sensible size, with its first address."""
    try:
        subnet = IPv4Network(cidr)
    except ValueError as exc:
        reason = Message("write an IPv4 range with its first address, such as 10.0.0.0/24")
        raise SubnetInvalid(field="cidr", cidr=cidr[:40], reason=reason) from exc
    shortest, longest = PREFIX_RANGE
    if not shortest <= subnet.prefixlen <= longest:
        raise SubnetInvalid(
            field="cidr",
            cidr=cidr,
            reason=Message("its prefix must be /{shortest} to /{longest}", shortest=shortest, longest=longest),
        )
    if not any(subnet.subnet_of(private) for private in PRIVATE):
        raise SubnetInvalid(field="cidr", cidr=cidr, reason=Message("it is not within 10/8, 172.16/12 or 192.168/16"))
    return subnet


@transaction.atomic
def network_delete(actor: Actor, network: Network) -> None:
    """Delete the network. Raises NetworkInUse while ports are on it, NetworkNotFound when it is deleted already."""
    actor.may_write()
    _lock_subnet(network)
    ports = Port.objects.filter(network=network)
    if count := ports.count():
        some = [str(instance_id) for instance_id in ports.values_list("instance_id", flat=True)[:5]]
        raise NetworkInUse(count=count, instances=", ".join(some))
    quotas.release(network.pk)
    record(actor, "network.delete", network.pk, project_id=network.project_id, name=network.name)
    network.delete()


@transaction.atomic
def network_update(actor: Actor, network: Network, *, name: str, labels: dict[str, str]) -> Network:
    actor.may_write()
    with raise_on_violation("network_network_name_taken", NetworkNameTaken(field="name", name=name)):
        write_version(network, name=check_name(name), labels=check_labels(labels))
    record(actor, "network.update", network.pk, project_id=network.project_id, name=name)
    return network


# The address after the highest in use, which an index finds however many there are; after the end of the range, the
# lowest free one. The addresses in use are sorted first, since the planner underestimates the ports of a network.
FREE = """
SELECT CASE WHEN highest.ip < %(last)s::inet THEN highest.ip + 1 ELSE (
    SELECT min(ip) + 1 FROM (
        SELECT ip, lead(ip) OVER (ORDER BY ip) AS next FROM (
            SELECT %(first)s::inet - 1 AS ip UNION ALL SELECT ip FROM network_port WHERE network_id = %(network)s
        ) AS taken
    ) AS neighbours WHERE next > ip + 1
) END
FROM (
    SELECT coalesce(max(ip), %(first)s::inet - 1) AS ip FROM network_port WHERE network_id = %(network)s
) AS highest
"""


def port_create(network: Network, *, port_id: UUID, instance_id: UUID, is_filtered: bool = True) -> Port:
    """Create a port with a free address of the network. Inside the caller's transaction.

    A filtered port needs security groups (port_groups.py); without any nothing passes.

    Raises:
        AddressesExhausted: the subnet has no address left.
        NetworkNotFound: the network has just been deleted.
        StateConflict: another port has the same MAC by chance; with another id it works.
    """
    ip = _free_address(network, _lock_subnet(network))
    port = Port(
        id=port_id, network=network, instance_id=instance_id, ip=str(ip), mac=_mac(port_id), is_filtered=is_filtered
    )
    with raise_on_violation("network_port_mac_once", StateConflict(), is_end=True):
        insert(port)
    return port


def require_free_address(network: Network) -> None:
    """Check for a free address. Raises AddressesExhausted. It locks nothing, so the address may be taken next."""
    _free_address(network, Subnet.objects.get(network=network))


def _free_address(network: Network, subnet: Subnet) -> IPv4Address:
    cidr = IPv4Network(subnet.cidr)
    with preparing_cursor() as cursor:
        cursor.execute(FREE, {"first": str(cidr[2]), "last": str(cidr[-2]), "network": network.pk})
        (address,) = cursor.fetchone()
    if address is None:
        raise AddressesExhausted(cidr=subnet.cidr)
    return IPv4Address(str(address).split("/")[0])


def _mac(port_id: UUID) -> str:
    """Return a locally administered unicast address with the last 40 bits of the port's id.

    These bits are random (RFC 9562, 5.7). All have the first byte in common, since libvirt replaces it in the address
    of the host's end.
    """
    return "56:" + port_id.bytes[-5:].hex(":")


SUBNET_LOCKED = Prepared(lambda network: Subnet.objects.select_for_update().filter(network=network))


def _lock_subnet(network: Network) -> Subnet:
    """Lock the subnet: adding a port and deleting the network exclude each other until the transaction ends."""
    subnet = SUBNET_LOCKED.first(network.pk)
    if subnet is None:
        raise NetworkNotFound(name=network.name)
    return subnet


def ports_delete(instance_id: UUID) -> None:
    """Delete the instance's ports; their addresses are free again. Inside the caller's transaction."""
    Port.objects.filter(instance_id=instance_id).delete()
