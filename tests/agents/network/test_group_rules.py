"""Rules of security groups as statements of nftables: what changes, and what the kernel makes of it."""

import json
import random
import subprocess
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from agents.node.adapters.network import group_rules, rule_table
from agents.node.adapters.network.group_filter import NO_HOOKS, GroupFilter
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network_specs import tap_name
from agents.node.adapters.port_filters import FilteredPort, PortFilters
from andromede_core.permits.security_group import MAX_COUNTED_RULES, Rule, SecurityGroup
from tests.agents.network.namespace_node import Node, a_network, a_port

NETWORK = a_network(1)
BRIDGE = Layout.for_network(NETWORK.id).bridge


def an_id(number: int) -> str:
    return f"01980000-0000-7000-8000-{number:012x}"


def a_group(
    number: int, *rules: Rule, members: Sequence[IPv4Address | IPv6Address] = (), version: int = 1
) -> SecurityGroup:
    return SecurityGroup("fr-par-1", an_id(number), version, rules, {str(NETWORK.id): tuple(members)})


def a_filter(number: int, *groups: SecurityGroup, is_closed: bool = False) -> FilteredPort:
    port = a_port(NETWORK, number)
    return FilteredPort(port, (port.mac,), None if is_closed else tuple(group.group for group in groups))


def tables(ports: Sequence[FilteredPort], groups: Sequence[SecurityGroup]) -> tuple[rule_table.Table, ...]:
    filters = PortFilters(tuple(ports), {group.group: group for group in groups})
    return group_rules.tables(filters, zones={BRIDGE: 7}, connections=100)


def test_new_member_of_a_large_group_is_one_element() -> None:
    rule = Rule(an_id(1), "in", "ipv4", "tcp", ports=(22, 22), group=an_id(10))
    addresses = [IPv4Address("10.0.1.0") + number for number in range(1000)]
    before, after = (a_group(10, rule, members=addresses[:count]) for count in (999, 1000))
    ports = [a_filter(1, before)]
    text = rule_table.changes(tables(ports, [before]), tables(ports, [after]))
    assert text == (
        f'add element inet andromede-groups members4_{an_id(10).replace("-", "")} {{ "{BRIDGE}" . 10.0.4.231 }}\n'
    )


def test_new_port_of_known_groups_is_elements_alone() -> None:
    group = a_group(10, Rule(an_id(1), "in", "ipv4", "tcp"))
    before = tables([a_filter(1, group)], [group])
    lines = rule_table.changes(before, tables([a_filter(1, group), a_filter(2, group)], [group])).splitlines()
    verbs = [" ".join(line.split()[:2]) for line in lines]
    assert verbs == ["add counter"] * 2 + ["add element"] * 6, "the counters of its drops, and what finds them"


def test_new_range_of_a_group_is_one_element() -> None:
    first, second = (Rule(an_id(port), "in", "ipv4", "tcp", ports=(port, port)) for port in (22, 80))
    before, after = a_group(10, first), a_group(10, first, second)
    ports = [a_filter(1, before)]
    text = rule_table.changes(tables(ports, [before]), tables(ports, [after]))
    assert text == (
        f"add element inet andromede-groups in4_{an_id(10).replace('-', '')}_ports0 {{ 0.0.0.0/0 . tcp . 80 }}\n"
    )


def test_nothing_changes_without_a_change() -> None:
    group = a_group(10, Rule(an_id(1), "in", "ipv4", "tcp"))
    assert rule_table.changes(tables([a_filter(1, group)], [group]), tables([a_filter(1, group)], [group])) == ""


def test_no_filtered_port_means_no_table() -> None:
    group = a_group(10)
    assert tables([], [group]) == ()
    removal = rule_table.changes(tables([a_filter(1, group)], [group]), ())
    assert removal == rule_table.removal(group_rules.INET) + rule_table.removal(group_rules.BRIDGE)


def test_size_of_the_rules_grows_with_the_ranges_and_not_with_their_combinations() -> None:
    """200 nested ranges of ports, with 5 ranges of addresses each, which differ."""
    rules = [
        Rule(
            an_id(number),
            "in",
            "ipv4",
            "tcp",
            ports=(number, 65000 - number),
            cidrs=tuple(ip_network(f"10.{number}.{each}.0/24") for each in range(0, 10, 2)),
        )
        for number in range(200)
    ]
    group = a_group(10, *rules)
    inet, _ = tables([a_filter(1, group)], [group])
    ranges = [elements for name, elements in inet.sets.items() if name.startswith("in4_")]
    assert sum(len(elements.entries) for elements in ranges) == 1000


def test_ports_are_cut_off_where_the_kernel_has_no_hooks(tmp_path: Path) -> None:
    group = a_group(10, Rule(an_id(1), "in", "ipv4", "any"))
    filters = PortFilters((a_filter(1, group),), {group.group: group})
    group_filter = GroupFilter(100, hooks=tmp_path / "missing")
    group_filter.want(filters)
    assert group_filter.problem == NO_HOOKS and not group_filter.bridges
    tap = tap_name(a_port(NETWORK, 1).id)
    assert f'add element {group_rules.BRIDGE} closed_in {{ "{tap}" : "in_{tap}" }}' in group_filter.text()


def test_first_rules_of_a_port_that_log_are_counted() -> None:
    logged = [Rule(an_id(number), "in", "ipv4", "tcp", is_logged=True) for number in range(8)]
    silent = Rule(an_id(99), "in", "ipv4", "udp")
    first, second = a_group(10, *logged[::2], silent), a_group(11, *logged[1::2], *_logged_out(8))
    inet, _ = tables([a_filter(1, first, second), a_filter(2, first)], [first, second])
    counted = [rule.id for rule in (*logged, *_logged_out(8))][:MAX_COUNTED_RULES]
    taps = [tap_name(a_port(NETWORK, number).id) for number in (1, 2)]
    expected = {(rule, taps[0]) for rule in counted} | {(rule.id, taps[1]) for rule in logged[::2]}
    assert {name for name in inet.objects if name.startswith("hit_")} == {
        f"hit_{rule.replace('-', '')}_{tap}" for rule, tap in expected
    }


def _logged_out(first: int) -> list[Rule]:
    return [Rule(an_id(number), "out", "ipv4", "tcp", is_logged=True) for number in range(first, first + 8)]


# ---- in the kernel

ROUNDS = 25


def _random_rules(rand: random.Random) -> list[Rule]:
    return [_random_rule(rand, number) for number in range(rand.randrange(8))]


def _random_rule(rand: random.Random, number: int) -> Rule:
    family = rand.choice(["ipv4", "ipv6"])
    protocol = rand.choice(["any", "tcp", "udp", "icmp" if family == "ipv4" else "icmpv6"])
    more: dict[str, Any] = {"is_logged": rand.random() < 0.2}
    if protocol in ("tcp", "udp") and rand.random() < 0.8:
        more["ports"] = tuple(sorted(rand.sample(range(1, 30), 2)))
    if protocol.startswith("icmp") and rand.random() < 0.7:
        more["icmp"] = (rand.randrange(4), rand.choice([None, 0, 3]))
    peer = rand.choice(["any", "cidrs", "group"])
    if peer == "group":
        more["group"] = an_id(10 + rand.randrange(4))
    if peer == "cidrs":
        of_family = {
            "ipv4": ("10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "0.0.0.0/0"),
            "ipv6": ("fd00::/8", "fd00:1::/64", "::/0"),
        }
        more["cidrs"] = tuple(map(ip_network, rand.sample(of_family[family], 2)))
    return Rule(an_id(100 + number), rand.choice(["in", "out"]), family, protocol, **more)


def _random_tables(rand: random.Random) -> tuple[rule_table.Table, ...]:
    addresses = [ip_address(each) for each in ("10.0.0.11", "10.0.0.12", "10.0.0.13", "fd00::11", "fd00::12")]
    groups = [
        a_group(10 + number, *_random_rules(rand), members=rand.sample(addresses, rand.randrange(5)))
        for number in range(4)
    ]
    ports = [
        a_filter(number, *rand.sample(groups, rand.randrange(1, 4)), is_closed=rand.random() < 0.2)
        for number in rand.sample(range(6), rand.randrange(4))
    ]
    return tables(ports, groups)


@pytest.mark.lab
def test_changes_lead_to_the_same_rules_as_writing_them_whole(node: Node) -> None:
    rand = random.Random(18)
    written: tuple[rule_table.Table, ...] = ()
    for number in range(ROUNDS):
        desired = _random_tables(rand)
        _nft(node, rule_table.changes(written, desired))
        changed = _listing(node)
        _nft(node, rule_table.whole(desired))
        assert changed == _listing(node), number
        written = desired


def _nft(node: Node, text: str) -> None:
    done = subprocess.run(node.argv(["nft", "-f", "-"]), input=text, text=True, capture_output=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\n{text}"


def _listing(node: Node) -> list[str]:
    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items() if key != "handle"}
        if isinstance(value, list):
            return (
                sorted((plain(each) for each in value), key=json.dumps)
                if value and isinstance(value[0], dict | list)
                else value
            )
        return value

    objects = json.loads(node.run("nft -j -s list ruleset"))["nftables"]
    return sorted(json.dumps(plain(each), sort_keys=True) for each in objects)
