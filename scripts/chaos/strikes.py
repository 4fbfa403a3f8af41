"""Strikes on a cloud: one entry each in STRIKES."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import redis

from agents.node.main import HANGS
from scripts import ceph_storage, services
from scripts.chaos.supervisor import Supervisor
from scripts.chaos.world import AGENT_TIMEOUT_S, World

PROCESSES = ("worker", "worker-2", "signer", "sentinel", "periodic", "transfer", "watcher", "web", "stream", "webhooks")
# The one that matters most is hit most.
KILLED = (*PROCESSES, "worker", "worker-2", "worker", "worker-2", "web", "signer", ceph_storage.PROCESS)

# Calls of the fake adapter that hang together: of an engine, a storage, a switch, migrations, and moves of volumes.
HUNG_CALLS = (
    ("define", "undefine", "start", "request_shutdown", "power_off", "reboot", "reset", "plug_disk", "unplug_disk"),
    ("create_volume", "grow_volume", "remove_volume", "keep_image", "write_seed", "remove_instance_files"),
    ("ensure_port", "remove_port", "ensure_segment"),
    ("expect", "refuse", "send", "cancel", "take_in", "wake"),
    ("copy_volume", "make_target", "mirror_disk", "mirror_state", "pivot_disk", "abort_mirror", "process_has_target"),
)

Blow = Callable[[World, Supervisor, str, float], None]


@dataclass(frozen=True)
class StrikeKind:
    """A kind of strike.

    `targets`: names, or NODES for those of the nodes; `is_real`: only nodes of a lab can suffer it.
    """

    weight: int
    targets: Sequence[str]
    blow: Blow
    is_real: bool = False


NODES: Sequence[str] = ()


def kill(world: World, keeper: Supervisor, target: str, seconds: float) -> None:
    with keeper.lock:
        process = world.stack.process(target)
    if process is not None:
        _signal(process.pid, signal.SIGKILL)


def pause(world: World, keeper: Supervisor, target: str, seconds: float) -> None:
    with keeper.lock:
        process = world.stack.process(target)
    if process is not None:
        with _stopped(process.pid):
            time.sleep(seconds)


def kill_agent(world: World, keeper: Supervisor, target: str, seconds: float) -> None:
    if (pid := _agent(world, target)) is not None:
        _signal(pid, signal.SIGKILL)


def pause_agent(world: World, keeper: Supervisor, target: str, seconds: float) -> None:
    """Pause the agent: as a network failure between control plane and node, except that connections stay open."""
    if (pid := _agent(world, target)) is not None:
        with _stopped(pid):
            time.sleep(seconds)


def hang_agent(world: World, keeper: Supervisor, target: str, seconds: float) -> None:
    """Make the agent accept calls and not answer, for longer than the control plane waits for an answer.

    Each call in progress fails by its time limit, and not by a broken connection.
    """
    pause_agent(world, keeper, target, AGENT_TIMEOUT_S + seconds)


def hang_calls(world: World, keeper: Supervisor, target: str, seconds: float) -> None:
    """Make the node's hypervisor or disks not answer, for longer than the control plane waits for a call.

    The agent lives. A fake node hangs in calls of one kind, which `seconds` chooses, and its heartbeats go on. On a
    real node libvirtd hangs, which heartbeats also call.
    """
    if world.cloud.is_fake:
        kind = random.Random(seconds).choice(HUNG_CALLS)
        with _written(world.cloud.agent_folder(target) / HANGS, "\n".join(kind)):
            time.sleep(AGENT_TIMEOUT_S + seconds)
        return
    with ExitStack() as stack:
        for pid in world.cloud.node(target).pids("libvirtd"):
            stack.enter_context(_stopped(pid, is_group=False))
        time.sleep(AGENT_TIMEOUT_S + seconds)


def flush_redis(world: World, keeper: Supervisor, target: str, seconds: float) -> None:
    try:
        with redis.Redis(unix_socket_path=str(world.var / "run" / "redis.sock"), socket_timeout=5) as client:
            client.flushall()
    except redis.RedisError:
        return  # it is down


def kill_redis(world: World, keeper: Supervisor, target: str, seconds: float) -> None:
    pid_file = world.var / "run" / "redis.pid"
    with keeper.holding("services"):
        with keeper.lock:
            _signal(int(pid_file.read_text()), signal.SIGKILL, is_group=False)
        time.sleep(seconds / 2)


def silence_cluster(world: World, keeper: Supervisor, target: str, seconds: float) -> None:
    """Stop the OSD of the storage cluster for a while: calls of the storage agent wait in the middle of their work."""
    with ExitStack() as stack:
        for pid in world.storage.cluster.pids(target):
            stack.enter_context(_stopped(pid, is_group=False))
        time.sleep(seconds)


def restart_postgresql(world: World, keeper: Supervisor, target: str, seconds: float) -> None:
    """Restart as `pg_ctl restart -m immediate`: no session is closed properly, and PostgreSQL recovers from its log."""
    with keeper.holding("services"):
        with keeper.lock:
            services.crash_postgresql(world.var)
        time.sleep(min(seconds, 2))


def kill_libvirtd(world: World, keeper: Supervisor, target: str, seconds: float) -> None:
    world.cloud.node(target).kill_libvirtd()
    time.sleep(seconds)
    world.cloud.node(target).start_libvirtd()


def unplug(world: World, keeper: Supervisor, target: str, seconds: float) -> None:
    node = world.cloud.node(target)
    node.unplug()
    try:
        time.sleep(seconds + 4)
    finally:
        node.plug()


def cut_power(world: World, keeper: Supervisor, target: str, seconds: float) -> None:
    with keeper.holding(f"agent-{target}"):
        world.cloud.node(target).power_off()
        time.sleep(seconds)


def lose(world: World, keeper: Supervisor, target: str, seconds: float) -> None:
    """Kill the node with all that it runs; it stays dead until an operator recovers it (recovery_operator.py)."""
    with keeper.lock:
        keeper.lost.add(target)
    if world.cloud.is_fake:
        kill_agent(world, keeper, target, seconds)
    else:
        world.cloud.node(target).power_off()


LOSE = "lose"
STRIKES: Mapping[str, StrikeKind] = {
    "kill": StrikeKind(10, KILLED, kill),
    "pause": StrikeKind(6, KILLED, pause),
    "kill-agent": StrikeKind(4, NODES, kill_agent),
    "pause-agent": StrikeKind(4, NODES, pause_agent),
    "hang-agent": StrikeKind(3, NODES, hang_agent),
    "hang-calls": StrikeKind(4, NODES, hang_calls),
    LOSE: StrikeKind(5, NODES, lose),
    "flush-redis": StrikeKind(2, ("redis",), flush_redis),
    "kill-redis": StrikeKind(2, ("redis",), kill_redis),
    "restart-postgresql": StrikeKind(2, ("postgresql",), restart_postgresql),
    "silence-cluster": StrikeKind(2, ("osd.0",), silence_cluster),
    "kill-libvirtd": StrikeKind(4, NODES, kill_libvirtd, is_real=True),
    "unplug": StrikeKind(3, NODES, unplug, is_real=True),
    "cut-power": StrikeKind(3, NODES, cut_power, is_real=True),
}


def possible(world: World) -> dict[str, tuple[int, Sequence[str]]]:
    """Return the strikes that this cloud can suffer, with their targets, for the schedule."""
    nodes = list(world.cloud.zones)
    kinds = {name: kind for name, kind in STRIKES.items() if not (kind.is_real and world.cloud.is_fake)}
    return {name: (kind.weight, kind.targets or nodes) for name, kind in kinds.items()}


def _agent(world: World, node: str) -> int | None:
    if world.cloud.is_fake:
        process = world.stack.process(f"agent-{node}")
        return process.pid if process else None
    agent = world.cloud.agents.get(node)
    return agent.pid if agent is not None and agent.poll() is None else None


def _signal(pid: int, number: int, *, is_group: bool = True) -> None:
    """Send a signal to the process and its group; does nothing if it has ended.

    In the lab an nsenter waits for the agent, and would stay stopped, and never see its end.
    """
    try:
        if is_group:
            os.killpg(os.getpgid(pid), number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        return


@contextmanager
def _stopped(pid: int, *, is_group: bool = True) -> Iterator[None]:
    if not psutil.pid_exists(pid):
        yield
        return
    _signal(pid, signal.SIGSTOP, is_group=is_group)
    try:
        yield
    finally:
        _signal(pid, signal.SIGCONT, is_group=is_group)


@contextmanager
def _written(file: Path, text: str) -> Iterator[None]:
    """Write the file for the duration of the block."""
    file.write_text(text)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
