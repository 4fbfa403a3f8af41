"""A ledger does not grow for ever: tombstones go in time, and no permit of before counts again because of that."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from uuid import UUID

from agents.node.trust import replay_guard
from agents.protocol import agent_pb2 as pb
from andromede_core.permits.permit import LIFETIME
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest
from tests.agents.permit_checks import code_of, permitted
from tests.permits import now

LATER = replay_guard.GONE_KEPT + timedelta(minutes=1)


def rows(agent: AgentUnderTest, table: str) -> int:
    with closing(sqlite3.connect(agent.state_dir / "ledger.sqlite")) as ledger:
        count: int = ledger.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return count


def at(agent: AgentUnderTest, moment: datetime) -> Callable[[], pb.EnsureVolumeRequest]:
    """From now on it is so late. Each call makes a volume under a permit of then, and removes it."""
    agent.now = lambda: moment
    agent.learn()

    def make_and_remove() -> pb.EnsureVolumeRequest:
        request = permitted(agent, specs.volume(), nbf=moment, exp=moment + LIFETIME)
        agent.stub.bare.EnsureVolume(request)
        agent.stub.bare.RemoveVolume(specs.removal(request.subject))
        return request

    return make_and_remove


def test_tombstones_and_generations_are_pruned(agent: AgentUnderTest) -> None:
    began, created = now(), replay_guard.PRUNED_AT_ONCE + 10
    there = permitted(agent, specs.volume())
    agent.stub.bare.EnsureVolume(there)
    early = at(agent, began)
    for _ in range(created):
        early()
    assert (rows(agent, "resource"), rows(agent, "permitted")) == (created + 1, created + 1)
    at(agent, began + timedelta(hours=1))()  # sees the tombstones
    late = at(agent, began + timedelta(hours=1) + LATER)
    for _ in range(3):
        late()
    left = 1 + 1 + 3  # the volume, and tombstones that were seen no earlier than late
    assert (rows(agent, "resource"), rows(agent, "permitted")) == (left, left)
    assert UUID(there.subject.id) in agent.fake.volumes


def test_old_permit_does_not_revive_a_pruned_resource(agent: AgentUnderTest) -> None:
    began = now()
    old = at(agent, began)()
    at(agent, began + timedelta(hours=1))()
    late = at(agent, began + timedelta(hours=1) + LATER)
    late()
    with closing(sqlite3.connect(agent.state_dir / "ledger.sqlite")) as ledger:
        assert not ledger.execute("SELECT 1 FROM resource WHERE id = ?", [old.subject.id]).fetchall()
    assert code_of(agent, old) == "expired"
    for restarts in (False, True):
        if restarts:
            agent.restart()
        agent.now = lambda: began + timedelta(seconds=1)
        assert code_of(agent, old) == "clock_untrusted"


def test_repeated_removal_renews_the_tombstone(agent: AgentUnderTest) -> None:
    """Removed long ago, then again just now: a permit that was made meanwhile may still be about."""
    began = now()
    gone = at(agent, began)()
    at(agent, began + timedelta(hours=1))()
    late_at = began + timedelta(hours=1) + LATER
    agent.now = lambda: late_at
    agent.learn()
    between = permitted(agent, specs.volume(gone.subject.id, generation=2), nbf=late_at, exp=late_at + LIFETIME)
    agent.stub.bare.RemoveVolume(specs.removal(gone.subject, 3))
    at(agent, late_at)()
    assert code_of(agent, between) == "stale_generation"


def test_user_data_of_a_removed_guest_is_erased_from_the_database(agent: AgentUnderTest) -> None:
    root, secret = specs.volume(), b"join-token-" * 50
    agent.stub.EnsureVolume(root)
    spec = specs.instance(root, power=pb.POWER_OFF)
    spec.guest_data.user_data = secret
    agent.stub.EnsureInstance(spec)
    agent.stub.bare.RemoveInstance(specs.removal(spec.subject))
    agent.stop()
    files = list(agent.state_dir.glob("ledger.sqlite*"))
    assert files and not any(b"am9pbi10b2tlbi1q" in path.read_bytes() for path in files)
    agent.start()
