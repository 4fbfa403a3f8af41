"""Benchmark of the metrics of ports: what a sample of a node with 100 networks of 10 ports costs.

On the node: reading the counters of its rules, in a network namespace of its own, as root. Each port has security
groups, limits of bandwidth and a rule that logs. In the control plane: storing the sample, with a PostgreSQL of its
own that flushes to disk. Processor time, rows and bytes, which hardly depend on what else the machine does.

`ARGS="--networks 2 --rounds 1"` takes less time.
"""

import argparse
import os
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from agents.node.adapters.network import group_rules, namespaces, nft, port_counters, port_rules, rule_table
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network_specs import PortSpec
from agents.node.adapters.port_filters import FilteredPort, PortFilters
from agents.protocol import agent_pb2 as pb
from andromede_core.permits.network_ports import Bandwidth
from andromede_core.permits.security_group import Rule, SecurityGroup
from bench.common import bench_database, report
from bench.metrics import TURN, bytes_per_row, execute, make_guests, now
from scripts.control_plane import ROOT, Stack
from tests.agents.network.namespace_node import a_network, a_port

NETWORKS, PORTS, ROUNDS = 100, 10, 30
NAMESPACE = "bench-port-metrics"
GROUP, RULE = "01980000-0000-7000-8000-00000000000a", "01980000-0000-7000-8000-00000000000b"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=NETWORKS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    ports = [a_port(a_network(network + 1), port) for network in range(arguments.networks) for port in range(PORTS)]
    namespaces.remove(NAMESPACE)
    namespaces.create(NAMESPACE)
    try:
        node = namespaces.inside(NAMESPACE, lambda: on_a_node(ports, arguments.rounds))
    finally:
        namespaces.remove(NAMESPACE)
    stack = Stack(ROOT / "var" / "bench-port-metrics")
    with bench_database(stack):
        report({"ports": len(ports), "node": node, "control_plane": stored(len(ports), arguments.rounds, stack.var)})


def on_a_node(ports: list[PortSpec], rounds: int) -> dict[str, Any]:
    limited = [replace(port, bandwidth=Bandwidth(to_guest=100, from_guest=100)) for port in ports]
    rules = (Rule(RULE, "in", "ipv4", "tcp", is_logged=True), Rule(RULE[:-1] + "c", "out", "ipv4", "any"))
    group = SecurityGroup("fr-par-1", GROUP, 1, rules, {})
    filters = PortFilters(tuple(FilteredPort(port, (port.mac,), (GROUP,)) for port in limited), {GROUP: group})
    zones = {Layout.for_network(port.network.id).bridge: port.network.id.int & 0xFFFF for port in ports}
    nft.apply(port_rules.admit(limited) + rule_table.whole(group_rules.tables(filters, zones=zones, connections=8192)))
    taken = _cpu_ms(port_counters.read, rounds)
    assert len(port_counters.read()) == len(ports)
    return {"counters": len(nft.listing("counters")), "cpu_ms_per_sample": taken}


def _cpu_ms(call: Callable[[], object], rounds: int) -> float:
    """Return the processor time of a call, and of the processes that it starts."""
    call()
    before = _cpu_s()
    for _ in range(rounds):
        call()
    return round((_cpu_s() - before) / rounds * 1000, 1)


def _cpu_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def stored(count: int, rounds: int, folder: Path) -> dict[str, Any]:
    """Store samples of the ports and of a rule of each; returns what one sample of all ports costs."""
    from controlplane.metrics.services import record_ports, record_rules
    from controlplane.watcher.usage import port_samples_of, rule_samples_of

    guests = make_guests(count, folder)
    ports, rule = port_rows([instance for _node, instance in guests])
    nodes: dict[UUID, list[UUID]] = {}
    for (node, _instance), port in zip(guests, ports, strict=True):
        nodes.setdefault(node, []).append(port)
    began = now() - rounds * TURN
    ((backend, written),) = execute("SELECT pg_backend_pid(), pg_current_wal_insert_lsn()::text")
    server, client = backend_s(backend), time.process_time()
    for number in range(rounds):
        usages = [(node, usage_of(mine, rule, began + number * TURN, number)) for node, mine in nodes.items()]
        record_ports([sample for node, usage in usages for sample in port_samples_of(node, usage)])
        record_rules([sample for node, usage in usages for sample in rule_samples_of(node, usage)])
    client, server = time.process_time() - client, backend_s(backend) - server
    ((log_bytes,),) = execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s::pg_lsn)", [written])
    tables = ("metrics_port_sample", "metrics_rule_sample")
    assert [execute(f"SELECT count(*) FROM {table}") for table in tables] == [[(count * rounds,)]] * 2
    return {
        "rows_per_sample": 2 * count,
        "bytes_per_row": {table: bytes_per_row(table) for table in tables},
        "log_kib_per_sample": round(float(log_bytes) / rounds / 1024),
        "client_cpu_ms_per_sample": round(client / rounds * 1000, 1),
        "server_cpu_ms_per_sample": round(server / rounds * 1000, 1),
    }


def port_rows(instances: Sequence[UUID]) -> tuple[list[UUID], UUID]:
    """Make a port for each instance, in a group with a rule that logs. Returns the ports and the rule."""
    from controlplane.compute.models import Instance
    from controlplane.network.models import Network, Port, PortSecurityGroup, SecurityGroup, SecurityGroupRule

    project = Instance.objects.select_related("project").get(pk=instances[0]).project
    network = Network.objects.create(name="lan", project=project)
    group = SecurityGroup.objects.create(name="web", project=project)
    wanted = {"direction": "in", "family": "ipv4", "protocol": "tcp", "is_logged": True, "fingerprint": "0"}
    rule = SecurityGroupRule.objects.create(group=group, **wanted)
    ports = Port.objects.bulk_create(
        Port(
            name=f"port-{number}",
            project=project,
            network=network,
            instance_id=instance,
            mac=f"56:00:00:00:{number >> 8:02x}:{number & 0xFF:02x}",
        )
        for number, instance in enumerate(instances)
    )
    PortSecurityGroup.objects.bulk_create(PortSecurityGroup(port=port, group=group) for port in ports)
    return [port.pk for port in ports], rule.pk


def usage_of(ports: Sequence[UUID], rule: UUID, at: datetime, number: int) -> pb.Usage:
    """Return a node's message with counters of these ports."""
    counted = pb.RuleCounters(
        group_in_dropped=number,
        group_out_dropped=0,
        bandwidth_in_dropped=number,
        bandwidth_out_dropped=0,
        hits=[pb.RuleHits(rule_id=str(rule), packets=number)],
    )
    traffic = dict.fromkeys(("in_bytes", "out_bytes", "in_packets", "out_packets"), 10_000 * number)
    dropped = dict.fromkeys(("in_dropped", "out_dropped"), number)
    found = [pb.PortUsage(port_id=str(port), rules=counted, **traffic, **dropped) for port in ports]
    return pb.Usage(at_unix_ms=round(at.timestamp() * 1000), guests=[pb.GuestUsage(ports=found)])


def backend_s(pid: int) -> float:
    """Return the processor time of this connection's PostgreSQL process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
