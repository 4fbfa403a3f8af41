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
_SECURITY_RULE = ("rule", "direction", "family", "protocol", "ports", "icmp", "cidrs", "peer_group", "address_set")
_ORPHAN = ("what", "node", "storage_cluster", "pool", "size_bytes")
KINDS: Mapping[str, Kind] = {
    "operation.pending": Kind("A change that takes time was accepted.", _OPERATION),
    "operation.succeeded": Kind("The operation succeeded.", _OPERATION),
    "operation.failed": Kind("The operation failed and was undone; `error` has the reason.", (*_OPERATION, "error")),
    "operation.cancelled": Kind("The operation was cancelled by a user and undone.", _OPERATION),
    "operation.resolved": Kind(
        "An operator ended the operation without a node that no longer answers.", (*_OPERATION, "reason")
    ),
    "instance.created": Kind("Creation of an instance was requested.", ("flavor",)),
    "instance.active": Kind("The instance runs."),
    "instance.stopped": Kind("The instance is powered off."),
    "instance.error": Kind("The instance could not be created."),
    "instance.updated": Kind("The name or the labels of the instance changed."),
    "instance.deleted": Kind("The instance is deleted."),
    "volume.created": Kind("Creation of a volume was requested.", ("size_gib",)),
    "volume.available": Kind("The volume exists and is not attached."),
    "volume.in-use": Kind("The volume is attached to an instance."),
    "volume.error": Kind("The volume could not be created."),
    "volume.updated": Kind("The name or the labels of the volume changed."),
    "volume.deleted": Kind("The volume is deleted."),
    "snapshot.created": Kind("A snapshot of a volume was requested.", ("volume", "size_gib", "consistency", "group")),
    "snapshot.available": Kind("The snapshot was taken, and can be reverted to or made a volume of."),
    "snapshot.error": Kind("The snapshot could not be taken."),
    "snapshot.updated": Kind("The name, the labels or the expiry of the snapshot changed."),
    "snapshot.deleted": Kind("The snapshot is deleted."),
    "snapshot_schedule.created": Kind("A snapshot schedule was created."),
    "snapshot_schedule.updated": Kind("The snapshot schedule changed."),
    "snapshot_schedule.deleted": Kind("The snapshot schedule is deleted; its snapshots stay."),
    "snapshot_schedule.missed": Kind(
        "Snapshots of a schedule were not taken; `error` has the reason, if a snapshot was refused.",
        ("planned_at", "times", "volume", "error"),
    ),
    "image.created": Kind("An image was created; its file is not uploaded yet.", ("format",)),
    "image.verifying": Kind("The file of the image was received and is being checked."),
    "image.available": Kind("The image can be used."),
    "image.error": Kind("The file of the image was refused or could not be downloaded."),
    "image.updated": Kind("The name or the labels of the image changed."),
    "image.deleted": Kind("The image is deleted."),
    "network.created": Kind("A network was created.", ("cidr", "ipv6_cidr")),
    "network.updated": Kind("The name or the labels of the network changed."),
    "network.deleted": Kind("The network is deleted."),
    "subnet.created": Kind("A subnet of a network was created.", ("cidr", "ipv6_cidr", "network")),
    "subnet.updated": Kind(
        "The name, the labels, the reserved ranges or the IPv6 range of the subnet changed.", ("ipv6_cidr", "network")
    ),
    "subnet.deleted": Kind("The subnet is deleted.", ("cidr", "network")),
    "port.created": Kind("A port was created.", ("network", "addresses")),
    "port.updated": Kind(
        "The name, the labels, the addresses, the security groups or the bandwidth of the port changed.",
        ("groups", "to_guest_mbit", "from_guest_mbit"),
    ),
    "port.deleted": Kind("The port is deleted."),
    "security_group.created": Kind("A security group was created.", ("selector",)),
    "security_group.updated": Kind(
        "The name, the description, the labels or the selector of the security group changed.", ("selector",)
    ),
    "security_group.deleted": Kind("The security group is deleted."),
    "security_group.rule-added": Kind("A rule was added to the security group.", _SECURITY_RULE),
    "security_group.rule-removed": Kind("A rule was removed from the security group.", _SECURITY_RULE),
    "address_set.created": Kind("An address set was created."),
    "address_set.updated": Kind("The name, the description, the labels or the ranges of the address set changed."),
    "address_set.deleted": Kind("The address set is deleted."),
    "instance.security-groups": Kind("The ports of the instance got other security groups.", ("groups",)),
    "public_address.created": Kind("A public address was reserved.", ("ip", "pool")),
    "public_address.updated": Kind("The name, the labels or the reverse name of the public address changed.", ("ptr",)),
    "public_address.deleted": Kind("The public address was released.", ("ip",)),
    "public_address.attached": Kind(
        "The public address was attached to a port or a network, or moved to another one.",
        ("ip", "port", "instance", "network", "mode", "fixed_ip", "moved_from"),
    ),
    "public_address.detached": Kind(
        "The public address was detached from its port or network.", ("ip", "port", "instance", "network")
    ),
    "public_address.gateway-changed": Kind(
        "Another node translates what leaves the network; open connections by the egress address end.",
        ("ip", "network"),
    ),
    "public_address.suspended": Kind("An operator withdrew the public address.", ("ip", "reason")),
    "public_address.resumed": Kind("The public address is in use again after a suspension.", ("ip",)),
    "instance.unfiltered": Kind(
        "The new instance is on a node whose agent is of an earlier release: no security group filters its ports."
    ),
    "ssh_key.created": Kind("An SSH key was added.", ("fingerprint",)),
    "ssh_key.updated": Kind("The name or the labels of the SSH key changed."),
    "ssh_key.deleted": Kind("The SSH key is deleted."),
    "affinity_group.created": Kind("An affinity group was created.", ("rule",)),
    "affinity_group.updated": Kind("The name or the labels of the affinity group changed."),
    "affinity_group.deleted": Kind("The affinity group is deleted."),
    "policy.changed": Kind("A new version of a policy is in force.", ("level", "owner", "version", "change")),
    "policy.proposed": Kind("A relaxation of a policy was proposed.", ("level", "owner", "change")),
    "policy.approved": Kind("A proposal was approved; it comes into force later.", ("level", "owner", "change")),
    "policy.withdrawn": Kind("A proposal was withdrawn.", ("level", "owner", "change")),
    "exemption.requested": Kind("An exemption from a policy was requested.", ("zone",)),
    "exemption.approved": Kind("An exemption was approved.", ("zone",)),
    "exemption.used": Kind("An exemption was used.", ("zone",)),
    "drift.found": Kind(
        "The placement of data violates a policy, or soon will.",
        ("was", "state", "zone", "since", "noticed_at", "fails_at", "warned_days", "action"),
    ),
    "drift.ended": Kind("The placement complies again, or the data is deleted.", ("was", "state", "zone")),
    "remediation.proposed": Kind("A remediation plan against drift awaits approval.", ("resources",)),
    "remediation.approved": Kind("A remediation plan was approved."),
    "remediation.begun": Kind("The execution of a remediation plan was begun, or resumed."),
    "remediation.paused": Kind(
        "The execution of a remediation plan was paused: nothing new begins. `reason`: why it paused itself.",
        ("reason",),
    ),
    "webhook.created": Kind("A webhook was created."),
    "webhook.updated": Kind("The webhook was changed."),
    "webhook.rotated": Kind("The webhook has a new secret."),
    "webhook.disabled": Kind("The webhook was disabled: its receiver accepts no deliveries.", ("reason",)),
    "webhook.deleted": Kind("The webhook is deleted."),
    "webhook.pinged": Kind(
        "A test delivery was requested. Sent to that webhook alone, whatever kinds it subscribes to."
    ),
    "node.enrolled": Kind("For operators: a node was enrolled.", ("zone",)),
    "node.certified": Kind("For operators: a node's certificate was renewed.", ("zone",)),
    "announcer.created": Kind("For operators: an announcer of public addresses was added.", ("zone",)),
    "announcer.certified": Kind("For operators: an announcer got a certificate.", ("zone",)),
    "announcer.deleted": Kind("For operators: an announcer was deleted.", ("zone",)),
    "storage_cluster.created": Kind("For operators: a storage cluster was added.", ("zone",)),
    "storage_cluster.certified": Kind("For operators: a storage cluster's agent got a certificate.", ("zone",)),
    "storage_cluster.deleted": Kind("For operators: a storage cluster was deleted.", ("zone",)),
    "node.ready": Kind("For operators: the node sends heartbeats again.", ("zone",)),
    "node.unreachable": Kind("For operators: the node sends no heartbeats.", ("zone",)),
    "node.cordoned": Kind("For operators: the node is cordoned; nothing new is placed on it.", ("reason",)),
    "node.uncordoned": Kind("For operators: the node accepts new instances again."),
    "node.draining": Kind("For operators: a drain of the node began.", ("reason", "guests", "fallback")),
    "node.drain-progress": Kind("For operators: guests of the drain left the node or failed to.", ("states",)),
    "node.drain-paused": Kind("For operators: the drain is paused."),
    "node.drain-resumed": Kind("For operators: the drain goes on; guests that failed to leave are retried."),
    "node.drain-blocked": Kind("For operators: guests remain on the node that could not leave it.", ("states",)),
    "node.drain-cancelled": Kind("For operators: the drain was cancelled; the node is cordoned."),
    "node.maintenance": Kind("For operators: the node is in maintenance; no guest runs on it.", ("reason",)),
    "node.returned": Kind("For operators: the node returned to service after maintenance."),
    "node.retired": Kind("For operators: the node was retired for good.", ("reason",)),
    "node.recovering": Kind(
        "For operators: recovery of a dead node began; its guests are evacuated.", ("reason", "guests")
    ),
    "node.recovery-progress": Kind("For operators: guests of the recovery were evacuated or cannot be.", ("states",)),
    "node.recovery-blocked": Kind("For operators: no other node can host some of the guests now.", ("states",)),
    "node.recovered": Kind("For operators: every guest that can run elsewhere was evacuated.", ("states",)),
    "node.fenced": Kind("For operators: the node is fenced: evidence shows that it runs nothing.", ("reason",)),
    "node.bmc-set": Kind("For operators: the BMC of the node was configured."),
    "node.bmc-removed": Kind("For operators: the BMC configuration of the node was removed."),
    "maintenance.begun": Kind("For operators: a maintenance rule was created.", ("pattern", "action", "reason")),
    "maintenance.ended": Kind("For operators: a maintenance rule was ended.", ("pattern", "action", "reason")),
    "orphan.found": Kind(
        "For operators: an orphaned resource was found on a node, in a storage cluster or in the database.", _ORPHAN
    ),
    "orphan.quarantined": Kind("For operators: the orphaned resource is isolated; nothing of it is deleted.", _ORPHAN),
    "orphan.released": Kind(
        "For operators: the orphaned resource was released from quarantine and stays.", (*_ORPHAN, "reason")
    ),
    "orphan.discarded": Kind(
        "For operators: the orphaned resource was deleted on an operator's decision.", (*_ORPHAN, "reason")
    ),
    "orphan.gone": Kind("For operators: the orphaned resource no longer exists or is no longer orphaned.", _ORPHAN),
    "incident.reported": Kind(
        "For operators: there is an incident of a node, an announcer or a storage cluster.", ("incident", "facts")
    ),
}
PING = "webhook.pinged"

# State machines whose transitions are published; the others are internal.
MOVES = frozenset({"instance", "volume", "snapshot", "image"})

# Audit entries that are also published. A request for a change of state is not: the transition is.
DEEDS: Mapping[str, str] = {
    "instance.create": "instance.created",
    "instance.update": "instance.updated",
    "volume.create": "volume.created",
    "volume.update": "volume.updated",
    "snapshot.create": "snapshot.created",
    "snapshot.update": "snapshot.updated",
    "image.create": "image.created",
    "image.update": "image.updated",
    "network.create": "network.created",
    "network.update": "network.updated",
    "network.delete": "network.deleted",
    "subnet.create": "subnet.created",
    "subnet.update": "subnet.updated",
    "subnet.delete": "subnet.deleted",
    "port.create": "port.created",
    "port.update": "port.updated",
    "port.delete": "port.deleted",
    "security_group.create": "security_group.created",
    "security_group.update": "security_group.updated",
    "security_group.delete": "security_group.deleted",
    "address_set.create": "address_set.created",
    "address_set.update": "address_set.updated",
    "address_set.delete": "address_set.deleted",
    "security_group.rule-add": "security_group.rule-added",
    "security_group.rule-remove": "security_group.rule-removed",
    "instance.security-groups": "instance.security-groups",
    "public_address.create": "public_address.created",
    "public_address.update": "public_address.updated",
    "public_address.delete": "public_address.deleted",
    "public_address.attach": "public_address.attached",
    "public_address.detach": "public_address.detached",
    "public_address.gateway": "public_address.gateway-changed",
    "public_address.suspend": "public_address.suspended",
    "public_address.resume": "public_address.resumed",
    "snapshot_schedule.create": "snapshot_schedule.created",
    "snapshot_schedule.update": "snapshot_schedule.updated",
    "snapshot_schedule.delete": "snapshot_schedule.deleted",
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
    "remediation.execute": "remediation.begun",
    "remediation.pause": "remediation.paused",
    "webhook.create": "webhook.created",
    "webhook.update": "webhook.updated",
    "webhook.rotate": "webhook.rotated",
    "webhook.disable": "webhook.disabled",
    "webhook.delete": "webhook.deleted",
    "operation.resolve": "operation.resolved",
    "maintenance.create": "maintenance.begun",
    "maintenance.end": "maintenance.ended",
    "node.enrol": "node.enrolled",
    "node.certify": "node.certified",
    "announcer.create": "announcer.created",
    "announcer.certify": "announcer.certified",
    "announcer.delete": "announcer.deleted",
    "storage_cluster.create": "storage_cluster.created",
    "storage_cluster.certify": "storage_cluster.certified",
    "storage_cluster.delete": "storage_cluster.deleted",
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
