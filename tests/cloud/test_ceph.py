"""Real guests on volumes of a real Ceph cluster, opened by keys that its storage agent makes for their node."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agents.lab.ceph import CephCluster
from scripts.polling import wait_until
from tests.cloud.ceph_storage import NODE, TYPE, ZONE, CephStorage, ceph_storage
from tests.cloud.conftest import Tenant
from tests.cloud.test_first_guest import do, in_guest, wait_for_ssh
from tests.limits import PATIENCE_S

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def storage(
    real_tenant: Tenant, make_ceph: Callable[[str], CephCluster], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CephStorage]:
    folder: Path = tmp_path_factory.mktemp("storage-agent")
    with ceph_storage(real_tenant, make_ceph("cloud"), folder) as running:
        yield running


def test_guest_runs_from_a_cluster_and_leaves_nothing_there(tenant: Tenant, storage: CephStorage) -> None:
    do(tenant, "POST", "volumes", {"name": "data", "size_gib": 1, "volume_type": TYPE})
    tenant.api.wait(tenant.create("web", root_volume_type=TYPE, zones=[ZONE], volumes=["data"])["operation"])
    wait_for_ssh(tenant, "web")
    assert len(storage.images()) == len(storage.keys()) == 2
    write = "printf kept | dd of=/dev/vdb bs=4096 conv=sync,fsync 2>/dev/null; echo kept > /root/mark; sync"
    in_guest(tenant, "web", f"test -b /dev/vdb && {write}")
    do(tenant, "POST", "volumes/data/actions/grow", {"size_gib": 2})
    assert in_guest(tenant, "web", "cat /sys/block/vdb/size").strip() == str(2 * 2**21)
    # QEMU ends without closing its disks: what it held is fenced before the restart, and so the guest can write then.
    (pid,) = tenant.cloud.node(NODE).guest_pids()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: tenant.api.text("instances/web/console-log").count("ssh ready") == 2, limit_s=PATIENCE_S)
    assert in_guest(tenant, "web", "head -c 4 /dev/vdb; cat /root/mark; echo > /root/again; sync") == "keptkept\n"
    do(tenant, "DELETE", "instances/web/attachments/data")
    assert "vdb" not in in_guest(tenant, "web", "cat /proc/partitions")
    tenant.delete_everything()
    wait_until(lambda: not storage.images() | storage.keys(), limit_s=PATIENCE_S)
