"""Attaching public addresses to networks: one is the source of what leaves the network in its zone.

Placement decides, for each instance on the network in this zone, whether the edge of the network may be there: about
all of them at once, with a stored decision for each. An instance that comes to the network later is asked about all
roles.
"""

from django.db import transaction

from andromede_core.documents.messages import Message
from controlplane.audit.services import record
from controlplane.compute.models import Instance
from controlplane.compute.public_address_attachments import ATTACH
from controlplane.compute.services import instance_placement_request
from controlplane.identity.actor import Actor
from controlplane.kernel.db import raise_on_violation, write_version
from controlplane.network.egress_gateways import egress_gateways_refresh, request_egress
from controlplane.network.errors import AddressModeImpossible, NetworkHasEgress
from controlplane.network.models import EgressAddress, Network, Port, PublicAddress
from controlplane.network.public_addresses import (
    DETACH_OR_MOVE,
    attached_problem,
    egress_of,
    end_egress,
    public_address_lock,
    request_publication,
)
from controlplane.network.services import network_lock
from controlplane.nodes.admin_state import OUT_OF_SERVICE
from controlplane.placement import services as placement
from controlplane.placement.batch_decisions import DecidedRequest, store_decisions

# What the placement request of an instance is made from.
PLACED_BY = ("project", "affinity_group", "image", "root_pool", "root_volume_type")

# The audit entry names so many decisions, in the order of the instances' ids, and says how many there are.
DECISIONS_NAMED_MAX = 20


def egress_attach(actor: Actor, address: PublicAddress, network: Network, *, is_move: bool = False) -> PublicAddress:
    """Attach the address to the network, where it stays until it is detached or the network is deleted.

    Raises:
        AddressModeImpossible: it is of IPv6.
        PublicAddressAttached, PublicAddressIsEgress: something else has it, and this is no move.
        NetworkHasEgress: the network has another one in this zone.
        PolicyUnsatisfiable, NoPlace, ExemptionOver: of placement.
        NetworkNotFound, PublicAddressNotFound.
    """
    actor.may_write()
    if ":" in address.ip:
        reason = Message("IPv6 addresses are routed to ports, and no node translates to them. Choose an IPv4 address.")
        raise AddressModeImpossible(field="network", reason=reason)
    _require_movable(address, network, is_move=is_move)
    decided = _decided_requests(network, address.pool.zone_id)
    with transaction.atomic():
        decisions = [str(each.pk) for each in store_decisions(decided)]
        return _attach(actor, address, network, is_move=is_move, decisions=decisions)


def _decided_requests(network: Network, zone: str) -> list[DecidedRequest]:
    """Return the decisions about the instances on the network in this zone, but on nodes that are out of service."""
    ids = Port.objects.filter(network=network, instance_id__isnull=False).values("instance_id")
    here = Instance.objects.filter(pk__in=ids, node__zone=zone).exclude(state="deleted")
    working = here.exclude(node__admin_state__in=OUT_OF_SERVICE).order_by("pk").select_related(*PLACED_BY)
    requests = [instance_placement_request(each, operation=ATTACH) for each in working]
    return list(zip(requests, placement.check_current_nodes(requests), strict=True))


def _attach(
    actor: Actor, address: PublicAddress, network: Network, *, is_move: bool, decisions: list[str]
) -> PublicAddress:
    """Attach the address inside the caller's transaction."""
    network_lock(network)
    public_address_lock(address)
    _require_movable(address, network, is_move=is_move)
    former, egress = address.port, egress_of(address)
    if egress is not None and egress.network_id == network.pk:
        return address
    if egress is not None:
        end_egress(address, egress)
    write_version(address, port=None, fixed_ip=None, mode="nat")
    zone = address.pool.zone_id
    with raise_on_violation("network_egress_taken", _taken(network, zone)):
        row = EgressAddress.objects.create(address=address, network=network, zone_id=zone)
    moved_from = former.pk if former is not None else egress.network_id if egress is not None else None
    facts = {
        "name": address.name,
        "ip": address.ip,
        "network": str(network.pk),
        **({"moved_from": str(moved_from)} if moved_from is not None else {}),
        **_decision_facts(decisions),
    }
    record(actor, "public_address.attach", address.pk, project_id=address.project_id, **facts)
    if not egress_gateways_refresh([row]):  # else that is requested already
        request_egress(network.pk, zone)
    row.refresh_from_db(fields=["gateway"])
    if former is not None:
        request_publication(address, former)
    return address


def _decision_facts(decisions: list[str]) -> dict[str, object]:
    """Return the facts of an audit entry about the decisions; the evidence log has all of them."""
    if not decisions:
        return {}
    return {"decisions": decisions[:DECISIONS_NAMED_MAX], "decision_count": len(decisions)}


def _require_movable(address: PublicAddress, network: Network, *, is_move: bool) -> None:
    egress = egress_of(address)
    is_here = egress is not None and egress.network_id == network.pk
    problem = attached_problem(address, DETACH_OR_MOVE)
    if problem is not None and not is_here and not is_move:
        raise problem


def _taken(network: Network, zone: str) -> NetworkHasEgress:
    present = EgressAddress.objects.filter(network=network, zone=zone).select_related("address").first()
    ip = "-" if present is None else present.address.ip
    return NetworkHasEgress(field="network", network=network.name, ip=ip, zone=zone)
