"""Grant the users of guests access to folders and devices that Debian reserves for libvirt's one user."""

import logging
from collections.abc import Iterable
from pathlib import Path

from agents.node.domain_xml import FIRMWARE_VARIABLES

log = logging.getLogger(__name__)

KVM = Path("/dev/kvm")
# libvirt makes a folder for each guest in the first, and a file in the second: these are the guest's alone.
FOLDERS = (FIRMWARE_VARIABLES.parent, FIRMWARE_VARIABLES)
ENTER, USE = 0o001, 0o006


def open_access(*, needs_kvm: bool, folders: Iterable[Path] = FOLDERS, device: Path = KVM) -> None:
    """Let every user of this node enter the folders, without listing them, and use KVM, as systemd's default does.

    Raises:
        OSError: the agent may not change it.
    """
    rights = [(folder, ENTER) for folder in folders]
    for path, bits in [*rights, (device, USE)] if needs_kvm else rights:
        try:
            mode = path.stat().st_mode & 0o7777
        except FileNotFoundError:
            continue  # libvirt makes it so that all may enter
        if mode & bits != bits:
            path.chmod(mode | bits)
            log.info(
                "path permissions widened for guests", extra={"facts": {"path": str(path), "mode": oct(mode | bits)}}
            )
