"""No order of events fences a node by its lease that may still run its guests.

The agent's lease, the watcher's writing and the control plane's judgement are the real ones; the clocks, the way of the
heartbeats and of the renewals are played here.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from pytest_django import Settings

from agents.node.adapters.watchdog import Watchdog
from agents.node.lease import STOP_WITHIN_S, TICK_S, Lease, LeasePolicy
from agents.node.rpc import encoding
from agents.node.state_store import StateStore
from agents.protocol import agent_pb2 as pb
from controlplane.kernel import clock
from controlplane.node_lifecycle.fencing.fencing import available_evidence
from controlplane.nodes.models import Node
from controlplane.reconcilers import node_liveness
from controlplane.watcher import batches as module
from controlplane.watcher.batches import BatchWriter
from tests.world import make_node

pytestmark = pytest.mark.django_db

BOOT = "boot-1"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
FLEET, ALL = 4, 0b1111
# How an agent is started: its policy, and the timeout of its watchdog. The longer time of the last one fits into the
# promise of the third.
STARTS = (
    (LeasePolicy(), 20),
    (LeasePolicy(stops=True, limit_s=10), 20),
    (LeasePolicy(stops=True, limit_s=90), 20),
    (LeasePolicy(stops=True, limit_s=90), 60),
    (LeasePolicy(stops=True, limit_s=200), 20),
)


@dataclass
class PlayedNode:
    """`rate`: how fast its clock is, beside that of the control plane."""

    row: Node
    folder: Path
    rate: float
    passed_s: Callable[[], float]
    version: int = 0
    reports: list[pb.NodeEvent] = field(default_factory=list)
    renewals: list[pb.RenewLeaseRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        os.mkfifo(self.folder / "watchdog")
        self._reader = os.open(self.folder / "watchdog", os.O_RDONLY | os.O_NONBLOCK)
        self._ledger = StateStore(self.folder / "ledger.sqlite")
        self.watchdog: Watchdog | None = None
        self.start(*STARTS[2])

    def start(self, policy: LeasePolicy, timeout_s: int) -> None:
        """The agent, again."""
        if self.watchdog is not None:
            self.watchdog.close(disarm=False)
        self.watchdog = Watchdog(self.folder / "watchdog", timeout_s)
        self.lease = Lease(
            self._ledger,
            policy,
            boot_id=BOOT,
            watchdog=self.watchdog,
            clock_ms=lambda: int((1000 + self.passed_s() * self.rate) * 1000),
        )

    def close(self) -> None:
        assert self.watchdog is not None
        self.watchdog.close(disarm=False)
        os.close(self._reader)
        self._ledger.close()

    def send_heartbeat(self) -> None:
        heartbeat = pb.Heartbeat(
            inventory=pb.Inventory(boot_id=BOOT, agent_version=str(self.version), cores=8, memory_mib=8192),
            hook=pb.HookState(is_active=True),
            self_test=pb.SelfTest(has_passed=True),
            lease=encoding.lease(self.lease.status()),
        )
        self.reports.append(pb.NodeEvent(heartbeat=heartbeat))

    def receive_renewal(self, renewal: pb.RenewLeaseRequest) -> None:
        self.lease.renew(boot_id=renewal.boot_id, heard_at_ms=renewal.heard_at_ms, duration_s=renewal.duration_s)

    def may_run_guests(self) -> bool:
        """Also where the agent hangs just before it would have stopped them, and the watchdog has to do it."""
        over_s = self.lease.over_for_s()
        assert self.watchdog is not None
        return over_s is None or over_s <= STOP_WITHIN_S + self.watchdog.timeout_s + 2 * TICK_S


class Fleet:
    """A fleet whose events are the steps of `do`; the bits of a number select the nodes of a step."""

    def __init__(self, folder: Path, count: int = FLEET) -> None:
        self.now_s, self.offset_s = 0.0, 0
        self.batches = BatchWriter(clock_s=lambda: self.now_s)
        self.nodes: list[PlayedNode] = []
        for number in range(count):
            (node_folder := folder / str(number)).mkdir()
            rate = (1.0, 0.995, 1.005, 1.0)[number % 4]
            self.nodes.append(PlayedNode(make_node(f"n{number}"), node_folder, rate, lambda: self.now_s))

    def now(self) -> datetime:
        """Return the control plane's time."""
        return EPOCH + timedelta(seconds=self.now_s + self.offset_s)

    def do(self, what: str, *rest: int) -> None:
        if what in ("wait", "step", "watcher"):
            getattr(self, f"_{what}")(*rest)
        else:
            mask, *options = rest
            for number, node in enumerate(self.nodes):
                if mask >> number & 1 and what != "write":
                    getattr(self, f"_{what}")(node, *options)
            if what == "write":
                self._write(mask)

    def round(self) -> None:
        everybody = (1 << len(self.nodes)) - 1
        for what in ("beat", "write", "deliver"):
            self.do(what, everybody)

    # ---- to all

    def _wait(self, seconds: int) -> None:
        self.now_s += seconds
        self.judge()

    def _step(self, offset_s: int) -> None:
        self.offset_s = offset_s

    def _watcher(self) -> None:
        """Restart the watcher; heartbeats that it has not written are lost."""
        self.batches = BatchWriter(clock_s=lambda: self.now_s)
        for node in self.nodes:
            node.reports.clear()

    def _write(self, mask: int) -> None:
        chosen = [node for number, node in enumerate(self.nodes) if mask >> number & 1 and node.reports]
        alive = {node.row.pk for node in self.nodes if node.reports}
        outcomes = self.batches.write([(node.row.pk, node.reports) for node in chosen], alive)
        for node in chosen:
            outcome = outcomes[node.row.pk]
            assert not isinstance(outcome, Exception), outcome
            node.reports = []
            if outcome.renewal is not None:
                node.renewals.append(outcome.renewal)

    # ---- to one node

    def _beat(self, node: PlayedNode) -> None:
        node.send_heartbeat()

    def _news(self, node: PlayedNode) -> None:
        node.version += 1

    def _start(self, node: PlayedNode, number: int) -> None:
        self.now_s += 0.01  # no agent begins in the millisecond in which the one before has said something
        node.start(*STARTS[number])

    def _dog(self, node: PlayedNode, is_well: int) -> None:
        assert node.watchdog is not None
        node.watchdog.problem = "" if is_well else "Input/output error"

    def _deliver(self, node: PlayedNode) -> None:
        while node.renewals:
            node.receive_renewal(node.renewals.pop(0))

    def _first(self, node: PlayedNode) -> None:
        if node.renewals:
            node.receive_renewal(node.renewals.pop(0))

    def _lose(self, node: PlayedNode) -> None:
        node.renewals.clear()

    # ---- what must never be

    def judge(self) -> None:
        node_liveness.reconcile()
        rows = {row.pk: row for row in Node.objects.all()}
        for node in self.nodes:
            (lease,) = [each for each in available_evidence(rows[node.row.pk]) if each.kind == "lease"]
            assert not (lease.counts and node.may_run_guests()), f"{node.row.name} is fenced and may run its guests"


@pytest.fixture(autouse=True)
def short_leases(settings: Settings) -> None:
    """A lease is renewed after a third of it, while a node that says nothing for so long still counts as heard."""
    settings.NODE_LEASE_S = 15


@contextmanager
def played(monkeypatch: pytest.MonkeyPatch, count: int = FLEET, *, at_once: int = 1) -> Iterator[Fleet]:
    """All of them have promised to stop their guests, that is on record, and they have a lease. From here on `at_once`
    heartbeats are written as a whole in a batch."""
    Node.objects.all().delete()
    with TemporaryDirectory() as folder:
        fleet = Fleet(Path(folder), count)
        try:
            monkeypatch.setattr(clock, "now", fleet.now)
            Node.objects.update(last_heartbeat_at=clock.now())
            monkeypatch.setattr(module, "FULL_HEARTBEATS_MAX", count)
            for _ in range(2):
                fleet.round()
            assert not Node.objects.filter(fences_within_s=None).exists()
            monkeypatch.setattr(module, "FULL_HEARTBEATS_MAX", at_once)
            yield fleet
        finally:
            for node in fleet.nodes:
                node.close()


Step = tuple[str, *tuple[int, ...]]
MASKS = st.sampled_from([ALL, ALL, 0b0001, 0b0111])
STARTS_OF = st.sampled_from([0, 0, 0, *range(1, len(STARTS))])
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.sampled_from(["beat", "write", "deliver", "news", "first", "lose"]), MASKS),
    st.sampled_from([("round",), ("round",), ("watcher",), ("wait", 6)]),
    st.tuples(st.just("start"), MASKS, STARTS_OF),
    st.tuples(st.just("dog"), MASKS, st.integers(0, 1)),
    st.tuples(st.just("wait"), st.sampled_from([1, 6, 30, 150, 400])),
    st.tuples(st.just("step"), st.integers(-7, 7)),
)
DEFERRED: list[Step] = [("watcher",), ("wait", 6), ("start", ALL, 0), ("round",), ("wait", 400)]
UNHEARD: list[Step] = [("start", ALL, 4), ("wait", 150), ("wait", 70), ("wait", 70)]
LATE: list[Step] = [
    ("wait", 6),
    ("beat", ALL),
    ("write", ALL),
    ("start", ALL, 0),
    ("beat", ALL),
    ("deliver", ALL),
    ("wait", 400),
]
OVERTAKEN: list[Step] = [
    ("wait", 6),
    ("beat", 0b0001),
    ("write", 0b0001),
    ("wait", 70),
    ("beat", 0b0001),
    ("first", 0b0001),
    ("beat", 0b0001),
    ("write", 0b0001),
    ("deliver", 0b0001),
    ("wait", 150),
    ("wait", 70),
]


ORDERS = hypothesis(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.mark.nightly
@hypothesis(ORDERS, max_examples=400)
@given(steps=st.lists(STEPS, min_size=5, max_size=30))
def test_random_orders_never_fence_a_node_that_may_run_guests(
    steps: list[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    play(steps, monkeypatch)


@pytest.mark.parametrize(
    "steps", [DEFERRED, UNHEARD, LATE, OVERTAKEN], ids=["deferred", "unheard", "late", "overtaken"]
)
def test_known_bad_orders_never_fence_a_node_that_may_run_guests(
    steps: list[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    play(steps, monkeypatch)


@hypothesis(ORDERS, max_examples=15)
@given(steps=st.lists(STEPS, min_size=5, max_size=30))
def test_few_random_orders_never_fence_a_node_that_may_run_guests(
    steps: list[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    play(steps, monkeypatch)


def play(steps: list[Step], monkeypatch: pytest.MonkeyPatch) -> None:
    with played(monkeypatch) as fleet:
        for what, *rest in steps:
            if what == "round":
                fleet.round()
            else:
                fleet.do(what, *rest)
        fleet.do("wait", 400)


def test_promises_withdrawn_by_many_nodes_are_unrecorded_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """More of them than are written as a whole in a batch."""
    at_once = module.FULL_HEARTBEATS_MAX
    with played(monkeypatch, at_once + 4, at_once=at_once) as fleet:
        fleet.do("wait", 6)
        for node in fleet.nodes:
            node.start(LeasePolicy(), 20)
        fleet.round()
        assert not any(node.lease.is_bound for node in fleet.nodes)
        assert not Node.objects.exclude(fences_within_s=None).exists()
        fleet.do("wait", 400)


@pytest.mark.parametrize("is_whole", [False, True], ids=["the moment alone", "as a whole"])
def test_older_promise_does_not_overwrite_a_newer_one(monkeypatch: pytest.MonkeyPatch, is_whole: bool) -> None:
    """A stopped watcher writes its last heartbeats while its successor already writes."""
    with played(monkeypatch, 1) as fleet:
        (node,) = fleet.nodes
        fleet.do("wait", 6)
        fleet.do("beat", 1)
        older, node.reports = node.reports, []
        fleet.do("wait", 1)
        node.start(LeasePolicy(), 20)
        fleet.round()
        assert not node.lease.is_bound
        stale = BatchWriter(clock_s=lambda: fleet.now_s)
        monkeypatch.setattr(module, "FULL_HEARTBEATS_MAX", int(is_whole))
        outcomes = stale.write([(node.row.pk, older)], set())
        assert not isinstance(outcomes[node.row.pk], Exception)
        assert Node.objects.get().fences_within_s is None, "the node does not see to it any more"
        fleet.do("wait", 400)


def test_report_after_a_reboot_counts_despite_a_lower_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with played(monkeypatch, 1) as fleet:
        (node,) = fleet.nodes
        node.send_heartbeat()
        (event,) = node.reports
        event.heartbeat.inventory.boot_id = "boot-2"
        event.heartbeat.lease.said_at_ms = 5
        event.heartbeat.lease.fences_within_s = 0
        fleet.do("write", 1)
        row = Node.objects.get()
        assert (row.fences_within_s, row.lease_boot_id, row.lease_reported_at_ms) == (None, "boot-2", 5)


def test_partially_written_heartbeat_keeps_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a watcher that has just begun, to which a whole fleet is news, would let their leases lapse."""
    at_once = module.FULL_HEARTBEATS_MAX
    with played(monkeypatch, at_once + 4, at_once=at_once) as fleet:
        fleet.do("wait", 6)
        fleet.do("watcher")
        fleet.round()
        assert {node.lease.status().remaining_ms > 14_000 for node in fleet.nodes} == {True}
        fleet.judge()
