"""The adapters of a node that runs guests."""

from pathlib import Path

from agents.node.adapters.accelerator import Accelerator
from agents.node.adapters.base import Adapters
from agents.node.adapters.libvirt import LibvirtHypervisor
from agents.node.adapters.network import LinuxSwitch
from agents.node.adapters.qemu_img import FileDisks


def real_adapters(state_dir: Path, *, boot_id: str, libvirt_uri: str, virt_type: str, uplink: str) -> Adapters:
    disks = FileDisks(state_dir)
    accelerator = Accelerator(state_dir, wanted=virt_type, boot_id=boot_id)
    return Adapters(
        hypervisor=LibvirtHypervisor(libvirt_uri, accelerator=accelerator),
        disks=disks,
        switch=LinuxSwitch(uplink=uplink),
    )
