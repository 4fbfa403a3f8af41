"""What the API's words are called here, and how they look: a tone (a colour) and an icon for each state."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

GOOD, BUSY, WARN, BAD, IDLE = "good", "busy", "warn", "bad", "idle"


@dataclass(frozen=True)
class StateBadge:
    words: str | Promise
    tone: str
    icon: str


def _good(words: str | Promise) -> StateBadge:
    return StateBadge(words, GOOD, "circle-check")


def _busy(words: str | Promise) -> StateBadge:
    return StateBadge(words, BUSY, "loader-circle")


def _bad(words: str | Promise) -> StateBadge:
    return StateBadge(words, BAD, "circle-x")


def _warn(words: str | Promise) -> StateBadge:
    return StateBadge(words, WARN, "triangle-alert")


def _idle(words: str | Promise, icon: str = "circle-dashed") -> StateBadge:
    return StateBadge(words, IDLE, icon)


RESTART_POLICIES = {"on-failure": _("start it again"), "never": _("leave it off")}
WHEN_IT_FAILS = _("When it crashed or went down with its machine. One that powers itself off stays off.")
# By the machine and the state, where a word means different things, else by the state.
STATE_BADGES = {
    "building": _busy(_("being built")),
    "active": _good(_("active")),
    "stopped": _idle(_("stopped"), "square"),
    "error": _bad(_("error")),
    "deleted": _idle(_("deleted"), "trash-2"),
    "user.suspended": _warn(_("suspended")),
    "user.ended": _idle(_("ended"), "square"),
    # what guests do
    "power.running": _good(_("running")),
    "power.off": _idle(_("off"), "square"),
    "power.paused": _warn(_("paused")),
    "power.crashed": _bad(_("crashed")),
    "power.unknown": _idle(_("unknown"), "circle-help"),
    # volumes and images
    "available": _good(_("available")),
    "in-use": _good(_("in use")),
    "attachment.plugged": _good(_("attached")),
    "awaiting-upload": _warn(_("waiting for its file")),
    "importing": _busy(_("being imported")),
    "verifying": _busy(_("being inspected")),
    # operations and their steps
    "pending": _busy(_("pending")),
    "running": _busy(_("running")),
    "changing": _busy(_("changing")),
    "undoing": _busy(_("being undone")),
    "succeeded": _good(_("succeeded")),
    "failed": _bad(_("failed")),
    "cancelled": _idle(_("cancelled"), "circle-x"),
    "done": _good(_("done")),
    "undone": _idle(_("undone")),
    "step.retrying": _warn(_("to be tried again")),
    "step.waiting": _idle(_("waits")),
    # nodes
    "enrolled": _idle(_("enrolled")),
    "ready": _good(_("ready")),
    "unreachable": _bad(_("unreachable")),
    "node.in-service": _good(_("in service")),
    "node.draining": _busy(_("draining")),
    "node.maintenance": _warn(_("in maintenance")),
    "node.fenced": _bad(_("fenced")),
    "node.retired": _idle(_("retired")),
    # drains and their guests
    "drain.paused": _warn(_("paused")),
    "drain.blocked": _bad(_("blocked")),
    "drain-guest.waiting": _idle(_("waits")),
    "drain-guest.moving": _busy(_("being moved")),
    "drain-guest.stopping": _busy(_("being shut down")),
    "drain-guest.starting": _busy(_("being started")),
    "drain-guest.started": _good(_("started again")),
    "drain-guest.moved": _good(_("moved")),
    "drain-guest.off": _idle(_("off"), "square"),
    "drain-guest.gone": _idle(_("deleted"), "trash-2"),
    "drain-guest.left": _bad(_("runs on there")),
    # moves
    "migration.placing": _busy(_("finds a place")),
    "migration.preparing": _busy(_("is being made ready")),
    "migration.moving": _busy(_("being moved")),
    "migration.arrived": _busy(_("has arrived")),
    "migration.done": _good(_("moved")),
    "recovery-guest.waiting": _idle(_("waits")),
    "recovery-guest.moving": _busy(_("being made again")),
    "recovery-guest.moved": _good(_("elsewhere")),
    "recovery-guest.gone": _idle(_("deleted"), "trash-2"),
    "recovery-guest.left": _idle(_("comes back with the node"), "square"),
    "recovery-guest.failed": _bad(_("still down")),
    # requests for quota
    "approved": _good(_("approved")),
    "refused": _bad(_("refused")),
    "withdrawn": _idle(_("withdrawn")),
    # webhooks and service accounts
    "disabled": _idle(_("disabled"), "circle-pause"),
    # requests, in the audit
    "outcome.succeeded": _good(_("done")),
    "outcome.refused": _warn(_("refused")),
    "outcome.failed": _bad(_("failed")),
    "outcome.unknown": _idle(_("unknown"), "circle-help"),
    # places
    "open": _good(_("open")),
    "compliant": _good(_("compliant")),
    "drifted": _bad(_("drifted")),
    "zone.draining": _warn(_("draining")),
    "zone.closed": _bad(_("closed")),
    "at-risk": _warn(_("at risk")),
    "remediating": _busy(_("being remedied")),
    "exempted": _warn(_("exempted")),
    # rules and proof
    "proposal.proposed": _warn(_("waits for approval")),
    "proposal.approved": _busy(_("approved, waits for its time")),
    "proposal.applied": _good(_("in force")),
    "plan.proposed": _warn(_("waits for approval")),
    "proven": _good(_("proven")),
    "claimed": _warn(_("claimed")),
    "certificate.valid": _good(_("valid")),
    "key.valid": _good(_("valid")),
    "certificate.not-begun": _idle(_("not begun")),
    "suspended": _warn(_("suspended")),
    "certificate.withdrawn": _bad(_("withdrawn")),
    "expired": _bad(_("ended")),
    "key.revoked": _bad(_("revoked")),
    "overdue": _warn(_("review is late")),
    "incomplete": _warn(_("not all is known")),
    "unsupported": _bad(_("not supported")),
    "unsigned": _warn(_("waits for signatures")),
    "signed": _good(_("signed")),
    "used-up": _idle(_("used up")),
    "over": _idle(_("ended")),
    "export.waiting": _busy(_("waits")),
    "export.running": _busy(_("being made")),
    "export.ready": _good(_("ready")),
    "orphan.found": _warn(_("found")),
    "orphan.quarantined": _warn(_("quarantined")),
    "orphan.released": _good(_("released")),
    "orphan.discarded": _idle(_("discarded")),
    "orphan.gone": _idle(_("gone")),
    # incidents, and what is said of nodes besides
    "incident.open": _bad(_("still seen")),
    "incident.ended": _idle(_("not seen any more")),
    "pool.missing": _warn(_("not mounted")),
    "cordoned": _warn(_("cordoned")),
    "unattested": _bad(_("not attested")),
    "maintenance.active": _warn(_("in force")),
    "maintenance.coming": _idle(_("to come")),
    "maintenance.ended": _idle(_("ended")),
    "quota.pending": _warn(_("waits for an answer")),
}


def state_badge(state: str, of: str = "") -> StateBadge:
    """Of a state; a word that is new here is shown as it is."""
    known = STATE_BADGES.get(f"{of}.{state}") or STATE_BADGES.get(state)
    return known or _idle(state.replace("-", " ").replace("_", " "))


# What operations do, by their kinds.
OPERATION_LABELS = {
    "instance.create": _("Create instance"),
    "instance.delete": _("Delete instance"),
    "instance.start": _("Start instance"),
    "instance.shutdown": _("Shut down instance"),
    "instance.power-off": _("Power off instance"),
    "instance.reboot": _("Reboot instance"),
    "instance.reset": _("Reset instance"),
    "instance.resize": _("Resize instance"),
    "instance.rebuild": _("Rebuild instance"),
    "instance.migrate": _("Move instance"),
    "instance.evacuate": _("Start instance on another machine"),
    "volume.create": _("Create volume"),
    "volume.delete": _("Delete volume"),
    "volume.attach": _("Attach volume"),
    "volume.detach": _("Detach volume"),
    "volume.grow": _("Grow volume"),
    "image.import": _("Import image"),
    "node.fence": _("Fence node"),
    "image.verify": _("Inspect image"),
    "image.delete": _("Delete image"),
}

# Classes of work, as rules of maintenance have them, and what they make of it.
OPERATION_CLASS_LABELS = {
    "*": _("All changes"),
    "instance.*": _("Changes of instances"),
    "volume.*": _("Changes of volumes"),
    "image.*": _("Changes of images"),
}
MAINTENANCE = {
    "pause": _("accepted, and begins later"),
    "reject": _("refused for now"),
    "accept": _("accepted"),
}


# What a drain does with a guest, and what operators want of a node.
# By what it is known that a node does nothing any more.
FENCE_EVIDENCE = {
    "power": _("Power: its BMC switches it off"),
    "lease": _("Lease: it has stopped its guests by itself"),
    "attestation": _("Attestation: I have seen that it is off and unplugged"),
}
PLANNED = {
    "migrate": _("moves to another node"),
    "stop": _("is shut down, and started again when the node is returned"),
    "stop-off": _("is shut down, and would stay off"),
    "stay": _("is off, and stays"),
    "wait": _("is being changed, and planned then"),
    "leave": _("cannot be moved, and runs on"),
}
# What a recovery does with one.
RECOVERED = {
    "evacuate": _("is made again on another node"),
    "stay": _("comes back with the node"),
    "wait": _("is being changed, and planned then"),
}
FALLBACKS = {"leave": _("run on"), "stop": _("are shut down")}
ADMIN_STATE_TEXTS = {
    "cordoned": _("Nothing new is placed on it."),
    "draining": _("Its guests are moved away, and nothing new is placed on it."),
    "maintenance": _("It is worked on: nothing runs on it, and nothing starts there."),
    "fenced": _("It is proved that it does nothing any more."),
    "retired": _("It was given up for good."),
}


def operation_class_label(kind: str) -> str | Promise:
    return OPERATION_CLASS_LABELS.get(kind) or operation_label(kind)


def operation_label(kind: str) -> str | Promise:
    return OPERATION_LABELS.get(kind, kind)


def operation_title(operation: Mapping[str, Any]) -> str:
    """What an operation does, and with what."""
    return gettext("{deed}: {name}").format(deed=operation_label(operation["kind"]), name=subject(operation))


def subject(operation: Mapping[str, Any]) -> str:
    """What an operation is about: the name that it had then, or the end of its id where that is not known."""
    return operation["resource_name"] or f"…{operation['resources'][0][-12:]}"


# What people may, by role in an organization and by duty for the platform.
ROLES = {
    "owner": _("owner"),
    "admin": _("administrator"),
    "member": _("member"),
    "viewer": _("viewer"),
    "billing": _("billing"),
    "sovereignty_officer": _("sovereignty officer"),
    "operator": _("operator"),
    "support": _("support"),
    "auditor": _("auditor"),
}
# With what a session was proved.
PROOFS = {
    "password": _("password"),
    "totp": _("code"),
    "recovery_code": _("recovery code"),
    "passkey": _("passkey"),
    "openid": _("OpenID provider"),
}
# What nobody means to be on a node, or in the database.
ORPHANS = {
    "domain": _("guest"),
    "volume": _("volume"),
    "image": _("image file"),
    "file": _("file"),
    "port": _("network card"),
    "attachment": _("attachment"),
    "allocation": _("place on a node"),
    "address": _("address"),
}
ORPHAN_REQUEST_TEXTS = {
    "discard": _("It is destroyed as soon as its node is there."),
    "release": _("It is put back as soon as its node is there."),
}
ORPHAN_STATE_TEXTS = {
    "found": _("It is where it was found. It is quarantined after a while, unless something stands in the way."),
    "quarantined": _("It is kept from doing harm. Nothing of it is destroyed."),
    "released": _("Somebody said that it is to stay."),
    "discarded": _("It was destroyed, because somebody said so."),
    "gone": _("It is not there any more, or something means it by now."),
}
# How it is known that a node should have a pool, and has it not.
POOL_ABSENCE_TEXTS = {
    "silent": _("had it when it was last heard."),
    "mismatch": _("has another one mounted under that name."),
    "unmounted": _("does not have it mounted, and guests on it have disks there."),
}
# What nodes should not have on them.
INCIDENTS = {
    "unknown-domain": _("A guest that nobody asked for"),
    "unknown-volume": _("A volume that nobody asked for"),
    "hook": _("Its hook does not guard libvirt"),
    "self-test": _("It has failed its self-test"),
    "connections": _("Its connection tracking table is almost full"),
    "network-rules": _("Rules that separate tenants' networks were lost"),
    "fence-broken": _("It was fenced and was at work all the same"),
    "clock": _("Its clock is not kept"),
    "evacuation-blocked": _("A guest of it that no other node may take"),
    "recovery-held": _("Too many are silent at once: it is not recovered by itself"),
    "unknown-image": _("An image that nobody asked for"),
    "missing-guest": _("A guest that should be there"),
    "missing-volume": _("A volume that should be there"),
    "missing-port": _("A network card that should be there"),
    "pool-mismatch": _("It has another pool mounted under that name"),
    "pool-shrunk": _("A pool has become smaller than what is promised of it"),
    "orphans-many": _("Many of ours that nobody means: see whether the database is the right one"),
}


def incident(kind: str) -> str | Promise:
    return INCIDENTS.get(kind, kind.replace("-", " ").replace("_", " "))
