"""Public addresses of ports and networks as they are in the signed list of a network's ports."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from ipaddress import IPv4Address, ip_address
from uuid import UUID

from django.db.models import Exists, F, OuterRef

from andromede_core.permits.network_ports import MAX_ADDRESSES
from andromede_core.permits.network_ports import EgressAddress as ListedEgress
from andromede_core.permits.network_ports import PublicAddress as Listed
from controlplane.kernel.prepared_queries import AnyOf, Prepared
from controlplane.network.models import EgressAddress, PortAddress, PortBinding, PublicAddress

IN_ZONE = PortBinding.objects.filter(port=OuterRef("port"), node__zone=OuterRef("pool__zone"))
RESERVED = Prepared(
    lambda ports: PublicAddress.objects.filter(AnyOf("port", ports), Exists(IN_ZONE), suspended_at=None)
)
OWN = Prepared(
    lambda ports: PortAddress.objects.filter(
        AnyOf("port", ports), port__portbinding__node__zone=F("subnet__ipv6_pool__zone")
    ).distinct()
)


def public_addresses_of(port_ids: Iterable[UUID]) -> Mapping[UUID, list[Listed]]:
    """Return the public addresses of ports, those of IPv4 first: reserved ones that are attached and not suspended,
    and addresses of subnets with a public range.

    Only a port that a node of the pool's zone carries has any. A list with more than MAX_ADDRESSES would be refused.
    """
    ids = list(port_ids)
    listed: dict[UUID, list[Listed]] = defaultdict(list)
    for row in RESERVED.rows(ids) if ids else ():
        assert row.port_id is not None, "filtered by it"
        to = IPv4Address(row.fixed_ip) if row.mode == "nat" and row.fixed_ip is not None else None
        listed[row.port_id].append(Listed(ip_address(row.ip), to))
    for own in OWN.rows(ids) if ids else ():
        if ip_address(own.ip).version == 6:
            listed[own.port_id].append(Listed(ip_address(own.ip)))
    return {port: sorted(addresses, key=_order)[:MAX_ADDRESSES] for port, addresses in listed.items()}


def listed_egress(places: Collection[tuple[str, UUID]]) -> Mapping[tuple[str, UUID], ListedEgress]:
    """Return the egress addresses of these zones and networks, as they are in the signed lists.

    A suspended address is listed without a gateway: nothing leaves the network there, least of all as something else.
    `places`: a set, or a mapping by them.
    """
    networks = [network for _, network in places]
    rows = EgressAddress.objects.filter(network__in=networks).select_related("address") if networks else ()
    return {(row.zone_id, row.network_id): as_listed(row) for row in rows if (row.zone_id, row.network_id) in places}


def as_listed(row: EgressAddress) -> ListedEgress:
    """Return the egress address as it is in the signed list."""
    is_used = row.gateway_id is not None and row.address.suspended_at is None
    return ListedEgress(IPv4Address(row.address.ip), str(row.gateway_id) if is_used else None)


def _order(listed: Listed) -> tuple[int, int]:
    return listed.address.version, int(listed.address)
