"""Self-test of a node before it gets guests."""

from dataclasses import replace
from pathlib import Path

import pytest

from agents.node.errors import AdapterError
from agents.node.services import selftest
from agents.node.services.selftest import SelfTest, first_problem
from agents.protocol import agent_pb2 as pb
from scripts.polling import wait_until
from tests.agents.conftest import AgentUnderTest


def test_working_node_passes_and_keeps_no_test_resources(agent: AgentUnderTest) -> None:
    assert first_problem(agent.server.node) == ""
    assert not agent.fake.volumes
    assert not agent.fake.ports
    assert agent.fake.call_counts["probe"] == 1


@pytest.mark.parametrize(
    ("call", "step"), [("probe", "A probe guest"), ("create_volume", "A disk"), ("ensure_port", "A network")]
)
def test_failed_check_is_named_and_leaves_nothing(agent: AgentUnderTest, call: str, step: str) -> None:
    agent.fake.fail_next(call, AdapterError("It is broken.", retryable=False))
    assert first_problem(agent.server.node) == f"{step}: It is broken."
    assert not agent.fake.volumes
    assert not agent.fake.ports
    assert first_problem(agent.server.node) == ""


@pytest.mark.parametrize(
    ("trait", "is_needed", "has_problem"),
    [("none", True, True), ("none", False, False), ("apparmor", True, False), ("selinux", True, False)],
)
def test_node_that_cannot_confine_guests_fails(
    agent: AgentUnderTest, trait: str, is_needed: bool, has_problem: bool
) -> None:
    agent.fake.more_traits = (f"confinement:{trait}",)
    node = replace(agent.server.node, needs_confinement=is_needed)
    assert first_problem(node).startswith("Confinement: libvirt has no AppArmor") == has_problem
    held = agent.stub.Describe(pb.DescribeRequest())
    assert f"confinement:{trait}" in held.inventory.traits


def untested(agent: AgentUnderTest, kept: Path) -> SelfTest:
    verdict = agent.server.node.self_test
    verdict.has_passed, verdict.problem = False, ""
    return SelfTest(agent.server.node, kept)


def test_self_test_repeats_until_it_passes_and_holds_for_the_boot(
    agent: AgentUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selftest, "RETRY_AFTER_S", 0.01)
    verdict, kept = agent.server.node.self_test, tmp_path / "self-test.json"
    agent.fake.fail_next("probe", AdapterError("It is broken.", retryable=True))
    trial = untested(agent, kept)
    trial.start()
    wait_until(lambda: verdict.has_passed)
    trial.stop()
    assert (verdict.problem, agent.fake.call_counts["probe"]) == ("", 2)

    untested(agent, kept).start()
    assert (verdict.has_passed, agent.fake.call_counts["probe"]) == (True, 2), "it is not tried again"

    kept.write_text(kept.read_text().replace(agent.server.node.boot_id, "another boot"))
    trial = untested(agent, kept)
    trial.start()
    wait_until(lambda: verdict.has_passed)
    trial.stop()
    assert agent.fake.call_counts["probe"] == 3


def test_heartbeat_reports_the_self_test(agent: AgentUnderTest) -> None:
    def reported() -> pb.SelfTest:
        stream = agent.stub.Watch(pb.WatchRequest(heartbeat_interval_ms=60_000))
        beat = next(event.heartbeat for event in stream if event.HasField("heartbeat"))
        stream.cancel()
        return beat.self_test

    assert reported() == pb.SelfTest(has_passed=True)
    agent.server.node.self_test.has_passed = False
    agent.server.node.self_test.problem = "A disk: It is full."
    assert reported() == pb.SelfTest(has_passed=False, problem="A disk: It is full.")
