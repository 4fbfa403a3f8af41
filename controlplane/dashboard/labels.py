"""Labels of the API's values, with a tone (colour) and an icon for each state."""

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


RESTART_POLICIES = {"on-failure": _("restart"), "never": _("keep off")}
GUEST_AGENTS = {"unknown": _("unknown"), "connected": _("connected"), "disconnected": _("not connected")}
FREQUENCIES = {"hourly": _("hourly"), "daily": _("daily"), "weekly": _("weekly"), "monthly": _("monthly")}
CONSISTENCIES = {
    "crash": _("as after a power cut: all that had been written to the disk at that moment"),
    "filesystem": _("file systems: they were frozen, or unmounted by a shutdown"),
}
METADATA_ACCESS = {"token": _("with a token"), "open": _("without a token"), "off": _("unreadable")}
WHO_READS_METADATA = _("How programs in the instance read its metadata and user data at 169.254.169.254.")
KEEP_ROOT = _("The root disk is a volume, which stays when the instance is deleted.")
WHEN_IT_FAILS = _("Action after a crash or a node failure. An instance that powers itself off stays off.")
# By type and state where a state is ambiguous, else by state.
STATE_BADGES = {
    "building": _busy(_("building")),
    "active": _good(_("active")),
    "stopped": _idle(_("stopped"), "square"),
    "error": _bad(_("error")),
    "deleted": _idle(_("deleted"), "trash-2"),
    "user.suspended": _warn(_("suspended")),
    "user.ended": _idle(_("ended"), "square"),
    # power states
    "power.running": _good(_("running")),
    "power.off": _idle(_("off"), "square"),
    "power.paused": _warn(_("paused")),
    "power.crashed": _bad(_("crashed")),
    "power.unknown": _idle(_("unknown"), "circle-help"),
    # volumes and images
    "available": _good(_("available")),
    "in-use": _good(_("in use")),
    "attachment.plugged": _good(_("attached")),
    "awaiting-upload": _warn(_("awaiting upload")),
    "importing": _busy(_("importing")),
    "verifying": _busy(_("inspecting")),
    "snapshot.building": _busy(_("being taken")),
    "snapshot-schedule.paused": _idle(_("paused"), "circle-pause"),
    # operations and their steps
    "pending": _busy(_("pending")),
    "running": _busy(_("running")),
    "changing": _busy(_("changing")),
    "undoing": _busy(_("undoing")),
    "succeeded": _good(_("succeeded")),
    "failed": _bad(_("failed")),
    "cancelled": _idle(_("cancelled"), "circle-x"),
    "done": _good(_("done")),
    "undone": _idle(_("undone")),
    "step.retrying": _warn(_("retrying")),
    "step.waiting": _idle(_("waiting")),
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
    "drain-guest.waiting": _idle(_("waiting")),
    "drain-guest.moving": _busy(_("migrating")),
    "drain-guest.stopping": _busy(_("shutting down")),
    "drain-guest.starting": _busy(_("starting")),
    "drain-guest.started": _good(_("restarted")),
    "drain-guest.moved": _good(_("migrated")),
    "drain-guest.off": _idle(_("off"), "square"),
    "drain-guest.gone": _idle(_("deleted"), "trash-2"),
    "drain-guest.left": _bad(_("not moved")),
    # migrations
    "migration.placing": _busy(_("placing")),
    "migration.preparing": _busy(_("preparing")),
    "migration.moving": _busy(_("migrating")),
    "migration.arrived": _busy(_("arrived")),
    "migration.done": _good(_("migrated")),
    "recovery-guest.waiting": _idle(_("waiting")),
    "recovery-guest.moving": _busy(_("evacuating")),
    "recovery-guest.moved": _good(_("evacuated")),
    "recovery-guest.gone": _idle(_("deleted"), "trash-2"),
    "recovery-guest.left": _idle(_("returns with the node"), "square"),
    "recovery-guest.failed": _bad(_("still down")),
    # quota requests
    "approved": _good(_("approved")),
    "refused": _bad(_("refused")),
    "withdrawn": _idle(_("withdrawn")),
    # webhooks and service accounts
    "disabled": _idle(_("disabled"), "circle-pause"),
    # requests of the audit log
    "outcome.succeeded": _good(_("done")),
    "outcome.refused": _warn(_("refused")),
    "outcome.failed": _bad(_("failed")),
    "outcome.unknown": _idle(_("unknown"), "circle-help"),
    # zones and compliance
    "open": _good(_("open")),
    "compliant": _good(_("compliant")),
    "drifted": _bad(_("drifted")),
    "zone.draining": _warn(_("draining")),
    "zone.closed": _bad(_("closed")),
    "at-risk": _warn(_("at risk")),
    "remediating": _busy(_("remediating")),
    "exempted": _warn(_("exempted")),
    # proposals, certificates and evidence
    "proposal.proposed": _warn(_("waiting for approval")),
    "proposal.approved": _busy(_("approved, not yet in force")),
    "proposal.applied": _good(_("in force")),
    "plan.proposed": _warn(_("waiting for approval")),
    "plan.approved": _busy(_("approved")),
    "plan.withdrawn": _idle(_("withdrawn")),
    "execution.running": _busy(_("being carried out")),
    "execution.paused": _warn(_("paused")),
    "plan-item.waiting": _idle(_("waiting")),
    "plan-item.moving": _busy(_("being relocated")),
    "plan-item.stays": _warn(_("stays")),
    "proven": _good(_("proven")),
    "claimed": _warn(_("declared")),
    "certificate.valid": _good(_("valid")),
    "key.valid": _good(_("valid")),
    "certificate.not-begun": _idle(_("not yet valid")),
    "suspended": _warn(_("suspended")),
    "certificate.withdrawn": _bad(_("withdrawn")),
    "expired": _bad(_("ended")),
    "key.revoked": _bad(_("revoked")),
    "overdue": _warn(_("overdue for review")),
    "incomplete": _warn(_("facts missing")),
    "unsupported": _bad(_("not supported")),
    "unsigned": _warn(_("waiting for signatures")),
    "signed": _good(_("signed")),
    "used-up": _idle(_("exhausted")),
    "over": _idle(_("ended")),
    "export.waiting": _busy(_("waiting")),
    "export.running": _busy(_("creating")),
    "export.ready": _good(_("ready")),
    "orphan.found": _warn(_("found")),
    "orphan.quarantined": _warn(_("quarantined")),
    "orphan.released": _good(_("released")),
    "orphan.discarded": _idle(_("discarded")),
    "orphan.gone": _idle(_("disappeared")),
    # incidents and conditions of nodes
    "incident.open": _bad(_("open")),
    "incident.ended": _idle(_("resolved")),
    "announcer.ready": _good(_("announces")),
    "announcer.new": _idle(_("not heard yet")),
    "announcer.uncertified": _idle(_("without certificate")),
    "announcer.silent": _bad(_("silent")),
    "announcer.refused": _bad(_("refuses the document")),
    "announcer.behind": _warn(_("announces an older version")),
    "announcer.no-session": _bad(_("without BGP session")),
    "announcer.bird-silent": _bad(_("BIRD does not run")),
    "announcer.bird-refused": _bad(_("BIRD refuses its configuration")),
    "announcer.bird-differs": _bad(_("BIRD has other routes")),
    "pool.missing": _warn(_("not mounted")),
    "pool.nearly-full": _warn(_("nearly full")),
    "storage-cluster.ok": _good(_("healthy")),
    "storage-cluster.new": _idle(_("not heard yet")),
    "storage-cluster.uncertified": _idle(_("without certificate")),
    "storage-cluster.silent": _bad(_("silent")),
    "storage-cluster.refused": _bad(_("refuses the trust documents")),
    "storage-cluster.fsid-changed": _bad(_("is another cluster")),
    "storage-cluster.fsid-taken": _bad(_("is the cluster of another entry")),
    "storage-cluster.error": _bad(_("in error")),
    "storage-cluster.degraded": _warn(_("degraded")),
    "storage-cluster.pool-missing": _bad(_("a pool is missing")),
    "storage-cluster.pool-conflict": _warn(_("name of a pool not usable")),
    "storage-cluster.pool-shrunk": _warn(_("a pool is smaller than what is allocated of it")),
    "storage-cluster.nearly-full": _warn(_("nearly full")),
    "storage-cluster.missing-volume": _bad(_("a volume is missing")),
    "storage-cluster.missing-snapshot": _bad(_("a snapshot is missing")),
    "storage-cluster.receipt-invalid": _bad(_("a receipt is wrong")),
    "storage-cluster.node-not-fenced": _warn(_("a node cannot be fenced by its addresses")),
    "cordoned": _warn(_("cordoned")),
    "unattested": _bad(_("not attested")),
    "maintenance.active": _warn(_("in force")),
    "maintenance.coming": _idle(_("scheduled")),
    "maintenance.ended": _idle(_("ended")),
    "quota.pending": _warn(_("waiting for a response")),
}


def state_badge(state: str, of: str = "") -> StateBadge:
    """Return the badge of a state; an unknown state is shown unchanged."""
    badge = STATE_BADGES.get(f"{of}.{state}") or STATE_BADGES.get(state)
    return badge or _idle(state.replace("-", " ").replace("_", " "))


# Labels of operations by kind.
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
    "instance.migrate": _("Migrate instance"),
    "instance.relocate": _("Relocate instance"),
    "instance.evacuate": _("Evacuate instance"),
    "instance.snapshot": _("Take snapshots of instance"),
    "port.attach": _("Attach port"),
    "port.detach": _("Detach port"),
    "volume.create": _("Create volume"),
    "volume.delete": _("Delete volume"),
    "volume.attach": _("Attach volume"),
    "volume.detach": _("Detach volume"),
    "volume.grow": _("Grow volume"),
    "volume.move": _("Move volume to another place"),
    "volume.relocate": _("Relocate volume"),
    "volume.retype": _("Change type of volume"),
    "volume.revert": _("Revert volume to snapshot"),
    "snapshot.create": _("Take snapshot"),
    "snapshot.delete": _("Delete snapshot"),
    "image.import": _("Import image"),
    "node.fence": _("Fence node"),
    "image.verify": _("Inspect image"),
    "image.delete": _("Delete image"),
}

# Classes of operations and effects of maintenance rules.
OPERATION_CLASS_LABELS = {
    "*": _("All operations"),
    "instance.*": _("Instance operations"),
    "port.*": _("Port operations"),
    "volume.*": _("Volume operations"),
    "snapshot.*": _("Snapshot operations"),
    "image.*": _("Image operations"),
}
MAINTENANCE = {
    "pause": _("pause (accepted, starts later)"),
    "reject": _("reject"),
    "accept": _("accept"),
}


# Kinds of fence evidence.
FENCE_EVIDENCE = {
    "power": _("Power: the BMC powers the node off"),
    "lease": _("Lease: the node has stopped its instances (self-fencing)"),
    "attestation": _("Attestation: I have checked that the node is off and unplugged"),
}
STORAGE_FENCE_PROBLEMS = {
    "no-address": _("No address of the node is known."),
    "shared-address": _("Another node has one of the addresses too; it is not refused."),
    "agent-address": _("An address is that of the storage agent's own machine; it is not refused."),
    "refused": _("The storage cluster refused to fence the addresses."),
}
# Planned actions of a drain.
PLANNED = {
    "migrate": _("migrates to another node"),
    "stop": _("shut down, restarted when the node returns to service"),
    "stop-off": _("shut down, would stay off"),
    "stay": _("stays (off)"),
    "wait": _("busy, planned afterwards"),
    "leave": _("cannot be moved, continues to run"),
}
# Planned actions of a recovery.
RECOVERED = {
    "evacuate": _("evacuated to another node"),
    "stay": _("returns with the node"),
    "wait": _("busy, planned afterwards"),
}
FALLBACKS = {"leave": _("keep running"), "stop": _("shut down")}
ADMIN_STATE_TEXTS = {
    "cordoned": _("Closed to new placements."),
    "draining": _("Instances are being moved to other nodes. Closed to new placements."),
    "maintenance": _("In maintenance: no instance runs or starts on this node."),
    "fenced": _("Fenced: the node is proven to do nothing any more."),
    "retired": _("Permanently retired."),
}


def operation_class_label(kind: str) -> str | Promise:
    return OPERATION_CLASS_LABELS.get(kind) or operation_label(kind)


def operation_label(kind: str) -> str | Promise:
    return OPERATION_LABELS.get(kind, kind)


def operation_title(operation: Mapping[str, Any]) -> str:
    """Return an operation's label with its resource."""
    return gettext("{operation}: {name}").format(operation=operation_label(operation["kind"]), name=subject(operation))


def subject(operation: Mapping[str, Any]) -> str:
    """Return the name of the operation's resource at the time, or the end of its id."""
    return operation["resource_name"] or f"…{operation['resources'][0][-12:]}"


# Roles in an organization and on the platform.
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
# Sign-in methods of a session.
PROOFS = {
    "password": _("password"),
    "totp": _("code"),
    "recovery_code": _("recovery code"),
    "passkey": _("passkey"),
    "openid": _("OpenID provider"),
}
# Types of orphaned resources.
ORPHANS = {
    "domain": _("guest"),
    "volume": _("volume"),
    "snapshot": _("snapshot"),
    "image": _("image file"),
    "file": _("file"),
    "port": _("network interface"),
    "attachment": _("attachment"),
    "allocation": _("allocation"),
    "address": _("address"),
}
ORPHAN_REQUEST_TEXTS = {
    "discard": _("Deletion is pending until the node or storage cluster is reachable."),
    "release": _("Release is pending until the node or storage cluster is reachable."),
}
ORPHAN_STATE_TEXTS = {
    "found": _("Unchanged. On a node, quarantine follows after a delay, unless it is blocked."),
    "quarantined": _("Isolated. Nothing is deleted."),
    "released": _("Released by an operator."),
    "discarded": _("Deleted by an operator."),
    "gone": _("No longer found, or now expected."),
}
# Reasons why a node lacks a pool.
POOL_ENGINES = {"folder": _("mounted file system"), "rbd": _("Ceph RBD")}
POOL_ABSENCE_TEXTS = {
    "silent": _("had it mounted at its last heartbeat."),
    "mismatch": _("has another pool mounted under that name."),
    "unmounted": _("does not have it mounted, but its instances have disks there."),
}
# Kinds of incidents.
INCIDENTS = {
    "unknown-domain": _("Orphaned guest"),
    "unknown-volume": _("Orphaned volume"),
    "hook": _("libvirt hook not active"),
    "self-test": _("Self-test failed"),
    "connections": _("Connection tracking table almost full"),
    "network-rules": _("Network isolation rules were lost"),
    "port-rules": _("Security groups are not applied"),
    "metadata-refused": _("Instance metadata refused by the node"),
    "fence-broken": _("Fenced node was active"),
    "clock": _("Clock not synchronized"),
    "evacuation-blocked": _("Instance without a valid node for evacuation"),
    "recovery-held": _("Too many nodes unreachable: automatic recovery is suspended"),
    "unknown-image": _("Orphaned image"),
    "missing-guest": _("Missing guest"),
    "missing-volume": _("Missing volume"),
    "missing-snapshot": _("Missing snapshot"),
    "missing-port": _("Missing network interface"),
    "pool-mismatch": _("Another pool is mounted under that name"),
    "pool-shrunk": _("Storage pool is smaller than its allocations"),
    "orphans-many": _("Too many orphaned resources: check that the database is the right one"),
}


def incident(kind: str) -> str | Promise:
    return INCIDENTS.get(kind, kind.replace("-", " ").replace("_", " "))


RULES_STATES = {
    "applied": _("the node applies all rules"),
    "unsupported": _("the software of the node is too old and filters nothing"),
    "pending": _("changed rules are on their way to the node"),
}
RULES_REASONS = {
    "no-node": _("applied when a node has the instance"),
    "node-silent": _("the node does not answer, and applies the earlier rules"),
    "node-problem": _("the node has a problem with the rules, and tries again"),
}


FAMILIES = {"ipv4": "IPv4", "ipv6": "IPv6"}
POOL_PURPOSES = {"addresses": _("public addresses"), "subnets": _("IPv6 subnets")}
PUBLIC_ADDRESS_STATES = {
    "detached": _("detached"),
    "pending": _("on its way to the node"),
    "applied": _("in use"),
    "suspended": _("suspended by an operator"),
}
PUBLIC_ADDRESS_REASONS = {
    "no-node": _("in use when a node has the instance"),
    "node-silent": _("the node does not answer"),
    "node-problem": _("the node has a problem with its rules, and tries again"),
    "node-outdated": _("the software of the node is too old for public addresses"),
}


def public_address(address: Mapping[str, Any]) -> str | Promise:
    """Return the state of a public address, and why it is pending, as a text."""
    return PUBLIC_ADDRESS_REASONS.get(address["reason"]) or PUBLIC_ADDRESS_STATES[address["state"]]


def applied_rules(rules: Mapping[str, Any] | None) -> str | Promise:
    """Return whether a port's node applies its rules, as a text."""
    if rules is None:
        return ""
    return RULES_REASONS.get(rules["reason"]) or RULES_STATES.get(rules["state"], rules["state"])
