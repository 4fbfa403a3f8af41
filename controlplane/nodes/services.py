"""Nodes: enrolment, heartbeats, loss, cordon, and pending removals."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from cryptography.hazmat.primitives import hashes
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, Greatest

from andromede_core.documents.messages import Message
from controlplane.audit import evidence_log
from controlplane.audit.services import record
from controlplane.catalog.models import Zone
from controlplane.events.services import publish_event
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.kernel import clock
from controlplane.kernel.db import raise_on_violation
from controlplane.kernel.ids import new_id
from controlplane.kernel.names import check_name
from controlplane.kernel.prepared_queries import preparing_cursor
from controlplane.nodes import incidents, pki, pools
from controlplane.nodes.admin_state import admin_state_change, require_admin_state
from controlplane.nodes.errors import CertificateRequestInvalid, NodeNameTaken
from controlplane.nodes.models import DEFAULT_MTU, IN_SERVICE, Inventory, Node, NodeRemoval, oldest_attestation
from controlplane.nodes.pools import ReportedPool

HOOK, SELF_TEST = "hook", "self-test"
CONNECTIONS, RULES = "connections", "network-rules"
# Reasons of a cordon while an incident of this kind is open.
CORDONED_BY = {
    HOOK: "libvirt would start guests on it without asking its agent",
    SELF_TEST: "it has failed its self-test",
}


@dataclass(frozen=True)
class NodeReport:
    """A node's report about itself in a heartbeat.

    `hook_problem`: why libvirt does not call the hook before it starts a guest; empty when it does.
    `self_test_problem`: why the node cannot carry a guest; empty also while the test runs. `connections_problem`: its
    connection tracking table is almost full. `rules_problem`: the state of the packet filter's rules for tenants'
    networks. `fences_within_s`: so long after the end of its node lease none of its guests runs; None: no guarantee.
    `lease_s`: the duration of the lease that it is about to get, counted from this heartbeat; 0: none. `said_at_ms`:
    when it sent this about its lease, since its boot.
    """

    boot_id: str
    agent_version: str
    cpu_model: str
    virt_type: str
    traits: tuple[str, ...]
    cores: int
    memory_mib: int
    disk_gib: int
    hook_sha256: str
    hook_problem: str
    has_passed_self_test: bool
    self_test_problem: str
    pools: tuple[ReportedPool, ...] = ()
    fences_within_s: int | None = None
    lease_s: int = 0
    said_at_ms: int = 0
    connections_problem: str = ""
    rules_problem: str = ""


@transaction.atomic
def node_enrol(
    actor: Actor, *, name: str, zone: Zone, address: str, request_pem: bytes, ca_key: bytes | None = None
) -> tuple[Node, str]:
    """Sign a node's certificate request and create the node. Returns the node and its certificate (PEM).

    `ca_key`: the authority's, PEM, where it is not beside ca.crt.

    Raises:
        NodeNameTaken, CertificateRequestInvalid, KeyMissing.
    """
    actor.may_operate()
    node_id = new_id()
    certificate = pki.sign_node(settings.PKI_DIR, request_pem=request_pem, node_id=node_id, zone=zone.pk, ca_key=ca_key)
    with raise_on_violation("nodes_node_name_taken", NodeNameTaken(field="name", name=name)):
        node = Node.objects.create(
            id=node_id,
            name=check_name(name),
            zone=zone,
            address=address,
            certificate_sha256=certificate.fingerprint(hashes.SHA256()).hex(),
            certificate_expires_at=certificate.not_valid_after_utc,
            public_key=pki.public_key_of(certificate),
        )
    Inventory.objects.create(node=node)
    record(actor, "node.enrol", node.pk, name=name, zone=zone.pk)
    evidence_log.append(
        "node", {"event": "enrolled", "node": str(node.pk), "zone": zone.pk, "public_key": node.public_key}
    )
    return node, pki.as_pem(certificate)


@transaction.atomic
def node_certify(actor: Actor, node: Node, *, request_pem: bytes, ca_key: bytes | None = None) -> str:
    """Sign a request for the node's key again, before its certificate ends. Returns the certificate (PEM).

    `ca_key`: as in node_enrol.

    Raises:
        CertificateRequestInvalid: also when the request is for another key, which signs none of the node's receipts.
        KeyMissing.
    """
    actor.may_operate()
    certificate = pki.sign_node(
        settings.PKI_DIR, request_pem=request_pem, node_id=node.pk, zone=node.zone_id, ca_key=ca_key
    )
    if pki.public_key_of(certificate) != node.public_key:
        raise CertificateRequestInvalid(field="csr", reason=Message("its key is not the node's"))
    node.certificate_sha256 = certificate.fingerprint(hashes.SHA256()).hex()
    node.certificate_expires_at = certificate.not_valid_after_utc
    node.save(update_fields=["certificate_sha256", "certificate_expires_at"])
    record(actor, "node.certify", node.pk, name=node.name, zone=node.zone_id)
    return pki.as_pem(certificate)


def record_heartbeat(node: Node, report: NodeReport) -> None:
    """Record a heartbeat of a node in full.

    The inventory is written when it changed; one that has shrunk below what is in use cordons the node. The lease that
    it is about to get is recorded first.
    """
    now, attests = clock.now(), Q(attested_at__gt=oldest_attestation())
    _mark_ready(node, has_passed_self_test=report.has_passed_self_test)
    Node.objects.filter(pk=node.pk).update(
        last_heartbeat_at=now,
        boot_id=report.boot_id,
        agent_version=report.agent_version,
        cpu_model=report.cpu_model,
        virt_type=report.virt_type,
        traits=[
            *report.traits,
            *pools.record_pools(node, report.pools),
            *pools.cluster_traits(node, report.traits),
        ],
        hook_sha256=report.hook_sha256,
        hook_problem=report.hook_problem,
        is_attested=Case(When(attests, then=not report.hook_problem), default=False),
        cleared_for=Case(When(chartered_until__gt=now, then=F("cleared_for")), default=[]),
        **_lease_fields(report),
        **_leased(now, report.lease_s),
    )
    reasons_to_cordon = {HOOK: report.hook_problem, SELF_TEST: report.self_test_problem}
    _reconcile_problems(node, reasons_to_cordon, {CONNECTIONS: report.connections_problem, RULES: report.rules_problem})
    totals = (report.cores, report.memory_mib, report.disk_gib)
    inventory = Inventory.objects.get(pk=node.pk)
    if totals != (inventory.vcpus_total, inventory.memory_mib_total, inventory.disk_gib_total):
        _resize(node, *totals)


def _resize(node: Node, vcpus: int, memory_mib: int, disk_gib: int) -> None:
    totals = {"vcpus_total": vcpus, "memory_mib_total": memory_mib, "disk_gib_total": disk_gib}
    try:
        with transaction.atomic():
            Inventory.objects.filter(pk=node.pk).update(**totals, generation=F("generation") + 1)
    except IntegrityError:
        if not node.is_cordoned:
            node_cordon(SYSTEM, node, reason="it reports less than what is already allocated on it")


def _lease_fields(report: NodeReport) -> dict[str, object]:
    """Return the lease fields, unless newer ones are recorded: two watchers may write for some seconds."""
    fields: dict[str, object] = {"fences_within_s": report.fences_within_s, "lease_reported_at_ms": report.said_at_ms}
    if report.said_at_ms:
        is_older = Q(lease_boot_id=report.boot_id, lease_reported_at_ms__gt=report.said_at_ms)
        fields = {name: Case(When(is_older, then=F(name)), default=Value(value)) for name, value in fields.items()}
    return {**fields, "lease_boot_id": report.boot_id}


def _leased(now: datetime, lease_s: int) -> dict[str, object]:
    until = now + timedelta(seconds=lease_s)
    return {"leased_until": Greatest(Coalesce("leased_until", until), until)} if lease_s else {}


# The agent's clock begins anew with each boot, and no heartbeat outlives one. A report without a time (0) guarantees
# nothing, which always counts.
IS_OLDER = """(nodes_node.lease_boot_id = heard.boot_id
    AND heard.said_at_ms > 0 AND heard.said_at_ms < nodes_node.lease_said_at_ms)"""
RECORD_ALIVE_SQL = f"""
    UPDATE nodes_node SET last_heartbeat_at = %s,
        leased_until = CASE WHEN heard.is_leased THEN GREATEST(leased_until, %s) ELSE leased_until END,
        fences_within_s = CASE WHEN heard.fences_within_s IS NULL OR {IS_OLDER} THEN nodes_node.fences_within_s
                               ELSE NULLIF(heard.fences_within_s, 0) END,
        lease_said_at_ms = CASE WHEN heard.fences_within_s IS NULL OR {IS_OLDER} THEN nodes_node.lease_said_at_ms
                                ELSE heard.said_at_ms END,
        lease_boot_id = CASE WHEN heard.fences_within_s IS NULL THEN nodes_node.lease_boot_id ELSE heard.boot_id END
    FROM unnest(%s::uuid[], %s::int[], %s::bool[], %s::text[], %s::bigint[])
        AS heard (node_id, fences_within_s, is_leased, boot_id, said_at_ms)
    WHERE id = heard.node_id AND id IN (
        SELECT id FROM nodes_node WHERE id = ANY(%s) AND state = 'ready' AND duty <> 'fenced'
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    ) RETURNING id
"""


@dataclass(frozen=True)
class LeaseReport:
    """The lease part of a heartbeat.

    `fences_within_s`: as in NodeReport, where 0 stands for None. `is_leased`: the node is about to get a lease, counted
    from this heartbeat. `said_at_ms`: when the node sent this, since its boot `boot_id`; an older one of that boot
    never replaces a newer one.
    """

    fences_within_s: int
    is_leased: bool
    boot_id: str
    said_at_ms: int


def record_alive(alive: Collection[UUID], leases: Mapping[UUID, LeaseReport], *, lease_s: int) -> set[UUID]:
    """Record that the nodes live, and the lease parts of the heartbeats in `leases`, for leases of `lease_s`.

    `alive`: nodes without another report yet. Returns the ids updated. Nodes that are not ready, are fenced, or have a
    locked row are skipped, so that no node waits for another; their heartbeats must be processed in full.
    """
    now = clock.now()
    rows = [(node_id, leases.get(node_id)) for node_id in sorted({*alive, *leases})]
    parameters = [
        now,
        now + timedelta(seconds=lease_s),
        [node_id for node_id, _ in rows],
        [report.fences_within_s if report else None for _, report in rows],
        [report is not None and report.is_leased for _, report in rows],
        [report.boot_id if report else "" for _, report in rows],
        [report.said_at_ms if report else 0 for _, report in rows],
        [node_id for node_id, _ in rows],
    ]
    with preparing_cursor() as cursor:
        cursor.execute(RECORD_ALIVE_SQL, parameters)
        return {node_id for (node_id,) in cursor.fetchall()}


def _mark_ready(node: Node, *, has_passed_self_test: bool) -> None:
    """Set the node to ready, with an event if it was not. A new one must have passed its self-test."""
    if node.state == "ready" or (node.state == "enrolled" and not has_passed_self_test):
        return
    with transaction.atomic():
        if Node.objects.filter(pk=node.pk, state=node.state).update(state="ready"):
            publish_event(None, "node.ready", node.pk, project_id=None, name=node.name, zone=node.zone_id)


def _reconcile_problems(node: Node, problems: Mapping[str, str], others: Mapping[str, str]) -> None:
    """Keep each problem as an incident for as long as it lasts.

    The node is cordoned as long as one of `problems` lasts: a hook that is missing, changed or not honoured, or a
    failed self-test.
    """
    all_kinds = {**problems, **others}
    incidents.reconcile(node, {kind: [problem] if problem else [] for kind, problem in all_kinds.items()})
    reason = next((CORDONED_BY[kind] for kind, problem in problems.items() if problem), "")
    is_ours = node.admin_state == "cordoned" and node.admin_state_reason in CORDONED_BY.values()
    if reason and (not node.is_cordoned or (is_ours and node.admin_state_reason != reason)):
        node_cordon(SYSTEM, node, reason=reason)
    elif is_ours and not reason:
        node_uncordon(SYSTEM, node)


def mark_unreachable() -> int:
    """Set nodes to unreachable after NODE_UNREACHABLE_AFTER_S without a heartbeat. Returns how many."""
    silent_since = clock.now() - timedelta(seconds=settings.NODE_UNREACHABLE_AFTER_S)
    silent = Node.objects.filter(Q(last_heartbeat_at__lt=silent_since), ~Q(admin_state="retired"), state="ready")
    return sum(_mark_unreachable(silent, node) for node in silent)


@transaction.atomic
def _mark_unreachable(silent: QuerySet[Node], node: Node) -> int:
    count = silent.filter(pk=node.pk).update(state="unreachable", updated_at=clock.now())
    if count:
        publish_event(None, "node.unreachable", node.pk, project_id=None, name=node.name, zone=node.zone_id)
    return count


@transaction.atomic
def node_cordon(actor: Actor, node: Node, *, reason: str) -> None:
    """Cordon the node: it takes no new allocations and keeps those it has. Repeated, it only changes the reason.

    Raises:
        NodeWrongAdminState: the node drains, or has a stricter admin state.
    """
    actor.may_operate()
    require_admin_state(node, IN_SERVICE, "cordoned")
    admin_state_change(actor, node, "cordoned", verb="node.cordon", reason=reason)


@transaction.atomic
def node_uncordon(actor: Actor, node: Node) -> None:
    """Return a cordoned node to service.

    Raises:
        NodeWrongAdminState: the node was not cordoned.
    """
    actor.may_operate()
    require_admin_state(node, IN_SERVICE, "cordoned")
    admin_state_change(actor, node, IN_SERVICE, verb="node.uncordon")


@transaction.atomic
def node_underlay_set(
    actor: Actor, node: Node, *, address: str | None, ipv6_address: str | None = None, max_mtu: int = DEFAULT_MTU
) -> None:
    """Set the address for the frames of tenants' networks; None: the host of its agent's address.

    `ipv6_address`: where routers send the packets of public IPv6 addresses; None: nowhere. `max_mtu`: the largest
    packet of a guest that the underlay carries, in bytes.
    """
    actor.may_operate()
    node.underlay_ip, node.ipv6_address, node.max_mtu = address, ipv6_address, max_mtu
    node.save(update_fields=["underlay_ip", "ipv6_address", "max_mtu"])
    record(actor, "node.underlay", node.pk, address=node.underlay, ipv6_address=ipv6_address, max_mtu=max_mtu)


def record_removal(node: Node, *, kind: str, resource_id: UUID, generation: int, pool: str = "") -> None:
    """Record a pending removal from a node that does not answer. Inside the caller's transaction."""
    NodeRemoval.objects.update_or_create(
        node=node, kind=kind, resource_id=resource_id, defaults={"generation": generation, "pool": pool}
    )
