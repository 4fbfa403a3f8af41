"""The public addresses of a zone that routers learn, and the nodes behind which they are.

A node's own addresses are its next hops: for IPv4 its underlay address, for IPv6 its `ipv6_address`. A public address
is announced while it is attached to the port of an instance that a node carries, or to a network that has a gateway
node; not while it is suspended, nor when the node is fenced, nor behind a node without an address of its family.
"""

from ipaddress import ip_address

from django.db import connection, transaction
from django.db.models import QuerySet

from andromede_core.permits.announcements import Address, Route, is_routable, parse_community
from controlplane.kernel.wakeups import send_wakeup
from controlplane.network.models import Port, PortAddress, PublicAddress

SIGN = "controlplane.signer.tasks.announcements_requested", "signer"
# The second part: ports' addresses in ranges of a pool, which are public by themselves. The node is that of the
# instance's row: during a migration the source, and then the destination.
ANNOUNCED = """
WITH public AS (
    SELECT address.ip AS ip, address.port_id AS port, address.pool_id AS pool
    FROM network_publicaddress AS address WHERE address.port_id IS NOT NULL AND address.suspended_at IS NULL
    UNION ALL
    SELECT address.ip, address.port_id, subnet.ipv6_pool_id
    FROM network_subnet AS subnet JOIN network_portaddress AS address ON address.subnet_id = subnet.id
    WHERE subnet.ipv6_pool_id IS NOT NULL AND family(address.ip) = 6
)
SELECT host(public.ip), pool.community, pool.local_preference, host(node.underlay_ip), node.address,
    host(node.ipv6_address)
FROM network_egressaddress AS egress
    JOIN network_publicaddress AS public ON public.id = egress.address_id AND public.suspended_at IS NULL
    JOIN network_addresspool AS pool ON pool.id = public.pool_id AND pool.zone_id = %(zone)s
    JOIN nodes_node AS node ON node.id = egress.gateway_id AND node.zone_id = pool.zone_id
        AND node.duty NOT IN ('fenced', 'retired')
UNION ALL
SELECT host(public.ip), pool.community, pool.local_preference, host(node.underlay_ip), node.address,
    host(node.ipv6_address)
FROM public
    JOIN network_addresspool AS pool ON pool.id = public.pool AND pool.zone_id = %(zone)s
    JOIN network_port AS port ON port.id = public.port
    JOIN compute_instance AS instance ON instance.id = port.instance_id
    JOIN nodes_node AS node ON node.id = instance.node_id AND node.zone_id = pool.zone_id
        AND node.duty NOT IN ('fenced', 'retired')
    JOIN network_portbinding AS binding ON binding.port_id = port.id AND binding.node_id = node.id
"""


def announced_routes(zone: str) -> dict[Address, Route]:
    """Return the route to each public address of the zone that is to be announced now."""
    with connection.cursor() as cursor:
        cursor.execute(ANNOUNCED, {"zone": zone})
        rows = cursor.fetchall()
    routes: dict[Address, Route] = {}
    for ip, community, preference, underlay, node_address, ipv6 in rows:
        address = ip_address(ip)
        host = underlay or node_address.rpartition(":")[0]
        next_hop = _address(ipv6 if address.version == 6 else host)
        if next_hop is not None and next_hop.version == address.version:
            parts = parse_community(community, "community") if community else None
            routes[address] = Route(next_hop, parts, preference)
    return routes


def request_announcements(zone: str) -> None:
    """Request, after the commit, new announcements of the zone. The signer also looks by itself."""
    transaction.on_commit(lambda: send_wakeup(SIGN, [zone]), robust=True)


def request_announcements_of(ports: QuerySet[Port]) -> None:
    """Request, after the commit, new announcements of the zones to which addresses of these ports are routed."""
    public = PublicAddress.objects.filter(port__in=ports).order_by().values_list("pool__zone", flat=True)
    own = PortAddress.objects.filter(port__in=ports, subnet__ipv6_pool__isnull=False).order_by()
    for zone in public.union(own.values_list("subnet__ipv6_pool__zone", flat=True)):
        request_announcements(zone)


def _address(text: str | None) -> Address | None:
    try:
        address = ip_address(text or "")
    except ValueError:
        return None
    return address if is_routable(address) else None
