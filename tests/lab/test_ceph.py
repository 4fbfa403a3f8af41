"""Ceph clusters: RBD, power loss, fencing, and an end without traces."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agents.lab import LabError
from agents.lab.ceph import POOL, CephCluster, Store
from agents.lab.ceph.cluster import LOCK, MON
from scripts.control_plane import ROOT
from scripts.polling import wait_until
from tests.limits import PATIENCE_S
from tests.processes import running

MIB = 2**20
FIRST, SECOND = b"first".ljust(4096, b"."), b"second".ljust(4096, b".")


@pytest.fixture(scope="module")
def durable(make_ceph: Callable[[str], CephCluster]) -> CephCluster:
    """Return a cluster whose OSD has its objects in a file."""
    cluster = make_ceph("durable")
    cluster.start(store=Store.FILE)
    return cluster


@contextmanager
def volumes(cluster: CephCluster, *, limit_s: int = PATIENCE_S) -> Iterator[Any]:
    """Return the pool's I/O context, of a client of its own."""
    with cluster.client(limit_s=limit_s) as client, client.open_ioctx(POOL) as ioctx:
        yield ioctx


def make_image(ioctx: Any, content: bytes) -> str:
    import rbd  # Debian's build: other tests of the lab run without it

    name = str(uuid.uuid4())
    rbd.RBD().create(ioctx, name, 8 * MIB)
    write(ioctx, name, content)
    return name


def write(ioctx: Any, name: str, content: bytes) -> None:
    import rbd

    with rbd.Image(ioctx, name) as image:
        image.write(content, 0)
        image.flush()


def read(ioctx: Any, name: str) -> bytes:
    import rbd

    with rbd.Image(ioctx, name, read_only=True) as image:
        return bytes(image.read(0, len(FIRST)))


def blocklist(cluster: CephCluster, ioctx: Any, name: str) -> None:
    """Fence each client that has the image open.

    The monitor answers before the OSDs have the new map: an OSD gets it from a client that connects later.
    """
    import rbd

    with rbd.Image(ioctx, name, read_only=True) as image:
        watchers = list(image.watchers_list())
    assert watchers
    for watcher in watchers:
        cluster.command("osd blocklist", blocklistop="add", addr=watcher["addr"])
    with volumes(cluster) as later:
        read(later, name)


def test_a_clone_has_the_content_of_its_snapshot(ceph: CephCluster) -> None:
    import rbd

    with volumes(ceph) as ioctx:
        name = make_image(ioctx, FIRST)
        with rbd.Image(ioctx, name) as image:
            image.create_snap("then")
        write(ioctx, name, SECOND)

        rbd.RBD().clone(ioctx, name, "then", ioctx, f"{name}-clone")  # of a snapshot that is not protected

        assert read(ioctx, f"{name}-clone") == FIRST
        assert read(ioctx, name) == SECOND


def test_a_fenced_client_cannot_write(ceph: CephCluster) -> None:
    import rbd

    with volumes(ceph) as manager, volumes(ceph) as fenced:
        name = make_image(manager, FIRST)
        with rbd.Image(fenced, name) as image:
            image.write(FIRST, 4096)
            blocklist(ceph, manager, name)

            with pytest.raises(rbd.ConnectionShutdown):
                image.write(SECOND, 0)
                image.flush()
        assert read(manager, name) == FIRST
        write(manager, name, SECOND)  # others can


def test_a_killed_osd_has_its_data_when_it_is_back(durable: CephCluster) -> None:
    import rbd

    with volumes(durable) as ioctx:
        name = make_image(ioctx, FIRST)
        [before] = durable.pids("osd.0")

        durable.kill("osd.0")
        assert durable.pids("osd.0") == []
        with volumes(durable, limit_s=1) as impatient, pytest.raises(rbd.Error):
            read(impatient, name)
        durable.start_osd(0)

        assert durable.pids("osd.0") not in ([], [before])
        assert read(ioctx, name) == FIRST


def test_two_clusters_are_separate(ceph: CephCluster, durable: CephCluster) -> None:
    import rbd

    with volumes(ceph) as ioctx:
        name = make_image(ioctx, FIRST)
    with volumes(durable) as ioctx, pytest.raises(rbd.ImageNotFound):
        read(ioctx, name)
    assert ceph.plan and durable.plan and ceph.plan.fsid != durable.plan.fsid
    assert not set(ceph.pids()) & set(durable.pids())


def test_another_kind_of_cluster_is_refused(ceph: CephCluster) -> None:
    pids = ceph.pids()
    with pytest.raises(LabError, match="has 1 OSDs"):
        ceph.start(osds=3)
    assert ceph.pids() == pids


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "notes"
    own.touch()
    cluster = CephCluster(tmp_path)
    for act in (cluster.start, cluster.remove):
        with pytest.raises(LabError, match="holds other files"):
            act()
    assert list(tmp_path.iterdir()) == [own]


KILLED_REMOVAL = """
import os, signal, sys
from agents.lab.ceph import CephCluster
left = [int(sys.argv[2])]
def count(event, _):
    if event in ("os.remove", "os.rmdir"):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count)
CephCluster(sys.argv[1]).remove()
"""


def test_a_killed_removal_is_repeated(tmp_path: Path) -> None:
    """The removal is killed before each of its deletions. No daemon is needed."""
    folder = tmp_path / "cluster"
    for deletions in range(100):
        (folder / "osd.0").mkdir(parents=True)
        for name in (LOCK, "ceph.conf", "cluster.json", "osd.0/keyring", "osd.0/block"):
            (folder / name).touch()
        command = [sys.executable, "-c", KILLED_REMOVAL, str(folder), str(deletions)]
        done = subprocess.run(command, cwd=ROOT, timeout=PATIENCE_S, check=False)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
        assert folder.exists()
        CephCluster(folder).remove()
        assert not folder.exists()
    assert deletions == 7, "five files and two folders, and then an end"
    assert not folder.exists()


def test_ended_daemon_reports_its_error(make_ceph: Callable[[str], CephCluster]) -> None:
    """The address is of a documentation network (RFC 5737), and so of no machine."""
    with pytest.raises(LabError, match=r"mon\.a .* ended with 1: [^$]*192\.0\.2\.1"):
        make_ceph("elsewhere").start(address="192.0.2.1")


def test_commands_begin_anew_after_a_killed_start_and_leave_no_trace(make_ceph: Callable[[str], CephCluster]) -> None:
    cluster = make_ceph("commands")

    def command(name: str, *options: str) -> Sequence[str]:
        return [sys.executable, "-m", "agents.lab", "ceph", name, "--dir", str(cluster.folder), *options]

    def output(name: str, *options: str) -> str:
        done = subprocess.run(command(name, *options), capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    with running(command("up", "--store", "memstore")) as killed:
        wait_until(lambda: bool(cluster.pids(MON)))
        killed.send_signal(signal.SIGKILL)
    [remains] = cluster.pids(MON)
    os.kill(remains, signal.SIGSTOP)  # without its files a monitor may end by itself; one that hangs does not
    assert cluster.plan is None

    lines = output("up", "--store", "memstore").splitlines()
    pids = cluster.pids()
    assert remains not in pids
    assert lines == [f"conf {cluster.conf}", *(f"{daemon} {cluster.pids(daemon)[0]}" for daemon in cluster.daemons())]
    assert output("up", "--store", "memstore").splitlines() == lines, "a second time it does nothing"

    output("down", "--remove-files")
    assert cluster.pids() == []
    assert not [pid for pid in pids if Path("/proc", str(pid), "exe").exists()]
    assert not cluster.folder.exists()


@pytest.mark.nightly
def test_three_osds_outlive_a_killed_one_and_a_power_cut(make_ceph: Callable[[str], CephCluster]) -> None:
    """A client that is fenced stays so: the list of them is in the monitor's store."""
    import rbd

    cluster = make_ceph("three")
    cluster.start(osds=3, store=Store.FILE)
    with volumes(cluster) as manager, volumes(cluster) as fenced:
        name = make_image(manager, FIRST)
        with rbd.Image(fenced, name) as image:
            blocklist(cluster, manager, name)
            cluster.kill("osd.1")
            write(manager, name, SECOND)  # two copies are enough

            cluster.stop()
            assert cluster.pids() == []
            cluster.start(osds=3, store=Store.FILE)

            assert read(manager, name) == SECOND
            with pytest.raises(rbd.ConnectionShutdown):
                image.write(FIRST, 0)
                image.flush()
        assert read(manager, name) == SECOND
