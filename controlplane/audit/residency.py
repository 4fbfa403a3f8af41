"""Residency of a resource: where its data was, why that was allowed, and by which evidence.

Pure: evidence in, intervals out.

A node's receipt states when something was opened or closed there: such an interval is proven. A permit without a
receipt leaves the possibility that the node acted on it: such an interval is only declared. A permit that the node
reports as refused declares nothing. An interval is cut where the location began or ceased to satisfy the policies
(compliance drift), so that earlier compliance stays on record.

A guest uses memory and processors while it runs; its root disk has a location from its creation to its erasure, whether
the guest runs or not. The disk has an id and receipts of its own: the first volume that a permit for the guest lists is
its root disk. A rebuilt guest has had several, and one that boots from a volume none: the volume has its own history.

A snapshot is in a pool, behind no node, from its moment to its erasure. Receipts of the storage agent prove it. The
records of both state what an agent answered: without a receipt, as of an agent of an earlier release, such an interval
is only declared. An image that is made of a volume has one too, while it is being made: a snapshot that is removed
again.

A volume in the pool of a storage cluster is there until the storage agent has moved it to the trash. One that several
instances can have attached, which its permits list as shared, is there behind no node, by the receipts of the storage
agent, and beside that on each node that has it open. In the trash, behind no node, volumes and snapshots are until
their data is deleted: agents of earlier releases do not state that.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from andromede_core.documents.parsing import instant

State = Literal["claimed", "proven"]

MOVES, EVACUATION = ("instance.migrate", "volume.move", "volume.relocate"), "instance.evacuate"
# Under these a node opens an attached volume of a pool, and the node that had it open closes it then.
REOPENINGS = ("volume.attach", "instance.create")
SNAPSHOT, SNAPSHOT_TAKEN = "snapshot", "snapshot.create"
ARRIVAL = "arrival"  # data of a guest that arrives before the guest runs there
VOLUME_COPY = "volume-copy"  # data of a volume that moves, until it is the volume there
COMING = (ARRIVAL, VOLUME_COPY)
TRASH = "trash"  # the role of what is out of reach, and not erased yet
CLUSTER_VOLUME = "cluster-volume"
ROLE_OF_KIND = {
    "instance": "compute",
    ARRIVAL: "compute",
    "attachment": "compute",
    "volume": "storage",
    VOLUME_COPY: "storage",
    SNAPSHOT: SNAPSHOT,
    "image": "image",
    "port": "netedge",
}
# A guest and a volume are in one place at a time, except during a migration; images and addresses may be in several.
SINGLE = ("compute", "storage")
# Data at rest is always somewhere; a guest may be off.
LASTING = ("storage",)
OF_GUESTS = ("instance.", "port.")
OF_SNAPSHOTS = "instance.snapshot"  # under it the guest gets nothing, and its disks are copied
MADE_ALONE = "volume.create"
# A node runs no guest under a permit for anything else.
RUNS = frozenset(
    f"instance.{verb}" for verb in ("create", "start", "reboot", "reset", "rebuild", "migrate", "evacuate")
)
NOT_COMPLIANT = ("drifted", "remediating", "exempted", "evicted")


@dataclass(frozen=True, slots=True)
class Decision:
    id: str
    is_admitted: bool


@dataclass(frozen=True, slots=True)
class Permit:
    """A permit.

    `resource` is its subject; it may list other resources that the node gets under it. `disk`: the root disk of the
    guest, or the volume, that is its subject. `runs`: a guest may run under it. `is_move`: a migration, or the move of
    a volume; the source has the data until it has arrived. `is_reopening`: an attachment; the node that had the volume
    open closes it afterwards. `is_evacuation`: from a node that was fenced before this was signed. `takes_snapshot`: a
    snapshot with the id of its subject may be taken under it. `is_shared`: nodes may have the volume open at once.
    """

    jti: str
    resource: str
    roles: tuple[str, ...]
    node: str
    zone: str
    decision: str
    not_before: datetime
    disk: str
    runs: bool
    is_move: bool
    is_reopening: bool
    is_evacuation: bool
    takes_snapshot: bool
    is_shared: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt, or the record of a snapshot. `record` is the id of its evidence record.

    `node` is empty if it is about a snapshot or the trash, `disk` if it is not about a disk. `is_signed`: by the node
    or the storage agent. `image`: of what is in the trash, with its pool.
    """

    record: str
    jti: str
    node: str
    zone: str
    is_opening: bool
    kind: str
    role: str
    disk: str
    at: datetime
    is_signed: bool = True
    image: str = ""


@dataclass(frozen=True, slots=True)
class Drift:
    zone: str
    is_compliant: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Interval:
    """A half-open interval; `end` None: it still lasts.

    Ids are empty if not applicable. `disk`: the root disk or volume of an interval with the role storage or trash.
    `instance`: the one that had a public address.
    """

    role: str
    disk: str
    zone: str
    node: str
    start: datetime
    end: datetime | None
    decision: str
    permit: str
    open_receipt: str
    close_receipt: str
    state: State
    is_compliant: bool
    instance: str = ""

    def holds_at(self, moment: datetime) -> bool:
        return self.start <= moment and (self.end is None or moment < self.end)


@dataclass(frozen=True, slots=True)
class Problem:
    """A contradiction. `code`: overlap (two places at once) or gap (no place). `end` None: it still lasts."""

    code: Literal["overlap", "gap"]
    role: str
    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class History:
    intervals: tuple[Interval, ...]
    problems: tuple[Problem, ...]


@dataclass
class Evidence:
    decisions: dict[str, Decision]
    permits: dict[str, Permit]
    receipts: list[Receipt]
    refused: set[str]
    drifts: list[Drift]
    trash: list[Receipt]
    of_clusters: list[Receipt]


def history(
    records: Iterable[Mapping[str, object]],
    resource: str,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    role: str | None = None,
) -> History:
    """List the locations of one resource, in order of time, cut to [start, end).

    `records`: the documents of the log's records about the resource and its root disks (`disks_of`), with the permits
    of these receipts, the receipts of its permits, and their decisions. Irrelevant records are ignored.
    """
    evidence = _read(records, resource)
    proven = _until_trashed(_proven(evidence), evidence.trash)
    places = [*proven, *_claimed(evidence, resource, proven), *_in_trash(evidence)]
    whole = [part for place in places for part in _cut_at_drifts(place, evidence.drifts)]
    of_role = sorted((each for each in whole if role in (None, each.role)), key=_order)
    clipped = (_clip(each, start, end) for each in of_role)
    moves = {permit.jti for permit in evidence.permits.values() if permit.is_move}
    reopenings = {permit.jti for permit in evidence.permits.values() if permit.is_reopening}
    shared = {permit.jti for permit in evidence.permits.values() if permit.is_shared}
    problems: list[Problem] = []
    for role_of, disk in sorted({(each.role, each.disk) for each in of_role if each.role in SINGLE}):
        of_one = [each for each in of_role if (each.role, each.disk) == (role_of, disk)]
        own_moves = moves | shared if disk == resource else moves
        problems += _of_one(of_one, role_of, own_moves, reopenings if disk == resource else ())
    relevant = tuple(each for each in problems if not _is_outside(each, start, end))
    return History(tuple(each for each in clipped if each is not None), relevant)


def disks_of(records: Iterable[Mapping[str, object]], resource: str) -> set[str]:
    """Find the ids of the root disks that a guest has had, in its permits. A volume has none.

    A volume that a guest boots from has a residency of its own, if the records have the permit of its creation.
    """
    bodies = [_payload(record.get("document")) for record in records if record.get("kind") == "permit"]
    volumes = {_text(body, "resource") for body in bodies if _text(body, "op") == MADE_ALONE}
    of_guest = (body for body in bodies if _text(body, "resource") == resource and _is_of_guest(body))
    return {_disk(body) for body in of_guest} - volumes - {""}


def _order(interval: Interval) -> tuple[datetime, str, str, str]:
    return (interval.start, interval.role, interval.node, interval.disk)


# ── parsing ─────────────────────────────────────────────────────────────────────────────────────


def _read(records: Iterable[Mapping[str, object]], resource: str) -> Evidence:
    evidence = Evidence({}, {}, [], set(), [], [], [])
    records = list(records)
    about = {resource, *disks_of(records, resource)}
    for record in records:
        body = _payload(record.get("document"))
        match record.get("kind"):
            case "decision":
                _read_decision(body, evidence)
            case "permit":
                _read_permit(body, evidence, about)
            case "receipt" if body.get("event") == "refused":
                evidence.refused.add(_text(body, "jti"))
            case "receipt" if body.get("resource") in about:
                _read_trashed(body, str(record.get("id", "")), evidence)
                _read_receipt(body, str(record.get("id", "")), evidence)
            case "copy" if body.get("resource") == resource:
                _read_copy(body, record, evidence)
            case "drift" if body.get("resource") == resource:
                _read_drift(body, record.get("at"), evidence)
    if any(permit.is_shared and permit.resource == resource for permit in evidence.permits.values()):
        evidence.receipts += evidence.of_clusters
    evidence.receipts.sort(key=_order_of_receipt)
    evidence.trash.sort(key=lambda receipt: (receipt.at, not receipt.is_opening))
    evidence.drifts.sort(key=lambda drift: drift.at)
    return evidence


def _order_of_receipt(receipt: Receipt) -> tuple[datetime, bool]:
    """At one moment, closings come before openings; a snapshot is taken before it is erased."""
    return receipt.at, receipt.is_opening != (receipt.kind == SNAPSHOT)


def _payload(document: object) -> Mapping[str, object]:
    """Return the payload of a document, signed or not."""
    if not isinstance(document, Mapping):
        return {}
    inner = document.get("p", document)
    return inner if isinstance(inner, Mapping) else {}


def _text(body: Mapping[str, object], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def _read_decision(body: Mapping[str, object], evidence: Evidence) -> None:
    decision = Decision(_text(body, "decision"), body.get("admit") is True)
    evidence.decisions[decision.id] = decision


def _read_permit(body: Mapping[str, object], evidence: Evidence, about: Collection[str]) -> None:
    disk, subject = _disk(body), _subject(body, about)
    roles, since = body.get("roles"), instant(body.get("nbf"))
    if since is None or not isinstance(roles, list):
        return
    evidence.permits[_text(body, "jti")] = Permit(
        jti=_text(body, "jti"),
        resource=subject,
        roles=tuple(role for role in roles if isinstance(role, str)),
        node=_text(body, "aud"),
        zone=_text(body, "zone"),
        decision=_text(body, "decision"),
        not_before=since,
        disk=disk if disk in about else "",
        runs=_text(body, "op") in RUNS,
        is_move=_text(body, "op") in MOVES,
        is_reopening=_text(body, "op") in REOPENINGS,
        is_evacuation=_text(body, "op") == EVACUATION,
        takes_snapshot=_takes_snapshot(body, subject),
        is_shared=_lists(body, "shared", about),
    )


def _takes_snapshot(body: Mapping[str, object], subject: str) -> bool:
    return _text(body, "op") == SNAPSHOT_TAKEN or _lists(body, "snapshots", (subject,))


def _lists(body: Mapping[str, object], name: str, about: Collection[str]) -> bool:
    """Tell if the permit lists one of these under the name."""
    listed = body.get(name)
    return isinstance(listed, list) and any(each in about for each in listed)


def _is_of_guest(body: Mapping[str, object]) -> bool:
    op = _text(body, "op")
    return op.startswith(OF_GUESTS) and op != OF_SNAPSHOTS


def _subject(body: Mapping[str, object], about: Collection[str]) -> str:
    """Return the subject; of a permit for the snapshots of an instance, the snapshot that is asked about, if any."""
    if _text(body, "op") != OF_SNAPSHOTS:
        return _text(body, "resource")
    listed = body.get("snapshots")
    return next((each for each in listed if each in about), "") if isinstance(listed, list) else ""


def _disk(body: Mapping[str, object]) -> str:
    """Return the disk: a permit for a guest lists its root disk before the attached volumes."""
    volumes = body.get("volumes")
    first = volumes[0] if isinstance(volumes, list) and volumes else ""
    if not _is_of_guest(body):
        return _text(body, "resource")
    return first if isinstance(first, str) else ""


def _read_receipt(body: Mapping[str, object], record: str, evidence: Evidence) -> None:
    kind, at, event = _text(body, "kind"), instant(body.get("at")), _text(body, "event")
    is_of_cluster = kind == CLUSTER_VOLUME
    role = "storage" if is_of_cluster else ROLE_OF_KIND.get(kind)
    if role is None or at is None or event not in ("opened", "closed"):
        return
    receipts = evidence.of_clusters if is_of_cluster else evidence.receipts
    receipts.append(
        Receipt(
            record=record,
            jti=_text(body, "jti"),
            node="" if role == SNAPSHOT or is_of_cluster else _text(body, "node"),
            zone=_text(body, "zone"),
            is_opening=event == "opened",
            kind=kind,
            role=role,
            disk=_text(body, "resource") if role == "storage" else "",
            at=at,
        )
    )


def _read_trashed(body: Mapping[str, object], record: str, evidence: Evidence) -> None:
    """Read that a volume or snapshot is in the trash of its pool, or erased. Earlier agents do not name it there."""
    at, event, measured = instant(body.get("at")), _text(body, "event"), body.get("measured")
    is_known = _text(body, "kind") in (CLUSTER_VOLUME, SNAPSHOT) and event in ("closed", "erased")
    if at is None or not is_known or not isinstance(measured, Mapping):
        return
    pool, image = _text(measured, "pool"), _text(measured, "trash")
    evidence.trash.append(
        Receipt(
            record=record,
            jti=_text(body, "jti"),
            node="",
            zone=_text(body, "zone"),
            is_opening=event == "closed",
            kind=_text(body, "kind"),
            role=TRASH,
            disk=_text(body, "resource") if _text(body, "kind") == CLUSTER_VOLUME else "",
            at=at,
            image=f"{pool}/{image}" if image else "",
        )
    )


def _read_copy(body: Mapping[str, object], record: Mapping[str, object], evidence: Evidence) -> None:
    """Read that a snapshot was taken, at the moment that its cluster states, or erased by the moment of the record.

    It was taken before the record that it was; so its erasure, which is recorded later, always ends the interval.
    """
    stated, recorded_at = instant(body.get("at")), instant(record.get("at"))
    at = min((each for each in (stated, recorded_at) if each is not None), default=None)
    if at is None or _text(body, "kind") != SNAPSHOT:
        return
    evidence.receipts.append(
        Receipt(
            record=str(record.get("id", "")),
            jti=_text(body, "jti"),
            node="",
            zone=_text(body, "zone"),
            is_opening=_text(body, "event") == "taken",
            kind=SNAPSHOT,
            role=SNAPSHOT,
            disk="",
            at=at,
            is_signed=False,
        )
    )


def _read_drift(body: Mapping[str, object], recorded_at: object, evidence: Evidence) -> None:
    """Read the periods of compliance drift: from `since`, when the fact ended or the policy changed, which older
    records lack, until a sweep found the policies satisfied again.
    """
    is_compliant = _text(body, "state") not in NOT_COMPLIANT
    at = (None if is_compliant else instant(body.get("since"))) or instant(recorded_at)
    if at is not None:
        evidence.drifts.append(Drift(_text(body, "zone"), is_compliant, at))


# ── intervals ───────────────────────────────────────────────────────────────────────────────────


def _proven(evidence: Evidence) -> list[Interval]:
    """Return the proven intervals, from the first opening at a location to its closing; a second opening continues the
    interval.

    A fenced node closes nothing, or long after, when it is back: an evacuation's opening elsewhere ends the interval.
    """
    still_open: dict[tuple[str, str, str, bool], Interval] = {}
    ended = []
    for receipt in evidence.receipts:
        location = (receipt.role, receipt.disk, receipt.node, receipt.kind in COMING)
        if receipt.is_opening:
            permit = evidence.permits.get(receipt.jti)
            if receipt.role in SINGLE and permit is not None and permit.is_evacuation:
                left = [each for each in still_open if each[:2] == location[:2] and each[2] != receipt.node]
                ended += [replace(still_open.pop(each), end=receipt.at) for each in left]
            opened = _opened(receipt, evidence)
            before = still_open.setdefault(location, opened)
            if before.state == "claimed":  # a snapshot, by the record; the receipt may be later by a moment
                still_open[location] = replace(opened, start=before.start)
        elif location in still_open:
            ended.append(replace(still_open.pop(location), end=receipt.at, close_receipt=receipt.record))
    return [*ended, *still_open.values()]


def _until_trashed(proven: Sequence[Interval], trash: Iterable[Receipt]) -> list[Interval]:
    """Lengthen the intervals of disks whose nodes had closed them before the cluster moved them to the trash."""
    places = list(proven)
    for receipt in trash:
        of_disk = [each for each in places if (each.role, each.disk) == ("storage", receipt.disk)]
        if not receipt.is_opening or any(each.holds_at(receipt.at) for each in of_disk):
            continue
        ended = [(each.end, each) for each in of_disk if each.end is not None and each.end <= receipt.at]
        _, last = max(ended, key=lambda pair: pair[0], default=(None, None))
        if last is not None and last.zone == receipt.zone:
            places[places.index(last)] = replace(last, end=receipt.at, close_receipt=receipt.record)
    return places


def _in_trash(evidence: Evidence) -> list[Interval]:
    waiting: dict[str, Interval] = {}
    ended = []
    for receipt in evidence.trash:
        if receipt.image and receipt.is_opening:
            waiting.setdefault(receipt.image, _opened(receipt, evidence))
        elif receipt.image in waiting:
            ended.append(replace(waiting.pop(receipt.image), end=receipt.at, close_receipt=receipt.record))
    return [*ended, *waiting.values()]


def _opened(receipt: Receipt, evidence: Evidence) -> Interval:
    permit = evidence.permits.get(receipt.jti)
    is_permitted = permit is not None and permit.zone == receipt.zone and receipt.node in ("", permit.node)
    return Interval(
        role=receipt.role,
        disk=receipt.disk,
        zone=receipt.zone,
        node=receipt.node,
        start=receipt.at,
        end=None,
        decision=permit.decision if permit else "",
        permit=permit.jti if permit else "",
        open_receipt=receipt.record,
        close_receipt="",
        state="proven" if receipt.is_signed else "claimed",
        is_compliant=is_permitted and _is_admitted(permit, evidence),
    )


def _is_admitted(permit: Permit | None, evidence: Evidence) -> bool:
    decision = evidence.decisions.get(permit.decision) if permit else None
    return decision is not None and decision.is_admitted


def _claimed(evidence: Evidence, resource: str, proven: Sequence[Interval]) -> list[Interval]:
    """Return an interval for each location that a permit for the resource opened without any receipt.

    `proven`: also those of snapshots.
    """
    claimed: dict[tuple[str, str, str], Interval] = {}
    answered = evidence.refused.union(receipt.jti for receipt in evidence.receipts)
    permits = [permit for permit in evidence.permits.values() if permit.resource == resource]
    for permit in sorted(permits, key=lambda permit: permit.not_before):
        for role, disk, node in _openings(permit):
            is_known = any(
                (each.role, each.disk, each.node) == (role, disk, node) and each.holds_at(permit.not_before)
                for each in proven
            )
            if permit.jti not in answered and not is_known:
                claimed.setdefault((role, disk, node), _claim(permit, role, disk, node, evidence))
    return list(claimed.values())


def _openings(permit: Permit) -> Iterable[tuple[str, str, str]]:
    """Return what may be opened under the permit that can only be in one place: role, disk and node."""
    if "compute" in permit.roles and permit.runs:
        yield "compute", "", permit.node
    if "storage" in permit.roles and permit.disk:
        is_behind_no_node = permit.is_shared and not permit.is_reopening
        yield "storage", permit.disk, "" if is_behind_no_node else permit.node
    if SNAPSHOT in permit.roles and permit.takes_snapshot:
        yield SNAPSHOT, "", ""


def _claim(permit: Permit, role: str, disk: str, node: str, evidence: Evidence) -> Interval:
    """Return the declared interval; it ends where a receipt shows the resource elsewhere, or gone from there. What is
    behind no node stays there while nodes have it.
    """
    alike = [each for each in evidence.receipts if (each.role, each.disk) == (role, disk)]
    ending = [each for each in alike if each.node in ("", node) or (node and each.is_opening)]
    later = [each for each in ending if each.at > permit.not_before]
    return Interval(
        role=role,
        disk=disk,
        zone=permit.zone,
        node=node,
        start=permit.not_before,
        end=later[0].at if later else None,
        decision=permit.decision,
        permit=permit.jti,
        open_receipt="",
        close_receipt=later[0].record if later and not later[0].is_opening else "",
        state="claimed",
        is_compliant=_is_admitted(permit, evidence),
    )


def _cut_at_drifts(interval: Interval, drifts: Iterable[Drift]) -> Iterable[Interval]:
    was_permitted, rest = interval.is_compliant, interval
    for drift in drifts:
        if drift.zone != rest.zone or (rest.end is not None and drift.at >= rest.end):
            continue
        is_compliant = was_permitted and drift.is_compliant
        if drift.at <= rest.start:
            rest = replace(rest, is_compliant=is_compliant)
        elif is_compliant != rest.is_compliant:
            yield replace(rest, end=drift.at, close_receipt="")
            rest = replace(rest, start=drift.at, is_compliant=is_compliant)
    yield rest


def _clip(interval: Interval, start: datetime | None, end: datetime | None) -> Interval | None:
    first = max(interval.start, start) if start else interval.start
    last = interval.end if end is None else min(interval.end or end, end)
    return replace(interval, start=first, end=last) if last is None or first < last else None


# ── contradictions ──────────────────────────────────────────────────────────────────────────────


def _is_outside(problem: Problem, start: datetime | None, end: datetime | None) -> bool:
    is_before = start is not None and problem.end is not None and problem.end <= start
    return is_before or (end is not None and problem.start >= end)


def _of_one(
    intervals: Sequence[Interval], role: str, moves: Collection[str], reopenings: Collection[str]
) -> Iterable[Problem]:
    """Find contradictions in the intervals of a guest or a disk, in order of time.

    `moves`: permits of migrations from elsewhere, or of what several nodes may have. `reopenings`: permits of
    attachments; the former node must have closed the volume since.
    """
    if not intervals:
        return
    reach = intervals[0]
    for following in intervals[1:]:
        if reach.end is None or following.start < reach.end:
            ends = [each.end for each in (reach, following) if each.end is not None]
            has_moved = following.permit in moves or (following.permit in reopenings and reach.end is not None)
            if following.node != reach.node and not has_moved:
                yield Problem("overlap", role, following.start, min(ends) if ends else None)
        elif following.start > reach.end and role in LASTING:
            yield Problem("gap", role, reach.end, following.start)
        if reach.end is not None and (following.end is None or following.end > reach.end):
            reach = following
