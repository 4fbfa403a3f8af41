"""Real guests on volumes of a real Ceph cluster, opened by keys that its storage agent makes for their node."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agents.lab.ceph import POOL, CephCluster
from scripts.api import ApiError
from scripts.polling import wait_until
from tests.cloud.ceph_storage import NODE, TYPE, ZONE, CephStorage, ceph_storage
from tests.cloud.conftest import Tenant
from tests.cloud.test_first_guest import do, in_background, in_guest, wait_for_ssh
from tests.limits import PATIENCE_S

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def storage(
    real_tenant: Tenant, make_ceph: Callable[[str], CephCluster], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CephStorage]:
    folder: Path = tmp_path_factory.mktemp("storage-agent")
    with ceph_storage(real_tenant, make_ceph("cloud"), folder) as running:
        yield running


WRITE_ALWAYS = "while sync; do date > /root/new; mv /root/new /root/now; done"
HAS_BEGUN = "until test -s /root/now; do sleep 1; done"


def test_guest_runs_from_a_cluster_and_leaves_nothing_there(tenant: Tenant, storage: CephStorage) -> None:
    do(tenant, "POST", "volumes", {"name": "data", "size_gib": 1, "volume_type": TYPE})
    tenant.api.wait(tenant.create("web", root_volume_type=TYPE, zones=[ZONE], volumes=["data"])["operation"])
    wait_for_ssh(tenant, "web")
    assert len(storage.images()) == len(storage.keys()) == 2
    write = "printf kept | dd of=/dev/vdb bs=4096 conv=sync,fsync 2>/dev/null; echo kept > /root/mark; sync"
    in_guest(tenant, "web", f"test -b /dev/vdb && {write}")
    in_guest(tenant, "web", in_background(WRITE_ALWAYS))
    do(tenant, "POST", "snapshots", {"name": "before", "volume": "data"})
    do(tenant, "POST", "snapshots", {"name": "system", "volume": "web-root"})
    with pytest.raises(ApiError) as refused:
        tenant.api.delete("instances/web")
    assert refused.value.code == "compute.instance.root_volume_has_snapshots"
    do(tenant, "DELETE", "snapshots/system")
    in_guest(tenant, "web", f"{HAS_BEGUN}; printf lost | dd of=/dev/vdb bs=4096 conv=sync,fsync 2>/dev/null")
    do(tenant, "POST", "volumes/data/actions/grow", {"size_gib": 2})
    assert in_guest(tenant, "web", "cat /sys/block/vdb/size").strip() == str(2 * 2**21)
    # QEMU ends without closing its disks: what it held is fenced before the restart, and so the guest can write then.
    (pid,) = tenant.cloud.node(NODE).guest_pids()
    os.kill(pid, signal.SIGKILL)
    wait_for_ssh(tenant, "web", starts=2)
    assert in_guest(tenant, "web", "head -c 4 /dev/vdb; cat /root/mark; echo > /root/again; sync") == "lostkept\n"
    do(tenant, "DELETE", "instances/web/attachments/data")
    assert "vdb" not in in_guest(tenant, "web", "cat /proc/partitions")
    do(tenant, "POST", "volumes/data/actions/revert", {"snapshot": "before"})
    do(tenant, "POST", "volumes", {"name": "copy", "snapshot": "before"})
    for name in ("data", "copy"):
        do(tenant, "POST", "instances/web/attachments", {"volume": name})
    sizes = {"data": 2 * 2**21, "copy": 2**21}
    shown = in_guest(tenant, "web", "for disk in vdb vdc; do head -c 4 /dev/$disk; cat /sys/block/$disk/size; done")
    assert shown == "".join(f"kept{size}\n" for size in sizes.values())
    tenant.delete_everything()
    wait_until(lambda: not storage.images() | storage.keys(), limit_s=PATIENCE_S)


AT = 2**30 // 512 - 4096  # in blocks: behind all that the image has
FILL = f"dd if=/dev/urandom of=/dev/vda bs=512 seek={AT} count=2048 conv=notrunc,fsync 2>/dev/null"
SUM = f"dd if=/dev/vda bs=512 skip={AT} count=2048 2>/dev/null | md5sum; cat /root/mark"


@pytest.mark.nightly
def test_guest_boots_from_a_clone_of_the_disk_of_a_running_one(tenant: Tenant, storage: CephStorage) -> None:
    """The disk of a guest is snapshotted while it writes; another guest boots from it, and the first one goes back."""

    def boot(name: str, volume: str) -> None:
        body = {"name": name, "flavor": "tiny", "boot_volume": volume, "networks": ["lan"], "ssh_keys": ["key"]}
        do(tenant, "POST", "instances", body)
        wait_for_ssh(tenant, name)

    do(tenant, "POST", "volumes", {"name": "system", "size_gib": 1, "image": "tiny", "volume_type": TYPE})
    boot("one", "system")
    then = in_guest(tenant, "one", f"{FILL}; echo then > /root/mark; sync; {SUM}")
    assert then.endswith("then\n")
    in_guest(tenant, "one", in_background(WRITE_ALWAYS))
    do(tenant, "POST", "snapshots", {"name": "then", "volume": "system"})
    later = in_guest(tenant, "one", f"{HAS_BEGUN}; {FILL}; echo later > /root/mark; sync; {SUM}")
    do(tenant, "POST", "volumes", {"name": "clone", "snapshot": "then"})
    boot("two", "clone")
    assert in_guest(tenant, "two", SUM) == then
    assert in_guest(tenant, "one", SUM) == later != then
    do(tenant, "DELETE", "instances/two")
    do(tenant, "POST", "instances/one/actions/power-off")
    do(tenant, "POST", "volumes/system/actions/revert", {"snapshot": "then"})
    do(tenant, "POST", "instances/one/actions/start")
    wait_for_ssh(tenant, "one", starts=2)
    assert in_guest(tenant, "one", SUM) == then
    tenant.delete_everything()
    wait_until(lambda: not storage.images() | storage.keys(), limit_s=PATIENCE_S)


MARK_FENCED = f"""
from controlplane.identity.actor import SYSTEM
from controlplane.nodes.admin_state import mark_fenced
from controlplane.nodes.models import Node
mark_fenced(SYSTEM, Node.objects.get(name="{NODE}"), proof={{"kind": "attestation"}})
"""
WRITE = "while dd if=/dev/urandom of=/dev/vdb bs=64k seek=16 count=64 conv=notrunc,fsync; do :; done"
HAS_WRITTEN = "test $(awk '{print $5}' /sys/block/vdb/stat) -gt 0"
DIGEST = "echo 3 > /proc/sys/vm/drop_caches; dd if=/dev/vdb bs=1M count=8 2>/dev/null | md5sum"


@pytest.fixture
def second(tenant: Tenant, request: pytest.FixtureRequest) -> Iterator[str]:
    """Another node of the zone, which takes nothing before it is asked to. Its name is of one test alone: a retired
    node does not come back.
    """
    name = request.param
    tenant.cloud.add(name, ZONE)
    tenant.wait_for_nodes()
    tenant.operator.post(f"/v1/nodes/{name}/actions/cordon", {"reason": "it is new"})
    yield name
    tenant.cloud.repair()
    tenant.delete_everything()
    tenant.operator.post(f"/v1/nodes/{name}/actions/retire", {"reason": "the test has ended"})
    tenant.cloud.remove_node(name)


@pytest.mark.nightly
@pytest.mark.parametrize("second", ["tg"], indirect=True)
def test_guests_of_two_nodes_write_to_one_volume(tenant: Tenant, storage: CephStorage, second: str) -> None:
    """Each reads at once what the other has written; what one node has open is closed without the other one's."""
    tenant.operator.post(f"/v1/nodes/{second}/actions/uncordon")
    lan, together = tenant.api.get("networks/lan"), {"id": "together", "description": "for several"}
    tenant.operator.post("/v1/volume-types", {**together, "pool": POOL, "is_multi_attach": True})
    tenant.api.post("affinity-groups", {"name": "apart", "rule": "anti-affinity"})
    do(tenant, "POST", "volumes", {"name": "data", "size_gib": 1, "volume_type": "together"})
    names = ("one", "two")
    for name in names:
        tenant.api.wait(tenant.create(name, root_volume_type=TYPE, zones=[ZONE], affinity_group="apart")["operation"])
        wait_for_ssh(tenant, name)
        do(tenant, "POST", f"instances/{name}/attachments", {"volume": "data", "share": True})

    def in_guest_on(name: str, command: str) -> str:
        return tenant.cloud.ssh(tenant.api.get(f"instances/{name}"), lan, tenant.key, command, at=node_of(tenant, name))

    def write(name: str, text: str) -> None:
        in_guest_on(name, f"printf {text} | dd of=/dev/vdb bs=4096 conv=sync,fsync 2>/dev/null")

    def read(name: str) -> str:
        return in_guest_on(name, "echo 3 > /proc/sys/vm/drop_caches; head -c 5 /dev/vdb")

    assert {node_of(tenant, name) for name in names} == {NODE, second}
    for writer, reader in (names, names[::-1]):
        write(writer, f"of{writer}")
        assert read(reader) == f"of{writer}"
    do(tenant, "DELETE", "instances/one/attachments/data")
    assert "vdb" not in in_guest_on("one", "cat /proc/partitions")
    write("two", "later")
    do(tenant, "POST", "instances/two/actions/power-off")
    do(tenant, "POST", "instances/two/actions/start")
    wait_for_ssh(tenant, "two", starts=2)
    assert read("two") == "later"
    do(tenant, "DELETE", "instances/two")
    do(tenant, "POST", "snapshots", {"name": "then", "volume": "data"})
    tenant.delete_everything()
    tenant.api.delete_if_there("affinity-groups/apart")
    wait_until(lambda: not storage.images() | storage.keys(), limit_s=PATIENCE_S)


@pytest.mark.nightly
@pytest.mark.parametrize("second", ["tf"], indirect=True)
def test_guest_of_a_dead_node_starts_elsewhere_and_its_sleeping_qemu_cannot_write(
    tenant: Tenant, storage: CephStorage, second: str
) -> None:
    """An operator says that a silent node is dead; its QEMU only sleeps, in the middle of writes, and wakes up."""
    node, lan = tenant.cloud.node(NODE), tenant.api.get("networks/lan")

    def in_guest_on(name: str, command: str) -> str:
        return tenant.cloud.ssh(tenant.api.get("instances/web"), lan, tenant.key, command, at=name)

    do(tenant, "POST", "volumes", {"name": "data", "size_gib": 1, "volume_type": TYPE})
    tenant.api.wait(tenant.create("web", root_volume_type=TYPE, zones=[ZONE], volumes=["data"])["operation"])
    wait_for_ssh(tenant, "web")
    in_guest_on(NODE, f"{in_background(WRITE)} until {HAS_WRITTEN}; do sleep 1; done; echo kept > /root/mark; sync")
    (qemu,) = node.guest_pids()
    os.kill(tenant.cloud.agent_pid(NODE), signal.SIGKILL)
    os.kill(qemu, signal.SIGSTOP)
    wait_until(lambda: tenant.node_states()[NODE] == "unreachable", limit_s=PATIENCE_S)
    tenant.operator.post(f"/v1/nodes/{second}/actions/uncordon")
    tenant.cloud.stack.manage("shell", "--command", MARK_FENCED)
    plan = tenant.operator.post(f"/v1/nodes/{NODE}/actions/plan-recover")["digest"]
    tenant.operator.post(f"/v1/nodes/{NODE}/actions/recover", {"plan": plan})
    wait_until(lambda: node_of(tenant, "web") == second, limit_s=PATIENCE_S)
    wait_for_ssh(tenant, "web")
    digest = in_guest_on(second, f"cat /root/mark; {DIGEST}")
    assert digest.startswith("kept")

    os.kill(qemu, signal.SIGCONT)
    domain = f"andromede-{tenant.api.get('instances/web')['id']}"
    reason = ["virsh", "domstate", "--reason", domain]
    wait_until(lambda: "I/O error" in node.exec(reason).stdout, limit_s=PATIENCE_S)
    assert in_guest_on(second, f"cat /root/mark; {DIGEST}") == digest
    assert len(tenant.cloud.node(second).guest_pids()) == 1

    node.exec(["virsh", "destroy", domain])
    tenant.cloud.start_agent(NODE)
    wait_until(lambda: tenant.node_states()[NODE] == "ready", limit_s=PATIENCE_S)
    tenant.operator.post(f"/v1/nodes/{NODE}/actions/maintain", {"reason": "it was repaired"})
    wait_until(lambda: is_returned(tenant), limit_s=PATIENCE_S)


def node_of(tenant: Tenant, name: str) -> str:
    sql = "SELECT node.name FROM compute_instance i JOIN nodes_node node ON node.id = i.node_id WHERE i.name = %s"
    return str(tenant.query(f"{sql} AND i.state <> 'deleted'", name)[0][0])


def is_returned(tenant: Tenant) -> bool:
    """Return whether the node is in service; it is not while it still has parts of the guest."""
    try:
        tenant.operator.post(f"/v1/nodes/{NODE}/actions/return")
    except ApiError as exc:
        if exc.code != "node.not_cleared":
            raise
        return False
    return True
