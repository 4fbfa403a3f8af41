"""Kinds of events. They are part of the API: a kind is never renamed and never changes its meaning.

docs/reference/events.md is generated from this.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PATTERN_ALL = "*"


@dataclass(frozen=True)
class Kind:
    """A kind of event. `data`: the facts that its events may carry. Other facts of the audit entry stay internal."""

    meaning: str
    data: tuple[str, ...] = ()


_OPERATION = ("operation",)
_ORPHAN = ("what", "node", "size_bytes")
KINDS: Mapping[str, Kind] = {
    "operation.pending": Kind("A change that takes time was accepted.", _OPERATION),
    "operation.succeeded": Kind("It is done.", _OPERATION),
    "operation.failed": Kind("It was given up, and undone; `error` says why.", (*_OPERATION, "error")),
    "operation.cancelled": Kind("It was stopped on demand, and undone.", _OPERATION),
    "operation.resolved": Kind(
        "An operator had it end without a node that does not answer any more.", (*_OPERATION, "reason")
    ),
    "instance.created": Kind("An instance was asked for.", ("flavor",)),
    "instance.active": Kind("It runs."),
    "instance.stopped": Kind("It is off."),
    "instance.error": Kind("It could not be made."),
    "instance.updated": Kind("It has another name or other labels."),
    "instance.deleted": Kind("It is gone."),
    "volume.created": Kind("A volume was asked for.", ("size_gib",)),
    "volume.available": Kind("It is there, and attached to nothing."),
    "volume.in-use": Kind("It is attached to an instance."),
    "volume.error": Kind("It could not be made."),
    "volume.updated": Kind("It has another name or other labels."),
    "volume.deleted": Kind("It is gone."),
    "image.created": Kind("An image was made; its file is still to come.", ("format",)),
    "image.verifying": Kind("Its file has arrived and is being inspected."),
    "image.available": Kind("It can be used."),
    "image.error": Kind("Its file was refused, or could not be fetched."),
    "image.updated": Kind("It has another name or other labels."),
    "image.deleted": Kind("It is gone."),
    "network.created": Kind("A network was made.", ("cidr",)),
    "network.updated": Kind("It has another name or other labels."),
    "network.deleted": Kind("It is gone."),
    "ssh_key.created": Kind("An SSH key was added.", ("fingerprint",)),
    "ssh_key.updated": Kind("It has another name or other labels."),
    "ssh_key.deleted": Kind("It is gone."),
    "affinity_group.created": Kind("An affinity group was made.", ("rule",)),
    "affinity_group.updated": Kind("It has another name or other labels."),
    "affinity_group.deleted": Kind("It is gone."),
    "policy.changed": Kind("Another policy is in force.", ("level", "owner", "version", "change")),
    "policy.proposed": Kind("A policy that demands less was proposed.", ("level", "owner", "change")),
    "policy.approved": Kind("A proposal was approved; it comes into force later.", ("level", "owner", "change")),
    "policy.withdrawn": Kind("A proposal was withdrawn.", ("level", "owner", "change")),
    "exemption.requested": Kind("Somebody asks for an exemption from a policy.", ("zone",)),
    "exemption.approved": Kind("It was granted.", ("zone",)),
    "exemption.used": Kind("Something was done by it.", ("zone",)),
    "drift.found": Kind(
        "Data may not, or soon may not, be where it is.",
        ("was", "state", "zone", "since", "noticed_at", "fails_at", "warned_days", "action"),
    ),
    "drift.ended": Kind("It may be where it is, or is there no more.", ("was", "state", "zone")),
    "remediation.proposed": Kind("There is a plan against drift; it waits for approval.", ("resources",)),
    "remediation.approved": Kind("It was approved."),
    "webhook.created": Kind("A webhook was made."),
    "webhook.updated": Kind("It was changed."),
    "webhook.rotated": Kind("It has a new secret."),
    "webhook.disabled": Kind("Its receiver takes nothing; it gets no more events.", ("reason",)),
    "webhook.deleted": Kind("It is gone."),
    "webhook.pinged": Kind("Somebody asked for a trial. Sent to that webhook alone, whatever kinds it wants."),
    "node.enrolled": Kind("For operators: a node was enrolled.", ("zone",)),
    "node.ready": Kind("For operators: it is heard again.", ("zone",)),
    "node.unreachable": Kind("For operators: it has fallen silent.", ("zone",)),
    "node.cordoned": Kind("For operators: nothing new is placed on it.", ("reason",)),
    "node.uncordoned": Kind("For operators: it takes new instances again."),
    "node.draining": Kind("For operators: its guests begin to leave it.", ("reason", "guests", "fallback")),
    "node.drain-progress": Kind("For operators: guests of its drain have left, or will not.", ("states",)),
    "node.drain-paused": Kind("For operators: no more guests leave it for now."),
    "node.drain-resumed": Kind("For operators: its guests leave it again; those that did not are tried again."),
    "node.drain-blocked": Kind("For operators: guests remain on it that did not leave.", ("states",)),
    "node.drain-cancelled": Kind("For operators: its drain was given up; it is cordoned."),
    "node.maintenance": Kind("For operators: nothing runs on it any more; it can be worked on.", ("reason",)),
    "node.returned": Kind("For operators: it takes guests again after maintenance."),
    "node.retired": Kind("For operators: it was given up for good.", ("reason",)),
    "node.recovering": Kind(
        "For operators: it is dead, and its guests begin to be made again elsewhere.", ("reason", "guests")
    ),
    "node.recovery-progress": Kind("For operators: guests of its recovery are elsewhere, or cannot be.", ("states",)),
    "node.recovery-blocked": Kind("For operators: no other node may take some of its guests now.", ("states",)),
    "node.recovered": Kind("For operators: all of its guests that can be elsewhere are.", ("states",)),
    "node.fenced": Kind("For operators: it is proved that it does nothing any more.", ("reason",)),
    "node.bmc-set": Kind("For operators: it was said how its BMC is reached."),
    "node.bmc-removed": Kind("For operators: it was forgotten how its BMC is reached."),
    "maintenance.begun": Kind("For operators: a rule was made for maintenance.", ("pattern", "action", "reason")),
    "maintenance.ended": Kind("For operators: a rule of maintenance was ended.", ("pattern", "action", "reason")),
    "orphan.found": Kind("For operators: something that nobody means is on a node, or in the database.", _ORPHAN),
    "orphan.quarantined": Kind("For operators: it is kept from doing harm; nothing of it is destroyed.", _ORPHAN),
    "orphan.released": Kind("For operators: it is to stay; it is as it was.", (*_ORPHAN, "reason")),
    "orphan.discarded": Kind("For operators: it was destroyed, as somebody decided.", (*_ORPHAN, "reason")),
    "orphan.gone": Kind("For operators: it is not there any more, or something means it by now.", _ORPHAN),
    "incident.reported": Kind("For operators: a node is not as it should be.", ("incident", "facts")),
}
PING = "webhook.pinged"

# State machines whose transitions are published; the others are internal.
MOVES = frozenset({"instance", "volume", "image"})

# Audit entries that are also published. A request for a change of state is not: the transition is.
DEEDS: Mapping[str, str] = {
    "instance.create": "instance.created",
    "instance.update": "instance.updated",
    "volume.create": "volume.created",
    "volume.update": "volume.updated",
    "image.create": "image.created",
    "image.update": "image.updated",
    "network.create": "network.created",
    "network.update": "network.updated",
    "network.delete": "network.deleted",
    "ssh_key.create": "ssh_key.created",
    "ssh_key.update": "ssh_key.updated",
    "ssh_key.delete": "ssh_key.deleted",
    "affinity_group.create": "affinity_group.created",
    "affinity_group.update": "affinity_group.updated",
    "affinity_group.delete": "affinity_group.deleted",
    "policy.set": "policy.changed",
    "policy.propose": "policy.proposed",
    "policy.approve": "policy.approved",
    "policy.withdraw": "policy.withdrawn",
    "exemption.request": "exemption.requested",
    "exemption.approve": "exemption.approved",
    "exemption.use": "exemption.used",
    "remediation.propose": "remediation.proposed",
    "remediation.approve": "remediation.approved",
    "webhook.create": "webhook.created",
    "webhook.update": "webhook.updated",
    "webhook.rotate": "webhook.rotated",
    "webhook.disable": "webhook.disabled",
    "webhook.delete": "webhook.deleted",
    "operation.resolve": "operation.resolved",
    "maintenance.create": "maintenance.begun",
    "maintenance.end": "maintenance.ended",
    "node.enrol": "node.enrolled",
    "node.cordon": "node.cordoned",
    "node.uncordon": "node.uncordoned",
    "node.drain": "node.draining",
    "node.drain-pause": "node.drain-paused",
    "node.drain-resume": "node.drain-resumed",
    "node.drain-retry": "node.drain-resumed",
    "node.drain-cancel": "node.drain-cancelled",
    "node.recover": "node.recovering",
    "node.maintain": "node.maintenance",
    "node.return": "node.returned",
    "node.retire": "node.retired",
    "node.fence": "node.fenced",
    "node.bmc-set": "node.bmc-set",
    "node.bmc-remove": "node.bmc-removed",
    "orphan.find": "orphan.found",
    "orphan.quarantine": "orphan.quarantined",
    "orphan.released": "orphan.released",
    "orphan.discarded": "orphan.discarded",
    "orphan.gone": "orphan.gone",
}
DRIFTING = ("at-risk", "drifted", "remediating")


def kind_of_audit_entry(verb: str, facts: Mapping[str, object]) -> str | None:
    """Return the kind that an audit entry is published as, or None."""
    if verb == "drift":
        return "drift.found" if facts["state"] in DRIFTING else "drift.ended"
    return "incident.reported" if verb.startswith("incident.") else DEEDS.get(verb)


def is_pattern(text: str) -> bool:
    """Return True for an existing kind, `noun.*` for all kinds of a noun, or * for all kinds."""
    return text == PATTERN_ALL or any(matches(text, kind) for kind in KINDS)


def matches(pattern: str, kind: str) -> bool:
    if pattern == PATTERN_ALL:
        return True
    return kind.startswith(pattern[:-1]) if pattern.endswith(".*") else kind == pattern


def matching(patterns: Sequence[str]) -> list[str]:
    return [kind for kind in KINDS if any(matches(pattern, kind) for pattern in patterns)]
