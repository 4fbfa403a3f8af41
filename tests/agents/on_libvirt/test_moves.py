"""Guests that move between two nodes with libvirt and QEMU, and stay where they are whatever fails.

One guest goes through all of it, with a file that it has kept since its beginning, and a program that counts in another
one. Whatever happens, it runs on one node, and both are as they should be.
"""

import hashlib
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from uuid import UUID

import grpc
import pytest

from agents.lab import Lab, LabNode
from agents.lab.shell import wait_until
from agents.node.adapters.network import namespace_name
from agents.node.guest_users import GuestUsers
from agents.protocol import agent_pb2 as pb
from andromede_core.permits.network_ports import ListedPort
from tests.agents import specs
from tests.agents.conftest import refusal
from tests.agents.on_libvirt.lab import LabAgent
from tests.agents.on_libvirt.moves import Trip, end_of, peer, start_guest, two_agents
from tests.agents.viewers import AgentViewer
from tests.limits import PATIENCE_S
from tests.nightly import as_nightly
from tests.pki import Issued, TestCA

pytestmark = [pytest.mark.lab, pytest.mark.slow]

COUNT = "(i=0; while :; do i=$((i+1)); echo $i >>/count; sync; sleep 0.05; done) >/dev/null 2>&1 &"
GAPS = "awk '$1 != NR { print \"gap at \" NR; exit }' /count; tail -n 1 /count"
GROUP = "01980000-0000-7000-8000-00000000e001"
CRAWL, FLY = "1", "10000"  # MiB a second


@dataclass
class Traveller:
    """`trip`: the next one of the guest."""

    trip: Trip
    key: Path
    digest: str = ""

    def ssh(self, command: str, *, at: LabAgent | None = None) -> str:
        return self.trip.ssh(self.key, at or self.trip.source, command)

    def leave(self) -> None:
        """Have it keep something, and count."""
        self.ssh(
            "dd if=/dev/urandom of=/kept bs=1024 count=8192 2>/dev/null; dd if=/kept of=/dev/vdb 2>/dev/null; sync"
        )
        self.digest = self.ssh("md5sum /kept").split()[0]
        self.ssh(f"rm -f /count; {COUNT} echo counting")

    def check(self, at: LabAgent) -> None:
        """Check that the guest runs there and nowhere else, has its data, and counts on without a gap."""
        assert self.trip.runs_only_at(at), self.trip.domains()
        assert self.trip.user_at(at) in GuestUsers().candidates(UUID(self.trip.id))
        assert self.ssh("md5sum /kept", at=at).split()[0] == self.digest
        on_the_disk = "echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/vdb bs=1024 count=8192 2>/dev/null | md5sum"
        assert self.ssh(on_the_disk, at=at).split()[0] == self.digest
        before = self.ssh(GAPS, at=at)
        wait_until(lambda: self.ssh(GAPS, at=at) != before, what="the guest to count on")
        assert before.isdecimal(), before

    def stays(self, phase: "pb.MovePhase", ended: pb.DepartureState) -> None:
        assert ended.phase == phase, ended.reason
        self.check(self.trip.source)
        self.trip = self.trip.stayed()
        assert list(self.trip.domains()) == [self.trip.source.node.name]


@pytest.fixture(scope="module")
def agents(lab_node: LabNode, ca: TestCA, worker: Issued) -> Iterator[tuple[LabAgent, LabAgent]]:
    pair = two_agents(Lab(lab_node.folder.parent), ca, worker)
    yield pair
    for agent in pair:
        agent.kill()


@pytest.fixture(scope="module")
def traveller(agents: tuple[LabAgent, LabAgent], tiny_image: Path, ssh_key: Path) -> Iterator[Traveller]:
    trip = start_guest(*agents, tiny_image, ssh_key.with_suffix(".pub").read_text().strip())
    traveller = Traveller(trip, ssh_key)
    traveller.leave()
    yield traveller
    last = traveller.trip
    last.source.stub.RemoveAttachment(specs.removal(specs.subject(last.attachment.subject.id, last.generation)))
    last.forget(last.source, last.generation)
    for agent in agents:
        held = agent.stub.Describe(pb.DescribeRequest())
        assert not (held.instances or held.volumes or held.ports or held.attachments or held.unknown_domains)
        for folder in ("volumes", "instances", "consoles", "moves"):
            assert not list((agent.node.agent_folder / folder).iterdir())
        assert agent.node.guest_pids() == []


@contextmanager
def on_its_way(traveller: Traveller, *, deadline_s: int = PATIENCE_S) -> Iterator[pb.EnsureDepartureRequest]:
    """A move that takes more than a minute, in the middle of it."""
    trip = traveller.trip
    request = trip.departure(trip.make_ready(), deadline_s=deadline_s)
    trip.source.node.exec(["virsh", "migrate-setspeed", trip.name, CRAWL])
    trip.source.stub.EnsureDeparture(request)

    def has_begun() -> bool:
        return trip.source.stub.EnsureDeparture(request).moved_bytes > 0

    wait_until(has_begun, what="some bytes to be moved")
    assert set(trip.domains()) == {"hv1", "hv2"}
    yield request
    if trip.source.node.guest_pids():
        trip.source.node.exec(["virsh", "migrate-setspeed", trip.name, FLY])


# ---- the whole way


def test_guest_moves_and_returns_with_all_its_data(traveller: Traveller) -> None:
    for _ in range(2):
        trip = traveller.trip
        boot = traveller.ssh("cat /proc/sys/kernel/random/boot_id")
        ended = trip.go()
        assert ended.phase == pb.MOVE_PHASE_COMPLETED, ended.reason
        assert 0 < ended.pause_ms < 10_000
        assert ended.moved_bytes > 32 * specs.MIB
        traveller.check(trip.destination)
        assert traveller.ssh("cat /proc/sys/kernel/random/boot_id", at=trip.destination) == boot
        clock = int(traveller.ssh("date +%s", at=trip.destination))
        assert abs(clock - time.time()) < 10, "its clock goes on"
        check_disk(trip)
        traveller.trip = trip.arrived()
        assert traveller.trip.domains() == {traveller.trip.source.node.name: "running"}


@pytest.mark.nightly
def test_connections_of_a_filtered_guest_move_with_it(traveller: Traveller, tmp_path: Path) -> None:
    trip = traveller.trip
    authority = trip.source.authority
    nodes = (str(trip.source.node_id), str(trip.destination.node_id))
    port = ListedPort(nodes, trip.port.mac, (ip_address(trip.port.ip),), groups=(GROUP,))
    ports = authority.network_ports(specs.ZONE, specs.NETWORK_ID, {trip.port.subject.id: port})
    rules = pb.EnsurePortRulesRequest(ports=[ports], security_groups=[authority.security_group(specs.ZONE, GROUP)])
    request = trip.departure(trip.make_ready())
    for agent in (trip.source, trip.destination):
        assert agent.stub.EnsurePortRules(rules).problem == ""
    router = ["ip", "netns", "exec", namespace_name(UUID(specs.NETWORK_ID))]
    talk = ["socat", "-u", f"TCP:{trip.port.ip}:22,sourceport=40123", f"CREATE:{tmp_path / 'heard'}"]
    client = trip.source.node.spawn([*router, *talk], log=tmp_path / "log")
    try:
        wait_until(lambda: "ESTABLISHED" in tracked(trip.source), what="the connection")
        assert not tracked(trip.destination)
        ended = trip.end_of(request)
        assert ended.phase == pb.MOVE_PHASE_COMPLETED, ended.reason
        assert "ESTABLISHED" in tracked(trip.destination)
    finally:
        client.stop()
    traveller.check(trip.destination)
    traveller.trip = trip.arrived()


def tracked(agent: LabAgent) -> str:
    """Return the node's entry of the connection."""
    shown = agent.node.exec(["conntrack", "-L", "-o", "save"]).stdout
    return next((line for line in shown.splitlines() if "--sport 40123 " in line), "")


def check_disk(trip: Trip) -> None:
    """The volume is what it was: a layer over the image, which nobody has changed."""
    folder = trip.destination.node.agent_folder
    path = trip.destination.node.state_dir / f"volumes/{trip.spec.root_volume_id}.qcow2"
    shown = trip.destination.node.exec(["qemu-img", "info", "-U", "--output=json", str(path)]).stdout
    facts = json.loads(shown)
    assert facts["full-backing-filename"] == str(trip.destination.node.state_dir / "images" / trip.image)
    image = folder / "images" / trip.image
    assert hashlib.sha256(image.read_bytes()).hexdigest() == trip.image
    assert facts["actual-size"] < 300 * specs.MIB


def test_consoles_and_usage_continue_at_the_destination(traveller: Traveller) -> None:
    trip = traveller.trip
    looking = [
        AgentViewer(trip.source.viewer_stub, trip.id, kind).opened()
        for kind in (pb.CONSOLE_KIND_SERIAL, pb.CONSOLE_KIND_VNC)
    ]
    assert trip.go().phase == pb.MOVE_PHASE_COMPLETED
    for viewer in looking:
        assert viewer.end() is grpc.StatusCode.FAILED_PRECONDITION
        assert dict(viewer.call.trailing_metadata())["andromede-code"] == "agent.guest_moving"
    traveller.trip = trip.arrived()
    viewer = AgentViewer(traveller.trip.source.viewer_stub, trip.id).opened()
    viewer.type(b"\n")
    viewer.wait_for(b"login:")
    viewer.hang_up()
    (guest,) = next(traveller.trip.source.readings(usage_interval_ms=500)).guests
    assert (guest.id, {disk.volume_id for disk in guest.disks}) == (
        trip.id,
        {trip.spec.root_volume_id, trip.attachment.volume_id},
    )


@pytest.mark.nightly
def test_repeated_migration_calls_migrate_once(traveller: Traveller) -> None:
    trip = traveller.trip
    request = trip.departure(trip.make_ready())
    assert trip.destination.stub.EnsureArrival(trip.arrival()).uri == request.uri
    for _ in range(3):
        trip.source.stub.EnsureDeparture(request)
    ended = trip.end_of(request)
    assert ended.phase == pb.MOVE_PHASE_COMPLETED, ended.reason
    assert trip.source.stub.EnsureDeparture(request) == ended
    late = trip.running(trip.generation)
    assert refusal(lambda: trip.source.stub.EnsureInstance(late)).code == "agent.guest_moved"
    traveller.check(trip.destination)
    back = trip.arrived()
    assert back.destination.stub.EnsureDeparture(request) == ended, "also when nothing of it is left"
    traveller.trip = back


# ---- who may take it in


def test_node_other_than_the_permit_names_gets_no_guest(traveller: Traveller) -> None:
    request = traveller.trip.departure(traveller.trip.make_ready())
    request.destination.certificate_sha256 = "ab" * 32
    ended = traveller.trip.end_of(request)
    assert "shows the certificate" in ended.reason
    traveller.stays(pb.MOVE_PHASE_FAILED, ended)


def test_node_without_tls_gets_no_guest(traveller: Traveller, tmp_path: Path) -> None:
    trip = traveller.trip
    uri = trip.make_ready()
    received = tmp_path / "heard"
    listener = trip.destination.node.spawn(
        ["socat", "-u", f"TCP-LISTEN:7555,bind={trip.destination.node.address},reuseaddr", f"CREATE:{received}"],
        log=tmp_path / "log",
    )
    time.sleep(0.5)
    ended = trip.end_of(trip.departure(uri.replace(":7441/", ":7555/")))
    listener.stop()
    assert b"andromede" not in received.read_bytes(), "the greeting of TLS at most"
    traveller.stays(pb.MOVE_PHASE_FAILED, ended)


def test_node_that_does_not_expect_the_guest_refuses_it(traveller: Traveller) -> None:
    trip = traveller.trip
    uri = trip.make_ready()
    trip.destination.stub.RemoveArrival(specs.removal(trip.arrival().instance.subject))
    ended = trip.end_of(trip.departure(uri))
    assert "is not expected here" in ended.reason
    traveller.stays(pb.MOVE_PHASE_FAILED, ended)


def test_migration_that_bypasses_the_agents_is_refused(traveller: Traveller) -> None:
    """Root of the source calls the destination's libvirt itself, whose hook asks its agent."""
    trip = traveller.trip
    trip.prepare()
    target = f"qemu+tls://{trip.destination.node.address}/system?pkipath=/etc/libvirt/pki"
    by_hand = ["virsh", "migrate", "--live", "--p2p", "--tls", "--copy-storage-inc", trip.name, target]
    done = trip.source.node.exec(by_hand, check=False)
    assert done.returncode != 0
    assert "was removed from this node" in done.stderr
    traveller.check(trip.source)
    traveller.trip = trip.stayed()


HOSTILE = {
    "another bridge": ("<source bridge='br", "<source bridge='xx"),
    "another tap": ("<target dev='tap", "<target dev='xxx"),
}


def test_compromised_source_can_only_send_the_guest_as_defined(traveller: Traveller) -> None:
    """Also while the guest is expected, and past the source's agent."""
    trip = traveller.trip
    trip.make_ready()
    target = f"qemu+tls://{trip.destination.node.address}/system?pkipath=/etc/libvirt/pki"
    honest = trip.source.node.exec(["virsh", "dumpxml", "--migratable", trip.name]).stdout
    user = trip.user_at(trip.source)
    root = {"the root user": (f"<label>+{user}:+{user}</label>", "<label>+0:+0</label>")}
    for old, new in (root | HOSTILE).values():
        assert old in honest
        by_hand = ["virsh", "migrate", "--live", "--p2p", "--tls", "--copy-storage-inc", "--xml", "/dev/stdin"]
        done = trip.source.node.exec([*by_hand, trip.name, target], check=False, stdin=honest.replace(old, new, 1))
        assert done.returncode != 0
        assert "is not as the agent defined it" in done.stderr
        assert list(trip.domains()) == [trip.source.node.name]
    traveller.check(trip.source)
    traveller.trip = trip.stayed()


# ---- whatever fails


def test_cancelled_migration_keeps_the_guest_at_its_source(traveller: Traveller) -> None:
    with on_its_way(traveller) as request:
        assert traveller.trip.source.stub.RemoveDeparture(specs.removal(request.subject)).was_present
        traveller.check(traveller.trip.source)
    traveller.trip = traveller.trip.stayed()


@pytest.mark.nightly
def test_migration_past_its_deadline_is_cancelled(traveller: Traveller) -> None:
    with on_its_way(traveller, deadline_s=5) as request:
        ended = traveller.trip.end_of(request)
    assert ended.reason == "The deadline of the move has passed."
    traveller.stays(pb.MOVE_PHASE_CANCELLED, ended)


@pytest.mark.parametrize("end", ["source", as_nightly("destination")])
def test_agent_death_during_migration_keeps_the_guest_at_its_source(traveller: Traveller, end: str) -> None:
    with on_its_way(traveller) as request:
        getattr(traveller.trip, end).restart()
        ended = traveller.trip.end_of(request)
    traveller.stays(pb.MOVE_PHASE_FAILED, ended)


@pytest.mark.nightly
@pytest.mark.parametrize("end", ["source", "destination"])
def test_libvirtd_death_keeps_the_guest_at_its_source(traveller: Traveller, end: str) -> None:
    with on_its_way(traveller) as request:
        agent = getattr(traveller.trip, end)
        agent.restart_libvirtd()
        ended = traveller.trip.end_of(request)
        wait_until(lambda: agent.answers(), what="the agent to find libvirtd again")
    traveller.stays(pb.MOVE_PHASE_FAILED, ended)


def test_destination_power_loss_keeps_the_guest_at_its_source(traveller: Traveller) -> None:
    with on_its_way(traveller) as request:
        traveller.trip.destination.cut_power_and_return()
        ended = traveller.trip.end_of(request)
    traveller.stays(pb.MOVE_PHASE_FAILED, ended)


@pytest.mark.nightly
def test_destination_power_loss_after_the_arrival_loses_no_data(traveller: Traveller) -> None:
    """Before anybody has made it the destination's. All that it had written is there."""
    traveller.ssh("sync")
    trip = traveller.trip
    ended = trip.go()
    assert ended.phase == pb.MOVE_PHASE_COMPLETED, ended.reason
    trip.destination.cut_power_and_return()
    adoption = trip.running(trip.generation + 1)
    assert refusal(lambda: trip.destination.stub.EnsureInstance(adoption)).code == "agent.guest_not_arrived"
    assert not any(agent.node.guest_pids() for agent in (trip.source, trip.destination))
    adoption.has_left_source = True
    assert trip.destination.stub.EnsureInstance(adoption).power == pb.POWER_RUNNING
    traveller.trip = trip.arrived()
    trip.destination.wait_for_console(trip.id, "login:", within_s=PATIENCE_S)
    assert traveller.ssh("md5sum /kept").split()[0] == traveller.digest
    assert "gap" not in traveller.ssh(GAPS)
    traveller.leave()
    traveller.check(trip.destination)


@pytest.mark.nightly
def test_lost_network_keeps_the_guest_at_its_source(traveller: Traveller) -> None:
    with on_its_way(traveller) as request:
        traveller.trip.destination.node.unplug()
        try:
            ended = traveller.trip.end_of(request, within_s=PATIENCE_S)
        finally:
            traveller.trip.destination.node.plug()
        wait_until(traveller.trip.destination.answers, what="the destination's agent to be reached again")
    traveller.stays(pb.MOVE_PHASE_FAILED, ended)


def test_guest_that_dies_during_migration_stays_off_until_started(traveller: Traveller) -> None:
    trip = traveller.trip
    with on_its_way(traveller) as request:
        (pid,) = trip.source.node.guest_pids()
        os.kill(pid, signal.SIGKILL)
        ended = trip.end_of(request)
        assert ended.phase == pb.MOVE_PHASE_FAILED
        trip.destination.stub.RemoveArrival(specs.removal(trip.arrival().instance.subject))
        assert not any(agent.node.guest_pids() for agent in (trip.source, trip.destination))
        assert trip.source.state(trip.id).power == pb.POWER_CRASHED
    logins = trip.source.console(trip.id).count("login:")
    assert trip.source.stub.EnsureInstance(trip.running(trip.generation)).power == pb.POWER_RUNNING
    trip.source.node.exec(["virsh", "migrate-setspeed", trip.name, FLY])
    trip.source.wait_for_console(trip.id, "login:", count=logins + 1, within_s=PATIENCE_S)
    assert traveller.ssh("md5sum /kept").split()[0] == traveller.digest
    traveller.trip = trip.stayed()
    traveller.leave()


@pytest.mark.nightly
def test_stopped_guest_moves_without_running(traveller: Traveller) -> None:
    trip = replace(traveller.trip, generation=traveller.trip.generation + 1)
    traveller.ssh("sync")
    trip.source.stub.EnsureInstance(trip.standing(trip.generation))
    console = trip.source.console(trip.id)
    arrival = trip.arrival()
    arrival.instance.power = pb.POWER_OFF
    trip.prepare()
    request = trip.departure(trip.destination.stub.EnsureArrival(arrival).uri)
    request.is_off = True
    trip.source.stub.EnsureDeparture(request)
    powers = {trip.source.state(trip.id).power}
    ended = trip.end_of(request)
    assert ended.phase == pb.MOVE_PHASE_COMPLETED, ended.reason
    assert ended.moved_bytes > specs.MIB, "its disks"
    assert powers <= {pb.POWER_OFF}
    assert trip.domains() == {trip.destination.node.name: "shut off"}
    assert trip.source.console(trip.id) == console
    standing = trip.destination.stub.EnsureInstance(trip.standing(trip.generation + 1))
    assert (standing.power, trip.destination.console(trip.id)) == (pb.POWER_OFF, "")
    trip.destination.stub.EnsureInstance(trip.running(trip.generation + 2))
    trip.forget(trip.source, trip.generation)
    trip.destination.wait_for_console(trip.id, "login:", within_s=PATIENCE_S)
    traveller.trip = replace(trip, source=trip.destination, destination=trip.source, generation=trip.generation + 2)
    assert traveller.ssh("md5sum /kept").split()[0] == traveller.digest
    traveller.leave()
    traveller.check(trip.destination)


@pytest.mark.nightly
def test_guest_moves_after_all_failures(traveller: Traveller) -> None:
    trip = traveller.trip
    ended = trip.go()
    assert ended.phase == pb.MOVE_PHASE_COMPLETED, ended.reason
    traveller.check(trip.destination)
    traveller.trip = trip.arrived()


@dataclass(frozen=True)
class Firmware:
    """A guest with UEFI firmware and nothing to boot from: its firmware runs. At generation 1 on the first agent."""

    agents: tuple[LabAgent, LabAgent]
    root: pb.EnsureVolumeRequest
    spec: pb.EnsureInstanceRequest

    @classmethod
    def begun(cls, agents: tuple[LabAgent, LabAgent]) -> "Firmware":
        root = specs.volume(size_mib=64)
        agents[0].stub.EnsureVolume(root)
        spec = specs.instance(root, memory_mib=256)
        spec.firmware = pb.FIRMWARE_UEFI
        agents[0].stub.EnsureInstance(spec)
        return cls(agents, root, spec)

    def move(self, power: "pb.Power", *, generation: int) -> pb.EnsureInstanceRequest:
        """From `generation` to the next one, as one that has this power; the spec by which it is adopted there."""
        source, destination = self.agents
        destination.stub.EnsureVolume(specs.volume(self.root.subject.id, generation=generation + 1, size_mib=64))
        arrival = pb.EnsureArrivalRequest(source=peer(source), instance=self.spec)
        arrival.instance.subject.generation, arrival.instance.power = generation + 1, power
        request = pb.EnsureDepartureRequest(
            subject=specs.subject(self.spec.subject.id, generation),
            destination=peer(destination),
            uri=destination.stub.EnsureArrival(arrival).uri,
            deadline_s=PATIENCE_S,
            is_off=power == pb.POWER_OFF,
        )
        ended = end_of(source, request, within_s=PATIENCE_S)
        assert ended.phase == pb.MOVE_PHASE_COMPLETED, ended.reason
        return arrival.instance

    def forget(self, generation: int) -> None:
        """Check that the guest left nothing at either end. `generation`: at its source."""
        for number, agent in enumerate(self.agents):
            agent.stub.RemoveInstance(specs.removal(self.spec.subject, generation + number))
            agent.stub.RemoveVolume(specs.removal(self.root.subject, generation + number))
            assert variables(agent) == []


def variables(agent: LabAgent) -> list[Path]:
    return list((agent.node.folder / "lib/qemu/nvram").iterdir())


@pytest.mark.nightly
def test_firmware_variables_of_a_stopped_guest_move(agents: tuple[LabAgent, LabAgent]) -> None:
    """No QEMU writes it at the destination, as when a guest goes on there; and it is there when power was lost."""
    guest, (source, destination) = Firmware.begun(agents), agents
    source.stub.EnsureInstance(specs.next_generation(guest.spec, power=pb.POWER_OFF))
    (file,) = variables(source)
    kept = file.read_bytes()[:-16] + b"what it remembers"[:16]
    file.write_bytes(kept)
    adoption = guest.move(pb.POWER_OFF, generation=2)
    destination.cut_power_and_return()
    adoption.has_left_source = True
    assert destination.stub.EnsureInstance(adoption).power == pb.POWER_OFF
    (come,) = variables(destination)
    assert (come.name, come.read_bytes() == kept) == (file.name, True)
    guest.forget(2)


def test_a_guest_with_uefi_firmware_moves_and_leaves_no_variables_behind(agents: tuple[LabAgent, LabAgent]) -> None:
    guest = Firmware.begun(agents)
    adoption = guest.move(pb.POWER_RUNNING, generation=1)
    assert agents[1].stub.EnsureInstance(adoption).power == pb.POWER_RUNNING
    guest.forget(1)
