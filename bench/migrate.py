"""Benchmark of live migrations between two nodes of a lab, through their agents, beside a floor.

The floor is `virsh migrate` of the same guest, between the same nodes, with libvirt's own TLS, in turns. Then
migrations fail in the middle, after each of which the guest must run at its source. Needs root.

`ARGS="--moves 5 --failures 5"` makes fewer. The pause is the time between two events of QEMU: STOP at the source,
RESUME at the destination. It is also measured from outside: the guest writes to its serial console every 20 ms, and the
longest gap is reported. A neighbour on the first node pings it ten times a second, and has a TCP connection to it,
which has to last through all migrations.
"""

import argparse
import json
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from statistics import median

from agents.lab import Lab
from agents.lab.images import build
from agents.lab.shell import run, wait_until
from agents.protocol import agent_pb2 as pb
from bench.common import print_progress, report, spread
from scripts.control_plane import ROOT
from tests.agents import specs
from tests.agents.on_libvirt.lab import LabAgent
from tests.agents.on_libvirt.moves import Trip, shared_network, start_guest, two_agents
from tests.cloud.uninterrupted_guests import LAST
from tests.limits import PATIENCE_S
from tests.pki import issue_controlplane, make_ca

BEAT = "(while :; do echo . >/dev/ttyS0; sleep 0.02; done) >/dev/null 2>&1 & echo beating"
BUSY = "(i=0; while :; do i=$((i+1)); echo $i >>/count; sync; sleep 0.05; done) >/dev/null 2>&1 & echo counting"
# Between the guest and its neighbour.
ADDRESS, NEIGHBOUR = "10.10.0.11", "10.10.0.12"
ECHO = "nc -l -p 7000 -e cat >/dev/null 2>&1 </dev/null & echo listening"
TALK = (
    f"((i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done) | nc {NEIGHBOUR} 7000 >/talk 2>/dev/null)"
    " >/dev/null 2>&1 </dev/null & echo talking"
)
LAST_RECEIVED = LAST.format(file="/talk")
PING = f"ping -i 0.1 {ADDRESS} >/ping 2>&1 </dev/null & echo $! >/ping.pid"
PINGED = "kill -INT $(cat /ping.pid); i=0; until grep transmitted /ping || [ $i = 30 ]; do sleep 1; i=$((i+1)); done"
CONNECTED_S = 20
MOVE_S = 300
WATCH = ["virsh", "qemu-monitor-event", "--loop", "--regex", "--event", "^(STOP|RESUME)$"]
LOOK_S = 0.002
CRAWL_MIB_S, FLY_MIB_S = "1", "10000"


@dataclass
class Move:
    seconds: float
    pause_s: float
    gap_s: float
    pings: int
    pings_lost: int
    is_connected: bool


@dataclass
class Moves:
    ours: list[Move] = field(default_factory=list)
    raw: list[Move] = field(default_factory=list)

    def summary(self) -> dict[str, object]:
        figures: dict[str, object] = {"moves": len(self.ours)}
        for what in ("seconds", "pause_s", "gap_s"):
            samples = [[getattr(move, what) for move in moves] for moves in (self.ours, self.raw)]
            ours, raw = map(spread, samples)
            figures[what.removesuffix("_s")] = {
                "andromede": ours,
                "floor": raw,
                "ratio": round(ours["p50_ms"] / raw["p50_ms"], 2),
                # Each migration and the floor's next one had the same load.
                "ratio_in_turns": round(median(mine / floor for mine, floor in zip(*samples, strict=True)), 2),
            }
        return figures | {"neighbour": {"andromede": seen(self.ours), "floor": seen(self.raw)}}


def seen(moves: list[Move]) -> dict[str, int]:
    """Return the neighbour's view."""
    return {
        "pings": sum(move.pings for move in moves),
        "pings_lost": sum(move.pings_lost for move in moves),
        "most_pings_lost_in_a_move": max(move.pings_lost for move in moves),
        "connections_broken": sum(not move.is_connected for move in moves),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moves", type=int, default=20)
    parser.add_argument("--failures", type=int, default=20)
    arguments = parser.parse_args()
    folder = ROOT / "var" / "bench-migrate"
    Lab(folder).remove()
    try:
        with guest(Lab(folder), folder) as (trip, neighbour, events):
            trip, moves = move(trip, neighbour, events, arguments.moves)
            neighbour.end()
            print_progress(json.dumps(moves.summary()))  # the failures take long
            stayed = fail(trip, arguments.failures)
        report({**moves.summary(), "failures": arguments.failures, "failures_after_which_it_ran_at_its_source": stayed})
    finally:
        Lab(folder).remove()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Neighbour:
    """A guest that stays on the first node. `stay`: the migration that it does not make."""

    stay: Trip
    key: Path

    def ssh(self, command: str) -> str:
        return self.stay.source.ssh(self.key, NEIGHBOUR, command).strip()

    @contextmanager
    def pinging(self) -> Iterator[Callable[[], tuple[int, int]]]:
        """Return the numbers of sent and of unanswered pings, after the end."""
        counted: list[int] = []
        self.ssh(PING)
        yield lambda: (counted[0], counted[0] - counted[1])
        line = self.ssh(PINGED)
        counted.extend(int(part.split()[0]) for part in line.split(",")[:2])

    def end(self) -> None:
        self.stay.source.stub.RemoveAttachment(specs.removal(self.stay.attachment.subject))
        self.stay.forget(self.stay.source, self.stay.generation)


@dataclass
class QemuEvents:
    """Events of QEMU on each node, with QEMU's own time, in a file by the name of the node."""

    files: dict[str, Path]

    @classmethod
    @contextmanager
    def watched(cls, agents: Sequence[LabAgent], folder: Path) -> Iterator["QemuEvents"]:
        """Watch all guests of these nodes."""
        files = {agent.node.name: folder / f"events-{agent.node.name}" for agent in agents}
        with ExitStack() as stack:
            for agent in agents:
                watch = agent.node.spawn(WATCH, log=files[agent.node.name])
                stack.callback(watch.stop)
            yield cls(files)

    def pause_s(self, trip: Trip, *, since: float) -> float:
        """Return how long the guest was paused in the migration that began at this time and has ended."""

        def last(event: str, agent: LabAgent) -> float:
            pattern = rf"^event {event} at ([0-9.]+) for domain '{trip.name}'"
            found = re.findall(pattern, self.files[agent.node.name].read_text(), re.MULTILINE)
            return float(found[-1]) if found else 0.0

        def times() -> tuple[float, float]:
            return last("STOP", trip.source), last("RESUME", trip.destination)

        wait_until(lambda: min(times()) > since, what="the events of QEMU", within_s=PATIENCE_S)
        stopped, resumed = times()
        return resumed - stopped


@contextmanager
def guest(lab: Lab, folder: Path) -> Iterator[tuple[Trip, Neighbour, QemuEvents]]:
    image = ROOT / "var" / "images" / "tiny.qcow2"
    build("tiny", image)
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "key"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
    ca = make_ca(folder / "ca")
    agents = two_agents(lab, ca, issue_controlplane(ca, ca.folder))
    for agent in agents:  # for the floor: QEMU, which has a user of its own for each guest, speaks TLS itself
        agent.node.exec(["chmod", "-R", "a+rX", "/etc/libvirt/pki/qemu"])
    try:
        print_progress("booting two guests")
        public, segment = key.with_suffix(".pub").read_text().strip(), shared_network(agents)
        neighbour = Neighbour(start_guest(*agents, image, public, segment=segment, number=12), key)
        trip = start_guest(*agents, image, public, segment=segment)
        neighbour.ssh(ECHO)
        for command in (BUSY, BEAT, TALK):
            trip.ssh(key, trip.source, command)
        with QemuEvents.watched(agents, folder) as events:
            yield trip, neighbour, events
    finally:
        for agent in agents:
            agent.kill()


def move(trip: Trip, neighbour: Neighbour, events: QemuEvents, count: int) -> tuple[Trip, Moves]:
    """Migrate there and back, ours and the floor in turn; the first of each is not counted."""
    moves = Moves()
    for number in range(count + 1):
        print_progress(f"migration {number} of {count}")
        for kind, moved in ((moves.ours, ours), (moves.raw, raw)):
            with neighbour.pinging() as pings:
                began = time.time()
                seconds, gap_s = moved(trip)
                pause_s = events.pause_s(trip, since=began)
                trip = trip.arrived()
                connected = is_connected(trip, neighbour.key)
            if number:
                kind.append(Move(seconds, pause_s, gap_s, *pings(), connected))
    return trip, moves


def is_connected(trip: Trip, key: Path) -> bool:
    """Return whether the guest's bytes come back to it, with none lost."""
    before = trip.ssh(key, trip.source, LAST_RECEIVED)
    if not before.isdecimal():
        return False
    deadline = time.monotonic() + CONNECTED_S
    while time.monotonic() < deadline:
        now = trip.ssh(key, trip.source, LAST_RECEIVED)
        if now.isdecimal() and int(now) > int(before):
            return True
    return False


def ours(trip: Trip) -> tuple[float, float]:
    """Migrate by the agents; returns its seconds and the longest gap."""
    request = trip.departure(trip.make_ready())
    with heartbeat(trip) as gap:
        began = time.monotonic()
        trip.source.stub.EnsureDeparture(request)
        ended = trip.end_of(request, within_s=MOVE_S)
        seconds = time.monotonic() - began
    if ended.phase != pb.MOVE_PHASE_COMPLETED:
        raise SystemExit(f"A migration failed: {ended.reason}")
    return seconds, gap()


def raw(trip: Trip) -> tuple[float, float]:
    """Migrate by virsh. The agents only make ready, since the destination's hook asks its agent."""
    trip.make_ready()
    target = f"qemu+tls://{trip.destination.node.address}/system?pkipath=/etc/libvirt/pki"
    options = ["--live", "--p2p", "--tls", "--persistent", "--undefinesource", "--copy-storage-inc"]
    with heartbeat(trip) as gap:
        began = time.monotonic()
        trip.source.node.exec(["virsh", "migrate", *options, trip.name, target], timeout_s=MOVE_S)
        seconds = time.monotonic() - began
    return seconds, gap()


@contextmanager
def heartbeat(trip: Trip) -> Iterator[Callable[[], float]]:
    """Record the guest's serial console on both nodes: the longest gap until the next output."""
    logs = [agent.node.agent_folder / f"instances/{trip.id}/console.log" for agent in (trip.source, trip.destination)]
    longest = [0.0]
    is_over = threading.Event()

    def size() -> int:
        return sum(log.stat().st_size for log in logs if log.exists())

    def listen() -> None:
        received, last = size(), time.monotonic()
        while True:
            now = time.monotonic()
            if (current := size()) != received:
                longest[0], received, last = max(longest[0], now - last), current, now
                if is_over.is_set():
                    return
            time.sleep(LOOK_S)

    thread = threading.Thread(target=listen, daemon=True)  # a guest that is never heard again must not hold us up
    thread.start()

    def gap() -> float:
        return longest[0]

    try:
        yield gap
    finally:
        is_over.set()
        thread.join(30)


# ---- moves that fail


def fail(trip: Trip, count: int) -> int:
    """Return after how many failures the guest ran at its source, and nowhere else."""
    stayed = 0
    for number, spoil in enumerate(islice(cycle(WAYS), count)):
        print_progress(f"failure {number + 1} of {count}: {spoil.__name__}")
        spoil(trip)
        trip.destination.stub.RemoveArrival(specs.removal(trip.arrival().instance.subject))
        stayed += trip.runs_only_at(trip.source)
        trip = trip.stayed()
    return stayed


@contextmanager
def on_its_way(trip: Trip, *, deadline_s: int = 120) -> Iterator[pb.EnsureDepartureRequest]:
    request = trip.departure(trip.make_ready(), deadline_s=deadline_s)
    trip.source.node.exec(["virsh", "migrate-setspeed", trip.name, CRAWL_MIB_S])
    trip.source.stub.EnsureDeparture(request)

    def has_begun() -> bool:
        state = trip.source.stub.EnsureDeparture(request)
        return state.moved_bytes > 0 or state.phase != pb.MOVE_PHASE_RUNNING

    wait_until(has_begun, what="some bytes to be moved", within_s=120)
    yield request
    if trip.end_of(request).phase == pb.MOVE_PHASE_COMPLETED:
        raise SystemExit("A migration succeeded that was expected to fail.")
    trip.source.node.exec(["virsh", "migrate-setspeed", trip.name, FLY_MIB_S])


def deadline_passes(trip: Trip) -> None:
    with on_its_way(trip, deadline_s=8):
        pass


def source_agent_dies(trip: Trip) -> None:
    with on_its_way(trip):
        trip.source.restart()


def destination_agent_dies(trip: Trip) -> None:
    with on_its_way(trip):
        trip.destination.restart()


def destination_qemu_dies(trip: Trip) -> None:
    with on_its_way(trip):
        (pid,) = trip.destination.node.guest_pids()
        os.kill(pid, signal.SIGKILL)


def destination_refuses(trip: Trip) -> None:
    uri = trip.make_ready()
    trip.destination.stub.RemoveArrival(specs.removal(trip.arrival().instance.subject))
    trip.end_of(trip.departure(uri))


WAYS: tuple[Callable[[Trip], None], ...] = (
    deadline_passes,
    source_agent_dies,
    destination_agent_dies,
    destination_qemu_dies,
    destination_refuses,
)


if __name__ == "__main__":
    main()
