"""The image `debian-13`: a Debian as clouds have it, with cloud-init, guest agent and ssh. It needs 512 MiB of memory.

It boots from BIOS (not from UEFI). The packages come from the sources that this machine's apt is configured with.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from agents.lab.images import aptsources, disk, grub, kernel
from agents.lab.shell import run, step

CODENAME = "trixie"
PACKAGES = [
    *["linux-image-cloud-amd64", "grub-pc-bin", "grub2-common", "systemd-sysv", "systemd-resolved", "netplan.io"],
    *["cloud-init", "cloud-guest-utils", "qemu-guest-agent", "openssh-server", "sudo", "dbus"],
    *["iproute2", "iputils-ping", "ca-certificates", "less", "nano", "e2fsprogs"],
]
LEFT_OUT = ["/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*"]
KEPT = ["/usr/share/locale/locale.alias", "/usr/share/doc/*/copyright"]

CORE_MIB, ROOT_START_MIB = 1, 2
ROOT_MIB = 2045
DISK_MIB = 2048
PARTITIONS = f"""label: gpt
start={CORE_MIB}MiB, size=1MiB, type=21686148-6449-6E6F-744E-656564454649
start={ROOT_START_MIB}MiB, size={ROOT_MIB}MiB, type=L
"""

COMMAND_LINE = f"console=tty0 console=ttyS0,115200 {kernel.WITHOUT_KVM}"

# For the first boots: the guest's own tools replace it when it gets another kernel.
GRUB_MENU = f"""set timeout=0
search --no-floppy --label --set=root root
menuentry "Debian" {{
    linux /vmlinuz root=LABEL=root ro {COMMAND_LINE}
    initrd /initrd.img
}}
"""

TEXTS = {
    "boot/grub/grub.cfg": GRUB_MENU,
    "etc/default/grub": f'GRUB_TIMEOUT=0\nGRUB_DISTRIBUTOR=Debian\nGRUB_CMDLINE_LINUX="{COMMAND_LINE}"\n',
    "etc/fstab": "LABEL=root / ext4 defaults,errors=remount-ro 0 1\n",
    "etc/cloud/cloud.cfg.d/90-datasource.cfg": "datasource_list: [NoCloud, None]\n",
    # Each guest makes its own.
    "etc/machine-id": "",
    "etc/hostname": "debian\n",
}


def build(out: Path, scratch: Path) -> None:
    """Write the image to `out` (about a minute, most of it to fetch and unpack packages)."""
    tree = scratch / "tree"
    with step("images: debian-13: packages"):
        _install_packages(tree)
    with step("images: debian-13: file system"):
        _configure(tree)
        root = scratch / "root.ext4"
        disk.make_ext4(root, tree=tree, label="root", size_mib=ROOT_MIB)
    with step("images: debian-13: disk"):
        raw = scratch / "disk.raw"
        disk.partition(raw, size_mib=DISK_MIB, script=PARTITIONS)
        disk.copy_into(raw, source=root, start_mib=ROOT_START_MIB)
        grub.install(raw, tree=tree, scratch=scratch, core_mib=CORE_MIB, root_partition=2)
        disk.compress(raw, out, method="zstd")


def _install_packages(tree: Path) -> None:
    options = ["--mode=root", "--variant=minbase", "--format=directory", "--quiet"]
    options += [f"--include={','.join(PACKAGES)}"]
    options += [f"--aptopt={setting}" for setting in aptsources.settings()]
    options += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    options += [f"--dpkgopt=path-include={pattern}" for pattern in KEPT]
    run(["mmdebstrap", *options, CODENAME, str(tree), *aptsources.of_release(CODENAME)])


def _configure(tree: Path) -> None:
    grub.copy_modules(tree)
    for name, text in TEXTS.items():
        (tree / name).write_text(text)
    for key in (tree / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    # Settings of the build, not of the guest.
    (tree / "etc/apt/apt.conf.d/99mmdebstrap").unlink(missing_ok=True)
    (tree / "etc/dpkg/dpkg.cfg.d/99mmdebstrap").unlink(missing_ok=True)
    shutil.rmtree(tree / "var/lib/apt/lists")
    (tree / "var/lib/apt/lists").mkdir()
    link = tree / "etc/resolv.conf"
    link.unlink(missing_ok=True)
    link.symlink_to("../run/systemd/resolve/stub-resolv.conf")
