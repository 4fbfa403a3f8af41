"""Keys of a cluster (cephx): all are there when the monitor is made, so that none has to be added later."""

from __future__ import annotations

from pathlib import Path

from agents.lab.ceph import config
from agents.lab.shell import run

OF_ADMIN = {"mon": "allow *", "mgr": "allow *", "osd": "allow *"}
OF_MONITOR = {"mon": "allow *"}
OF_OSD = {"mon": "allow profile osd", "osd": "allow *"}


def make(folder: Path, *, osds: int) -> Path:
    """Write each daemon's and the administrator's keyring, and return one with all of them, for the monitor's birth."""
    seed = folder / "seed.keyring"
    _generate(seed, "mon.", OF_MONITOR)
    _generate(config.admin_keyring(folder), "client.admin", OF_ADMIN, also_in=seed)
    for number in range(osds):
        name = f"osd.{number}"
        data = config.data_folder(folder, name)
        data.mkdir(mode=0o700)
        _generate(data / "keyring", name, OF_OSD, also_in=seed)
    return seed


def _generate(keyring: Path, name: str, capabilities: dict[str, str], *, also_in: Path | None = None) -> None:
    caps = [word for kind, allowed in capabilities.items() for word in ("--cap", kind, allowed)]
    run(["ceph-authtool", "--create-keyring", str(keyring), "--gen-key", "--name", name, *caps])
    if also_in is not None:
        run(["ceph-authtool", str(also_in), "--import-keyring", str(keyring)])
