"""Diagnose the platform from its operator API: problems and their remedies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from gettext import gettext as _
from itertools import chain
from typing import TYPE_CHECKING, Any

from andromede_sdk import NotFound

if TYPE_CHECKING:
    from andromede_sdk import Client, models

PROBLEM, NOTICE = "problem", "notice"
LIVE = ("pending", "running", "undoing")
LONG = timedelta(hours=1)
ENDS_SOON = timedelta(days=30)
EVIDENCE_WAITS = timedelta(minutes=2)
CHECKPOINT_WAITS = timedelta(minutes=10)


@dataclass(frozen=True)
class Finding:
    """One finding. `level`: a problem needs action now, a notice before it becomes a problem."""

    level: str
    subject: str
    what: str
    to_do: str

    def as_document(self) -> dict[str, Any]:
        return asdict(self)


Findings = Iterator[Finding]
Check = Callable[["Client", datetime], Findings]


def examine(client: Client, now: datetime) -> list[Finding]:
    """Return the findings: problems first, and each kind in the order in which they were found."""
    checks: tuple[Check, ...] = (nodes, incidents, orphans, operations, evidence, facts, drift, quotas)
    findings = list(chain.from_iterable(check(client, now) for check in checks))
    return sorted(findings, key=lambda finding: finding.level != PROBLEM)


# ---- nodes


def nodes(client: Client, now: datetime) -> Findings:
    all_nodes = list(client.nodes.list())
    ready = [node for node in all_nodes if node.state == "ready"]
    for node in all_nodes:
        if node.state == "ready":
            yield from _of_ready(node)
            yield from _outdated_findings(node, ready)
        elif node.life == node.state:  # else its silence is wanted
            yield _silent(node, now)
        yield from _ends(node, now)
        yield from _off_duty(node)


def _off_duty(node: models.Node) -> Findings:
    over = {
        "cordoned": _("Afterwards: andromede node uncordon {node}"),
        "draining": _("Progress: andromede node drain-show {node}"),
        "maintenance": _("Afterwards: andromede node return {node}"),
        "fenced": _("Resolve the obstacle, then: andromede node maintenance {node}"),
    }
    if node.duty in over:
        what = _("takes nothing new ({duty}): {reason}").format(duty=node.duty, reason=node.duty_reason or "-")
        yield Finding(NOTICE, _node(node.name), what, over[node.duty].format(node=node.name))


def _silent(node: models.Node, now: datetime) -> Finding:
    if node.last_heartbeat_at is None:
        to_do = _("Start its agent, and see whether the watcher reaches {address}.").format(address=node.address)
        return Finding(NOTICE, _node(node.name), _("never sent a heartbeat"), to_do)
    what = _("has sent no heartbeat for {time}").format(time=worded(now - node.last_heartbeat_at))
    to_do = _(
        "Check the node, its agent and the network to {address}. Its guests and disks keep their allocations. Ways to "
        "fence it: andromede node fencing {node}"
    )
    return Finding(PROBLEM, _node(node.name), what, to_do.format(address=node.address, node=node.name))


def _of_ready(node: models.Node) -> Findings:
    trust = node.trust
    if not trust.is_attested:
        what = _("gets public data alone: {why}").format(why=trust.hook_problem or _("its node attestation is too old"))
        to_do = _('Repair its libvirt hook, as "Protect libvirt on a node" says.')
        yield Finding(PROBLEM, _node(node.name), what, to_do)
    if not trust.is_clock_kept:
        to_do = _("Run a time service on it; until then it accepts no permits.")
        yield Finding(PROBLEM, _node(node.name), _("has no synchronized clock"), to_do)
    if not trust.charter_version:
        to_do = _("Sign one: manage.py charter_sign")
        yield Finding(PROBLEM, _node(node.name), _("has no charter, and accepts no permits"), to_do)


def _outdated_findings(node: models.Node, ready: Iterable[models.Node]) -> Findings:
    """Find nodes with older documents than others: every document goes to all nodes."""
    for name in ("keyset_version", "deny_version", "facts_epoch"):
        own, newest = getattr(node.trust, name), max(getattr(each.trust, name) for each in ready)
        if own < newest:
            what = _("trusts an older {name} than others: {own}, not {newest}").format(
                name=name, own=own, newest=newest
            )
            to_do = _("Each heartbeat sends the newer one. If this remains, check the watcher's log for the node.")
            yield Finding(NOTICE, _node(node.name), what, to_do)


def _ends(node: models.Node, now: datetime) -> Findings:
    left = node.certificate_expires_at - now
    to_do = _('Renew it, as "Enrol a node" says.')
    if left <= timedelta(0):
        yield Finding(PROBLEM, _node(node.name), _("has a certificate that has ended"), to_do)
    elif left < ENDS_SOON:
        what = _("has a certificate that ends in {time}").format(time=worded(left))
        yield Finding(NOTICE, _node(node.name), what, to_do)


def _node(name: str) -> str:
    return _("node {name}").format(name=name)


def incidents(client: Client, now: datetime) -> Findings:
    for each in client.incidents.list(state="open"):
        what = _("{kind}: {name}, seen {time} ago").format(
            kind=each.kind, name=each.name, time=worded(now - each.seen_at)
        )
        to_do = _('See "Operate nodes" for what it means, and: andromede node incidents {node}')
        yield Finding(PROBLEM, _node(each.node.name), what, to_do.format(node=each.node.name))


def orphans(client: Client, now: datetime) -> Findings:
    """Find orphans that await an operator's decision."""
    for each in client.orphans.list(open="true"):
        where = _place(each)
        facts = {"kind": each.kind, "name": each.name, "state": each.state, "time": worded(now - each.created_at)}
        if each.problem:
            what = _("orphaned {kind} {name}: {state} for {time}, blocked: {problem}")
            to_do = _("Remove the obstacle; it is then retried automatically.")
            yield Finding(PROBLEM, where, what.format(problem=each.problem, **facts), to_do)
        else:
            what = _("orphaned {kind} {name}: {state} for {time}")
            to_do = _("Decide: andromede node quarantine discard {id}, or release").format(id=each.id)
            yield Finding(NOTICE, where, what.format(**facts), to_do)


def _place(orphan: models.Orphan) -> str:
    if orphan.storage_cluster is not None:
        return _("storage cluster {name}").format(name=orphan.storage_cluster.name)
    return _node(orphan.node.name) if orphan.node is not None else _("database")


# ---- operations


def operations(client: Client, now: datetime) -> Findings:
    for state in LIVE:
        for each in client.platform.operation_list(state=state):
            yield from _of_operation(each, now)


def _of_operation(each: models.PlatformOperation, now: datetime) -> Findings:
    age = now - each.created_at
    is_late = each.deadline < now
    if not is_late and age < LONG:
        return
    subject = _("operation {id}").format(id=each.id)
    obstacle = next((step.message for step in reversed(each.steps) if step.message), None) or _("it gave no error")
    facts = {"kind": each.kind, "state": each.state, "obstacle": obstacle}
    if is_late:
        what = _("{kind} is {state} and has been beyond its deadline for {time}: {obstacle}")
        to_do = _("Remove the obstacle; it then continues on its own. If it is pending, check that workers run.")
        yield Finding(PROBLEM, subject, what.format(time=worded(now - each.deadline), **facts), to_do)
    else:
        what = _("{kind} has been {state} for {time}: {obstacle}")
        to_do = _("Watch it: andromede operation list --platform --resource {id} -o wide").format(id=each.resources[0])
        yield Finding(NOTICE, subject, what.format(time=worded(age), **facts), to_do)


# ---- evidence, facts, policies, quotas


def evidence(client: Client, now: datetime) -> Findings:
    """Check the evidence log. Numbers are given in order, so the newest records are the pending ones."""
    oldest: models.Record | None = None
    placed: models.Record | None = None
    for record in client.evidence.list(sort="-created_at"):
        if record.leaf_index is not None:
            placed = record
            break
        oldest = record
    to_do = _("Check that the signer runs, and read its log.")
    if oldest is not None and now - oldest.created_at > EVIDENCE_WAITS:
        what = _("has waited {time} for its place in the log").format(time=worded(now - oldest.created_at))
        yield Finding(PROBLEM, _("evidence"), what, to_do)
    if placed is not None and now - placed.created_at > CHECKPOINT_WAITS and _is_unsigned(client, placed):
        what = _("has been in the log for {time} without a checkpoint").format(time=worded(now - placed.created_at))
        yield Finding(PROBLEM, _("evidence"), what, to_do)


def _is_unsigned(client: Client, record: models.Record) -> bool:
    """Return whether the record is not signed yet: the second line of a checkpoint is its number of records."""
    try:
        size = int(client.evidence.checkpoint().splitlines()[1])
    except NotFound:
        size = 0
    return record.leaf_index is not None and record.leaf_index >= size


def facts(client: Client, now: datetime) -> Findings:
    for fact in client.facts.list(at=now):
        subject = _("{kind} {id}").format(kind=fact.subject_kind, id=fact.subject_id)
        if fact.valid_to is not None and fact.valid_to - now < ENDS_SOON:
            what = _("{attribute} holds for another {time}").format(
                attribute=fact.attribute, time=worded(fact.valid_to - now)
            )
        elif fact.review_by < now:
            what = _("{attribute} should have been reviewed {time} ago").format(
                attribute=fact.attribute, time=worded(now - fact.review_by)
            )
        else:
            continue
        to_do = _('State it again ("State and correct facts"); check the effect first: andromede placement simulate')
        yield Finding(NOTICE, subject, what, to_do)


def drift(client: Client, now: datetime) -> Findings:
    levels = {
        "drifted": (PROBLEM, _("is no longer admitted in {zone}, since {time}")),
        "at-risk": (NOTICE, _("will soon not be admitted in {zone}; known since {time}")),
    }
    for state, (level, words) in levels.items():
        for each in client.drift.list(state=state):
            subject = _("{kind} {id}").format(kind=each.kind, id=each.resource_id)
            what = words.format(zone=each.zone, time=worded(now - each.since))
            to_do = _("Its project decides on the plan: andromede plan list --project {project}")
            yield Finding(level, subject, what, to_do.format(project=each.project))


def quotas(client: Client, now: datetime) -> Findings:
    for organization in client.organizations.list():
        for each in client.organizations.limits(organization.id).items:
            if each.used > each.limit:
                what = _("uses {used} of {limit} {dimension}").format(
                    used=each.used, limit=each.limit, dimension=each.dimension
                )
                to_do = _("Nothing more is granted. Speak with it, or set another limit: andromede quota set")
                yield Finding(NOTICE, _("organization {name}").format(name=organization.name), what, to_do)


def worded(span: timedelta) -> str:
    """Format a duration in the largest unit."""
    seconds = max(int(span.total_seconds()), 0)
    for unit, length in ((_("d"), 86400), (_("h"), 3600), (_("min"), 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
