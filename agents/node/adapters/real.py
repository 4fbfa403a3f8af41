"""The adapters of a node that runs guests."""

from pathlib import Path
from uuid import UUID

from agents.node.adapters.accelerator import Accelerator
from agents.node.adapters.base import Adapters, GuestSpec, MoveProgress, Route, Sent
from agents.node.adapters.libvirt import LibvirtHypervisor
from agents.node.adapters.network import LinuxSwitch
from agents.node.adapters.qemu_img import FileDisks
from agents.node.errors import AdapterError

# A unix socket's path has at most 107 bytes; behind it come the name of a folder and an id.
LONGEST_STATE_DIR = 107 - len("/consoles/") - 36


def real_adapters(state_dir: Path, *, boot_id: str, libvirt_uri: str, virt_type: str, uplink: str) -> Adapters:
    """
    Raises:
        ValueError: no socket of a console would have a place.
    """
    if len(str(state_dir)) > LONGEST_STATE_DIR:
        raise ValueError(f"The path {state_dir} is too long for sockets: at most {LONGEST_STATE_DIR} characters.")
    disks = FileDisks(state_dir)
    accelerator = Accelerator(state_dir, wanted=virt_type, boot_id=boot_id)
    return Adapters(
        hypervisor=LibvirtHypervisor(libvirt_uri, accelerator=accelerator),
        disks=disks,
        switch=LinuxSwitch(uplink=uplink),
        moves=NoMoves(),
    )


class NoMoves:
    """Nothing comes and nothing goes."""

    def expect(self, guest: GuestSpec, certificate_sha256: str) -> str:
        raise AdapterError("This node takes in no guests from other nodes.", retryable=False)

    def refuse(self, guest_id: UUID) -> None:
        """Nothing may come anyway."""

    def send(self, guest_id: UUID, route: Route, *, max_pause_ms: int) -> Sent:
        raise AdapterError("This node sends no guests to other nodes.", retryable=False)

    def cancel(self, guest_id: UUID) -> None:
        """Nothing is on its way."""

    def progress(self, guest_id: UUID) -> MoveProgress | None:
        return None

    def close(self) -> None:
        """Nothing is open."""
