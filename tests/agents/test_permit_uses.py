"""Validity and uses of a permit while clock, state store or guest change."""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import grpc
import pytest

from agents.node.errors import AdapterError
from agents.node.trust import replay_guard
from agents.protocol import agent_pb2 as pb
from andromede_core.permits.permit import LIFETIME, Contents
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, refusal
from tests.agents.permit_checks import accepted, code_of, permit_code, permitted, refused
from tests.limits import PATIENCE_S
from tests.permits import addresses_of, now

# ---- time


def test_permit_is_valid_until_its_end(agent: AgentUnderTest) -> None:
    """Issued in the last seconds of a qualification, used before and after its end."""
    end = now().replace(microsecond=0) + timedelta(hours=1)
    last = {"nbf": end - timedelta(seconds=2), "exp": end}
    agent.now = lambda: end - timedelta(seconds=1)
    accepted(agent, **last)
    agent.now = lambda: end
    assert refused(agent, **last) == "expired"


def test_permit_is_accepted_one_minute_early_at_most(agent: AgentUnderTest) -> None:
    begins = now() + timedelta(minutes=30)
    agent.now = lambda: begins - timedelta(seconds=61)
    assert refused(agent, nbf=begins, exp=begins + LIFETIME) == "not_yet_valid"
    agent.now = lambda: begins - timedelta(seconds=60)
    accepted(agent, nbf=begins, exp=begins + LIFETIME)


def test_permit_with_too_long_a_lifetime_is_refused(agent: AgentUnderTest) -> None:
    begins = now()
    assert refused(agent, nbf=begins, exp=begins + LIFETIME + timedelta(seconds=1)) == "expired"


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("witness", ["a permit", "a refusal", "a floor"])
def test_clock_that_was_set_back_is_not_trusted(agent: AgentUnderTest, witness: str, restarts: bool) -> None:
    began = now()
    old = permitted(agent, specs.volume())
    agent.now = lambda: began + timedelta(hours=1)
    fresh = {"nbf": began + timedelta(hours=1), "exp": began + timedelta(hours=1) + LIFETIME}
    if witness == "a permit":
        accepted(agent, **fresh)
    elif witness == "a refusal":
        assert code_of(agent, old) == "expired"
    else:
        facts = agent.authority.facts(specs.ZONE)
        floor = agent.authority.floor(specs.ZONE, facts, issued_at=began + timedelta(hours=1))
        agent.stub.EnsureTrust(pb.EnsureTrustRequest(floor=floor, facts=facts))
    agent.now = lambda: began + timedelta(seconds=1)
    if restarts:
        agent.restart()
    assert code_of(agent, old) == "clock_untrusted"
    agent.now = lambda: began + timedelta(hours=1)
    accepted(agent, **fresh)


def test_small_step_back_of_the_clock_is_accepted(agent: AgentUnderTest) -> None:
    began = now()
    accepted(agent)
    agent.now = lambda: began - timedelta(seconds=1)
    accepted(agent)


def test_unsynchronised_clock_is_refused_and_leaves_no_trace(agent: AgentUnderTest) -> None:
    agent.is_clock_kept = False
    agent.now = lambda: datetime(2099, 1, 1, tzinfo=UTC)
    assert refused(agent) == "clock_untrusted"
    agent.is_clock_kept, agent.now = True, now
    accepted(agent)


# ---- epochs


def test_permit_needs_the_facts_epoch_of_the_node(agent: AgentUnderTest) -> None:
    """The permit was made before the facts or policies changed."""
    before = permitted(agent, specs.volume())
    agent.authority.epoch += 1
    after = permitted(agent, specs.volume())
    assert code_of(agent, after) == "stale_facts"
    agent.learn()
    assert code_of(agent, before) == "revoked_by_epoch"
    agent.stub.bare.EnsureVolume(after)
    agent.restart()
    assert code_of(agent, before) == "revoked_by_epoch"


# ---- repetition and replay


def test_call_may_be_repeated_under_its_permit_after_a_restart(agent: AgentUnderTest) -> None:
    request = permitted(agent, specs.volume())
    first = agent.stub.bare.EnsureVolume(request)
    assert agent.stub.bare.EnsureVolume(request) == first
    agent.restart()
    assert agent.stub.bare.EnsureVolume(request) == first


@pytest.mark.parametrize("restarts", [False, True])
def test_a_permit_is_not_used_for_another_content(agent: AgentUnderTest, restarts: bool) -> None:
    request = permitted(agent, specs.volume(size_mib=64))
    agent.stub.bare.EnsureVolume(request)
    if restarts:
        agent.restart()
    request.size_bytes *= 2
    error = refusal(lambda: agent.stub.bare.EnsureVolume(request))
    assert permit_code(error) == "replayed"
    assert agent.fake.volumes[UUID(request.subject.id)] == 64 * specs.MIB


def test_failed_call_may_be_repeated_under_its_permit(agent: AgentUnderTest) -> None:
    request = permitted(agent, specs.volume())
    agent.fake.fail_next("create_volume", AdapterError("The disk is full.", retryable=True))
    assert refusal(lambda: agent.stub.bare.EnsureVolume(request)).code == "agent.adapter_failed"
    agent.restart()
    agent.stub.bare.EnsureVolume(request)
    assert UUID(request.subject.id) in agent.fake.volumes


def test_concurrent_calls_with_different_content_use_a_permit_once(agent: AgentUnderTest) -> None:
    request = permitted(agent, specs.volume())
    sizes = [(n + 1) * 64 * specs.MIB for n in range(8)]
    together = threading.Barrier(len(sizes))
    codes: list[str] = []

    def call(size_bytes: int) -> None:
        mine = pb.EnsureVolumeRequest()
        mine.CopyFrom(request)
        mine.size_bytes = size_bytes
        together.wait(timeout=PATIENCE_S)
        try:
            agent.stub.bare.EnsureVolume(mine)
            codes.append("")
        except grpc.RpcError as exc:
            codes.append(dict(exc.trailing_metadata())["andromede-code"])  # type: ignore[attr-defined]

    threads = [threading.Thread(target=call, args=(size,)) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == ["", *["agent.permit.replayed"] * (len(sizes) - 1)]


@pytest.mark.parametrize("restarts", [False, True])
def test_permit_does_not_revive_a_removed_resource(agent: AgentUnderTest, restarts: bool) -> None:
    request = permitted(agent, specs.volume(generation=2))
    agent.stub.bare.EnsureVolume(request)
    agent.stub.RemoveVolume(specs.removal(request.subject))
    if restarts:
        agent.restart()
    assert code_of(agent, request) == "stale_generation"
    request.subject.generation = 3
    assert code_of(agent, request) == "stale_generation"


def test_a_permit_for_an_older_generation_is_refused(agent: AgentUnderTest) -> None:
    request = specs.volume(generation=2)
    agent.stub.EnsureVolume(request)
    old = specs.volume(request.subject.id, generation=1)
    assert permit_code(refusal(lambda: agent.stub.EnsureVolume(old))) == "stale_generation"
    later = permitted(agent, specs.volume(request.subject.id, generation=3), gen=2)
    assert permit_code(refusal(lambda: agent.stub.bare.EnsureVolume(later))) == "stale_generation"


def test_old_permit_does_not_plug_an_unplugged_volume(agent: AgentUnderTest) -> None:
    """The permit is about the volume, and the attachment has generations of its own."""
    root, data = specs.volume(), specs.volume()
    spec = specs.instance(root)
    for request in (root, data):
        agent.stub.EnsureVolume(request)
    agent.stub.EnsureInstance(spec)
    plug = specs.attachment(spec, data)
    plug.permit.CopyFrom(agent.stub.permit_for(plug, resource=data.subject.id))
    agent.stub.bare.EnsureAttachment(plug)
    agent.stub.RemoveAttachment(specs.removal(plug.subject))
    for generation in (1, 2):
        plug.subject.generation = generation
        assert permit_code(refusal(lambda: agent.stub.bare.EnsureAttachment(plug))) == "replayed"
    plug.permit.CopyFrom(agent.stub.permit_for(plug, resource=data.subject.id))
    agent.stub.bare.EnsureAttachment(plug)


def test_steps_of_one_operation_may_share_a_permit(agent: AgentUnderTest) -> None:
    """A create defines its guest at one generation and starts it at the next."""
    root, port = specs.volume(), specs.port()
    define = specs.instance(root, port, power=pb.POWER_OFF)
    start = specs.next_generation(define, power=pb.POWER_RUNNING)
    own = (root.subject.id,), (port.subject.id,), (define.subject.id,), addresses_of(port)
    contents = Contents(volumes=own[0], nics=own[1], instances=own[2], addresses=own[3])
    shared = agent.stub.permit_for(start, "instance.create", contents=contents)
    for request in (root, port, define, start):
        request.permit.CopyFrom(shared)
    agent.stub.bare.EnsureVolume(root)
    agent.stub.bare.EnsurePort(port)
    agent.stub.bare.EnsureInstance(define)
    assert agent.stub.bare.EnsureInstance(start).power == pb.POWER_RUNNING
    assert agent.stub.bare.EnsureInstance(start).power == pb.POWER_RUNNING
    assert permit_code(refusal(lambda: agent.stub.bare.EnsureInstance(define))) == "replayed"


def test_a_start_is_not_replayed_after_a_stop(agent: AgentUnderTest) -> None:
    root = specs.volume()
    agent.stub.EnsureVolume(root)
    start = specs.instance(root)
    start.permit.CopyFrom(agent.stub.permit_for(start))
    agent.stub.bare.EnsureInstance(start)
    stop = specs.next_generation(start, power=pb.POWER_OFF)
    stop.ClearField("permit")
    agent.stub.bare.EnsureInstance(stop)
    assert permit_code(refusal(lambda: agent.stub.bare.EnsureInstance(start))) == "stale_generation"
    start.subject.generation = 3
    assert permit_code(refusal(lambda: agent.stub.bare.EnsureInstance(start))) == "stale_generation"
    assert agent.fake.guests[UUID(start.subject.id)].starts == 1


def test_node_that_lost_its_state_refuses_older_permits(agent: AgentUnderTest) -> None:
    request = permitted(agent, specs.volume())
    agent.stub.bare.EnsureVolume(request)
    agent.stop()
    for path in agent.state_dir.glob("ledger.sqlite*"):
        path.unlink()
    agent.start()
    agent.learn()
    agent.fake.volumes.clear()
    assert code_of(agent, request) == "expired"
    accepted(agent)


# ---- stopping


def test_guest_is_stopped_without_a_permit_and_not_changed(agent: AgentUnderTest) -> None:
    root, port, other = specs.volume(), specs.port(), specs.port(12)
    for request in (port, other):
        agent.stub.EnsurePort(request)
    agent.stub.EnsureVolume(root)
    spec = specs.instance(root, port)
    agent.stub.EnsureInstance(spec)
    before = agent.fake.guests[UUID(spec.subject.id)].spec
    stop = specs.next_generation(spec, power=pb.POWER_OFF, vcpus=64)
    stop.port_ids[:] = [other.subject.id]
    stop.guest_data.user_data = b"#!/bin/sh\n"
    for _ in range(2):
        assert agent.stub.bare.EnsureInstance(stop).power == pb.POWER_OFF
    assert agent.fake.guests[UUID(spec.subject.id)].spec == before
    back_on = specs.next_generation(stop, power=pb.POWER_RUNNING)
    assert permit_code(refusal(lambda: agent.stub.bare.EnsureInstance(back_on))) == "missing"


@pytest.mark.parametrize("removed", [False, True])
def test_stop_of_a_missing_guest_creates_none(agent: AgentUnderTest, removed: bool) -> None:
    root = specs.volume()
    agent.stub.EnsureVolume(root)
    spec = specs.instance(root, power=pb.POWER_OFF)
    if removed:
        agent.stub.EnsureInstance(spec)
        agent.stub.RemoveInstance(specs.removal(spec.subject))
        spec = specs.next_generation(spec)
    assert permit_code(refusal(lambda: agent.stub.bare.EnsureInstance(spec))) == "missing"
    assert not agent.fake.guests


@dataclass(frozen=True)
class Removal:
    call: str
    request: pb.RemoveRequest


def test_removing_needs_no_permit(agent: AgentUnderTest) -> None:
    root, data, port = specs.volume(), specs.volume(), specs.port()
    for request in (root, data):
        agent.stub.EnsureVolume(request)
    agent.stub.EnsurePort(port)
    spec = specs.instance(root, port)
    agent.stub.EnsureInstance(spec)
    plug = specs.attachment(spec, data)
    agent.stub.EnsureAttachment(plug)
    for removal in (
        Removal("RemoveAttachment", specs.removal(plug.subject)),
        Removal("RemoveInstance", specs.removal(spec.subject)),
        Removal("RemovePort", specs.removal(port.subject)),
        Removal("RemoveVolume", specs.removal(data.subject)),
        Removal("RemoveVolume", specs.removal(root.subject)),
    ):
        assert getattr(agent.stub.bare, removal.call)(removal.request).was_present
    assert agent.fake.is_clean()


# ---- generations that nobody permitted


FAR = 2**53 - 1


def test_a_stop_without_a_permit_does_not_use_up_the_generations(agent: AgentUnderTest) -> None:
    root = specs.volume()
    agent.stub.EnsureVolume(root)
    start = specs.instance(root)
    agent.stub.EnsureInstance(start)
    for generation in (FAR, FAR, 2**63 - 1):
        stop = specs.next_generation(start, power=pb.POWER_OFF)
        stop.subject.generation = generation
        assert agent.stub.bare.EnsureInstance(stop).power == pb.POWER_OFF
    behind = specs.next_generation(start, power=pb.POWER_RUNNING)
    behind.subject.generation = replay_guard.FREE_STEP
    assert refusal(lambda: agent.stub.EnsureInstance(behind)).code == "agent.permit.stale_generation"
    behind.subject.generation += 2
    assert agent.stub.EnsureInstance(behind).power == pb.POWER_RUNNING


def test_a_removal_does_not_use_up_the_generations(agent: AgentUnderTest) -> None:
    volume = specs.volume()
    agent.stub.EnsureVolume(volume)
    far = pb.Subject(id=volume.subject.id, generation=FAR)
    for was_present in (True, False):
        assert agent.stub.bare.RemoveVolume(specs.removal(far)).was_present == was_present
    volume.subject.generation = 2 + replay_guard.FREE_STEP
    agent.stub.EnsureVolume(volume)


def test_permit_does_not_allow_a_far_generation_to_listed_resources(agent: AgentUnderTest) -> None:
    port = specs.port(generation=FAR)
    port.permit.CopyFrom(agent.stub.permit_for(port, resource=specs.new_id(), gen=3))
    assert permit_code(refusal(lambda: agent.stub.bare.EnsurePort(port))) == "stale_generation"
    port.subject.generation = replay_guard.FREE_STEP
    agent.stub.bare.EnsurePort(port)
