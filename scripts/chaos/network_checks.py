"""Checks of networks, for the judge."""

from collections.abc import Iterator

from andromede_core.documents.signed import read
from andromede_core.permits import announcements as core
from controlplane.announcers.models import AnnouncementsDocument
from controlplane.compute.models import Instance
from controlplane.network import port_rules_content as content
from controlplane.network.models import AddressPool, PortAddress, PortBinding, PortRulesDocument, PublicAddress
from controlplane.reconcilers.port_rules import due


def port_rules() -> list[str]:
    """Check that the signed port rules say what the rows say, and that each node has the newest ones."""
    known = {(row.zone_id, row.network_id, row.group_id): row for row in PortRulesDocument.objects.all()}
    findings = list[str]()
    for key, (_, payload) in content.payloads(dict.fromkeys(content.needed_documents(), 0)).items():
        row = known.get((key.zone, key.network, key.group))
        if row is None or row.digest != content.digest(payload):
            findings.append(f"{key} is not signed as the rows are")
    return findings + [f"node {node} has an older version of document {document}" for node, document in due()]


def announcements() -> list[str]:
    """Check that the signed announcements say what the rows say: which public addresses, and behind which nodes."""
    return [line for zone in _zones_with_pools() for line in _announcements_of(zone)]


def _zones_with_pools() -> list[str]:
    return sorted(set(AddressPool.objects.values_list("zone", flat=True)))


def _announcements_of(zone: str) -> Iterator[str]:
    document = AnnouncementsDocument.objects.filter(zone=zone).exclude(version=0).first()
    routes = {} if document is None else core.parse(read(bytes(document.document)).payload).routes
    announced = {str(address): str(route.next_hop) for address, route in routes.items()}
    rows = PublicAddress.objects.filter(pool__zone=zone).select_related("port")
    expected = {row.ip: next_hop for row in rows if (next_hop := _next_hop(row))}
    of_subnets = PortAddress.objects.filter(subnet__ipv6_pool__zone=zone, ip__contains=":")
    known = {row.ip for row in rows} | set(of_subnets.values_list("ip", flat=True))
    yield from (f"{ip} is announced in {zone}, and no row has it" for ip in sorted(announced.keys() - known))
    for ip in sorted(row.ip for row in rows):
        if announced.get(ip) != expected.get(ip):
            yield f"{ip} is announced in {zone} behind {announced.get(ip)} instead of {expected.get(ip)}"


def _next_hop(address: PublicAddress) -> str | None:
    """Return the underlay address of the node behind which the IPv4 address is; None: it is not to be announced."""
    if address.port is None or address.port.instance_id is None or address.suspended_at is not None:
        return None
    instance = Instance.objects.select_related("node").filter(pk=address.port.instance_id).first()
    node = None if instance is None else instance.node
    if node is None or node.admin_state in ("fenced", "retired") or node.zone_id != address.pool.zone_id:
        return None
    return node.underlay if PortBinding.objects.filter(port=address.port, node=node).exists() else None
