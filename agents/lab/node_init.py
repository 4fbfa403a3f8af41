"""First process of a node: furnishes the new namespaces, reports, and becomes a pid 1 that reaps.

It is run by path in fresh mount, uts, pid and cgroup namespaces:
    node_init.py NAME FOLDER [MOUNT:CONTROLLERS ...]
where FOLDER holds the node's own directories and MOUNT is a cgroup hierarchy (no CONTROLLERS: version 2).
It writes "ready" to standard output; if it cannot, it ends and standard error tells why.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import uuid
from pathlib import Path

# Directory of the machine -> directory in the node's folder that hides it.
OWN_DIRECTORIES = {
    "/etc/libvirt": "etc",
    "/var/lib/libvirt": "lib",
    "/var/cache/libvirt": "cache",
    "/var/log/libvirt": "log",
    "/run": "run",
}
# The same in every node: files of a guest that moves have the same names where it comes from and where it goes.
STATE_DIRECTORY, OWN_STATE = "/run/agent", "agent"
# Of the agent's keys of volumes, which a reboot forgets.
KEY_DIRECTORY = "/run/andromede-agent"
BOOT_ID = "/proc/sys/kernel/random/boot_id"


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def leave_network_namespaces_of_others() -> None:
    """Leave the network namespaces of others: copies of their mounts would keep deleted namespaces alive."""
    while points := [point for point in mount_points() if point.startswith("/run/netns")]:
        # The shortest is the folder, which hides further mounts of the same names where /run is shared.
        subprocess.run(["umount", "--lazy", min(points, key=len)], check=True)


def mount_points() -> list[str]:
    return [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]


def mount_sysfs(hierarchies: list[str]) -> None:
    """Mount a sysfs that shows this node's network devices; the cgroup roots in it are the node's."""
    subprocess.run(["umount", "--recursive", "--lazy", "/sys"], check=True)
    mount("-t", "sysfs", "sysfs", "/sys")
    pairs = [entry.split(":") for entry in hierarchies]
    if any(controllers for _, controllers in pairs):
        mount("-t", "tmpfs", "-o", "mode=755", "cgroup", "/sys/fs/cgroup")
    for point, controllers in pairs:
        Path(point).mkdir(exist_ok=True)
        if controllers:
            mount("-t", "cgroup", "-o", controllers, "cgroup", point)
        else:
            mount("-t", "cgroup2", "cgroup2", point)


def hide_shared_directories(folder: Path) -> None:
    for target, own in OWN_DIRECTORIES.items():
        mount("--bind", str(folder / own), target)
    for name in ("libvirt", "lock", "netns"):
        Path("/run", name).mkdir(exist_ok=True)
    for path in (STATE_DIRECTORY, KEY_DIRECTORY):
        Path(path).mkdir(exist_ok=True)
    mount("--bind", str(folder / OWN_STATE), STATE_DIRECTORY)
    mount("-t", "tmpfs", "-o", "mode=700", "keys", KEY_DIRECTORY)


def name_node(name: str) -> None:
    """Write the node's name into its /etc/hosts, as Debian's installer does.

    libvirt looks its own name up several times in a migration, once while the guest is paused: a name server that does
    not answer would delay each by seconds.
    """
    socket.sethostname(name)
    own = Path("/run/hosts")
    own.write_text(f"{Path('/etc/hosts').read_text()}127.0.1.1 {name}\n")
    mount("--bind", str(own), "/etc/hosts")


def begin_a_boot() -> None:
    """Give the node a new boot id: the machine's own stays the same over all power cuts of the node."""
    own = Path("/run/boot_id")
    own.write_text(f"{uuid.uuid4()}\n")
    mount("--bind", str(own), BOOT_ID)


def main() -> None:
    name, folder, *hierarchies = sys.argv[1:]
    leave_network_namespaces_of_others()
    mount_sysfs(hierarchies)
    hide_shared_directories(Path(folder))
    name_node(name)
    begin_a_boot()
    print("ready", flush=True)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    # Daemons become children of pid 1; libvirtd waits 40 s for each of them that is not reaped.
    os.execvp("tini", ["tini", "--", "sleep", "infinity"])


if __name__ == "__main__":
    main()
