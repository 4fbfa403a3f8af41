"""Run before each start of libvirtd: python -m agents.node.libvirtd_recovery

A libvirtd that is killed between recording a guest's start and forking its QEMU leaves a status file with pid 0. The
next libvirtd takes that guest for a starting one, never looks for its process, and holds its lock for ever: the guest
can be neither started nor destroyed. Without the file the guest is off. No QEMU is lost: the forked process waits for
libvirtd's confirmation before it becomes QEMU, and ends when libvirtd is gone.
"""

import argparse
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

RUN_DIR = Path("/run/libvirt/qemu")


def forget_unborn_guests(run_dir: Path = RUN_DIR) -> list[str]:
    """Remove the status files of guests without a process and return the guests' names. libvirtd must not run."""
    forgotten = [path for path in sorted(run_dir.glob("*.xml")) if _is_unborn(path)]
    for path in forgotten:
        path.unlink()
        path.with_suffix(".pid").unlink(missing_ok=True)
    return [path.stem for path in forgotten]


def _is_unborn(path: Path) -> bool:
    """Return whether the status file has pid 0. libvirtd replaces these files in one step, so an unreadable file is no
    status file of libvirtd.
    """
    try:
        status = ET.parse(path).getroot()
    except ET.ParseError:
        return False
    return status.tag == "domstatus" and status.get("pid") == "0"


def main() -> None:
    parser = argparse.ArgumentParser(prog="agents.node.libvirtd_recovery", description="Run before libvirtd starts.")
    parser.add_argument("--run-dir", type=Path, default=RUN_DIR)
    for name in forget_unborn_guests(parser.parse_args().run_dir):
        sys.stderr.write(f"removed the interrupted start of {name}\n")


if __name__ == "__main__":
    main()
