"""Rules that somebody else removes, and devices that no rule knows: on real namespaces, with root."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agents.node.adapters.network import namespace_name
from agents.node.adapters.network.rules import LOST
from agents.node.adapters.network_specs import bridge_name, tap_name
from scripts.polling import wait_until
from tests.agents.network import frames
from tests.agents.network.namespace_node import (
    HERE,
    NODE_IP,
    ROOT,
    Guest,
    Node,
    a_network,
    a_port,
    gateway,
    ipv4,
)
from tests.agents.network.test_isolation import AGENT, ATTACKER, HONEST, VICTIM

pytestmark = pytest.mark.lab
NOBODY = "52:54:00:ff:ff:ff"
FORGED = {
    "source MAC": frames.udp(NOBODY, ipv4(ATTACKER), ports=(1000, 2000)),
    "source address": frames.udp(ATTACKER.mac, ipv4(VICTIM), ports=(1000, 2000)),
    "ARP": frames.arp(ATTACKER.mac, ipv4(VICTIM), ipv4(VICTIM)),
}
Plug = Callable[..., Guest]
BRIDGE = bridge_name(ATTACKER.network.id)
ROUTER = namespace_name(ATTACKER.network.id)
DAMAGE = {
    "all flushed": "nft flush ruleset",
    "a table deleted": "nft delete table bridge andromede",
    "a chain flushed": "nft flush chain ip andromede prerouting",
    "a rule added": "nft insert rule bridge andromede prerouting accept",
    "a member deleted": f'nft delete element bridge andromede members {{ "{tap_name(ATTACKER.id)}" }}',
}


@pytest.fixture
def attacker(plug: Plug) -> Guest:
    return plug(ATTACKER)


@pytest.fixture
def victim(attacker: Guest, plug: Plug) -> Guest:
    return plug(VICTIM, ATTACKER)


def rules(node: Node) -> list[str]:
    """Chains are listed in the order in which they were made, which makes no difference."""
    return sorted(node.run("nft --stateless list ruleset").splitlines())


@pytest.mark.parametrize("damage", DAMAGE)
def test_guard_restores_lost_rules_and_reports_the_loss(
    node: Node, attacker: Guest, victim: Guest, damage: str
) -> None:
    node.keep_rules()
    assert node.problems().rules == ""
    node.run(DAMAGE[damage])
    node.keep_rules()
    assert node.problems().rules == LOST
    with victim.capturing(until=HONEST) as captured:
        attacker.send(*FORGED.values(), HONEST)
    assert [name for name, frame in FORGED.items() if frame.hex() in captured] == []
    attacker.dhcp()
    with node.server(AGENT), node.server(AGENT, namespace="outside"):
        assert attacker.call(NODE_IP, AGENT) == "silent"
        assert attacker.call("169.254.169.254", AGENT) == "silent"


def test_guard_restores_rules_as_soon_as_they_change(node: Node, attacker: Guest, victim: Guest) -> None:
    before = rules(node)
    node.guard()
    node.run("nft flush ruleset")
    wait_until(lambda: rules(node) == before)
    node.run("nft delete table ip andromede")
    wait_until(lambda: rules(node) == before)
    assert node.problems().rules == LOST


def router_rules(node: Node) -> list[str]:
    return sorted(node.run("nft --stateless list ruleset", namespace=ROUTER).splitlines())


ROUTER_DAMAGE = {
    "all flushed": "nft flush ruleset",
    "a chain flushed": "nft flush chain ip andromede destinations",
    "a rule added": "nft insert rule ip andromede input accept",
}


@pytest.mark.parametrize("damage", ROUTER_DAMAGE)
def test_guard_restores_router_rules_and_reports_the_loss(node: Node, attacker: Guest, damage: str) -> None:
    before = router_rules(node)
    node.keep_rules()
    assert node.problems().rules == ""
    node.run(ROUTER_DAMAGE[damage], namespace=ROUTER)
    node.keep_rules()
    assert router_rules(node) == before
    assert node.problems().rules == LOST


def test_guard_notices_rule_changes_in_a_router(node: Node, attacker: Guest) -> None:
    before = router_rules(node)
    node.guard()
    for _ in range(2):
        node.run("nft flush ruleset", namespace=ROUTER)
        wait_until(lambda: router_rules(node) == before)
    assert node.problems().rules == LOST


def test_deleted_router_does_not_block_others(node: Node, plug: Plug) -> None:
    plug(ATTACKER)
    other = a_port(a_network(2), 0)
    plug(other)
    node.run(f"ip netns del {namespace_name(other.network.id)}")
    node.run("nft flush ruleset", namespace=ROUTER)
    node.keep_rules()
    assert router_rules(node)
    node.ensure(other)
    node.keep_rules()


def test_rules_of_the_operator_are_not_reported_as_a_loss(node: Node, attacker: Guest) -> None:
    node.keep_rules()
    node.run("nft add table inet operators")
    node.run("nft add chain inet operators in { type filter hook input priority 0 ; }")
    node.keep_rules()
    assert node.problems().rules == ""
    assert "table inet operators {" in rules(node)


def test_changes_by_the_agent_are_not_reported_as_a_loss(node: Node, plug: Plug) -> None:
    first = plug(ATTACKER)
    other = plug(a_port(a_network(2), 0))
    first.dhcp()  # also makes the node count a connection
    changes: list[Callable[[], None]] = [
        lambda: node.ensure(VICTIM, ATTACKER),
        lambda: node.remove(VICTIM, ATTACKER),
        lambda: node.remove(other.port),
        lambda: node.restart_agent([ATTACKER]),
        lambda: node.keep_rules(),
        lambda: node.remove(ATTACKER),
    ]
    for change in changes:
        change()
        node.keep_rules()
        assert node.problems().rules == ""
    assert rules(node) == []


def test_agent_start_reports_rules_lost_while_it_was_down(node: Node, attacker: Guest) -> None:
    node.run("nft flush ruleset")
    node.restart_agent([ATTACKER])
    assert node.problems().rules == LOST


def test_rules_that_cannot_be_written_are_reported(node: Node, attacker: Guest) -> None:
    node.run("nft flush ruleset")
    node.run("nft add table ip andromede")
    node.run("nft add chain ip andromede input { type filter hook output priority 0 ; }")
    with pytest.raises(AssertionError, match="nft failed"):
        node.keep_rules()
    assert "cannot be written" in node.problems().rules
    node.run("nft delete table ip andromede")
    node.keep_rules()
    assert node.problems().rules == LOST


def test_firewall_service_reloads_rules_in_the_same_transaction(node: Node, attacker: Guest, tmp_path: Path) -> None:
    """nftables.service of Debian loads its configuration like this, with the line that the playbook adds."""
    before = rules(node)
    configuration = tmp_path / "nftables.conf"
    configuration.write_text('flush ruleset\ninclude "/run/andromede/rules.nft*"\n')
    node.run(f"nft -f {configuration}")
    assert rules(node) == before
    attacker.stop()
    node.remove(ATTACKER)
    node.run(f"nft -f {configuration}")
    assert rules(node) == []


@pytest.fixture
def stranger(node: Node, victim: Guest) -> Guest:
    """A device in the bridge of a tenant's network that nobody told the agent of."""
    port = a_port(ATTACKER.network, 9, mac=NOBODY)
    guest = Guest(node, "stranger", port)
    return guest.start()


def test_unknown_bridge_port_reaches_no_guest(node: Node, attacker: Guest, victim: Guest, stranger: Guest) -> None:
    unknown = frames.udp(NOBODY, ipv4(stranger.port), ports=(1000, 2000))
    directly = frames.udp(NOBODY, ipv4(stranger.port), ports=(1000, 2000), to=VICTIM.mac)
    with victim.capturing(until=HONEST) as captured:
        stranger.send(unknown, directly)
        attacker.send(HONEST)
    assert not {unknown.hex(), directly.hex()} & set(captured)
    stranger.run(f"ip addr add {stranger.port.ip}/24 dev eth0")
    assert not stranger.pings(gateway(stranger.port.network))


def test_unknown_bridge_port_receives_no_frames(node: Node, attacker: Guest, victim: Guest, stranger: Guest) -> None:
    last = frames.udp(NOBODY, ipv4(stranger.port), ports=(1, 2))
    with stranger.capturing(until=last) as captured:
        with victim.capturing(until=HONEST):
            attacker.send(HONEST)
        tap = tap_name(stranger.port.id)
        node.run(f"{sys.executable} {HERE / 'frames.py'} send {tap} {last.hex()}")
    assert HONEST.hex() not in captured


def test_unknown_bridge_port_does_not_reach_the_node(
    node: Node, attacker: Guest, victim: Guest, stranger: Guest
) -> None:
    mac = json.loads(node.run(f"ip -j link show {BRIDGE}"))[0]["address"]
    for command in (
        "add table ip probe",
        "add chain ip probe in { type filter hook prerouting priority -290 ; }",
        f"add rule ip probe in iifname {BRIDGE} counter",
    ):
        node.run(f"nft {command}")
    with victim.capturing(until=HONEST):
        stranger.send(frames.udp(NOBODY, ipv4(stranger.port), ports=(1, 2), to=mac))
        attacker.send(HONEST)
    assert "packets 0 " in node.run("nft list chain ip probe in")


def test_network_without_writable_rules_is_not_created(node: Node) -> None:
    node.run("nft add table ip andromede")
    node.run("nft add chain ip andromede input { type filter hook output priority 0 ; }")
    with pytest.raises(AssertionError, match="nft failed"):
        node.ensure(ATTACKER)
    with pytest.raises(AssertionError, match="nft failed"):
        node.restart_agent([ATTACKER])
    assert node.traces()["links"] == set()
    assert not any(name.startswith("andromede") for name in node.traces()["namespaces"])


LOSING = """
import subprocess, threading
from agents.node.adapters.network import rule_watcher

def lose():
    for verb in ("add", "del"):
        subprocess.run(["ip", "rule", verb, "priority", "7", "lookup", "7"], check=True)

def check_rules():
    calls.append("rules")
    lose()
    if calls.count("rules") == 5:
        enough.set()

calls, enough = [], threading.Event()
rule_watcher.ROUTES_PAUSE_S = 3600.0
watcher = rule_watcher.RuleWatcher(check_rules, lambda: calls.append("routes"))
enough.wait()
watcher.stop()
print(calls.count("routes"))
"""


def test_losses_without_end_let_the_watcher_rest() -> None:
    """Else another program that changes routing rules all the time would have it read all routes all the time."""
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    command = ["unshare", "--net", sys.executable, "-c", LOSING]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "1"
