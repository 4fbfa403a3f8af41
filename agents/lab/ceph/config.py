"""Configuration of a cluster: the differences from Ceph's defaults, with reasons."""

from __future__ import annotations

import enum
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

MON_PORT = 3300  # of messenger version 2; clients take another number for version 1
POOL = "volumes"
COPIES_MAX = 3  # Ceph's default, and what is recommended for data

Section = dict[str, str | int | float]


class Store(enum.StrEnum):
    """Place of an OSD's objects."""

    MEMORY = "memstore"
    """In its memory: fast, and lost when it ends."""
    FILE = "bluestore"
    """In a sparse file, by the code of production: it survives SIGKILL."""


@dataclass(frozen=True)
class ClusterPlan:
    """Stored when a cluster is complete. A folder without it holds the remains of a start that was killed."""

    address: str
    """IPv4 address of every daemon."""
    osds: int
    store: Store
    fsid: str
    """Identifies the cluster: another one in the same folder has another."""

    @classmethod
    def load(cls, folder: Path) -> ClusterPlan | None:
        path = _plan_file(folder)
        if not path.exists():
            return None
        stored = json.loads(path.read_text())
        return cls(**(stored | {"store": Store(stored["store"])}))

    def save(self, folder: Path) -> None:
        draft = folder / "cluster.json.new"
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n")
        os.replace(draft, _plan_file(folder))

    @staticmethod
    def forget(folder: Path) -> None:
        _plan_file(folder).unlink(missing_ok=True)


def _plan_file(folder: Path) -> Path:
    return folder / "cluster.json"


def conf_file(folder: Path) -> Path:
    return folder / "ceph.conf"


def admin_keyring(folder: Path) -> Path:
    return folder / "client.admin.keyring"


def data_folder(folder: Path, daemon: str) -> Path:
    return folder / daemon


def write(folder: Path, plan: ClusterPlan) -> None:
    sections = {"global": _of_all(folder, plan), "mon": _of_the_monitor(folder), "osd": _of_osds(folder, plan)}
    sections["client"] = _of_clients(folder)
    blocks = (
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in section.items())
        for name, section in sections.items()
    )
    conf_file(folder).write_text("\n".join(blocks))


def _of_all(folder: Path, plan: ClusterPlan) -> Section:
    return {
        "fsid": plan.fsid,
        "mon_host": f"v2:{plan.address}:{MON_PORT}",
        # Without both, OSDs listen on every address of the machine with a part of their ports.
        "public_addr": plan.address,
        "cluster_addr": plan.address,
        # A wrong address is reported at once, and not after three attempts and ten seconds.
        "ms_bind_retry_count": 1,
        # Crash reports and sockets would be outside the folder.
        "crash_dir": str(folder / "crash"),
        "admin_socket": '""',
        # Copies on OSDs of one machine count as apart: a cluster with one machine cannot place them otherwise.
        "osd_crush_chooseleaf_type": 0,
        "osd_pool_default_size": min(plan.osds, COPIES_MAX),
        # Each placement group costs memory and a peering; a test has little data.
        "osd_pool_default_pg_num": 8,
        # Scaled by the manager daemon, which is not there.
        "osd_pool_default_pg_autoscale_mode": "off",
    }


def _of_the_monitor(folder: Path) -> Section:
    return {
        "mon_data": str(data_folder(folder, "$name")),
        # Its own: with a keyring for all daemons several monitors refuse each other.
        "keyring": "$mon_data/keyring",
        "log_file": str(folder / "log/$name.log"),
        "mon_cluster_log_file": str(folder / "log/cluster.log"),
        # It waits so long (default 1 s) for more changes before it commits one, and a start makes a dozen in a row.
        "paxos_propose_interval": 0.05,
        # It notices what has changed with its clock alone (default 5 s).
        "mon_tick_interval": 1,
        # CVE-2021-20288: old clients may take over other clients' ids; nothing of ours is that old.
        "auth_allow_insecure_global_id_reclaim": "false",
        # Of the file system, in per cent: it is the machine's, and by default the monitor ends itself below 5.
        "mon_data_avail_warn": 2,
        "mon_data_avail_crit": 1,
        # From then on a clone needs no protected snapshot, and the snapshot may be removed before its clones.
        "mon_osd_initial_require_min_compat_client": "mimic",
        "mon_allow_pool_size_one": "true",
        "mon_allow_pool_delete": "true",
    }


def _of_osds(folder: Path, plan: ClusterPlan) -> Section:
    return {
        "osd_data": str(data_folder(folder, "$name")),
        "keyring": "$osd_data/keyring",
        "log_file": str(folder / "log/$name.log"),
        "osd_objectstore": plan.store.value,
        "bluestore_block_size": 10 * 2**30,  # sparse; default 100 GiB
        # Each OSD would write 400 MB at its first start, to measure its disk.
        "osd_mclock_skip_benchmark": "true",
        # A second or more, to check an empty store.
        "bluestore_fsck_on_mkfs": "false",
        # Else it grows to 4 GiB.
        "bluestore_cache_autotune": "false",
        "bluestore_cache_size": 64 * 2**20,
        # Threads for two processors; the default is for a disk array.
        "osd_op_num_shards": 2,
        "osd_op_num_threads_per_shard": 1,
    }


def _of_clients(folder: Path) -> Section:
    return {
        "keyring": str(admin_keyring(folder)),
        # A client that waits for an OSD which died asks for a newer map after so long: by default 10 s, checked every
        # 5 s, while the OSD is back in two.
        "objecter_timeout": 1,
        "objecter_tick_interval": 1,
    }
