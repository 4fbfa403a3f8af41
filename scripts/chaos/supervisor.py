"""Restarts dead processes, as systemd does with Restart=always and RestartSec=1."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from scripts import ceph_storage, services
from scripts.chaos.world import World

RESTART_S = 1.0
LOOK_EVERY_S = 0.2
AGENT = "agent-"


@dataclass
class Supervisor:
    """Restarts processes. `held`: names of those that stay down for now; `lost`: nodes that stay dead until recovery.

    `findings`: processes that did not start again.
    """

    world: World
    held: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    restarts: int = 0
    findings: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _dead_since: dict[str, float] = field(default_factory=dict)
    _is_over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self._is_over.wait(LOOK_EVERY_S):
            self.look()

    def stop(self) -> None:
        self._is_over.set()

    @contextmanager
    def holding(self, name: str) -> Iterator[None]:
        with self.lock:
            self.held.add(name)
        try:
            yield
        finally:
            with self.lock:
                self.held.discard(name)

    def look(self) -> None:
        for name, (is_up, start) in self._kept().items():
            with self.lock:
                if name in self.held or name.removeprefix(AGENT) in self.lost or is_up():
                    self._dead_since.pop(name, None)
                elif time.monotonic() > self._dead_since.setdefault(name, time.monotonic()) + RESTART_S:
                    self._restart(name, start)

    def all_up(self) -> bool:
        with self.lock:
            return all(is_up() for is_up, _start in self._kept().values())

    def _restart(self, name: str, start: Callable[[], None]) -> None:
        self._dead_since.pop(name)
        self.restarts += 1
        try:
            start()
        except (SystemExit, OSError) as exc:
            self.findings.append(f"{name} did not start again: {exc}")

    def _kept(self) -> dict[str, tuple[Callable[[], bool], Callable[[], None]]]:
        """Map each name to whether it runs, and to its start function."""
        stack, cloud = self.world.stack, self.world.cloud

        def runs(name: str) -> Callable[[], bool]:
            return lambda: stack.process(name) is not None

        def starts(name: str) -> Callable[[], None]:
            return lambda: stack.start_process(name)

        kept = {name: (runs(name), starts(name)) for name in stack.commands()}
        kept[ceph_storage.PROCESS] = (runs(ceph_storage.PROCESS), self.world.storage.start_agent)
        for node in cloud.zones:
            kept[f"{AGENT}{node}"] = (self._agent_runs(node), self._agent_starts(node))
        kept["services"] = (
            lambda: services.is_up(stack.var),
            lambda: services.start(stack.var, is_durable=stack.is_durable),
        )
        return kept

    def _agent_runs(self, node: str) -> Callable[[], bool]:
        cloud = self.world.cloud
        if cloud.is_fake:
            return lambda: self.world.stack.process(f"{AGENT}{node}") is not None
        return lambda: (agent := cloud.agents.get(node)) is not None and agent.poll() is None

    def _agent_starts(self, node: str) -> Callable[[], None]:
        cloud = self.world.cloud

        def start() -> None:
            if not cloud.is_fake:
                cloud.node(node).start()  # also libvirt, which systemd starts by itself
            cloud.spawn_agent(node)

        return start
