"""Time from a request of the API to the first packet, on a node of a lab with the real agent.

The instances are stopped. A network namespace with a cable of the tap's name stands in the place of each guest, so that
no processor time of guests is measured.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from agents.lab import LabNode
from agents.node.adapters.network_specs import bridge_name, tap_name
from bench.common import UNLIMITED, instance_body, is_ready, print_progress, spread
from scripts.api import Api
from scripts.cloud import Cloud
from scripts.control_plane import ROOT, Stack
from scripts.polling import wait_until

PORT = 8018
ZONE, NODE = "fr-idf-1", "bench-a"
NETWORK = "lan"
UDP_PORT = 7000
WWW = "public-addresses/www/actions"
QUIET_S = 0.3  # without a packet, nothing passes
PROBE = Path(__file__).with_name("packet_probe.py")
RULE = {"direction": "in", "family": "ipv4", "protocol": "udp", "first_port": UDP_PORT, "last_port": UDP_PORT}
# A host beyond a router of the node, which is the sender of packets to the public address.
OUTSIDE, ROUTER, HOST = "198.51.100.1/30", "198.51.100.2", "203.0.113.9"
POOL = {"name": "public", "zone": ZONE, "family": "ipv4", "cidrs": ["192.0.2.0/28"]}
# Ports of no instance, which the node carries: members of a group without a guest.
MEMBERS = """
from uuid import UUID
from controlplane.identity.models import Project
from controlplane.network.models import *
from controlplane.nodes.models import Node
project, node = Project.objects.get(name="bench"), Node.objects.get(name={node!r})
network = Network.objects.get(project=project, name={network!r})
subnet, group = network.subnets.get(), SecurityGroup.objects.get(project=project, name={group!r})
ports = [
    Port(project=project, name=f"member-{{n}}", network=network, is_own=True, is_filtered=True,
         mac="56:00:00:00:%02x:%02x" % divmod(n, 256), ip=f"10.20.{{8 + n // 250}}.{{1 + n % 250}}")
    for n in range({count})
]
Port.objects.bulk_create(ports)
PortAddress.objects.bulk_create([PortAddress(port=p, network=network, subnet=subnet, ip=p.ip) for p in ports])
PortBinding.objects.bulk_create([PortBinding(port=p, node=node) for p in ports])
PortSecurityGroup.objects.bulk_create([PortSecurityGroup(port=p, group=group) for p in ports])
"""


def measure(rounds: int, members: int) -> dict[str, Any]:
    stack = Stack(ROOT / "var" / "bench-network", port=PORT, settings=UNLIMITED)
    cloud = Cloud(stack, {NODE: ZONE}, log=print_progress)
    cloud.down()
    cloud.forget()
    try:
        cloud.up("tiny")
        token, operator = cloud.make_project("bench")
        with closing(Api(stack.url, token, project="bench")) as api, closing(Api(stack.url, operator)) as platform:
            wait_until(lambda: is_ready(platform, NODE), limit_s=120)
            figures = _measure(cloud, api, rounds, members)
            return figures | {"public_address": _public_address(cloud, api, platform, rounds)}
    finally:
        cloud.down()


def _measure(cloud: Cloud, api: Api, rounds: int, members: int) -> dict[str, Any]:
    node = cloud.node(NODE)
    network = api.post("networks", {"name": NETWORK, "cidr": "10.20.0.0/20"})
    for group in ("servers", "clients"):
        api.post("security-groups", {"name": group})
        api.post(f"security-groups/{group}/rules", {"direction": "out", "family": "ipv4", "protocol": "any"})
    server = _stopped(api, "server", "servers")
    client = _stopped(api, "client", "clients")
    _plug(node, "server", server, network)
    _plug(node, "client", client, network)
    ip = server["addresses"][0]["ip"]
    with _receiving(node, "server") as received, _sending(node, "client", ip):
        figures = {"rule": _rule(api, received, rounds, {**RULE})}
        figures["rule_naming_a_group"] = _rule(api, received, rounds, {**RULE, "peer_group": "clients"})
        if members:
            _add_members(cloud, "clients", members)
            wait_until(lambda: _is_applied(api, "client"), limit_s=120)
            figures[f"rule_naming_a_group_of_{members}"] = _rule(
                api, received, rounds, {**RULE, "peer_group": "clients"}
            )
            figures[f"member_of_a_group_of_{members}"] = _member(api, received, rounds)
    return figures


def _rule(api: Api, received: "Packets", rounds: int, body: dict[str, Any]) -> dict[str, Any]:
    """Add a rule and remove it, and return the times to the first packet and to the last one."""
    opened, closed = [], []
    for _ in range(rounds):
        opened.append(received.first_after(lambda: api.post("security-groups/servers/rules", body)))
        rule = _rules(api)[-1]
        closed.append(received.last_after(lambda rule=rule: api.delete(f"security-groups/servers/rules/{rule['id']}")))  # type: ignore[misc]
    return {"added_to_first_packet": spread(opened), "removed_to_last_packet": spread(closed)}


def _member(api: Api, received: "Packets", rounds: int) -> dict[str, Any]:
    """Make the client a member of the group that the rule names, and take it out."""
    api.post("security-groups/servers/rules", {**RULE, "peer_group": "clients"})
    api.post("security-groups", {"name": "others"})
    api.post("security-groups/others/rules", {"direction": "out", "family": "ipv4", "protocol": "any"})
    received.wait_for_one()
    left, joined = [], []
    for _ in range(rounds):
        left.append(received.last_after(lambda: _put_groups(api, "client", "others")))
        joined.append(received.first_after(lambda: _put_groups(api, "client", "clients")))
    return {"joined_to_first_packet": spread(joined), "left_to_last_packet": spread(left)}


def _public_address(cloud: Cloud, api: Api, platform: Api, rounds: int) -> dict[str, Any]:
    """Attach a public address to the server and detach it, and return the times for packets from outside."""
    node = cloud.node(NODE)
    platform.post("/v1/address-pools", POOL)
    address = api.post("public-addresses", {"pool": "public", "name": "www"})["ip"]
    api.post("security-groups/servers/rules", {**RULE, "cidrs": [f"{HOST}/32"]})
    (card,) = api.get("instances/server")["addresses"]
    _make_outside(node)
    attached, detached = [], []
    with _receiving(node, "server") as received, _sending(node, "outside", address):
        for _ in range(rounds):
            body = {"port": card["port"]["id"]}
            attached.append(received.first_after(lambda body=body: api.post(f"{WWW}/attach", body)))  # type: ignore[misc]
            detached.append(received.last_after(lambda: api.post(f"{WWW}/detach")))
    return {"attached_to_first_packet": spread(attached), "detached_to_last_packet": spread(detached)}


def _make_outside(node: LabNode) -> None:
    for command in (
        "ip netns add outside",
        "ip link add out0 type veth peer name eth0 netns outside",
        f"ip addr add {OUTSIDE} dev out0",
        "ip link set out0 up",
        f"ip route add {HOST} via {ROUTER}",
        "ip -n outside link set lo up",
        f"ip -n outside addr add {HOST}/32 dev lo",
        f"ip -n outside addr add {ROUTER}/30 dev eth0",
        "ip -n outside link set eth0 up",
        f"ip -n outside route add default via {OUTSIDE.split('/')[0]} src {HOST}",
    ):
        node.exec(command.split())


def _put_groups(api: Api, instance: str, *groups: str) -> None:
    api.put(f"instances/{instance}/security-groups", {"security_groups": list(groups)})


def _rules(api: Api) -> list[dict[str, Any]]:
    rules = api.get("security-groups/servers/rules")["items"]
    return [rule for rule in rules if rule["direction"] == "in"]


def _is_applied(api: Api, instance: str) -> bool:
    ports = api.get(f"instances/{instance}/security-groups")["ports"]
    return all(port["rules"]["state"] == "applied" for port in ports)


def _stopped(api: Api, name: str, group: str) -> dict[str, Any]:
    """Create an instance and stop it; the node keeps its port."""
    created = api.post("instances", {**instance_body(name), "security_groups": [group]})
    _check(api.wait(created["operation"]))
    _check(api.wait(api.post(f"instances/{name}/actions/power-off")["operation"]))
    return dict(api.get(f"instances/{name}"))


def _check(operation: dict[str, Any]) -> None:
    if operation["state"] != "succeeded":
        raise SystemExit(f"The operation {operation['kind']} is {operation['state']}: {operation['error']}")


def _add_members(cloud: Cloud, group: str, count: int) -> None:
    cloud.stack.manage("shell", "-c", MEMBERS.format(node=NODE, network=NETWORK, group=group, count=count))


# ---- packets


def _plug(node: LabNode, name: str, instance: dict[str, Any], network: dict[str, Any]) -> None:
    """Put a network namespace in the place of the instance's guest."""
    (card,) = instance["addresses"]
    tap, bridge = tap_name(UUID(card["port"]["id"])), bridge_name(UUID(network["id"]))
    prefix = network["cidr"].split("/")[1]
    for command in (
        f"ip netns add {name}",
        f"ip link add {tap} type veth peer name eth0 address {card['mac']} netns {name}",
        f"ip link set {tap} master {bridge} up",
        f"ip -n {name} link set lo up",
        f"ip -n {name} addr add {card['ip']}/{prefix} dev eth0",
        f"ip -n {name} link set eth0 up",
    ):
        node.exec(command.split())


class Packets:
    """Times of the packets that arrive. `times` grows in a thread of its own."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._arrived = threading.Condition()

    def add(self, moment: float) -> None:
        with self._arrived:
            self._times.append(moment)
            self._arrived.notify_all()

    def wait_for_one(self) -> None:
        with self._arrived:
            count = len(self._times)
            self._arrived.wait_for(lambda: len(self._times) > count)

    def first_after(self, request: Callable[[], object]) -> float:
        """Return the seconds from the request to the first packet; before it, none passes."""
        started = time.monotonic()
        with self._arrived:
            count = len(self._times)
        request()
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self._times) > count, timeout=60):
                raise SystemExit("No packet arrives.")
            return self._times[count] - started

    def last_after(self, request: Callable[[], object]) -> float:
        """Return the seconds from the request to the last packet, when none has followed for a while."""
        started = time.monotonic()
        request()
        wait_until(lambda: time.monotonic() - self._last() > QUIET_S, limit_s=60)
        return max(0.0, self._last() - started)

    def _last(self) -> float:
        with self._arrived:
            return self._times[-1]


@contextmanager
def _receiving(node: LabNode, namespace: str) -> Iterator[Packets]:
    packets = Packets()
    with _probe(node, namespace, "receive", str(UDP_PORT)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        lines = process.stdout

        def read() -> None:
            for line in lines:
                packets.add(float(line))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        yield packets


@contextmanager
def _sending(node: LabNode, namespace: str, host: str) -> Iterator[None]:
    with _probe(node, namespace, "send", host, str(UDP_PORT)):
        yield


@contextmanager
def _probe(node: LabNode, namespace: str, *arguments: str) -> "Iterator[subprocess.Popen[str]]":
    command = ["ip", "netns", "exec", namespace, sys.executable, str(PROBE), *arguments]
    argv = node.entering(["setpriv", "--pdeathsig", "KILL", *command])
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()
