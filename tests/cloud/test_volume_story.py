"""The same story of a volume, by real guests, on each engine: what its type declares is done, the rest is refused.

A guest writes to the disk that it boots from. The disk is snapshotted while the guest writes, cloned, made an image of,
reverted, and moved, online and offline, to each other engine that the platform moves volumes to. Guests boot from every
copy, and compare.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agents.lab.ceph import CephCluster
from scripts.api import ApiError
from scripts.cloud import POOL
from scripts.polling import wait_until
from tests.cloud.ceph_storage import TYPE as CEPH
from tests.cloud.ceph_storage import ZONE, CephStorage, ceph_storage
from tests.cloud.conftest import Tenant
from tests.cloud.test_first_guest import do, in_background, in_guest, wait_for_ssh
from tests.limits import PATIENCE_S

pytestmark = [pytest.mark.lab, pytest.mark.nightly]

LOCAL, FOLDER = "local", "in-folder"
TYPES = (LOCAL, FOLDER, CEPH)
SYSTEM, GUEST = "system", "one"

WRITE_ALWAYS = "while sync; do date > /root/now; done"
AT = 2**30 // 512 - 4096  # in blocks: behind all that the image has
FILL = f"dd if=/dev/urandom of=/dev/vda bs=512 seek={AT} count=2048 conv=notrunc,fsync 2>/dev/null"
DROP_CACHES = "echo 3 > /proc/sys/vm/drop_caches"
SUM = f"{DROP_CACHES}; dd if=/dev/vda bs=512 skip={AT} count=2048 2>/dev/null | md5sum; cat /root/mark"


@pytest.fixture(scope="module")
def storage(
    real_tenant: Tenant, make_ceph: Callable[[str], CephCluster], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CephStorage]:
    """The cluster, and with it a volume type of each engine in the zone."""
    volume_type = {"id": FOLDER, "description": "In storage that nodes of the zone mount.", "pool": POOL}
    real_tenant.operator.post("/v1/volume-types", volume_type)
    folder: Path = tmp_path_factory.mktemp("storage-agent")
    with ceph_storage(real_tenant, make_ceph("story"), folder) as running:
        yield running


@dataclass(frozen=True)
class Story:
    """A guest that boots from the volume SYSTEM of `volume_type`, and what the type declares."""

    tenant: Tenant
    volume_type: dict[str, Any]

    @property
    def has_snapshots(self) -> bool:
        return bool(self.volume_type["has_snapshots"])

    def do(self, path: str, **body: object) -> dict[str, object]:
        return do(self.tenant, "POST", path, body)

    def begin(self) -> None:
        self.do("volumes", name=SYSTEM, size_gib=1, image="tiny", volume_type=self.volume_type["id"], zones=[ZONE])
        self.boot(GUEST, boot_volume=SYSTEM)

    def boot(self, name: str, **disk: object) -> None:
        self.do("instances", name=name, flavor="tiny", networks=["lan"], ssh_keys=["key"], zones=[ZONE], **disk)
        wait_for_ssh(self.tenant, name)

    def write(self, mark: str) -> str:
        """Write random blocks and a file of the file system; return what shows both."""
        return in_guest(self.tenant, GUEST, f"{FILL}; echo {mark} > /root/mark; sync; {SUM}")

    def read(self, name: str = GUEST) -> str:
        return in_guest(self.tenant, name, SUM)

    def write_on(self) -> None:
        """Have the guest write until it is off."""
        in_guest(self.tenant, GUEST, in_background(WRITE_ALWAYS))
        in_guest(self.tenant, GUEST, "until test -s /root/now; do sleep 0.1; done")

    def stop(self) -> None:
        self.do(f"instances/{GUEST}/actions/power-off")

    def start(self) -> None:
        """Start the guest, and wait until it has booted. Its console log has the boots before, too."""
        boots = self.tenant.api.text(f"instances/{GUEST}/console-log").count("ssh ready")
        self.do(f"instances/{GUEST}/actions/start")
        wait_for_ssh(self.tenant, GUEST, starts=boots + 1)

    def delete(self, *paths: str) -> None:
        for path in paths:
            self.tenant.api.delete_if_there(path)

    def refused(self, path: str, **body: object) -> ApiError:
        with pytest.raises(ApiError) as refused:
            self.tenant.api.post(path, body)
        assert refused.value.status == 409, refused.value
        return refused.value

    def assert_refused(self, action: str, path: str, code: str, **body: object) -> None:
        """The request gets 409 with a reason, which the volume's `allowed_actions` give beforehand."""
        answer = self.refused(path, **body)
        actions = self.tenant.api.get(f"volumes/{SYSTEM}")["allowed_actions"]
        (problem,) = (each["problem"] for each in actions if each["name"] == action)
        assert (answer.code, answer.detail) == (code, problem["detail"])


@pytest.fixture
def story(tenant: Tenant, storage: CephStorage, request: pytest.FixtureRequest) -> Iterator[Story]:
    """The story at its beginning, and no traces of it in the cluster afterwards."""
    created = Story(tenant, tenant.api.get(f"/v1/volume-types/{request.param}"))
    created.begin()
    yield created
    tenant.delete_everything()
    for image in tenant.api.get("images", limit="200")["items"]:
        if not image["is_public"]:
            tenant.api.delete_if_there(f"images/{image['id']}")
    wait_until(lambda: not storage.images() | storage.keys(), limit_s=PATIENCE_S)


@pytest.mark.parametrize("story", TYPES, indirect=True)
def test_volume_goes_through_what_its_type_declares(story: Story) -> None:
    then = story.write("then")
    story.write_on()
    if story.has_snapshots:
        _copy_and_revert(story, then)
    else:
        _be_refused(story)
        story.stop()
    _move(story, then)


def _copy_and_revert(story: Story, then: str) -> None:
    """Snapshot, image and clone of the running guest's disk; the guests of both copies; the revert."""
    story.do("snapshots", name="then", volume=SYSTEM)
    later = story.write("later")
    assert later != then
    story.do("images", name="golden", snapshot="then")
    story.do("images", name="now", volume=SYSTEM)
    story.do("volumes", name="clone", snapshot="then")
    for name, disk, content in (
        ("of-clone", {"boot_volume": "clone"}, then),
        ("of-snapshot", {"image": "golden"}, then),
        ("of-volume", {"image": "now", "root_volume_type": story.volume_type["id"]}, later),
    ):
        story.boot(name, **disk)
        assert story.read(name) == content, name
        story.delete(f"instances/{name}")
    assert story.read() == later
    story.stop()
    story.do(f"volumes/{SYSTEM}/actions/revert", snapshot="then")
    story.start()
    assert story.read() == then
    story.stop()
    story.delete("snapshots/then", "volumes/clone", "images/golden", "images/now")


def _be_refused(story: Story) -> None:
    """Without snapshots there are neither reverts nor images, and the errors name the types that have them."""
    unsupported = "storage.volume.snapshots_unsupported"
    story.assert_refused("snapshot", "snapshots", unsupported, name="then", volume=SYSTEM)
    story.assert_refused("image", "images", "storage.volume.images_unsupported", name="golden", volume=SYSTEM)
    able = [each["id"] for each in story.tenant.api.get("/v1/volume-types")["items"] if each["has_snapshots"]]
    assert able and story.refused("snapshots", name="then", volume=SYSTEM).raw["facts"]["types"] == ", ".join(able)


def _move(story: Story, then: str) -> None:
    """Move the volume to every other type, or find it refused; the guest boots from it there.

    The guest is off when the volume goes to a storage cluster, and runs, and writes, when it leaves one.
    """
    for target in story.tenant.api.get("/v1/volume-types")["items"]:
        present = story.tenant.api.get(f"/v1/volume-types/{story.tenant.api.get(f'volumes/{SYSTEM}')['volume_type']}")
        path, body = f"volumes/{SYSTEM}/actions/retype", {"volume_type": target["id"]}
        if target == present:
            continue
        if target["is_multi_attach"]:
            assert story.refused(path, **body).code == "storage.volume.type_not_alike"
            continue
        if not _moves(present, target):
            assert story.refused(path, **body).code == "storage.volume.type_elsewhere"
            continue
        is_online = bool(present["pool"])
        if is_online:
            story.start()
            story.write_on()
        story.do(path, **body)
        assert story.tenant.api.get(f"volumes/{SYSTEM}")["volume_type"] == target["id"]
        if is_online:
            assert story.read() == then
            story.stop()
        story.start()
        assert story.read() == then
        story.stop()


def _moves(present: dict[str, Any], target: dict[str, Any]) -> bool:
    """Volumes move between disks of nodes and storage clusters, which alone tell how many copies they keep."""
    return all(not each["pool"] or each["replicas"] is not None for each in (present, target))
