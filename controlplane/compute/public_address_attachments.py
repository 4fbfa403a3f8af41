"""Attaching public addresses to ports, and their representations and allowed actions.

egress_attachments.py attaches them to networks.

Placement is asked whether the edge of the network may be in the instance's zone, and each admission is evidence. The
port of no instance is asked about when an instance gets it, since that asks for all roles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from andromede_core.documents.messages import Message
from andromede_core.permits.network_ports import MAX_ADDRESSES
from controlplane.audit.services import record
from controlplane.compute.actions import require_not_relocating
from controlplane.compute.models import Instance
from controlplane.compute.services import instance_placement_request
from controlplane.identity.actor import Actor
from controlplane.kernel.db import write_version
from controlplane.kernel.errors import CloudError
from controlplane.network.applied_egress import applied_egress
from controlplane.network.errors import (
    AddressModeImpossible,
    FixedIpTaken,
    FixedIpUnknown,
    PublicAddressesTooMany,
    PublicAddressNotAttached,
)
from controlplane.network.models import Port, PortAddress, PublicAddress
from controlplane.network.port_groups import AppliedRules, applied_documents
from controlplane.network.ports import port_lock
from controlplane.network.public_addresses import (
    DETACH,
    DETACH_OR_MOVE,
    attached_problem,
    egress_of,
    end_egress,
    public_address_lock,
    request_publication,
)
from controlplane.network.routed_zones import require_zone
from controlplane.placement import services as placement
from controlplane.placement.decisions import store_decision
from controlplane.placement.errors import NoAllocation

ATTACH = "public-address.attach"
ACTIONS = ("attach", "detach", "delete")
MODES = ("nat", "routed")
STATES = ("detached", "pending", "applied", "suspended")
# As those of port rules (network/port_groups.py); no-node: also that no node can be the gateway of the network;
# node-outdated: the agent is of an earlier release.
REASONS = ("", "no-node", "signing", "sending", "node-silent", "node-problem", "node-outdated")


@dataclass(frozen=True)
class AttachRequest:
    """A port to attach to. `fixed_ip` None: the first IPv4 address of the port. `mode` None: nat where possible.

    `is_move`: another port may have the address, and loses it.
    """

    port: Port
    fixed_ip: str | None = None
    mode: str | None = None
    is_move: bool = False


def public_address_attach(actor: Actor, address: PublicAddress, request: AttachRequest) -> PublicAddress:
    """Attach the address to the port, where it stays until it is detached or the port is deleted.

    Raises:
        PublicAddressAttached, PublicAddressIsEgress: another port or a network has it, and this is no move.
        RoutedElsewhere, AddressModeImpossible, FixedIpUnknown, FixedIpTaken, PublicAddressesTooMany.
        NoAllocation, NodeOutOfService, PolicyUnsatisfiable, NoPlace, ExemptionOver: of placement.
        PortNotFound, PublicAddressNotFound.
    """
    actor.may_write()
    port = request.port
    _require_movable(address, request)
    if port.instance_id is None:
        return _attach(actor, address, request, {})
    instance = Instance.objects.select_related("node").get(pk=port.instance_id)
    _require_zone_of(address, instance.pk)
    placement_request = instance_placement_request(instance, operation=ATTACH)
    taken = placement.check_current_node(placement_request)
    with transaction.atomic():
        decision = store_decision(placement_request, taken)
        return _attach(actor, address, request, {"decision": str(decision.pk)})


@transaction.atomic
def _attach(
    actor: Actor, address: PublicAddress, request: AttachRequest, evidence: Mapping[str, object]
) -> PublicAddress:
    port, decided_for = request.port, request.port.instance_id
    port_lock(port)
    if port.instance_id != decided_for:
        raise NoAllocation()
    if port.instance_id is not None:
        require_not_relocating(port.instance_id)
        _require_zone_of(address, port.instance_id)
    public_address_lock(address)
    _require_movable(address, request)
    former, egress = address.port, egress_of(address)
    mode = _mode(address, request.mode)
    fixed_ip = _fixed_ip(address, request) if mode == "nat" else None
    _check_number(address, port)
    if egress is not None:
        end_egress(address, egress)
    write_version(address, port=port, mode=mode, fixed_ip=fixed_ip)
    facts = {
        "name": address.name,
        "ip": address.ip,
        "port": str(port.pk),
        "instance": None if port.instance_id is None else str(port.instance_id),
        "mode": mode,
        "fixed_ip": fixed_ip,
        **({"moved_from": str(former.pk)} if former is not None and former.pk != port.pk else {}),
        **({"moved_from": str(egress.network_id)} if egress is not None else {}),
        **evidence,
    }
    record(actor, "public_address.attach", address.pk, project_id=address.project_id, **facts)
    losers = [former] if former is not None and former.pk != port.pk else []
    request_publication(address, port, *losers)
    return address


def _require_zone_of(address: PublicAddress, instance_id: UUID) -> None:
    """Raise RoutedElsewhere unless the address is routed to the zone where the instance is now."""
    instance = Instance.objects.select_related("node").only("node__zone").get(pk=instance_id)
    if instance.node is not None:
        require_zone({address.ip: address.pool.zone_id}, instance.node.zone_id)


def _require_movable(address: PublicAddress, request: AttachRequest) -> None:
    is_here = address.port is not None and address.port.pk == request.port.pk
    problem = attached_problem(address, DETACH_OR_MOVE)
    if problem is not None and not is_here and not request.is_move:
        raise problem


def _mode(address: PublicAddress, mode: str | None) -> str:
    is_ipv6 = ":" in address.ip
    if is_ipv6 and mode == "nat":
        reason = Message("IPv6 addresses are always routed to the port. Leave the mode out.")
        raise AddressModeImpossible(field="mode", reason=reason)
    return mode or ("routed" if is_ipv6 else "nat")


def _fixed_ip(address: PublicAddress, request: AttachRequest) -> str:
    """Return the port's address that the public one is translated to."""
    port = request.port
    rows = PortAddress.objects.filter(port=port).order_by("pk").values_list("ip", flat=True)
    usable = [ip for ip in rows if ":" not in ip]
    fixed_ip = request.fixed_ip or (usable[0] if usable else "")
    if fixed_ip not in usable:
        facts = {"port": port.name, "fixed_ip": fixed_ip or "-", "addresses": ", ".join(usable) or "-"}
        raise FixedIpUnknown(field="fixed_ip", **facts)
    holder = PublicAddress.objects.filter(port=port, fixed_ip=fixed_ip).exclude(pk=address.pk).first()
    if holder is not None:
        raise FixedIpTaken(field="fixed_ip", fixed_ip=fixed_ip, ip=holder.ip)
    return fixed_ip


def _check_number(address: PublicAddress, port: Port) -> None:
    attached = PublicAddress.objects.filter(port=port).exclude(pk=address.pk).count()
    own = PortAddress.objects.filter(port=port, subnet__ipv6_pool__isnull=False).count()
    if attached + own >= MAX_ADDRESSES:
        raise PublicAddressesTooMany(field="port", limit=MAX_ADDRESSES)


def public_address_details(rows: Sequence[PublicAddress]) -> dict[str, Any]:
    """Return the instances by their ids, and the states of the documents by the ids of ports and egress addresses."""
    ports = {row.port.pk: row.port for row in rows if row.port is not None}
    ids = {port.instance_id for port in ports.values() if port.instance_id is not None}
    instances = {each.pk: each for each in Instance.objects.only("name").filter(pk__in=ids)} if ids else {}
    egress = [egress_address for row in rows if (egress_address := egress_of(row)) is not None]
    documents = {**(applied_documents(list(ports.values())) if ports else {}), **applied_egress(egress)}
    return {"instances": instances, "documents": documents}


def state_of(row: PublicAddress, documents: Mapping[UUID, AppliedRules]) -> tuple[str, str]:
    """Return the state of the address, and why it is pending; see STATES and REASONS."""
    if row.suspended_at is not None:
        return "suspended", ""
    egress = egress_of(row)
    holder = row.port_id if egress is None else egress.pk
    if holder is None:
        return "detached", ""
    rules = documents.get(holder, AppliedRules("pending", reason="no-node"))
    if rules.state == "unsupported":
        return "pending", "node-outdated"
    return rules.state, rules.reason


def allowed(row: PublicAddress) -> list[dict[str, Any]]:
    """Return each action with the error that it would give now."""
    attached = attached_problem(row, DETACH_OR_MOVE)
    problems: Mapping[str, CloudError | None] = {
        "attach": attached,
        "detach": PublicAddressNotAttached(ip=row.ip) if attached is None else None,
        "delete": attached_problem(row, DETACH),
    }
    return [
        {"name": name, "is_allowed": problem is None, "problem": None if problem is None else problem.as_document()}
        for name, problem in problems.items()
    ]
