"""Guests that have arrived and are adopted without a permit: what policies no longer admit is there all the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.lab.shell import wait_until
from agents.node.adapters.interfaces import Power
from agents.node.errors import LeaseExpired
from agents.protocol import agent_pb2 as pb
from andromede_core.documents import signed
from tests.agents.conftest import AgentUnderTest, refusal
from tests.agents.pairs import Pair, make_pair, receipt_events, second_agent
from tests.agents.permit_checks import permit_code
from tests.pki import Issued, TestCA

ADOPTED = [("arrival", "opened"), ("arrival", "closed"), ("instance", "opened")]


@pytest.fixture
def other(tmp_path: Path, ca: TestCA, worker: Issued, agent: AgentUnderTest) -> Iterator[AgentUnderTest]:
    yield from second_agent(tmp_path / "other", ca, worker, agent)


@pytest.fixture
def pair(agent: AgentUnderTest, other: AgentUnderTest) -> Pair:
    return make_pair(agent, other)


def bare(pair: Pair, *, generation: int = 2, power: "pb.Power" = pb.POWER_RUNNING) -> pb.EnsureInstanceRequest:
    request = pb.EnsureInstanceRequest(has_left_source=True)
    request.MergeFrom(pair.spec)
    request.subject.generation, request.power = generation, power
    return request


def adopt(pair: Pair, **options: int) -> pb.InstanceState:
    return pair.destination.stub.bare.EnsureInstance(bare(pair, **options))


def permits_of_receipts(pair: Pair) -> set[object]:
    receipts = pair.destination.server.node.permits.receipts.after(0, limit=99)
    payloads = [signed.read(document).payload for _, document in receipts]
    return {each["jti"] for each in payloads if each["resource"] == pair.spec.subject.id}


def test_guest_is_adopted_as_it_came_under_the_permit_of_its_arrival(pair: Pair) -> None:
    pair.end_of(pair.begin())
    request = bare(pair)
    request.vcpus += 1
    assert pair.destination.stub.bare.EnsureInstance(request).power == pb.POWER_RUNNING
    guest = pair.destination.fake.guests[pair.guest_id]
    assert (guest.starts, guest.spec.vcpus) == (0, pair.spec.vcpus)
    assert receipt_events(pair, pair.destination) == ADOPTED
    assert len(permits_of_receipts(pair)) == 1
    held = pair.destination.stub.Describe(pb.DescribeRequest())
    assert [each.volume_id for each in held.attachments] == [pair.data.subject.id]


def test_guest_is_adopted_without_a_permit_once(pair: Pair) -> None:
    pair.end_of(pair.begin())
    adopt(pair)
    assert permit_code(refusal(lambda: adopt(pair))) == "missing"
    assert receipt_events(pair, pair.destination) == [*ADOPTED, ("instance", "refused")]


def test_adopted_guest_is_stopped_without_a_permit(pair: Pair) -> None:
    pair.end_of(pair.begin())
    adopt(pair)
    adopt(pair, generation=3, power=pb.POWER_OFF)
    assert pair.power(pair.destination) is Power.OFF
    assert receipt_events(pair, pair.destination) == [*ADOPTED, ("instance", "closed")]


def test_guest_of_another_generation_is_not_adopted_without_a_permit(pair: Pair) -> None:
    pair.end_of(pair.begin())
    assert permit_code(refusal(lambda: adopt(pair, generation=3))) == "missing"


def test_guest_on_its_way_is_not_adopted_without_a_permit(pair: Pair) -> None:
    pair.source.fake.tunnel.hang = True
    pair.begin()
    wait_until(lambda: pair.power(pair.destination) is Power.PAUSED, what="it to be on its way")
    assert permit_code(refusal(lambda: adopt(pair))) == "missing"


def test_guest_that_was_lost_on_arrival_is_not_started_without_a_permit(pair: Pair) -> None:
    pair.end_of(pair.begin())
    pair.lose_power_of_destination()
    assert permit_code(refusal(lambda: adopt(pair))) == "missing"
    assert pair.power(pair.destination) is Power.OFF


def test_node_whose_lease_has_ended_adopts_no_guest(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.end_of(pair.begin())

    def expired() -> None:
        raise LeaseExpired

    monkeypatch.setattr(pair.destination.server.node.lease, "check", expired)
    assert refusal(lambda: adopt(pair)).code == LeaseExpired.code
    assert receipt_events(pair, pair.destination) == ADOPTED[:1]
