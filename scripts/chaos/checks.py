"""Invariants of a cloud at rest, after any sequence of faults. Each check returns findings.

Django must have been set up: judge.py does that for a cloud in processes of its own.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db.models import Count, Q

from agents.node.adapters import pools
from agents.protocol import agent_pb2 as pb
from andromede_core.documents import signed
from andromede_core.documents.parsing import as_rfc3339
from controlplane.catalog.models import Image
from controlplane.compute.errors import EvacuationBlocked
from controlplane.compute.models import MOVING, Attachment, Instance, Migration, Rebuild
from controlplane.events.models import Event
from controlplane.kernel.errors import CloudError
from controlplane.kernel.units import GIB
from controlplane.network.models import Port, PublicAddress
from controlplane.node_lifecycle.fencing.violations import FENCE_BROKEN
from controlplane.nodes import agent_client
from controlplane.nodes.models import (
    DRAIN_LIVE,
    Drain,
    DrainGuest,
    FenceEvidence,
    Incident,
    Node,
    NodeRemoval,
    Orphan,
    Pool,
    Receipt,
)
from controlplane.operations.models import LIVE, Operation, ResourceLock
from controlplane.placement.models import Allocation
from controlplane.quotas.models import QuotaUse
from controlplane.reconcilers import capacity_drift, quota_drift
from controlplane.storage.models import Snapshot, Volume
from scripts.chaos import cluster_checks, network_checks, plan_checks, volume_checks
from scripts.chaos.cluster_checks import THERE

Findings = list[str]
GONE = (204, 404)
# What a node has, or is to have: node, kind, id.
Thing = tuple[UUID, str, str]
# What could not be made has a row, and nothing else.
# What operations of users make.
MADE: Mapping[str, Any] = {"instance": Instance.objects, "volume": Volume.objects, "snapshot": Snapshot.objects}
NAMED: Mapping[str, Any] = {**MADE, "image": Image.objects}


def operations() -> Findings:
    """Check that all operations have ended, hold no lock, and met no bug."""
    findings = [
        f"operation {each.kind} {each.pk} has not ended: {each.state}, {each.attempts} tries, {each.steps[-1:]}"
        for each in Operation.objects.filter(state__in=LIVE)
    ]
    findings += [f"{hold.resource_id} is still held by {hold.operation_id}" for hold in ResourceLock.objects.all()]
    ended = Operation.objects.exclude(state__in=LIVE)
    findings += [f"operation {each.pk} has ended and is leased" for each in ended.filter(lease_token__isnull=False)]
    findings += [
        f"operation {each.kind} {each.pk} met a bug: {each.steps[-2:]}"
        for each in ended.filter(error__code=CloudError.code)
    ]
    return findings


def resources() -> Findings:
    """Check that each resource is in a state of rest."""
    findings = [
        f"{name} {row.pk} rests in {row.state}{' and is being deleted' if row.is_deleting else ''}"
        for name, rows in MADE.items()
        for row in rows.filter(Q(state="building") | Q(is_deleting=True) & ~Q(state="deleted"))
    ]
    plugged = {row.volume_id: row for row in Attachment.objects.all()}
    findings += [f"attachment {row.pk} is neither plugged nor gone" for row in plugged.values() if not row.is_plugged]
    for volume in Volume.objects.filter(THERE):
        if (volume.state == "in-use") != (volume.pk in plugged):
            findings.append(f"volume {volume.pk} is {volume.state}, and its attachment is {plugged.get(volume.pk)}")
    findings += [f"the rebuild of instance {row.instance_id} was left" for row in Rebuild.objects.all()]
    findings += [
        f"{row.kind} {row.resource_id} was never removed from {row.node}"
        for row in NodeRemoval.objects.select_related("node")
    ]
    return findings


def allocations() -> Findings:
    """Check that each placed resource has one allocation of its size, on its node, with its disk in its pool.

    The sums of nodes and pools must be those of the rows.
    """
    expected = {
        row.pk: (row.node_id, row.vcpus, row.memory_mib, *_disk(row.own_disk_gib, row.root_pool_id))
        for row in Instance.objects.filter(THERE)
    }
    expected |= {row.pk: (row.node_id, 0, 0, *_disk(row.size_gib, row.pool_id)) for row in Volume.objects.filter(THERE)}
    amounts = ("vcpus", "memory_mib", "disk_gib", "pool_id", "pool_gib")
    rows = Allocation.objects.values_list("consumer_id", "node_id", *amounts)
    there = {consumer: tuple(columns) for consumer, *columns in rows}
    findings = [
        f"allocation of {key}: {there.get(key)} instead of {expected.get(key)}" for key in _unlike(expected, there)
    ]
    findings += [f"the sums of {node} are not those of its allocations" for node in capacity_drift.reconcile()]
    findings += [f"quota: {dimension} of {owner} is not what is used" for owner, dimension in quota_drift.reconcile()]
    return findings


def _disk(gib: int, pool: UUID | None) -> tuple[int, UUID | None, int]:
    """Return the disk space of the resource on its node, and in which pool."""
    return (gib, None, 0) if pool is None else (0, pool, gib)


def files() -> Findings:
    """Check that a pool of folders has one file of each disk that is in it, and no other."""
    findings = list[str]()
    for pool in Pool.objects.filter(cluster=None):
        roots = Instance.objects.filter(THERE, root_pool=pool).values_list("root_volume_id", flat=True)
        expected = {*map(str, roots), *map(str, Volume.objects.filter(THERE, pool=pool).values_list("pk", flat=True))}
        there = {path.stem for path in (Path(pool.path) / pools.VOLUMES).iterdir()}
        findings += [f"the pool {pool.path} has {name}, which is no disk" for name in sorted(there - expected)]
        findings += [f"the pool {pool.path} has lost the disk {name}" for name in sorted(expected - there)]
    return findings


def addresses() -> Findings:
    """Check that each port belongs to an instance that may have it or is free, and each such instance has one."""
    owners = set(Instance.objects.filter(THERE).values_list("pk", flat=True))
    having = set(Port.objects.exclude(instance_id=None).values_list("instance_id", flat=True))
    findings = [f"the port of instance {key} has no owner" for key in having - owners]
    return findings + [f"instance {key} has no port" for key in owners - having]


def nodes() -> Findings:
    """Compare the descriptions of agents with the rows, in both directions."""
    expected, findings, there = _wanted(), list[str](), dict[Thing, Any]()
    for node in Node.objects.exclude(state="removed").order_by("name"):
        if node.state != "ready":
            findings.append(f"node {node.name} is {node.state}")
        try:
            described = agent_client.describe(node)
        except CloudError as exc:
            findings.append(f"node {node.name} does not answer: {exc}")
            continue
        there |= _described(node.pk, described)
        findings += [f"node {node.name} has a domain that nobody knows: {name}" for name in described.unknown_domains]
    names = dict(Node.objects.values_list("pk", "name"))
    for key in set(_unlike(expected, there)) - (_forgettable() - there.keys()):
        node_id, kind, thing = key
        findings.append(f"{kind} {thing} on {names[node_id]}: {there.get(key)} instead of {expected.get(key)}")
    return findings


def _forgettable() -> set[Thing]:
    """Return whether a lost node may have forgotten the volume: it is detached, in a pool, and its file exists."""
    rows = Volume.objects.filter(THERE, state="available", pool__isnull=False)
    return {(node_id, "volume", str(pk)) for pk, node_id in rows.values_list("pk", "node_id") if node_id}


def _wanted() -> dict[Thing, Any]:
    expected: dict[Thing, Any] = {}
    instances = {row.pk: row for row in Instance.objects.filter(THERE)}
    attachments = Attachment.objects.select_related("volume")
    holders = {row.volume_id: str(row.instance_id) for row in attachments}
    for row in instances.values():
        assert row.node_id is not None
        if row.state != "error":
            expected[row.node_id, "instance", str(row.pk)] = "on" if row.state == "active" else "off"
        if row.boot_volume_id is None:
            expected[row.node_id, "volume", str(row.root_volume_id)] = str(row.pk)
    for volume in Volume.objects.filter(THERE):
        assert volume.node_id is not None
        expected[volume.node_id, "volume", str(volume.pk)] = holders.get(volume.pk, "")
    for key, port_id in Port.objects.filter(instance_id__in=instances).values_list("instance_id", "pk"):
        assert key is not None
        expected[_node_of(instances[key]), "port", str(port_id)] = ""
    for each in attachments.filter(instance__in=instances, is_boot=False):
        pair = f"{each.volume_id} in {each.instance_id}"
        expected[_node_of(instances[each.instance_id]), "attachment", str(each.pk)] = pair
    return expected


def _node_of(instance: Instance) -> UUID:
    assert instance.node_id is not None
    return instance.node_id


def _described(node: UUID, described: pb.NodeDescription) -> dict[Thing, Any]:
    there: dict[Thing, Any] = {}
    for guest in described.instances:
        there[node, "instance", guest.subject.id] = "on" if guest.power == pb.POWER_RUNNING else "off"
    for volume in described.volumes:
        there[node, "volume", volume.subject.id] = volume.attached_to
    for port in described.ports:
        there[node, "port", port.subject.id] = ""
    for each in described.attachments:
        there[node, "attachment", each.subject.id] = f"{each.volume_id} in {each.instance_id}"
    return there


def sizes() -> Findings:
    """Check that no disk is smaller than its row states; an undone growth may have left it larger.

    The cluster tells the sizes of those in it: a node does not while it lacks their keys.
    """
    in_clusters = Q(pool__cluster__isnull=False)
    expected = {str(row.pk): row.size_gib for row in Volume.objects.filter(THERE).exclude(in_clusters)}
    roots = Instance.objects.filter(THERE, boot_volume=None).exclude(root_pool__cluster__isnull=False)
    expected |= {str(row.root_volume_id): row.disk_gib for row in roots}
    findings = list[str]()
    for node in Node.objects.filter(state="ready"):
        for volume in agent_client.describe(node).volumes:
            if volume.size_bytes < expected.get(volume.subject.id, 0) * GIB:
                findings.append(f"volume {volume.subject.id} has {volume.size_bytes} bytes")
    return findings


def receipts() -> Findings:
    """Check receipts: numbered without gaps, signed, and at most one running guest at a time.

    An open guest runs, and a running guest is open.
    """
    findings = list[str]()
    opened: dict[str, dict[UUID, str]] = defaultdict(dict)
    spans: dict[str, list[tuple[str, str, UUID]]] = defaultdict(list)
    numbers: dict[UUID, int] = defaultdict(int)
    for row in Receipt.objects.order_by("node", "number"):
        if row.number != numbers[row.node_id] + 1:
            findings.append(f"node {row.node_id}: receipt {row.number} comes after {numbers[row.node_id]}")
        numbers[row.node_id] = row.number
        if not row.is_genuine:
            findings.append(f"node {row.node_id}: receipt {row.number} is not its own")
        documented = signed.read(bytes(row.document)).payload
        if documented["kind"] == "instance":
            _follow(opened[str(documented["resource"])], spans[str(documented["resource"])], row.node_id, documented)
    for guest, now in opened.items():
        spans[guest] += [(since, "now", node) for node, since in now.items()]
    fenced = _fences()
    for guest, ran in spans.items():
        findings += overlaps(guest, [(since, ended(since, until, fenced[node]), node) for since, until, node in ran])
    return findings + _open_and_running(opened)


def _fences() -> Mapping[UUID, list[str]]:
    """Return the moments at which each node was fenced."""
    fenced: dict[UUID, list[str]] = defaultdict(list)
    for node, moment in FenceEvidence.objects.order_by("created_at").values_list("node_id", "created_at"):
        fenced[node].append(as_rfc3339(moment))
    return fenced


def ended(since: str, until: str, fenced: Sequence[str]) -> str:
    """Return the latest end of guests that ran since then.

    A dead node signs the end of a guest only after its return; until then the fence evidence is the proof.
    """
    return min([until, *(moment for moment in fenced if moment >= since)])


def _follow(
    now: dict[UUID, str], ran: list[tuple[str, str, UUID]], node: UUID, documented: Mapping[str, object]
) -> None:
    """Follow a guest: one that is opened again under another permit ran on, or was dead in between."""
    at = str(documented["at"])
    if documented["event"] in ("opened", "closed") and node in now:
        ran.append((now.pop(node), at, node))
    if documented["event"] == "opened":
        now[node] = at


def overlaps(guest: str, ran: Iterable[tuple[str, str, UUID]]) -> Findings:
    findings, until, where = list[str](), "", None
    for begin, end, node in sorted(ran):
        if where is not None and node != where and begin < until:
            findings.append(f"guest {guest} ran on {where} until {until}, and on {node} since {begin}")
        if end > until or end == "now":
            until, where = end, node
    return findings


def _open_and_running(opened: Mapping[str, Mapping[UUID, str]]) -> Findings:
    running = {key: node for node, key in _running()}
    receipts = {(guest, node) for guest, now in opened.items() for node in now}
    findings = [f"guest {guest} runs on {node} without a receipt" for guest, node in running.items() - receipts]
    return findings + [
        f"guest {guest} has an open receipt of {node} and does not run" for guest, node in receipts - running.items()
    ]


def _running() -> Iterable[tuple[UUID, str]]:
    for node in Node.objects.filter(state="ready"):
        for guest in agent_client.describe(node).instances:
            if guest.power == pb.POWER_RUNNING:
                yield node.pk, guest.subject.id


def incidents() -> Findings:
    """Check that no incident is open."""
    rows = Incident.objects.filter(ended_at=None).select_related("node")
    return [f"incident on {row.node}: {row.kind} {row.name} {row.facts}" for row in rows]


def drains() -> Findings:
    """Check drains: a node drains as long as its drain does, and no operation of an ended drain is in progress.

    Guests that the drain shut down run again where the node accepts guests.
    """
    live = set(Drain.objects.filter(state__in=DRAIN_LIVE).values_list("node_id", flat=True))
    findings = [
        f"node {node.name} is {node.admin_state}, and its drain"
        f" {'is not' if node.admin_state == 'draining' else 'is'} under way"
        for node in Node.objects.all()
        if (node.admin_state == "draining") != (node.pk in live)
    ]
    over = DrainGuest.objects.exclude(drain__state__in=DRAIN_LIVE).select_related("drain__node")
    under_way = over.filter(state__in=("moving", "stopping", "starting"))
    findings += [f"{guest.name} is {guest.state} for a drain that is over" for guest in under_way]
    owed = over.filter(starts_again=True, drain__node__admin_state__in=("in-service", "cordoned"))
    return findings + [f"{guest.name} is to be started on {guest.drain.node.name}, and is off" for guest in owed]


def recoveries() -> Findings:
    """Check recoveries: a fenced node is back in service and was as dead as the evidence states.

    No guest is leaving a dead node, and a guest that was not evacuated has a reason.
    """
    findings = [
        f"node {node.name} is still {node.admin_state}"
        for node in Node.objects.filter(admin_state__in=("fenced", "maintenance"))
    ]
    rows = Incident.objects.filter(kind=FENCE_BROKEN).select_related("node")
    findings += [f"node {row.node} was fenced and not dead: {row.name} {row.facts}" for row in rows]
    recovered = Drain.objects.filter(kind="recover").select_related("node")
    findings += [f"the recovery of {row.node} is {row.state}" for row in recovered.filter(state__in=DRAIN_LIVE)]
    stayed = DrainGuest.objects.filter(drain__in=recovered, state__in=("failed", "left"), reasons=[])
    findings += [f"{guest.name} was {guest.state} on a dead node, and nothing says why" for guest in stayed]
    moving = Migration.objects.filter(state__in=MOVING).select_related("instance")
    findings += [f"{row.instance} is on its way ({row.kind}) for ever" for row in moving]
    blocked = Instance.objects.filter(state__in=("active", "stopped"), last_error__code=EvacuationBlocked.code)
    return findings + [f"instance {row.pk} still says that it has no place" for row in blocked]


def orphans() -> Findings:
    """Check that the quarantine is empty: no resource in transit was taken for an orphan."""
    rows = Orphan.objects.exclude(state__in=("gone", "discarded")).select_related("node")
    return [f"nobody means the {row.kind} {row.name} on {row.node}: {row.state} {row.problem}" for row in rows]


def events() -> Findings:
    """Check that beginning and end of each operation were published once, in this order; every event has a position."""
    findings = [f"event {each.number} ({each.kind}) has no place" for each in Event.objects.filter(position=None)]
    published: dict[UUID, list[str]] = defaultdict(list)
    mine = Event.objects.filter(kind__startswith="operation.", position__isnull=False)
    for operation, kind in mine.order_by("position").values_list("operation_id", "kind"):
        if operation is not None:
            published[operation].append(kind.partition(".")[2])
    for each in Operation.objects.exclude(state__in=LIVE):
        if published[each.pk] != ["pending", each.state]:
            findings.append(f"operation {each.kind} {each.pk} is {each.state}; published was {published[each.pk]}")
    return findings


def answers(outcomes: Sequence[Mapping[str, Any]]) -> Findings:
    """Check that answers to users agree with the rows; each request with a key made one resource."""
    rows = {str(row.pk): row for row in Operation.objects.all()}
    by_plans = plan_checks.begun_by_plans()
    by_drains = set(Drain.objects.values_list("request_id", flat=True))
    documented = {each["operation"] for each in outcomes if each["operation"]}
    gone = {each["resource"] for each in outcomes if each["status"] in GONE}
    ends = {key for key, row in rows.items() if row.kind.endswith(".delete")}
    documented_ends = {rows[key].resource_id for key in ends & documented}
    findings = [
        f"operation {rows[key].kind} {key} was told to nobody"
        for key in rows.keys() - documented
        if str(rows[key].resource_id) not in gone  # its answer was lost, and a repeated request gets "deleted"
        and not (key in ends and rows[key].resource_id in documented_ends)  # two at one moment: both end
        and rows[key].request_id not in by_drains
        and rows[key].pk not in by_plans
        and (rows[key].user_id or rows[key].credential_id)  # else the platform asked itself: a guest had failed
    ]
    last = _last_operations(rows.values())
    for each in outcomes:
        row = rows.get(each["operation"])
        if not each["operation"]:
            continue
        if row is None:
            findings.append(f"operation {each['operation']} was told, and there is none")
        elif each["state"] and each["state"] != row.state:
            findings.append(f"operation {row.pk} was told to be {each['state']} and is {row.state}")
        elif last.get(each["resource"]) == row.pk and row.state == "succeeded":
            findings += [*_unlike_request(each), *_elsewhere(row)]
    return findings + _made_twice(outcomes)


def _last_operations(rows: Iterable[Operation]) -> dict[str, UUID]:
    return {str(key): row.pk for row in sorted(rows, key=lambda row: row.created_at) for key in row.resource_ids}


def _unlike_request(each: Mapping[str, Any]) -> Findings:
    found = (rows.filter(pk=each["resource"]).first() for rows in MADE.values())
    row = next((row for row in found if row is not None), None)
    findings = list[str]()
    for name, value in each["requested"].items():
        if name == "instance":
            holder = Attachment.objects.filter(volume_id=each["resource"]).values_list("instance_id", flat=True).first()
            is_so = str(holder) == str(value)
        elif name == "zone":
            node = getattr(row, "node", None)
            is_so = node is not None and node.zone_id == value
        else:
            is_so = getattr(row, name, None) == value or _has_crashed(row, value)
        if not is_so:
            findings.append(f"{each['kind']} of {each['resource']} has succeeded, and its {name} is not {value}: {row}")
    return findings


def _elsewhere(row: Operation) -> Findings:
    """Return whether the instance is elsewhere, after a migration without later requests for it."""
    moves = Migration.objects.filter(operation_id=row.pk).select_related("instance")
    return [
        f"{row.kind} of {move.instance_id} has succeeded, and it is not where it went: {move}"
        for move in moves
        if move.state != "done" or move.instance.node_id != move.destination_id
    ]


def _has_crashed(row: object, value: object) -> bool:
    """Return whether the guest has crashed: its node lost power, so it was active, and is not."""
    return isinstance(row, Instance) and value == "active" and (row.state, row.power_state) == ("stopped", "crashed")


def _made_twice(outcomes: Sequence[Mapping[str, Any]]) -> Findings:
    names = [each["name"] for each in outcomes if each["name"] and each["operation"]]
    findings = list[str]()
    for rows in NAMED.values():
        counted = rows.filter(name__in=names).values("name").annotate(count=Count("pk")).filter(count__gt=1)
        findings += [f"{each['count']} are called {each['name']}" for each in counted]
    uses: Counter[str] = Counter(each["key"] for each in outcomes if each["key"])
    return findings + [f"key {key} was used for {count} requests" for key, count in uses.items() if count > 1]


def emptiness() -> Findings:
    """Check that only public images, the network and security groups are left after everything was deleted."""
    kinds: Mapping[str, Callable[[], int]] = {
        "instances": Instance.objects.exclude(state="deleted").count,
        "volumes": Volume.objects.exclude(state="deleted").count,
        "snapshots": Snapshot.objects.exclude(state="deleted").count,
        "images": Image.objects.exclude(project=None).exclude(state="deleted").count,
        "allocations": Allocation.objects.count,
        "ports": Port.objects.count,
        "public addresses": PublicAddress.objects.count,
        "attachments": Attachment.objects.count,
        "quotas": QuotaUse.objects.exclude(dimension__in=("networks", "security_groups")).count,
    }
    findings = [f"{count} {name} are left" for name, of in kinds.items() if (count := of())]
    for node in Node.objects.filter(state="ready"):
        left = _described(node.pk, agent_client.describe(node))
        findings += [f"{kind} {thing} is left on {node.name}" for _, kind, thing in left]
    return findings


def _unlike(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> list[Any]:
    """Return the keys under which the two differ."""
    return [key for key in {**one, **other} if one.get(key) != other.get(key)]


CHECKS: Mapping[str, Callable[[], Findings]] = {
    "operations": operations,
    "resources": resources,
    "allocations": allocations,
    "files": files,
    "images": cluster_checks.images,
    "volume moves": volume_checks.moves,
    "places": volume_checks.places,
    "residency": volume_checks.residency,
    "image files": volume_checks.image_files,
    "plans": plan_checks.plans,
    "cluster incidents": cluster_checks.incidents,
    "addresses": addresses,
    "port rules": network_checks.port_rules,
    "announcements": network_checks.announcements,
    "nodes": nodes,
    "sizes": sizes,
    "receipts": receipts,
    "incidents": incidents,
    "drains": drains,
    "recoveries": recoveries,
    "orphans": orphans,
    "events": events,
}
