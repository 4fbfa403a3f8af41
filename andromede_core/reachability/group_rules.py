"""Verdicts of a port's security groups about traffic. The rules mean what nodes make of them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import Any

from andromede_core.documents.messages import Message
from andromede_core.permits.security_group import Rule, SecurityGroup
from andromede_core.reachability.destinations import refused_by_default
from andromede_core.reachability.question import APPLIED, UNSUPPORTED, Address, End, Question, Traffic
from andromede_core.reachability.steps import ALLOWED, REFUSED, UNKNOWN, Step

ECHO = {4: ("icmp", 8), 6: ("icmpv6", 128)}  # protocol and type of an echo request
FAMILY = {4: "ipv4", 6: "ipv6"}
EVERYWHERE = {4: IPv4Network("0.0.0.0/0"), 6: IPv6Network("::/0")}
KINDS = {"out": "egress", "in": "ingress"}
PENDING_TEXTS = {
    "no-node": Message("no node carries the port"),
    "signing": Message("the change is being signed"),
    "sending": Message("the change is on its way"),
    "node-silent": Message("the node does not answer"),
    "node-problem": Message("the node could not apply it"),
}


@dataclass(frozen=True, slots=True)
class _Found:
    """A rule that allows the traffic. `is_partial`: for some of the addresses that are meant."""

    group: str
    rule: Rule
    is_partial: bool


def judged(question: Question, port: End, direction: str, peer: Address | None, version: int) -> Step:
    """Return what the port's groups say of the traffic. `peer` None: any address outside."""
    kind, name = KINDS[direction], port.name
    if port.groups is None:
        text = Message("The port {port} is older than security groups and is not filtered.", port=name)
        return Step(kind, ALLOWED, text, port.id)
    if port.rules == UNSUPPORTED:
        text = Message(
            "The node of the port {port} has an agent of an earlier release, which filters nothing.", port=name
        )
        return Step(kind, ALLOWED, text, port.id)
    step = _by_rules(question, port, direction, peer, version)
    return step if port.rules == APPLIED else _pending(step, port)


def _by_rules(question: Question, port: End, direction: str, peer: Address | None, version: int) -> Step:
    match = _best(question, port, direction, peer, version)
    if match is None:
        return _refusal(question, port, direction, peer, version)
    facts = {"group": question.names.get(match.group, match.group), "port": port.name}
    if not match.is_partial:
        text = (
            Message("A rule of the security group {group} lets the port {port} send it.", **facts)
            if direction == "out"
            else Message("A rule of the security group {group} lets the port {port} receive it.", **facts)
        )
        return Step(KINDS[direction], ALLOWED, text, port.id, match.group, match.rule.id)
    text = Message("A rule of the security group {group} allows it for some addresses outside only.", **facts)
    remedy = Message("Repeat the request with the address as `source` or `target`, in place of outside.")
    return Step(KINDS[direction], UNKNOWN, text, port.id, match.group, match.rule.id, remedy)


def _refusal(question: Question, port: End, direction: str, peer: Address | None, version: int) -> Step:
    kind, groups = KINDS[direction], port.groups or ()
    facts: dict[str, Any] = {
        "direction": direction,
        "traffic": traffic_text(question.traffic, version),
        "peer": peer or EVERYWHERE[version],
    }
    if not groups:
        text = Message("The port {port} has no security group, so nothing passes.", port=port.name)
        remedy = Message(
            "Give the port {port} a security group with a rule: direction {direction}, {traffic}, peer {peer}.",
            port=port.name,
            **facts,
        )
        return Step(kind, REFUSED, text, port.id, remedy=remedy)
    names = ", ".join(sorted(question.names.get(group, group) for group in groups))
    text = (
        Message(
            "No rule of the security groups of the port {port} ({groups}) lets it send this.",
            port=port.name,
            groups=names,
        )
        if direction == "out"
        else Message(
            "No rule of the security groups of the port {port} ({groups}) lets it receive this.",
            port=port.name,
            groups=names,
        )
    )
    group = min(groups, key=lambda each: question.names.get(each, each))
    remedy = Message(
        "Add a rule to the security group {group}: direction {direction}, {traffic}, peer {peer}.",
        group=question.names.get(group, group),
        **facts,
    )
    return Step(kind, REFUSED, text, port.id, remedy=remedy)


def _pending(step: Step, port: End) -> Step:
    """Return the step of newest rules that the node does not apply yet."""
    why = PENDING_TEXTS.get(port.rules, Message("the reason is not known"))
    text = Message("{finding} The node does not apply the newest rules yet: {why}.", finding=step.text, why=why)
    remedy = Message("Repeat the request in a few seconds. If the answer is the same, ask an operator about the node.")
    return Step(step.kind, UNKNOWN, text, step.port, step.group, step.rule, remedy)


def traffic_text(traffic: Traffic, version: int) -> Message:
    """Return the members of a rule for this traffic, as text."""
    protocol = ECHO[version][0] if traffic.protocol == "icmp" else traffic.protocol
    if traffic.port is None:
        return Message("protocol {protocol}", protocol=protocol)
    return Message("protocol {protocol}, port {port}", protocol=protocol, port=traffic.port)


# ---- rules


def _best(question: Question, port: End, direction: str, peer: Address | None, version: int) -> _Found | None:
    """Return a rule that allows the traffic for all addresses meant, else one that does so for some of them."""
    partial: list[_Found] = []
    for group, rule in _rules(port.groups or (), question.groups):
        if rule.direction == direction and rule.family == FAMILY[version] and covers(rule, question.traffic, version):
            fits = _fits(rule, peer, port.network.id, question.groups)
            if fits is not None:
                match = _Found(group, rule, is_partial=not fits)
                if fits:
                    return match
                partial.append(match)
    cidrs: list[Any] = [cidr for match in partial for cidr in match.rule.cidrs or ()]
    if EVERYWHERE[version] in collapse_addresses(cidrs):
        return _Found(partial[0].group, partial[0].rule, is_partial=False)
    return next(iter(partial), None)


def _rules(groups: Iterable[str], known: Mapping[str, SecurityGroup]) -> Iterator[tuple[str, Rule]]:
    for group in sorted(groups):
        if group in known:
            yield from ((group, rule) for rule in sorted(known[group].rules, key=lambda rule: rule.id))


def covers(rule: Rule, traffic: Traffic, version: int) -> bool:
    """Tell if the rule is about all of this traffic."""
    if rule.protocol == "any":
        return True
    if traffic.protocol == "icmp":
        protocol, kind = ECHO[version]
        return rule.protocol == protocol and (rule.icmp is None or (rule.icmp[0] == kind and rule.icmp[1] in (None, 0)))
    first, last = rule.ports or (0, 0xFFFF)
    return rule.protocol == traffic.protocol and traffic.port is not None and first <= traffic.port <= last


def _fits(rule: Rule, peer: Address | None, network: str, groups: Mapping[str, SecurityGroup]) -> bool | None:
    """Tell if the rule is for the peer. False: for some addresses outside; None: not for it."""
    if rule.group is not None:
        group = groups.get(rule.group)
        return True if group is not None and peer in group.members.get(network, ()) else None
    if rule.cidrs is None:
        return True
    if peer is not None:
        return True if any(peer in cidr for cidr in rule.cidrs) else None
    outside = [cidr for cidr in rule.cidrs if refused_by_default(cidr[0]) is None or cidr.prefixlen < 4]
    if not outside:
        return None
    return any(cidr.prefixlen == 0 for cidr in outside)
