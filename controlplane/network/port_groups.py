"""Security groups of ports, and the state of their rules at the nodes."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.postgres.aggregates import BoolAnd
from django.db.models import Q

from andromede_core.documents.signed import read
from andromede_core.permits.network_ports import MAX_GROUPS
from controlplane.identity.models import Project
from controlplane.kernel import clock
from controlplane.network import port_rules
from controlplane.network.errors import (
    SecurityGroupNotFound,
    SecurityGroupsTooMany,
    SecurityGroupsUnsupported,
)
from controlplane.network.group_rows import insert_into_default, insert_pairs
from controlplane.network.models import (
    Port,
    PortBinding,
    PortRulesCopy,
    PortRulesDocument,
    PortSecurityGroup,
    SecurityGroup,
    SecurityGroupRule,
)
from controlplane.network.port_rules_content import port_facts
from controlplane.network.security_groups import default_group
from controlplane.network.segments import trusted_keys
from controlplane.network.selected_groups import selected_groups_refresh
from controlplane.nodes.models import Node


def check_groups(groups: Collection[SecurityGroup]) -> None:
    """Check the number of groups of a port. Raises SecurityGroupsTooMany."""
    if len(groups) > MAX_GROUPS:
        raise SecurityGroupsTooMany(field="security_groups", limit=MAX_GROUPS, count=len(groups))


def port_groups_insert(ports: Sequence[UUID], groups: Sequence[SecurityGroup]) -> None:
    """Put all these new ports into all these groups. Inside the caller's transaction.

    Raises:
        SecurityGroupNotFound: a group has just been deleted.
    """
    pairs = [(port, group.pk) for port in ports for group in groups]
    if insert_pairs(pairs) != len(pairs):
        raise SecurityGroupNotFound(field="security_groups", name=", ".join(group.name for group in groups))


def port_groups_begin(
    project: Project, ports: Sequence[UUID], groups: Sequence[SecurityGroup] | None, *, taken: Sequence[UUID] = ()
) -> None:
    """Put new ports of the project into these groups; None: into its default group. Inside the caller's transaction.

    Then write which selectors select them, and the `taken` ports, whose instance is new.

    Raises:
        SecurityGroupNotFound: a group has just been deleted.
    """
    is_locked = bool(ports) and groups is None and insert_into_default(project.pk, ports)
    if ports and not is_locked:
        port_groups_insert(ports, [default_group(project)] if groups is None else groups)
    if ports or taken:
        selected_groups_refresh(project.pk, ports=[*ports, *taken], is_locked=is_locked)


def port_groups_set(ports: Sequence[Port], groups: Sequence[SecurityGroup]) -> None:
    """Give the ports these groups in place of those that they have; without any nothing passes.

    Groups that have the ports by their selector stay. Inside the caller's transaction. The nodes apply it within
    moments.

    Raises:
        SecurityGroupsTooMany, SecurityGroupNotFound
        SecurityGroupsUnsupported: the agent of a port's node is older than security groups.
    """
    check_groups(groups)
    ids = [port.pk for port in ports]
    locked = list(Port.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk"))
    nodes = Node.objects.filter(portbinding__port__in=ids).distinct()
    if any(port_rules.FILTERS not in node.traits for node in nodes):
        raise SecurityGroupsUnsupported()
    former = PortSecurityGroup.objects.filter(port__in=ids, is_selected=False)
    left = set(former.values_list("group", flat=True)) - {group.pk for group in groups}
    former.delete()
    port_groups_insert(ids, groups)
    Port.objects.filter(pk__in=ids).update(is_filtered=True, updated_at=clock.now())
    for project_id in {port.project_id for port in locked if not port.is_filtered}:
        selected_groups_refresh(project_id, ports=ids)
    for port in ports:
        for zone in {node.zone_id for node in nodes}:
            port_rules.request_port_rules(port.pk, zone)
    for group in left:
        port_rules.request_group(group)


def ports_unfilter(instance_id: UUID) -> int:
    """Take the groups from the ports that came with the instance: all their traffic passes. Returns how many had some.

    Inside the caller's transaction.
    """
    rows = Port.objects.filter(instance_id=instance_id, is_own=False, is_filtered=True)
    PortSecurityGroup.objects.filter(port__in=rows).delete()
    return rows.update(is_filtered=False, updated_at=clock.now())


@dataclass(frozen=True)
class AppliedRules:
    """State of a port's rules at its nodes.

    `state`: pending, applied or unsupported (the node's agent is older than security groups, so nothing is filtered).
    `version`: the newest of the documents that decide about the port; 0: none is signed yet. `reason`: why it is
    pending, see REASONS. `node`: the node that is behind.
    """

    state: str
    version: int = 0
    reason: str = ""
    node: Node | None = None


RULES_STATES = ("pending", "applied", "unsupported")
# no-node: nothing carries the port; signing: documents of the last change are being signed; sending: the node gets
# them; node-silent: it does not answer; node-problem: it could not apply them, and tries again.
REASONS = ("", "no-node", "signing", "sending", "node-silent", "node-problem")


@dataclass(frozen=True)
class GroupOfPort:
    """A group that a port is in. `is_selected`: by the selector of the group alone."""

    id: UUID
    name: str
    is_selected: bool


def groups_of(ports: Iterable[UUID]) -> Mapping[UUID, list[GroupOfPort]]:
    """Return the groups of each port, in the order of their names."""
    groups: dict[UUID, list[GroupOfPort]] = defaultdict(list)
    rows = PortSecurityGroup.objects.filter(port__in=list(ports)).values_list("port", "group", "group__name")
    for port, *group in rows.annotate(is_alone=BoolAnd("is_selected")).order_by("group__name"):
        groups[port].append(GroupOfPort(*group))
    return groups


def applied_rules(ports: Sequence[Port]) -> Mapping[UUID, AppliedRules | None]:
    """Return the state of each port's rules; None for a port that is not filtered."""
    known = applied_documents([port for port in ports if port.is_filtered])
    return {port.pk: known.get(port.pk) for port in ports}


def applied_documents(ports: Sequence[Port]) -> Mapping[UUID, AppliedRules]:
    """Return whether each port's node has all signed documents of the port as they are now."""
    known = _Known(ports)
    return {port.pk: known.of(port) for port in ports}


class _Known:
    """The bindings, groups, documents and copies of several ports, read at once."""

    def __init__(self, ports: Sequence[Port]) -> None:
        self.nodes: dict[UUID, list[Node]] = defaultdict(list)
        for binding in PortBinding.objects.filter(port__in=ports).select_related("node"):
            self.nodes[binding.port_id].append(binding.node)
        self.groups = groups_of(port.pk for port in ports)
        self.facts = port_facts(port.pk for port in ports)
        own = {group.id for groups in self.groups.values() for group in groups}
        self.named: dict[UUID, set[UUID]] = defaultdict(set)
        peers = SecurityGroupRule.objects.filter(group__in=own, peer_group__isnull=False)
        for group, peer in peers.values_list("group", "peer_group").distinct():
            self.named[group].add(peer)
        needed = own.union(*self.named.values())
        of_these = Q(network__in={port.network_id for port in ports}) | Q(group__in=needed)
        trusted = trusted_keys()
        rows = PortRulesDocument.objects.filter(of_these, version__gt=0).select_related("group")
        self.documents = {(row.network_id or row.group_id, row.zone_id): row for row in rows if row.key_id in trusted}
        self.copies = {
            (copy.document_id, copy.node_id): copy
            for copy in PortRulesCopy.objects.filter(document__in=[row.pk for row in self.documents.values()])
        }
        self._payloads: dict[UUID, Mapping[str, Any]] = {}

    def of(self, port: Port) -> AppliedRules:
        """Return the worst of the port's nodes: two carry it while its guest migrates."""
        per_node = [self._on(port, node) for node in self.nodes[port.pk]]
        order = ("unsupported", "pending", "applied")
        return min(
            per_node, key=lambda each: order.index(each.state), default=AppliedRules("pending", reason="no-node")
        )

    def _on(self, port: Port, node: Node) -> AppliedRules:
        if port_rules.FILTERS not in node.traits:
            return AppliedRules("unsupported", node=node)
        own = [group.id for group in self.groups[port.pk]]
        needed = {port.network_id, *own, *(peer for group in own for peer in self.named[group])}
        documents = [self.documents.get((each, node.zone_id)) for each in needed]
        present = [each for each in documents if each is not None]
        version = max((each.version for each in present), default=0)
        if len(present) < len(needed) or not self._is_signed(port, node, present):
            return AppliedRules("pending", version, "signing", node)
        copies = [self.copies.get((each.pk, node.pk)) for each in present]
        if any(copy is not None and copy.problem for copy in copies):
            return AppliedRules("pending", version, "node-problem", node)
        pairs = zip(present, copies, strict=True)
        if all(copy is not None and copy.version >= document.version for document, copy in pairs):
            return AppliedRules("applied", version, node=node)
        return AppliedRules("pending", version, "node-silent" if node.state == "unreachable" else "sending", node)

    def _is_signed(self, port: Port, node: Node, documents: Sequence[PortRulesDocument]) -> bool:
        """Tell if the documents say what the rows say."""
        for document in documents:
            if document.group is not None and document.group_generation != document.group.generation:
                return False
            if document.network_id is not None and not port_rules.is_listed(
                self._payload(document), port, node.pk, self.facts[port.pk]
            ):
                return False
        return True

    def _payload(self, document: PortRulesDocument) -> Mapping[str, Any]:
        if document.pk not in self._payloads:
            self._payloads[document.pk] = read(bytes(document.document)).payload
        return self._payloads[document.pk]
