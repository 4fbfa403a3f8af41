"""Usage of guests on a watcher's stream, over the fake adapter."""

import threading
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from uuid import UUID

import pytest

from agents.node.adapters.network_specs import tap_name
from agents.node.adapters.port_filters import PortCounters
from agents.node.errors import AdapterError, HypervisorUnavailable
from agents.node.services.events import MAX_READINGS, Watch
from agents.node.services.usage import UsageSample, UsageSampler
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest
from tests.agents.test_rpc import build, heartbeats
from tests.limits import PATIENCE_S

TURN_MS = 100
HOUR_MS = 3_600_000


def readings(stream: Iterator[pb.NodeEvent], count: int) -> list[pb.Usage]:
    return [event.usage for event in islice((e for e in stream if e.WhichOneof("event") == "usage"), count)]


def watch(
    agent: AgentUnderTest, *, usage_interval_ms: int, heartbeat_interval_ms: int = HOUR_MS
) -> Iterator[pb.NodeEvent]:
    request = pb.WatchRequest(heartbeat_interval_ms=heartbeat_interval_ms, usage_interval_ms=usage_interval_ms)
    return agent.stub.Watch(request, timeout=PATIENCE_S)


def test_watcher_that_requests_usage_receives_that_of_each_guest(agent: AgentUnderTest) -> None:
    spec = build(agent)
    stream = watch(agent, usage_interval_ms=TURN_MS)
    first, second = readings(stream, 2)
    stream.cancel()
    (was,), (now,) = first.guests, second.guests
    assert (now.id, now.vcpus) == (spec.subject.id, spec.vcpus)
    assert [disk.volume_id for disk in now.disks] == [spec.root_volume_id]
    assert [port.port_id for port in now.ports] == list(spec.port_ids)
    assert now.cpu_ns > was.cpu_ns
    assert now.disks[0].read_bytes > was.disks[0].read_bytes
    assert now.ports[0].in_bytes > was.ports[0].in_bytes
    assert now.ports[0].in_dropped > was.ports[0].in_dropped
    assert (now.ports[0].HasField("out_dropped"), now.ports[0].out_dropped) == (True, 0)
    assert second.at_unix_ms > first.at_unix_ms


def test_counters_of_rules_come_with_the_ports_usage(agent: AgentUnderTest) -> None:
    spec = build(agent)
    (port_id,) = spec.port_ids
    stream = watch(agent, usage_interval_ms=TURN_MS)
    assert readings(stream, 1)[0].guests[0].ports[0].rules == pb.RuleCounters(), "a port that no rule counts"
    dropped = {"group_dropped": Counter({"in": 1, "out": 2}), "bandwidth_dropped": Counter({"in": 3, "out": 4})}
    agent.fake.counters[tap_name(UUID(port_id))] = PortCounters(**dropped, rule_hits={"b": 6, "a": 5})
    rules = next(each for each in ports(stream) if each.rules.hits).rules
    assert (rules.group_in_dropped, rules.group_out_dropped) == (1, 2)
    assert (rules.bandwidth_in_dropped, rules.bandwidth_out_dropped) == (3, 4)
    assert [(each.rule_id, each.packets) for each in rules.hits] == [("a", 5), ("b", 6)]
    agent.fake.fail_next("counters", AdapterError("nft does not answer.", retryable=True))
    lacking = next(each for each in ports(stream) if not each.HasField("rules"))
    stream.cancel()
    assert lacking.in_bytes, "the rest of the sample is there"


def ports(stream: Iterator[pb.NodeEvent]) -> Iterator[pb.PortUsage]:
    while True:
        yield from readings(stream, 1)[0].guests[0].ports


def test_usage_is_neither_read_nor_sent_without_a_request(agent: AgentUnderTest) -> None:
    build(agent)
    stream = watch(agent, usage_interval_ms=0, heartbeat_interval_ms=TURN_MS)
    kinds = {event.WhichOneof("event") for event in islice(stream, 5)}
    stream.cancel()
    assert "usage" not in kinds
    assert agent.fake.call_counts["usage"] == 0


def test_stopped_guest_has_no_usage_and_a_restart_begins_at_zero(agent: AgentUnderTest) -> None:
    guest_id = UUID(build(agent).subject.id)
    hypervisor = agent.fake.adapters().hypervisor
    once, twice = hypervisor.usage()[guest_id], hypervisor.usage()[guest_id]
    assert twice.cpu_ns == 2 * once.cpu_ns
    hypervisor.power_off(guest_id)
    assert hypervisor.usage() == {}
    hypervisor.start(guest_id)
    assert hypervisor.usage()[guest_id] == once


def test_slow_hypervisor_delays_no_heartbeat(agent: AgentUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    is_let_go, is_asked = threading.Event(), threading.Event()

    def stuck() -> dict[UUID, object]:
        is_asked.set()
        is_let_go.wait()
        return {}

    monkeypatch.setattr(agent.server.node.adapters.hypervisor, "usage", stuck)
    stream = watch(agent, usage_interval_ms=TURN_MS, heartbeat_interval_ms=TURN_MS)
    try:
        assert is_asked.wait(60)
        assert len(heartbeats(stream, 3)) == 3
    finally:
        is_let_go.set()
        stream.cancel()


def test_unavailable_hypervisor_leaves_a_gap_in_the_samples(agent: AgentUnderTest) -> None:
    build(agent)
    agent.fake.fail_next("usage", HypervisorUnavailable("It is being restarted."))
    stream = watch(agent, usage_interval_ms=TURN_MS)
    assert readings(stream, 1)[0].guests
    stream.cancel()
    assert agent.fake.call_counts["usage"] >= 2


def test_all_watchers_get_the_same_sample_of_a_turn(agent: AgentUnderTest) -> None:
    moments = iter([1000, 1000, 1400, 2100, 2100])
    offset = specs.NODE_ID.int % 800
    meter = UsageSampler(agent.server.node, now_ms=lambda: offset + next(moments))
    first, repeated, next_turn = meter.read(1000), meter.read(1000), meter.read(1000)
    assert first is repeated
    assert [first.at_unix_ms - offset, next_turn.at_unix_ms - offset] == [1000, 2100]
    assert agent.fake.call_counts["usage"] == 2


def test_nodes_sample_at_different_offsets_of_an_interval(agent: AgentUnderTest) -> None:
    meter = UsageSampler(agent.server.node, now_ms=lambda: 50_000)
    assert meter.until_next_s(10_000) == pytest.approx((specs.NODE_ID.int % 8000 or 10_000) / 1000)


def test_slow_reader_loses_the_oldest_samples() -> None:
    slow = Watch()
    accepted = [slow.offer(UsageSample(number, {}, {})) for number in range(MAX_READINGS + 2)]
    assert accepted == [True] * MAX_READINGS + [False] * 2
    assert [reading.at_unix_ms for reading in slow.readings()] == list(range(2, MAX_READINGS + 2))
    assert slow.next(0) is None, "it was nudged once"
