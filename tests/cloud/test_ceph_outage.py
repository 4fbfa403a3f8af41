"""A Ceph cluster that loses its power under real guests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agents.lab.ceph import CephCluster, Store
from scripts.polling import wait_until
from tests.cloud.ceph_storage import TYPE, ZONE, CephStorage, ceph_storage
from tests.cloud.conftest import Tenant
from tests.cloud.test_first_guest import do, in_background, in_guest, wait_for_ssh
from tests.limits import PATIENCE_S

pytestmark = [pytest.mark.lab, pytest.mark.nightly]

RANDOM = "dd if=/dev/urandom of=/tmp/data bs=1M count=8 2>/dev/null"
WRITE = "touch /tmp/begun; dd if=/tmp/data of=/dev/vdb bs=1M conv=fsync && touch /tmp/written"
SAME = "echo 3 > /proc/sys/vm/drop_caches; head -c 8388608 /dev/vdb | cmp - /tmp/data && echo same"


@pytest.fixture
def storage(
    real_tenant: Tenant, make_ceph: Callable[[str], CephCluster], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CephStorage]:
    """A cluster whose data survives its processes."""
    folder: Path = tmp_path_factory.mktemp("storage-agent")
    with ceph_storage(real_tenant, make_ceph("outage"), folder, store=Store.FILE) as running:
        yield running


def test_guest_and_operations_go_on_after_the_outage(tenant: Tenant, storage: CephStorage) -> None:
    """All daemons are killed: a guest's write and an operation wait, and both succeed once the cluster is back."""
    do(tenant, "POST", "volumes", {"name": "data", "size_gib": 1, "volume_type": TYPE})
    tenant.api.wait(tenant.create("web", zones=[ZONE], volumes=["data"])["operation"])
    wait_for_ssh(tenant, "web")
    in_guest(tenant, "web", RANDOM)
    address = storage.cluster.plan.address if storage.cluster.plan else None
    storage.cluster.stop()
    in_guest(tenant, "web", in_background(WRITE))
    waiting = tenant.api.post("volumes", {"name": "other", "size_gib": 1, "volume_type": TYPE})["operation"]["id"]
    wait_until(lambda: "storage cluster" in str(tenant.api.get(f"operations/{waiting}")["steps"]), limit_s=PATIENCE_S)
    files = in_guest(tenant, "web", "ls /tmp")
    assert "begun" in files and "written" not in files
    storage.cluster.start(address=address, store=Store.FILE)
    assert tenant.api.wait({"id": waiting})["state"] == "succeeded"
    wait_until(lambda: "written" in in_guest(tenant, "web", "ls /tmp"), limit_s=PATIENCE_S)
    assert in_guest(tenant, "web", SAME) == "same\n"
    assert tenant.api.text("instances/web/console-log").count("ssh ready") == 1, "the guest was not restarted"
    tenant.delete_everything()
    wait_until(lambda: not storage.images() | storage.keys(), limit_s=PATIENCE_S)
