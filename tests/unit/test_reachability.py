"""Answers to "is it reachable?" that the tests of the API and of nftables do not reach."""

import random
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from andromede_core.permits.security_group import Rule, SecurityGroup
from andromede_core.reachability import question as core
from andromede_core.reachability.answer import answered
from andromede_core.reachability.question import End, Net, Peer, Public, Question, Range, Traffic
from andromede_core.reachability.steps import Answer

LAN = Net(
    "lan",
    "lan",
    (Range("v4", ip_network("10.0.0.0/24"), ip_address("10.0.0.1")), Range("v6", ip_network("2001:db8:1::/64"))),
)
OTHER = Net("other", "other", (Range("v6", ip_network("2001:db8:2::/64")),))
OUTSIDE = Peer()
WEB = Traffic("tcp", 443)
ALL = tuple(
    Rule(f"{direction}{family}", direction, family, "any") for direction in ("in", "out") for family in ("ipv4", "ipv6")
)


def end(name: str, *addresses: str, network: Net = LAN, **more: Any) -> End:
    parsed = tuple(ip_address(each) for each in addresses)
    return End(name, name, network, parsed, instance=name, **({"zone": "a", "groups": ("g",)} | more))


def ask(source: Peer, target: Peer, *rules: Rule, traffic: Traffic = WEB, members: tuple[End, ...] = ()) -> Answer:
    addresses = {"lan": tuple(address for member in members for address in member.addresses)}
    group = SecurityGroup("a", "g", 1, rules, addresses)
    return answered(Question(source, target, traffic, groups={"g": group}, names={"g": "web"}))


def stopping(answer: Answer) -> list[str]:
    return [step.kind for step in answer.steps if step.outcome != "allowed"]


SERVER = end("server", "10.0.0.2", "2001:db8:1::2")
PUBLIC6 = replace(SERVER, public=(Public(ip_address("2001:db8:1::2")),))


def test_ranges_that_make_up_all_addresses_are_all() -> None:
    halves = [Rule(str(n), "out", "ipv4", "any", cidrs=(ip_network(f"{n * 128}.0.0.0/1"),)) for n in (0, 1)]
    assert ask(Peer(SERVER), OUTSIDE, *halves).verdict == "allowed"
    assert stopping(ask(Peer(SERVER), OUTSIDE, halves[0])) == ["egress"]
    assert ask(Peer(SERVER), OUTSIDE, halves[0]).verdict == "unknown"


def test_private_ranges_allow_nothing_outside() -> None:
    rule = Rule("r", "out", "ipv4", "any", cidrs=(ip_network("10.0.0.0/8"), ip_network("192.168.0.0/16")))
    assert ask(Peer(SERVER), OUTSIDE, rule).verdict == "refused"


def test_ipv6_needs_a_public_address_in_both_directions() -> None:
    away = Peer(None, ip_address("2001:db8:9::9"))
    assert stopping(ask(Peer(SERVER), away, *ALL)) == ["translation"]
    assert stopping(ask(away, Peer(SERVER), *ALL)) == ["public-address"]
    assert ask(Peer(PUBLIC6), away, *ALL).verdict == ask(away, Peer(PUBLIC6), *ALL).verdict == "allowed"
    assert stopping(ask(Peer(PUBLIC6), Peer(None, ip_address("fd00::1")), *ALL)) == ["destination"]


def test_public_address_is_reached_from_another_network_and_its_own() -> None:
    far = end("far", "2001:db8:2::2", network=OTHER, public=(Public(ip_address("2001:db8:2::2")),))
    assert ask(Peer(far), Peer(PUBLIC6, ip_address("2001:db8:1::2")), *ALL).verdict == "allowed"
    assert stopping(ask(Peer(far), Peer(SERVER, ip_address("2001:db8:1::2")), *ALL)) == ["network"]
    nat = replace(SERVER, public=(Public(ip_address("203.0.113.7"), ip_address("10.0.0.2")),))
    near = end("near", "10.0.0.3")
    assert ask(Peer(near), Peer(nat, ip_address("203.0.113.7")), *ALL).verdict == "allowed"
    office = Rule("r", "in", "ipv4", "any", cidrs=(ip_network("198.51.100.0/24"),))
    rules = [rule for rule in ALL if rule.direction == "out"]
    assert stopping(ask(Peer(near), Peer(nat, ip_address("203.0.113.7")), *rules, office)) == ["ingress"]


SIX = replace(LAN, ranges=(LAN.ranges[0], replace(LAN.ranges[1], gateway=ip_address("2001:db8:1::1"))))
WITH_GATEWAYS = replace(SERVER, network=SIX)
PING = Traffic("icmp")


@pytest.mark.parametrize(
    ("address", "traffic", "rules", "verdict", "kinds"),
    [
        ("10.0.0.1", Traffic("udp", 53), (), "allowed", []),
        ("10.0.0.1", Traffic("tcp", 53), (), "allowed", []),
        ("2001:db8:1::1", Traffic("udp", 53), (), "allowed", []),
        ("10.0.0.1", Traffic("udp", 67), (), "allowed", []),
        ("2001:db8:1::1", Traffic("udp", 67), ALL, "refused", ["gateway"]),
        ("10.0.0.1", PING, (), "refused", ["egress"]),
        ("10.0.0.1", PING, ALL, "allowed", []),
        ("10.0.0.1", Traffic("tcp", 80), ALL, "refused", ["gateway"]),
        ("169.254.169.254", Traffic("tcp", 80), (), "allowed", []),
        ("fd00:ec2::254", Traffic("tcp", 80), (), "allowed", []),
        ("169.254.169.254", PING, (), "refused", ["egress"]),
        ("169.254.169.254", PING, ALL, "allowed", []),
        ("169.254.169.254", Traffic("tcp", 443), ALL, "refused", ["gateway"]),
        ("169.254.169.253", Traffic("tcp", 80), ALL, "refused", ["destination"]),
    ],
)
def test_gateway_serves_names_and_metadata_whatever_the_rules(
    address: str, traffic: Traffic, rules: tuple[Rule, ...], verdict: str, kinds: list[str]
) -> None:
    answer = ask(Peer(WITH_GATEWAYS), Peer(None, ip_address(address)), *rules, traffic=traffic)
    assert (answer.verdict, stopping(answer)) == (verdict, kinds)
    assert bool(answer.next_steps) == bool(kinds)


def test_family_without_an_address_is_refused() -> None:
    answer = ask(Peer(end("four", "10.0.0.3")), Peer(end("six", "2001:db8:1::6")), *ALL)
    assert (answer.verdict, stopping(answer)) == ("refused", ["network"])


@pytest.mark.parametrize(
    ("more", "verdict", "kinds"),
    [
        ({"rules": core.UNSUPPORTED, "groups": ()}, "allowed", []),
        ({"groups": None}, "allowed", []),
        ({"groups": ()}, "refused", ["ingress"]),
        ({"rules": "node-silent"}, "unknown", ["ingress"]),
        ({"rules": "node-problem", "groups": ()}, "unknown", ["ingress"]),
        ({"zone": "b"}, "refused", ["zone"]),
        ({"zone": None, "obstacle": core.NO_NODE}, "unknown", ["instance"]),
    ],
)
def test_state_of_the_target_decides(more: dict[str, Any], verdict: str, kinds: list[str]) -> None:
    answer = ask(Peer(end("near", "10.0.0.3")), Peer(end("server", "10.0.0.2", **more)), *ALL)
    assert (answer.verdict, stopping(answer)) == (verdict, kinds)
    assert bool(answer.next_steps) == bool(kinds)


@pytest.mark.parametrize("seed", range(50))
def test_rule_that_the_answer_names_is_enough_alone(seed: int) -> None:
    chance = random.Random(seed)
    near = end("near", "10.0.0.3")
    rules = [_rule(chance, number) for number in range(12)]
    for traffic in (WEB, Traffic("udp", 53), Traffic("icmp"), Traffic()):
        peers = Peer(near), Peer(SERVER)
        answer = ask(*peers, *rules, traffic=traffic, members=(near,))
        named = {step.rule for step in answer.steps if step.rule}
        alone = [rule for rule in rules if rule.id in named]
        assert ask(*peers, *alone, traffic=traffic, members=(near,)).verdict == answer.verdict
        without = [rule for rule in rules if rule.id not in named]
        if answer.verdict == "refused":
            assert ask(*peers, *without, traffic=traffic, members=(near,)).verdict == "refused"


def _rule(chance: random.Random, number: int) -> Rule:
    protocol = chance.choice(["any", "tcp", "udp", "icmp"])
    more: dict[str, Any] = {}
    if protocol in ("tcp", "udp"):
        more["ports"] = chance.choice([None, (443, 443), (1, 100)])
    if protocol == "icmp":
        more["icmp"] = chance.choice([None, (8, 0), (8, None), (0, None)])
    peer = chance.choice(["any", "cidrs", "group"])
    if peer == "cidrs":
        more["cidrs"] = (ip_network(chance.choice(["10.0.0.2/31", "10.0.0.0/30", "192.0.2.0/24"])),)
    if peer == "group":
        more["group"] = chance.choice(["g", "unknown"])
    return Rule(f"r{number}", chance.choice(["in", "out"]), "ipv4", protocol, **more)
