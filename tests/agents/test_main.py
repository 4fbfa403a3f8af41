"""The agent as a program of its own, and the queues between guests and watchers."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import grpc
import pytest

from agents.node.errors import Exhausted
from agents.node.services.events import MAX_PENDING, Hub
from agents.protocol import agent_pb2 as pb
from agents.protocol.agent_pb2_grpc import AgentStub
from telemetry.kernel_clock import is_synchronised
from tests.agents import specs
from tests.agents.conftest import refusal
from tests.limits import PATIENCE_S
from tests.permits import Authority, PermittedStub
from tests.pki import Issued, TestCA, issue_node, node_dns_name
from tests.processes import line_with, running

AUTHORITY = Authority()


@pytest.fixture
def state_dir(tmp_path: Path, ca: TestCA) -> Path:
    issue_node(ca, tmp_path, node_id=specs.NODE_ID, zone=specs.ZONE, root=AUTHORITY.root.public_pem)
    return tmp_path


@contextmanager
def fake_agent(
    state_dir: Path,
    caller: Issued,
    end: signal.Signals,
    *,
    clock: str = "kept-elsewhere",
    options: Sequence[str] = (),
) -> Iterator[tuple[PermittedStub, list[str]]]:
    """A process that is ended with `end`; the list holds its log afterwards."""
    command = [sys.executable, "-m", "agents.node.main", "--adapter", "fake", "--state-dir", str(state_dir)]
    command += ["--clock", clock, *options]
    command += ["--listen", "127.0.0.1:0", "--fake-cores", "8", "--fake-memory-mib", "4096"]
    with running(command, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        serving = json.loads(line_with('"port"', process.stderr))
        credentials = grpc.ssl_channel_credentials(caller.ca, caller.key, caller.certificate)
        name = [("grpc.ssl_target_name_override", node_dns_name(specs.NODE_ID))]
        log: list[str] = []
        try:
            with grpc.secure_channel(f"127.0.0.1:{serving['port']}", credentials, options=name) as channel:
                stub = PermittedStub(AgentStub(channel), AUTHORITY, node=specs.NODE_ID, zone=specs.ZONE)
                stub.EnsureTrust(AUTHORITY.trust(specs.NODE_ID, specs.ZONE))
                yield stub, log
        finally:
            process.send_signal(end)
        log += process.stderr.readlines()
        assert process.wait(timeout=PATIENCE_S) == (0 if end is signal.SIGTERM else -end)


def test_sigterm_stops_a_watched_agent_cleanly(state_dir: Path, watcher: Issued) -> None:
    with fake_agent(state_dir, watcher, signal.SIGTERM) as (stub, _log):
        heartbeat = next(stub.bare.Watch(pb.WatchRequest(heartbeat_interval_ms=3_600_000))).heartbeat
        assert (heartbeat.inventory.cores, heartbeat.inventory.memory_mib) == (8, 4096)


def test_log_is_json_lines_without_tenant_data(state_dir: Path, worker: Issued) -> None:
    root = specs.volume()
    spec = specs.instance(root)
    spec.guest_data.user_data = b"#!/bin/sh\necho hunter2\n"
    with fake_agent(state_dir, worker, signal.SIGTERM) as (stub, log):
        stub.EnsureVolume(root)
        stub.EnsureInstance(spec)
    events = [json.loads(line) for line in log if line.startswith("{")]
    assert {"call", "permit accepted", "stopping"} <= {event["message"] for event in events}
    assert not [line for line in log if "hunter2" in line or "ssh-ed25519" in line]


def test_killed_fake_node_returns_as_after_a_power_cut(state_dir: Path, worker: Issued) -> None:
    root = specs.volume()
    spec = specs.instance(root)
    with fake_agent(state_dir, worker, signal.SIGKILL) as (stub, _log):
        stub.EnsureVolume(root)
        assert stub.EnsureInstance(spec).power == pb.POWER_RUNNING
    with fake_agent(state_dir, worker, signal.SIGTERM) as (stub, _log):
        found = stub.Describe(pb.DescribeRequest())
        assert [state.power for state in found.instances] == [pb.POWER_CRASHED]
        assert not found.lost_domains, "it is still defined: one that is not has left"
        assert stub.EnsureInstance(spec).power == pb.POWER_RUNNING


def test_killed_agent_remembers_permit_uses(state_dir: Path, worker: Issued) -> None:
    with fake_agent(state_dir, worker, signal.SIGKILL) as (stub, _log):
        request = stub.permitted(specs.volume())
        stub.EnsureVolume(request)
    with fake_agent(state_dir, worker, signal.SIGTERM) as (stub, _log):
        stub.EnsureVolume(request)
        request.size_bytes *= 2
        assert refusal(lambda: stub.EnsureVolume(request)).code == "agent.permit.replayed"


def test_unsynchronised_clock_is_trusted_only_by_operator_setting(state_dir: Path, worker: Issued) -> None:
    """The clock of the test machine may be synchronised or not; the agent acts by what its kernel reports."""
    with fake_agent(state_dir, worker, signal.SIGTERM, clock="synchronised") as (stub, _log):
        is_kept = stub.EnsureTrust(pb.EnsureTrustRequest()).is_clock_kept
        assert is_kept == is_synchronised()
        if not is_kept:
            assert refusal(lambda: stub.EnsureVolume(specs.volume())).code == "agent.permit.clock_untrusted"
    with fake_agent(state_dir, worker, signal.SIGTERM) as (stub, _log):
        assert stub.EnsureTrust(pb.EnsureTrustRequest()).is_clock_kept
        stub.EnsureVolume(specs.volume())


def test_slow_watcher_loses_its_watch_and_others_continue() -> None:
    hub = Hub()
    with hub.watch() as slow, hub.watch() as quick:
        for number in range(MAX_PENDING + 1):
            hub.publish(UUID(int=number))
            assert quick.next(timeout_s=1) == UUID(int=number)
        with pytest.raises(Exhausted):
            slow.next(timeout_s=1)


def test_closing_wakes_a_waiting_watcher() -> None:
    hub = Hub()
    with hub.watch() as watch:
        hub.close()
        assert watch.next(timeout_s=60) is None
        assert watch.is_closed


def test_status_files_of_unstarted_guests_are_deleted(tmp_path: Path) -> None:
    for name, pid in (("unborn", 0), ("alive", 4711)):
        (tmp_path / f"{name}.xml").write_text(
            f"<!-- note --><domstatus state='paused' pid='{pid}'><domain/></domstatus>"
        )
        (tmp_path / f"{name}.pid").write_text("1")
    (tmp_path / "broken.xml").write_text("<domstatus")
    command = [sys.executable, "-m", "agents.node.libvirtd_recovery", "--run-dir", str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stderr == "removed the interrupted start of unborn\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alive.pid", "alive.xml", "broken.xml"]
