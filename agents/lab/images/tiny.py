"""The image `tiny`: Debian's cloud kernel, busybox and dropbear, in 128 MiB of memory and 96 MiB of disk.

It boots from BIOS through syslinux: a FAT partition with the kernel, an ext4 root that grows with the disk. Root logs
in over ssh with the seed's keys, and on the consoles without a password: console access is full control of the guest
anyway.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
from pathlib import Path

from agents.lab.images import cpio, disk, kernel
from agents.lab.shell import run, step

SCRIPTS = Path(__file__).parent / "tiny_root"
MBR = Path("/usr/lib/syslinux/mbr/mbr.bin")

BOOT_START_MIB, BOOT_MIB = 1, 24
ROOT_START_MIB, ROOT_MIB = 25, 70
DISK_MIB = 96

# Needed to find the root file system, and needed later.
EARLY_MODULES = ["virtio_blk", "virtio_scsi", "sd_mod"]
LATE_MODULES = ["virtio_net", "sr_mod", "isofs", "button", "evdev", "virtio_rng", "virtio_balloon"]
# For a seed on a disk, which hardly anybody has.
FAT_MODULES = ["vfat", "nls_cp437", "nls_ascii", "nls_iso8859_1"]
# Not under names of busybox's: its shell takes its own applets for those, whatever the path says.
PROGRAMS = [
    *["/usr/sbin/dropbear", "/usr/bin/dropbearkey", "/usr/sbin/sfdisk", "/usr/bin/resizepart"],
    *["/usr/sbin/resize2fs", "/usr/sbin/mkfs.ext4"],
]

# scan=sync: the seed's CD is there when we look for it.
COMMAND_LINE = f"console=tty0 console=ttyS0,115200 quiet scsi_mod.scan=sync panic=5 {kernel.WITHOUT_KVM}"

SYSLINUX = f"DEFAULT tiny\nPROMPT 0\nLABEL tiny\n KERNEL vmlinuz\n INITRD initrd\n APPEND {COMMAND_LINE}\n"

PARTITIONS = f"""label: dos
start={BOOT_START_MIB}MiB, size={BOOT_MIB}MiB, type=c, bootable
start={ROOT_START_MIB}MiB, size={ROOT_MIB}MiB, type=83
"""

INITTAB = """::sysinit:/etc/boot.sh
::once:/etc/user-data.sh
ttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100
tty1::respawn:/sbin/getty 38400 tty1
::shutdown:/bin/umount -a -r
::ctrlaltdel:/sbin/reboot
"""

TEXTS = {
    "etc/inittab": INITTAB,
    "etc/passwd": "root::0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/shells": "/bin/sh\n",
    "etc/issue": "TINY: \\n, log in as root\n\n",
    "etc/acpi/PWRF/00000080": "#!/bin/sh\npoweroff\n",
}


def build(out: Path, scratch: Path) -> None:
    """Write the image to `out` (a few seconds)."""
    guest_kernel = kernel.installed()
    with step("images: tiny: file systems"):
        initrd, root = scratch / "initrd", scratch / "root.ext4"
        initrd.write_bytes(gzip.compress(cpio.pack(_initrd_tree(scratch / "early", guest_kernel)), mtime=0))
        tree = _root_tree(scratch / "late", guest_kernel)
        disk.make_ext4(root, tree=tree, label="tiny-root", size_mib=ROOT_MIB)
    with step("images: tiny: disk"):
        boot = _boot_partition(scratch, initrd=initrd, image=guest_kernel.image)
        raw = scratch / "disk.raw"
        disk.partition(raw, size_mib=DISK_MIB, script=PARTITIONS)
        disk.write_at(raw, offset=0, data=MBR.read_bytes())
        disk.copy_into(raw, source=boot, start_mib=BOOT_START_MIB)
        disk.copy_into(raw, source=root, start_mib=ROOT_START_MIB)
        disk.compress(raw, out, method="zlib")


def _initrd_tree(tree: Path, guest_kernel: kernel.Kernel) -> Path:
    for folder in ("bin", "proc", "sys", "dev", "root"):
        (tree / folder).mkdir(parents=True)
    shutil.copy("/usr/bin/busybox", tree / "bin/busybox")
    _copy_script("init.sh", tree / "init")
    kernel.copy_modules(guest_kernel, EARLY_MODULES, to=tree / "modules")
    return tree


def _root_tree(tree: Path, guest_kernel: kernel.Kernel) -> Path:
    for folder in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "proc", "sys", "dev", "run", "tmp", "root"):
        (tree / folder).mkdir(parents=True)
    for folder in ("var/lib", "var/log", "var/run", "mnt", "etc"):
        (tree / folder).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (tree / name).symlink_to(f"usr/{name}")
    _install_busybox(tree)
    for name, text in TEXTS.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    (tree / "etc/acpi/PWRF/00000080").chmod(0o755)
    for name in ("boot.sh", "user-data.sh", "udhcpc.sh", "yaml.awk", "values.awk", "network.awk"):
        _copy_script(name, tree / "etc" / name)
    for program in PROGRAMS:
        _copy_program(Path(program), tree)
    kernel.copy_modules(guest_kernel, LATE_MODULES, to=tree / "lib/modules")
    kernel.copy_modules(guest_kernel, FAT_MODULES, to=tree / "lib/modules/fat")
    return tree


def _install_busybox(tree: Path) -> None:
    shutil.copy("/usr/bin/busybox", tree / "bin/busybox")
    for applet in run(["busybox", "--list-full"]).split():
        name = Path(applet).name
        folder = "sbin" if "sbin" in applet else "bin"
        if not (tree / folder / name).exists():
            (tree / folder / name).symlink_to("/bin/busybox")


def _copy_script(name: str, to: Path) -> None:
    shutil.copyfile(SCRIPTS / name, to)
    to.chmod(0o755)


def _copy_program(program: Path, tree: Path) -> None:
    """Copy a program and its libraries."""
    libraries = re.findall(r"(/\S+) \(0x", run(["ldd", str(program)]))
    for source in [str(program), *libraries]:
        real = Path(os.path.realpath(source))
        target = tree / Path(source).relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(real, target)


def _boot_partition(scratch: Path, *, initrd: Path, image: Path) -> Path:
    menu = scratch / "syslinux.cfg"
    menu.write_text(SYSLINUX)
    boot = scratch / "boot.fat"
    files = {"vmlinuz": image, "initrd": initrd, "syslinux.cfg": menu}
    disk.make_fat(boot, files=files, size_mib=BOOT_MIB, start_mib=BOOT_START_MIB)
    run(["syslinux", "--install", str(boot)])
    return boot
