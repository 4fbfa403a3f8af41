"""One suite over all implementations of the ports: what services rely on, fake and real adapters keep alike."""

import hashlib
import os
import queue
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from uuid import UUID

import pytest

from agents.lab import LabNode
from agents.lab.shell import wait_until
from agents.node.adapters.accelerator import Accelerator
from agents.node.adapters.fake import FakeNode
from agents.node.adapters.fake_switch import FakeSwitch
from agents.node.adapters.interfaces import (
    NO_LIMITS,
    Adapters,
    BaseImage,
    Disks,
    Firmware,
    GuestAgent,
    GuestDisk,
    GuestNic,
    GuestSpec,
    GuestUsage,
    Hypervisor,
    ImageFormat,
    IoLimits,
    Power,
)
from agents.node.adapters.libvirt import LibvirtHypervisor
from agents.node.adapters.libvirt_mirrors import LibvirtMirrors
from agents.node.adapters.qemu_img import FileDisks
from agents.node.adapters.storage.keys import VolumeKeys
from agents.node.adapters.volume_secrets import VolumeSecrets
from agents.node.errors import AdapterError, DetachPending, GuestAgentMissing, GuestForeign, GuestNotRunning, NoFreeSlot
from agents.node.guest_users import GuestUsers
from tests.agents import specs
from tests.agents.network import frames
from tests.agents.specs import MIB
from tests.limits import PATIENCE_S

RAW = b"\0" * MIB


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.lab)])
def adapters(request: pytest.FixtureRequest) -> Iterator[Adapters]:
    if request.param == "fake":
        yield FakeNode().adapters()
        return
    node: LabNode = request.getfixturevalue("agreeing_node")
    folder = node.agent_folder / "suite"
    accelerator = Accelerator(folder, requested="qemu", boot_id="")
    hypervisor = LibvirtHypervisor(node.libvirt_uri, accelerator=accelerator, secrets=VolumeSecrets(VolumeKeys()))
    fake = FakeNode()
    yield Adapters(
        hypervisor,
        FileDisks(folder),
        FakeSwitch(fake),
        fake.adapters().migrations,
        fake.adapters().metadata,
        LibvirtMirrors(hypervisor),
        fake.adapters().transfers,
    )
    hypervisor.close()


@dataclass
class Rig:
    """A guest of one empty root disk, defined and off."""

    adapters: Adapters
    guest: GuestSpec = field(init=False)

    def __post_init__(self) -> None:
        disks, guest_id = self.adapters.disks, UUID(specs.new_id())
        root = self.volume()
        self.guest = GuestSpec(
            id=guest_id,
            project_id=UUID(specs.PROJECT_ID),
            vcpus=1,
            memory_mib=64,
            firmware=Firmware.BIOS,
            disks=(root,),
            nics=(),
            seed=disks.write_seed(guest_id, {"meta-data": b"x", "user-data": b"y"}),
            console_log=disks.console_path(guest_id),
            serial_socket=disks.serial_path(guest_id),
            user=next(GuestUsers().candidates(guest_id)),
        )
        self.adapters.hypervisor.define(self.guest)

    def volume(self) -> GuestDisk:
        volume_id = UUID(specs.new_id())
        self.adapters.disks.engine().create(volume_id, size_bytes=8 * MIB)
        return self.adapters.disks.engine().disk(volume_id)

    @property
    def power(self) -> Power:
        state = self.adapters.hypervisor.state(self.guest.id)
        assert state is not None
        return state.power


@pytest.fixture
def rig(adapters: Adapters) -> Iterator[Rig]:
    rig = Rig(adapters)
    yield rig
    adapters.hypervisor.power_off(rig.guest.id)
    adapters.hypervisor.undefine(rig.guest.id)
    adapters.disks.remove_instance_files(rig.guest.id)


@pytest.fixture
def hypervisor(adapters: Adapters) -> Hypervisor:
    return adapters.hypervisor


@pytest.fixture
def disks(adapters: Adapters) -> Disks:
    return adapters.disks


# ---- hypervisor


def test_host_reports_its_capacity_and_traits(hypervisor: Hypervisor) -> None:
    host = hypervisor.host()
    assert host.cores >= 1
    assert host.memory_mib >= 256
    assert f"virt-type:{host.virt_type}" in host.traits
    assert len([trait for trait in host.traits if trait.startswith("confinement:")]) == 1
    (cpu,) = (trait for trait in host.traits if trait.startswith("cpu:"))
    assert not cpu.startswith("cpu:unknown"), "libvirt knows the CPU of this machine's guests"


def test_defined_guest_is_off_without_a_known_reason(rig: Rig, hypervisor: Hypervisor) -> None:
    state = hypervisor.state(rig.guest.id)
    assert state is not None
    assert (state.power, state.is_reason_known, state.virt_type) == (Power.OFF, False, "qemu")


def test_repeated_power_actions_succeed(rig: Rig, hypervisor: Hypervisor) -> None:
    for _ in range(2):
        hypervisor.start(rig.guest.id)
        assert rig.power is Power.RUNNING
    assert hypervisor.states()[rig.guest.id].power is Power.RUNNING
    hypervisor.reset(rig.guest.id)
    assert rig.power is Power.RUNNING
    for _ in range(2):
        hypervisor.power_off(rig.guest.id)
        assert rig.power is Power.OFF


def test_running_guest_can_be_redefined_and_is_undefined_completely(rig: Rig, hypervisor: Hypervisor) -> None:
    hypervisor.start(rig.guest.id)
    hypervisor.define(replace(rig.guest, vcpus=2))
    assert rig.power is Power.RUNNING
    hypervisor.power_off(rig.guest.id)
    assert hypervisor.undefine(rig.guest.id)
    assert not hypervisor.undefine(rig.guest.id)
    assert hypervisor.state(rig.guest.id) is None
    assert rig.guest.id not in hypervisor.states()


def test_running_guest_that_differs_from_its_definition_is_foreign(rig: Rig, hypervisor: Hypervisor) -> None:
    other = replace(rig.guest, vcpus=2)
    hypervisor.check_domain(other)
    hypervisor.start(rig.guest.id)
    hypervisor.check_domain(rig.guest)
    with pytest.raises(GuestForeign):
        hypervisor.check_domain(other)
    hypervisor.power_off(rig.guest.id)
    hypervisor.check_domain(other)


def test_stopping_a_missing_guest_succeeds(hypervisor: Hypervisor) -> None:
    unknown = UUID(specs.new_id())
    hypervisor.power_off(unknown)
    hypervisor.request_shutdown(unknown)
    assert not hypervisor.undefine(unknown)
    with pytest.raises(AdapterError):
        hypervisor.start(unknown)


def test_a_guest_without_its_disk_does_not_start(rig: Rig, hypervisor: Hypervisor, disks: Disks) -> None:
    disks.engine().remove(rig.guest.disks[0].volume_id)
    with pytest.raises(AdapterError):
        hypervisor.start(rig.guest.id)
    assert rig.power in (Power.OFF, Power.CRASHED)


def test_power_changes_are_reported_to_subscribers(rig: Rig, hypervisor: Hypervisor) -> None:
    seen: queue.Queue[UUID] = queue.Queue()
    hypervisor.subscribe(seen.put)
    hypervisor.start(rig.guest.id)
    assert seen.get(timeout=PATIENCE_S) == rig.guest.id
    while not seen.empty():
        seen.get()
    hypervisor.power_off(rig.guest.id)
    assert seen.get(timeout=PATIENCE_S) == rig.guest.id


def test_disks_are_plugged_once_and_grow(rig: Rig, hypervisor: Hypervisor, disks: Disks) -> None:
    hypervisor.start(rig.guest.id)
    data = rig.volume()
    for _ in range(2):
        hypervisor.plug_disk(rig.guest.id, data)
    hypervisor.grow_disk(rig.guest.id, data, 16 * MIB)
    assert disks.engine().size_bytes(data.volume_id) == 16 * MIB


def test_limits_of_disks_hold_from_the_start_and_change_while_the_guest_runs(rig: Rig, hypervisor: Hypervisor) -> None:
    root = replace(rig.guest.disks[0], limits=IoLimits(iops=500, bytes_per_s=50_000_000))
    data = replace(rig.volume(), limits=IoLimits(bytes_per_s=20_000_000))
    hypervisor.define(replace(rig.guest, disks=(root,)))
    hypervisor.start(rig.guest.id)
    hypervisor.plug_disk(rig.guest.id, data)
    hypervisor.check_domain(replace(rig.guest, disks=(root, data)))
    changed, unlimited = replace(root, limits=IoLimits(iops=900)), replace(data, limits=NO_LIMITS)
    for _ in range(2):
        hypervisor.limit_disk(rig.guest.id, changed)
        hypervisor.limit_disk(rig.guest.id, unlimited)
    hypervisor.check_domain(replace(rig.guest, disks=(changed, unlimited)))
    for disks in ((root, unlimited), (changed, data)):
        with pytest.raises(GuestForeign):
            hypervisor.check_domain(replace(rig.guest, disks=disks))


def test_unplug_ends_or_reports_detach_pending(rig: Rig, hypervisor: Hypervisor) -> None:
    hypervisor.start(rig.guest.id)
    data = rig.volume()
    assert not hypervisor.unplug_disk(rig.guest.id, data)
    hypervisor.plug_disk(rig.guest.id, data)
    try:
        assert hypervisor.unplug_disk(rig.guest.id, data)
    except DetachPending:  # nothing runs in the guest that could let go
        hypervisor.power_off(rig.guest.id)
        hypervisor.start(rig.guest.id)
    assert not hypervisor.unplug_disk(rig.guest.id, data)


def test_guest_that_is_off_is_not_frozen(rig: Rig, hypervisor: Hypervisor) -> None:
    for guest_id in (rig.guest.id, UUID(specs.new_id())):
        for command in (hypervisor.freeze, hypervisor.thaw):
            with pytest.raises(GuestNotRunning):
                command(guest_id, answer_s=1)
    assert hypervisor.states()[rig.guest.id].guest_agent is GuestAgent.UNKNOWN


@pytest.mark.lab
@pytest.mark.parametrize("adapters", ["real"], indirect=True)
def test_guest_without_a_system_has_no_guest_agent(rig: Rig, hypervisor: Hypervisor) -> None:
    hypervisor.start(rig.guest.id)
    assert hypervisor.states()[rig.guest.id].guest_agent is GuestAgent.DISCONNECTED
    for command in (hypervisor.freeze, hypervisor.thaw):
        with pytest.raises(GuestAgentMissing):
            command(rig.guest.id, answer_s=1)
    hypervisor.power_off(rig.guest.id)
    assert hypervisor.states()[rig.guest.id].guest_agent is GuestAgent.UNKNOWN


def test_guest_takes_as_many_disks_as_it_has_slots(rig: Rig, hypervisor: Hypervisor) -> None:
    hypervisor.start(rig.guest.id)
    plugged = [rig.volume() for _ in range(26)]
    for disk in plugged:
        hypervisor.plug_disk(rig.guest.id, disk)
    with pytest.raises(NoFreeSlot):
        hypervisor.plug_disk(rig.guest.id, rig.volume())
    hypervisor.plug_disk(rig.guest.id, plugged[-1])
    assert rig.power is Power.RUNNING


# ---- disks


def test_volume_is_created_grown_and_deleted(disks: Disks) -> None:
    volume_id = UUID(specs.new_id())
    assert disks.engine().size_bytes(volume_id) is None
    disks.engine().create(volume_id, size_bytes=8 * MIB)
    assert disks.engine().size_bytes(volume_id) == 8 * MIB
    disks.engine().grow(volume_id, 12 * MIB)
    assert disks.engine().size_bytes(volume_id) == 12 * MIB
    assert disks.engine().remove(volume_id)
    assert not disks.engine().remove(volume_id)
    assert disks.engine().size_bytes(volume_id) is None


def test_an_image_is_cached_only_when_kept(disks: Disks) -> None:
    content = RAW + os.urandom(8)
    sha256 = hashlib.sha256(content).hexdigest()
    with disks.receive_image(sha256) as incoming:
        incoming.write(content)
    assert disks.image_size_bytes(sha256) is None
    with disks.receive_image(sha256) as incoming:
        incoming.write(content)
        assert incoming.inspect(ImageFormat.RAW)["probed-format"] == "raw"
        incoming.keep()
    assert disks.image_size_bytes(sha256) == len(content)
    clone = UUID(specs.new_id())
    disks.engine().create(clone, size_bytes=4 * MIB, base=BaseImage(sha256, ImageFormat.RAW))
    assert disks.engine().size_bytes(clone) == 4 * MIB
    assert disks.remove_image(sha256)
    assert not disks.remove_image(sha256)


def test_failed_clone_leaves_no_file(disks: Disks) -> None:
    clone = UUID(specs.new_id())
    with pytest.raises(AdapterError):
        disks.engine().create(clone, size_bytes=4 * MIB, base=BaseImage("0" * 64, ImageFormat.RAW))
    assert disks.engine().size_bytes(clone) is None


def test_an_instance_that_never_ran_has_an_empty_console(disks: Disks) -> None:
    part = disks.read_console(UUID(specs.new_id()), offset=-100, max_bytes=10)
    assert (part.data, part.offset, part.total_bytes) == (b"", 0, 0)
    disks.remove_instance_files(UUID(specs.new_id()))


def test_usage_counts_from_the_start_and_only_while_the_guest_runs(rig: Rig) -> None:
    hypervisor = rig.adapters.hypervisor
    assert rig.guest.id not in hypervisor.usage()
    hypervisor.start(rig.guest.id)
    first = usage_of(rig)
    assert (first.vcpus, [disk.volume_id for disk in first.disks]) == (1, [rig.guest.disks[0].volume_id])
    wait_until(lambda: usage_of(rig).cpu_ns > first.cpu_ns, what="counters that grow")
    hypervisor.power_off(rig.guest.id)
    assert rig.guest.id not in hypervisor.usage()


@pytest.fixture
def bridge(agreeing_node: LabNode) -> Iterator[str]:
    agreeing_node.exec(["ip", "link", "add", "unread", "up", "type", "bridge"])
    yield "unread"
    agreeing_node.exec(["ip", "link", "del", "unread"])


@pytest.mark.lab
@pytest.mark.parametrize("adapters", ["real"], indirect=True)
def test_packets_that_a_guest_does_not_take_count_as_dropped(rig: Rig, bridge: str, agreeing_node: LabNode) -> None:
    """The firmware of a guest without a system takes none."""
    nic = GuestNic("unread0", bridge, "56:00:00:00:00:01", 1500)
    rig.guest = replace(rig.guest, nics=(nic,))
    rig.adapters.hypervisor.define(rig.guest)
    rig.adapters.hypervisor.start(rig.guest.id)
    (first,) = usage_of(rig).nics
    assert first.device == nic.device
    frame = frames.ethernet("56:00:00:00:00:02", nic.mac, 0x0800, b"x" * 64)

    def has_dropped() -> bool:
        agreeing_node.exec([sys.executable, frames.__file__, "flood", bridge, "3000", frame.hex()])
        (now,) = usage_of(rig).nics
        return now.in_dropped > first.in_dropped and now.out_dropped == first.out_dropped

    wait_until(has_dropped, what="packets that the guest did not take")


def usage_of(rig: Rig) -> GuestUsage:
    """A guest that has just started is busy for a moment."""
    read: list[GuestUsage] = []

    def is_read() -> bool:
        found = rig.adapters.hypervisor.usage().get(rig.guest.id)
        read.extend([found] if found else [])
        return found is not None

    wait_until(is_read, what="its usage")
    return read[0]
