"""Rules of security groups: checked, added and removed; a rule is never changed."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from uuid import UUID

from django.db import transaction
from django.db.models import F

from andromede_core.documents.canonical import dumps
from andromede_core.documents.messages import Message
from andromede_core.permits.security_group import FAMILIES, MAX_RULES, WITH_PORTS, WITH_TYPES
from controlplane.audit.services import record
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.network import port_rules
from controlplane.network.errors import (
    AddressSetNotFound,
    SecurityGroupNotFound,
    SecurityGroupRuleExists,
    SecurityGroupRuleInvalid,
    SecurityGroupRulesExhausted,
)
from controlplane.network.models import AddressSet, SecurityGroup, SecurityGroupRule

CIDRS_MAX = 100  # of a rule
PORT_MAX = 65535
TYPE_MAX = 255


@dataclass(frozen=True)
class NewRule:
    """A rule to add, as a user writes it.

    `ports`: the first and the last one; None: all. `icmp`: type and code. `cidrs` empty, no `peer` and no
    `address_set`: any peer.
    `has_own_group_as_peer`: the peer is the group that gets the rule.
    """

    direction: str
    family: str = "ipv4"
    protocol: str = "any"
    ports: tuple[int, int] | None = None
    icmp: tuple[int, int | None] | None = None
    cidrs: tuple[str, ...] = ()
    peer: SecurityGroup | None = None
    address_set: AddressSet | None = None
    is_logged: bool = False
    description: str = ""
    has_own_group_as_peer: bool = False


def check_rule(new: NewRule) -> None:
    """Check that the rule makes sense. Raises SecurityGroupRuleInvalid with the field."""
    if WITH_TYPES.get(new.protocol, new.family) != new.family:
        reason = Message(
            "the protocol {protocol} is not of the family {family}", protocol=new.protocol, family=new.family
        )
        raise _invalid("protocol", reason)
    if new.ports is not None and new.protocol not in WITH_PORTS:
        raise _invalid("first_port", Message("ports belong to the protocols tcp and udp"))
    if new.ports is not None and new.ports[0] > new.ports[1]:
        raise _invalid("last_port", Message("the last port is below the first one"))
    if new.icmp is not None and new.protocol not in WITH_TYPES:
        raise _invalid("icmp_type", Message("ICMP types belong to the protocols icmp and icmpv6"))
    if new.cidrs and new.peer is not None:
        raise _invalid("peer_group", Message("name either cidrs or a peer_group"))
    if new.address_set is not None and (new.cidrs or new.peer is not None):
        raise _invalid("address_set", Message("name it alone, without cidrs or a peer_group"))


def code_without_type() -> CloudError:
    return _invalid("icmp_code", Message("an ICMP code needs an icmp_type"))


def _invalid(field: str, reason: Message) -> CloudError:
    return SecurityGroupRuleInvalid(field=field, reason=reason)


def parse_cidrs(cidrs: Sequence[str], *, family: str) -> tuple[str, ...]:
    """Return the ranges in their usual form, sorted and once each.

    Raises:
        SecurityGroupRuleInvalid: a range is not one of this family, or is not written with its first address.
    """
    networks = set()
    for number, cidr in enumerate(cidrs):
        try:
            network = ip_network(cidr)
        except ValueError as exc:
            reason = Message("write {cidr!r} as a range with its first address, such as 192.0.2.0/24", cidr=cidr[:50])
            raise _invalid(f"cidrs/{number}", reason) from exc
        if network.version != FAMILIES[family]:
            reason = Message("{cidr} is not of the family {family}", cidr=cidr, family=family)
            raise _invalid(f"cidrs/{number}", reason)
        networks.add(network)
    return tuple(
        str(network) for network in sorted(networks, key=lambda each: (int(each.network_address), each.prefixlen))
    )


def insert_rules(group: SecurityGroup, rules: Iterable[NewRule]) -> list[SecurityGroupRule]:
    """Insert rules of a new group. Inside the caller's transaction."""
    return SecurityGroupRule.objects.bulk_create([_row(group, rule) for rule in rules])


def _row(group: SecurityGroup, new: NewRule) -> SecurityGroupRule:
    first, last = new.ports or (None, None)
    kind, code = new.icmp or (None, None)
    fields = {
        "direction": new.direction,
        "family": new.family,
        "protocol": new.protocol,
        "first_port": first,
        "last_port": last,
        "icmp_type": kind,
        "icmp_code": code,
        "cidrs": list(parse_cidrs(new.cidrs, family=new.family)) or None,
        "peer_group_id": group.pk if new.has_own_group_as_peer else new.peer.pk if new.peer else None,
    }
    if new.address_set is not None:  # fingerprints of other rules stay as they are
        fields["address_set_id"] = new.address_set.pk
    more = {"is_logged": new.is_logged, "description": new.description, "fingerprint": fingerprint(fields)}
    return SecurityGroupRule(group=group, **fields, **more)


def fingerprint(fields: Mapping[str, object]) -> str:
    """Return the digest of all that decides about traffic."""
    plain = {name: str(value) if isinstance(value, UUID) else value for name, value in fields.items()}
    return hashlib.sha256(dumps(plain)).hexdigest()


def _lock_set(of: AddressSet) -> bool:
    """Lock the set against deletion until the transaction ends; False: it has just been deleted."""
    return AddressSet.objects.select_for_update(no_key=True).filter(pk=of.pk).first() is not None


def security_group_lock(group: SecurityGroup) -> None:
    """Lock the group until the transaction ends. Raises SecurityGroupNotFound."""
    if SecurityGroup.objects.select_for_update().filter(pk=group.pk).first() is None:
        raise SecurityGroupNotFound(name=group.name)


def security_group_changed(group: SecurityGroup) -> None:
    """Write that the group's rules have changed, and request new documents. Inside the caller's transaction."""
    SecurityGroup.objects.filter(pk=group.pk).update(generation=F("generation") + 1, updated_at=clock.now())
    group.refresh_from_db(fields=["generation", "updated_at"])
    port_rules.request_group(group.pk)


@transaction.atomic
def security_group_rule_create(actor: Actor, group: SecurityGroup, new: NewRule) -> SecurityGroupRule:
    """Add a rule; the nodes apply it within moments.

    Raises:
        SecurityGroupRuleInvalid, SecurityGroupRuleExists, SecurityGroupRulesExhausted, SecurityGroupNotFound,
        AddressSetNotFound.
    """
    actor.may_write()
    check_rule(new)
    row = _row(group, new)
    if new.address_set is not None and not _lock_set(new.address_set):
        raise AddressSetNotFound(field="address_set", name=new.address_set.name)
    for each in sorted({group, *([new.peer] if new.peer else [])}, key=lambda each: each.pk):
        security_group_lock(each)
    known = dict(group.rules.values_list("fingerprint", "pk"))
    if row.fingerprint in known:
        raise SecurityGroupRuleExists(rule=str(known[row.fingerprint]))
    if len(known) >= MAX_RULES:
        raise SecurityGroupRulesExhausted(limit=MAX_RULES)
    row.save(force_insert=True)
    security_group_changed(group)
    _record(actor, "security_group.rule-add", row)
    return row


@transaction.atomic
def security_group_rule_delete(actor: Actor, rule: SecurityGroupRule) -> None:
    """Remove a rule; connections that only this rule allowed end."""
    actor.may_write()
    security_group_lock(rule.group)
    _record(actor, "security_group.rule-remove", rule)
    rule.delete()
    security_group_changed(rule.group)


def _record(actor: Actor, verb: str, rule: SecurityGroupRule) -> None:
    group = rule.group
    facts = {
        "name": group.name,
        "rule": str(rule.pk),
        "direction": rule.direction,
        "family": rule.family,
        "protocol": rule.protocol,
        "ports": None if rule.first_port is None else [rule.first_port, rule.last_port],
        "icmp": None if rule.icmp_type is None else [rule.icmp_type, rule.icmp_code],
        "cidrs": rule.cidrs,
        "peer_group": None if rule.peer_group_id is None else str(rule.peer_group_id),
        "address_set": None if rule.address_set_id is None else str(rule.address_set_id),
    }
    record(actor, verb, group.pk, project_id=group.project_id, **facts)
