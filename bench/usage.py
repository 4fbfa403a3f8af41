"""Benchmark of sampling the usage of guests on a node.

One call for all of them is compared with the call that heartbeats make (the state of all guests), with few and with
more guests. Needs root: they run under a libvirtd of a lab.

`ARGS="--guests 1 5"` takes fewer. The guests have nothing to boot from: they only have to exist.
"""

import argparse
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from uuid import UUID, uuid4

from agents.lab import Lab, LabNode
from agents.node.adapters.accelerator import Accelerator
from agents.node.adapters.interfaces import Firmware, GuestSpec
from agents.node.adapters.libvirt import LibvirtHypervisor
from agents.node.adapters.qemu_img import FileDisks
from agents.node.adapters.storage.keys import VolumeKeys
from agents.node.adapters.volume_secrets import VolumeSecrets
from agents.node.hook.server import HookServer
from bench.common import print_progress, report, spread, timed_rounds
from scripts.control_plane import ROOT

GUESTS = [1, 10, 20]
ROUNDS = 50


class Agreement:
    """A gate that lets every guest start."""

    def may_start(self, instance_id: UUID, operation: str, domain: ET.Element) -> str | None:
        return None

    def report(self, instance_id: UUID, operation: str, sub_operation: str) -> None:
        """Ignore the event."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--guests", type=int, nargs="+", default=GUESTS)
    arguments = parser.parse_args()
    folder = ROOT / "var" / "bench-usage"
    Lab(folder).remove()
    lab = Lab(folder)
    try:
        (node,) = lab.up(["hv1"])
        report(measure(node, sorted(arguments.guests)))
    finally:
        lab.remove()
        shutil.rmtree(folder, ignore_errors=True)


def measure(node: LabNode, counts: list[int]) -> dict[str, object]:
    node.agent_folder.mkdir(exist_ok=True)
    gate = HookServer(node.agent_folder / "hook.sock", Agreement())
    folder = node.agent_folder / "bench"
    accelerator, secrets = Accelerator(folder, requested="qemu", boot_id=""), VolumeSecrets(VolumeKeys())
    hypervisor = LibvirtHypervisor(node.libvirt_uri, accelerator=accelerator, secrets=secrets)
    figures: dict[str, object] = {}
    number = 0
    try:
        for count in counts:
            while number < count:
                start(hypervisor, folder)
                number += 1
            print_progress(f"{number} guests")
            assert len(hypervisor.usage()) == number
            usage = timed_rounds(hypervisor.usage, rounds=ROUNDS)
            states = timed_rounds(hypervisor.states, rounds=ROUNDS)
            ratio = round(sorted(usage)[ROUNDS // 2] / sorted(states)[ROUNDS // 2], 1)
            figures[f"{number} guests"] = {"usage": spread(usage), "states": spread(states), "times_the_states": ratio}
    finally:
        hypervisor.close()
        gate.stop()
    return figures


def start(hypervisor: LibvirtHypervisor, folder: Path) -> None:
    disks, guest_id, volume_id = FileDisks(folder), uuid4(), uuid4()
    disks.engine().create(volume_id, size_bytes=2**23)
    guest = GuestSpec(
        id=guest_id,
        project_id=guest_id,
        vcpus=1,
        memory_mib=64,
        firmware=Firmware.BIOS,
        disks=(disks.engine().disk(volume_id),),
        nics=(),
        seed=disks.write_seed(guest_id, {"meta-data": b"x", "user-data": b"y"}),
        console_log=disks.console_path(guest_id),
        serial_socket=disks.serial_path(guest_id),
    )
    hypervisor.define(guest)
    hypervisor.start(guest_id)


if __name__ == "__main__":
    main()
