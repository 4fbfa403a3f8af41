"""A node that is not heard stops its guests when it was told to, says so only when others may rely on it, and is reset
when it cannot."""

import json
import os
import select
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import grpc
import pytest

from agents.lab.shell import wait_until
from agents.node.adapters.fake import FakeNode
from agents.node.adapters.watchdog import FEED, MAGIC_CLOSE, Watchdog
from agents.node.context import Node, boot_id
from agents.node.errors import AdapterError, BadRequest, LeaseExpired
from agents.node.lease import MEMORY, NO_LEASE, NO_WATCHDOG, STOP_WITHIN_S, Lease, LeasePolicy
from agents.node.services.self_fencing import LAPSED, SelfFencing
from agents.node.state_store import StateStore
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, refusal
from tests.agents.test_receipts import all_receipts, running
from tests.limits import PATIENCE_S
from tests.pki import Issued, TestCA

BOOT = "boot-1"
STOPS = LeasePolicy(stops=True, limit_s=10)


@dataclass
class Dog:
    """The machine's side of a watchdog: what was written to it since it was last asked."""

    path: Path
    fd: int = field(init=False)

    def __post_init__(self) -> None:
        os.mkfifo(self.path)
        self.fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)

    def eaten(self, *, within_s: float = 0) -> bytes:
        select.select([self.fd], [], [], within_s)
        return os.read(self.fd, 4096) if select.select([self.fd], [], [], 0)[0] else b""


@pytest.fixture
def dog(tmp_path: Path) -> Iterator[Dog]:
    watchdog = Dog(tmp_path / "watchdog")
    yield watchdog
    os.close(watchdog.fd)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[StateStore]:
    store = StateStore(tmp_path / "lease.sqlite")
    yield store
    store.close()


class Machine:
    """A node's leases over one ledger, with a clock that is set by hand (ms)."""

    def __init__(self, ledger: StateStore, dog: Dog) -> None:
        self.now_ms = 1_000_000
        self.state_store, self.watchdog = ledger, Watchdog(dog.path, 20)

    def agent(self, policy: LeasePolicy = STOPS, *, boot_id: str = BOOT, has_watchdog: bool = True) -> Lease:
        watchdog = self.watchdog if has_watchdog else None
        return Lease(self.state_store, policy, boot_id=boot_id, watchdog=watchdog, clock_ms=lambda: self.now_ms)

    def later(self, seconds: float) -> None:
        self.now_ms += int(seconds * 1000)


@pytest.fixture
def machine(ledger: StateStore, dog: Dog) -> Machine:
    return Machine(ledger, dog)


def renew(lease: Lease, *, heard_at_ms: int, duration_s: int = 60, boot_id: str = BOOT) -> None:
    lease.renew(boot_id=boot_id, heard_at_ms=heard_at_ms, duration_s=duration_s)


# ---- the lease


def test_lease_runs_from_the_heartbeat_received(machine: Machine) -> None:
    lease = machine.agent()
    reported_at_ms = lease.status().said_at_ms
    machine.later(50)  # so long the renewal was on its way
    renew(lease, heard_at_ms=reported_at_ms)
    assert lease.status().remaining_ms == 10_000
    machine.later(20)
    assert lease.over_for_s() is None, "the limit is still to come"
    lease.check()
    machine.later(1)
    assert lease.over_for_s() == 1
    with pytest.raises(LeaseExpired):
        lease.check()
    renew(lease, heard_at_ms=reported_at_ms, duration_s=30)
    assert lease.over_for_s() == 1, "a renewal that comes late shortens nothing, and brings nothing back"


def test_invalid_renewal_is_refused(machine: Machine) -> None:
    lease = machine.agent()
    for changes in (
        {"boot_id": "another"},
        {"heard_at_ms": machine.now_ms + 1},
        {"duration_s": 601},
        {"duration_s": 0},
    ):
        with pytest.raises(BadRequest):
            renew(lease, **({"heard_at_ms": machine.now_ms} | changes))  # type: ignore[arg-type]
    assert lease.status().remaining_ms == 0


def test_fencing_time_is_reported_only_with_a_lease_and_a_watchdog(machine: Machine, dog: Dog) -> None:
    assert machine.agent(has_watchdog=False).status().problem == NO_WATCHDOG
    lease = machine.agent()
    assert (lease.status().problem, lease.status().fences_within_s) == (NO_LEASE, 0)
    renew(lease, heard_at_ms=machine.now_ms)
    assert lease.status().fences_within_s == 10 + STOP_WITHIN_S + 20 + 2
    os.close(dog.fd)
    machine.watchdog.feed()
    status = lease.status()
    assert status.fences_within_s == 0
    assert "cannot be fed" in status.problem
    dog.fd = os.open(dog.path, os.O_RDONLY | os.O_NONBLOCK)
    keeps = machine.agent(LeasePolicy())
    renew(keeps, heard_at_ms=machine.now_ms)
    assert not keeps.is_armed


def test_agent_without_self_fencing_never_expires(machine: Machine) -> None:
    lease = machine.agent(LeasePolicy(stops=False))
    renew(lease, heard_at_ms=machine.now_ms)
    machine.later(10_000)
    assert lease.over_for_s() is None
    assert not lease.status().is_wanted


def test_promised_fencing_binds_until_its_withdrawal_is_received(machine: Machine) -> None:
    before = machine.agent()
    renew(before, heard_at_ms=machine.now_ms)
    promised_at = before.status().said_at_ms
    machine.later(1)
    changed = machine.agent(LeasePolicy(stops=False, limit_s=10))  # somebody has started it anew, with another option
    machine.later(1)
    assert changed.is_bound
    taken_back = changed.status()
    assert (taken_back.is_wanted, taken_back.fences_within_s) == (True, 0)
    renew(changed, heard_at_ms=promised_at)
    assert changed.is_bound, "who renews has only heard the promise"
    machine.later(60 + 10 + 1)
    assert changed.over_for_s() is not None
    renew(changed, heard_at_ms=taken_back.said_at_ms)
    assert not changed.is_bound
    assert not machine.agent(LeasePolicy()).is_bound, "it is on disk"


def test_longer_limit_counts_once_it_is_received(machine: Machine) -> None:
    before = machine.agent()
    renew(before, heard_at_ms=machine.now_ms)
    promised = before.status()
    machine.later(1)
    changed = machine.agent(LeasePolicy(stops=True, limit_s=40))
    assert changed.status().fences_within_s == promised.fences_within_s + 30
    machine.later(60 + 10)
    assert changed.over_for_s() is not None, "others rely on the time that was said before"
    renew(changed, heard_at_ms=promised.said_at_ms)
    assert changed.over_for_s() is not None
    assert machine.agent(LeasePolicy(stops=True, limit_s=40)).over_for_s() is not None, "it is on disk"
    renew(changed, heard_at_ms=changed.status().said_at_ms)
    machine.later(60 + 40)
    assert changed.over_for_s() is None


def test_promise_without_a_stored_time_binds(machine: Machine) -> None:
    renew(machine.agent(), heard_at_ms=machine.now_ms)
    old = {"boot_id": BOOT, "until_ms": machine.now_ms + 60_000, "is_promised": True}
    machine.state_store.execute("INSERT OR REPLACE INTO memory VALUES (?, ?)", MEMORY, json.dumps(old))
    keeps = machine.agent(LeasePolicy(stops=False, limit_s=10))
    assert keeps.is_relied_on
    machine.later(60 + 10 + 1)
    assert keeps.over_for_s() == 1


def test_lease_outlives_the_agent_and_not_the_boot(machine: Machine) -> None:
    renew(machine.agent(), heard_at_ms=machine.now_ms)
    machine.later(60 + 10 + 5)
    assert machine.agent().over_for_s() == 5
    assert machine.agent(boot_id="boot-2").over_for_s() is None


# ---- what becomes of the guests


@dataclass
class Cut:
    """An agent with a running guest whose lease has lapsed."""

    agent: AgentUnderTest
    machine: Machine
    node: Node
    guest: pb.EnsureInstanceRequest

    def fencing(self) -> SelfFencing:
        return SelfFencing(self.node, tick_s=0.01)


@pytest.fixture
def cut(agent: AgentUnderTest, machine: Machine) -> Cut:
    guest, lease = running(agent), machine.agent()
    renew(lease, heard_at_ms=machine.now_ms)
    assert lease.status().fences_within_s
    machine.later(60 + 10 + 1)
    return Cut(agent, machine, replace(agent.server.node, lease=lease), guest)


def test_guests_are_stopped_and_their_receipts_have_the_reason(cut: Cut, dog: Dog) -> None:
    fencing = cut.fencing()
    closed = all_receipts(cut.agent, 3)[2]
    assert (closed["event"], closed["resource"], closed["measured"]) == (
        "closed",
        cut.guest.subject.id,
        {"reason": LAPSED},
    )
    (guest,) = cut.agent.stub.Describe(pb.DescribeRequest()).instances
    assert guest.power == pb.POWER_CRASHED
    assert "not heard for too long" in guest.reason
    dog.eaten()
    assert FEED in dog.eaten(within_s=PATIENCE_S), "it has done what it had to"
    fencing.stop()
    assert dog.eaten(within_s=PATIENCE_S).endswith(MAGIC_CLOSE), "nothing runs, so nothing has to be watched"
    anew = specs.next_generation(cut.guest)
    anew.ClearField("permit")
    cut.agent.stub.EnsureInstance(anew)
    (guest,) = cut.agent.stub.Describe(pb.DescribeRequest()).instances
    assert (guest.power, guest.reason) == (pb.POWER_RUNNING, "")


def test_watchdog_is_not_fed_when_guests_cannot_be_stopped(cut: Cut, dog: Dog, fake_fails: None) -> None:
    fencing = cut.fencing()
    assert FEED in dog.eaten(within_s=PATIENCE_S), "it still has time"
    cut.machine.later(STOP_WITHIN_S)
    wait_until(lambda: not dog.eaten(within_s=0.2), what="the watchdog to go hungry")
    fencing.stop()
    assert MAGIC_CLOSE not in dog.eaten()


@pytest.fixture
def fake_fails(cut: Cut, monkeypatch: pytest.MonkeyPatch) -> None:
    def power_off(guest_id: object) -> None:
        raise AdapterError("QEMU does not end.", retryable=True)

    monkeypatch.setattr(cut.node.adapters.hypervisor, "power_off", power_off)


def test_stopping_agent_keeps_the_watchdog_armed_for_its_guests(cut: Cut, dog: Dog) -> None:
    renew(cut.node.lease, heard_at_ms=cut.machine.now_ms)
    assert cut.node.lease.status().fences_within_s
    cut.fencing().stop()
    assert MAGIC_CLOSE not in dog.eaten()


# ---- over the wire


@pytest.fixture
def stopping(tmp_path: Path, ca: TestCA, worker: Issued, dog: Dog) -> Iterator[AgentUnderTest]:
    under_test = AgentUnderTest(tmp_path, FakeNode(), ca, worker, lease=LeasePolicy(stops=True), dog=dog.path)
    under_test.enrol()
    under_test.start()
    under_test.learn()
    yield under_test
    under_test.stop()


def heartbeat(agent: AgentUnderTest) -> pb.Heartbeat:
    stream = agent.stub.Watch(pb.WatchRequest(heartbeat_interval_ms=100), timeout=PATIENCE_S)
    result = next(event.heartbeat for event in stream if event.WhichOneof("event") == "heartbeat")
    stream.cancel()
    return result


def test_heartbeat_reports_self_fencing_once_it_holds(stopping: AgentUnderTest) -> None:
    before = heartbeat(stopping)
    assert before.lease.is_wanted
    assert (before.lease.fences_within_s, before.lease.problem) == (0, NO_LEASE)
    assert "self-fencing" not in before.inventory.traits
    renewal = pb.RenewLeaseRequest(boot_id=before.inventory.boot_id, heard_at_ms=before.lease.said_at_ms, duration_s=30)
    status = stopping.stub.watcher.RenewLease(renewal)
    assert 0 < status.remaining_ms <= 30_000
    after = heartbeat(stopping)
    assert after.lease.fences_within_s == 60 + STOP_WITHIN_S + 60 + 2
    assert "self-fencing" in after.inventory.traits


def test_starting_agent_does_not_feed_the_watchdog(dog: Dog) -> None:
    for _ in range(2):
        Watchdog(dog.path, 20).close(disarm=False)
    assert dog.eaten() == b""


def test_agent_works_without_a_watchdog_device(tmp_path: Path, ca: TestCA, worker: Issued) -> None:
    lacking = AgentUnderTest(
        tmp_path, FakeNode(), ca, worker, lease=LeasePolicy(stops=True), dog=tmp_path / "no-watchdog"
    )
    lacking.enrol()
    lacking.start()
    assert heartbeat(lacking).lease.problem == NO_WATCHDOG
    lacking.stop()


@pytest.mark.parametrize(("is_relied_on", "eaten"), [(False, MAGIC_CLOSE), (True, b"")])
def test_failed_agent_start_disarms_the_watchdog_unless_relied_on(
    tmp_path: Path,
    ca: TestCA,
    worker: Issued,
    dog: Dog,
    monkeypatch: pytest.MonkeyPatch,
    is_relied_on: bool,
    eaten: bytes,
) -> None:
    """Else a node that cannot begin after its reset would be reset for ever."""
    agent = AgentUnderTest(tmp_path, FakeNode(), ca, worker, lease=LeasePolicy(stops=True), dog=dog.path)
    agent.enrol()
    if is_relied_on:
        ledger = StateStore(tmp_path / "ledger.sqlite")
        before = Lease(ledger, LeasePolicy(stops=True), boot_id=boot_id(), watchdog=Watchdog(dog.path, 60))
        before.renew(boot_id=boot_id(), heard_at_ms=0, duration_s=60)
        assert before.status().fences_within_s
        ledger.close()
    monkeypatch.setattr("agents.node.main.ports.restore", lambda node: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        agent.start()
    assert dog.eaten() == eaten


def test_only_the_watcher_renews_the_lease(stopping: AgentUnderTest) -> None:
    beat = heartbeat(stopping)
    renewal = pb.RenewLeaseRequest(boot_id=beat.inventory.boot_id, heard_at_ms=beat.lease.said_at_ms, duration_s=30)
    refused = refusal(lambda: stopping.stub.bare.RenewLease(renewal))
    assert refused.status is grpc.StatusCode.PERMISSION_DENIED


def test_node_with_an_expired_lease_refuses_new_work(stopping: AgentUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    beat = heartbeat(stopping)
    renewal = pb.RenewLeaseRequest(boot_id=beat.inventory.boot_id, heard_at_ms=beat.lease.said_at_ms, duration_s=1)
    stopping.stub.watcher.RenewLease(renewal)
    lease = stopping.server.node.lease
    monkeypatch.setattr(lease, "clock_ms", lambda: beat.lease.said_at_ms + 62_000)
    refused = refusal(lambda: stopping.stub.EnsureVolume(specs.volume()))
    assert (refused.code, refused.is_retryable) == ("agent.lease_lapsed", True)
