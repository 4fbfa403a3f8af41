"""The checks of moved volumes and of images find each kind of damage that is planted."""

from collections.abc import Callable
from pathlib import Path

import pytest

from controlplane.catalog import image_store
from controlplane.catalog.models import Image
from controlplane.catalog.services import image_delete
from controlplane.kernel.units import GIB
from controlplane.nodes.models import NodeRemoval, Pool
from controlplane.operations.models import Operation, ResourceLock
from controlplane.placement.models import Allocation
from controlplane.storage.models import Volume, VolumeMove
from controlplane.workflows.registry import WORKFLOWS
from scripts.chaos import checks, volume_checks
from tests.chaos.test_checks import account, reported
from tests.workflows.helpers import altered, delete_volume, done, fresh, make_volume, run_on, then
from tests.workflows.snapshots import POOL, ask_image, cluster
from tests.workflows.test_volume_moves import ask, moved, switched_without_the_node
from tests.world import Cloud

Damage = Callable[[Cloud], object]
CHECKS = ("volume moves", "places", "residency", "image files")


@pytest.fixture
def settled(cloud: Cloud) -> Cloud:
    """A volume that was moved from its node to the cluster, one that never was, and an image of the first one."""
    volume, _ = make_volume(cloud), make_volume(cloud, "kept")
    moved(cloud, volume, cluster(cloud))
    done(ask_image(cloud, fresh(volume))[1])
    account(cloud)
    return cloud


def found() -> list[str]:
    return [f"{name}: {line}" for name in CHECKS for line in checks.CHECKS[name]()]


def moved_volume() -> Volume:
    return VolumeMove.objects.get().volume


def move_left(cloud: Cloud) -> None:
    VolumeMove.objects.update(state="switched")


def move_with_another_end(cloud: Cloud) -> None:
    VolumeMove.objects.update(state="cancelled")


def move_without_operation(cloud: Cloud) -> None:
    Operation.objects.filter(kind="volume.move").delete()


def type_to_come(cloud: Cloud) -> None:
    Volume.objects.update(next_type=cloud.volume_type)


def type_of_another_place(cloud: Cloud) -> None:
    Volume.objects.update(volume_type=cloud.volume_type)


def place_in_the_rows_alone(cloud: Cloud) -> None:
    Volume.objects.filter(name="kept").update(pool=Pool.objects.get(), volume_type=POOL)


def source_not_erased(cloud: Cloud) -> None:
    cloud.fake.volumes[moved_volume().pk] = GIB


def silent_node(cloud: Cloud) -> None:
    cloud.machine.stop_agent()


def image_half_made(cloud: Cloud) -> None:
    Image.objects.exclude(source_kind="").update(state="importing")


def lost_file(cloud: Cloud) -> None:
    _file().unlink()


def other_bytes(cloud: Cloud) -> None:
    _file().write_bytes(b"other")


def file_of_no_image(cloud: Cloud) -> None:
    image_store.path_of("ab" * 32).touch()


def _file() -> Path:
    return image_store.path_of(Image.objects.exclude(source_kind="").get().sha256)


DAMAGES: dict[Damage, str] = {
    move_left: "volume moves: the move of volume {} was left: it is switched, its operation succeeded",
    move_with_another_end: "volume moves: the move of volume {} is cancelled, and its operation succeeded",
    move_without_operation: "volume moves: the move of volume {} is done, and its operation None",
    type_to_come: "volume moves: volume {} is to get the type local",
    type_of_another_place: "places: volume {} is in the pool 'rbd', and its type local is not",
    place_in_the_rows_alone: "by node-1, and in 'rbd' by its row",
    source_not_erased: "places: node-1 has the file volumes/{}.qcow2",
    silent_node: "places: node node-1 does not answer",
    image_half_made: "rests in importing",
    lost_file: "the store has lost the file of image",
    other_bytes: "has other bytes",
    file_of_no_image: f"the store has the file {'ab' * 32}",
}


def test_moved_volume_and_its_image_have_no_findings(settled: Cloud) -> None:
    assert found() == []


@pytest.mark.parametrize("plant", DAMAGES)
def test_damage_is_found(settled: Cloud, plant: Damage) -> None:
    volume = moved_volume()
    plant(settled)
    assert DAMAGES[plant].format(volume.pk) in "\n".join(found())


def test_type_to_come_of_a_volume_under_work_is_no_finding(settled: Cloud) -> None:
    Volume.objects.filter(pk=moved_volume().pk).update(next_type=settled.volume_type)
    ResourceLock.objects.create(resource_id=moved_volume().pk, operation=Operation.objects.all()[0])
    assert volume_checks.moves() == []


def test_allocation_of_a_move_that_was_left_is_found(settled: Cloud) -> None:
    assert checks.allocations() == []
    left, row = VolumeMove.objects.get(), Allocation.objects.get(consumer_id=moved_volume().pk)
    row.pk, row.consumer_id, row.moving_id = left.pk, left.pk, left.volume_id
    row.save(force_insert=True)
    assert str(left.pk) in "".join(checks.allocations())


def test_end_of_a_move_is_due_only_while_its_removal_is_pending(cloud: Cloud) -> None:
    volume, kind = make_volume(cloud), cluster(cloud)
    switched_without_the_node(cloud, volume, kind)
    cloud.machine.come_back()
    assert volume_checks.places() == []
    assert "volume-copy" in "".join(checks.resources())
    NodeRemoval.objects.all().delete()
    assert sorted(volume_checks.places()) == [
        f"node-1 has a copy of volume {volume.pk} that no move ends",
        f"volume {volume.pk} is in '' by node-1, and in 'rbd' by its row",
    ]


def test_file_is_due_only_while_its_removal_is_pending(settled: Cloud) -> None:
    source_not_erased(settled)
    row = NodeRemoval(node=settled.machine.row, kind="volume", resource_id=moved_volume().pk, generation=9)
    row.save()
    assert volume_checks.places() == []


def test_source_without_a_receipt_of_its_end_is_found(cloud: Cloud) -> None:
    volume, kind = make_volume(cloud), cluster(cloud)
    with_copy = altered(WORKFLOWS["volume.move"], "copy", then(lambda _: cloud.machine.account()))
    assert run_on(ask(cloud, volume, kind), with_copy).state == "succeeded"
    node = str(cloud.machine.row.pk)
    finding = f"the moved volume {volume.pk} is open on {[node, node]} by its receipts instead of {[node]}"
    assert volume_checks.residency() == [finding]
    cloud.machine.account()
    assert volume_checks.residency() == []
    done(delete_volume(cloud, fresh(volume)))
    assert volume_checks.residency() == [
        f"the moved volume {volume.pk} is open on {[node]} by its receipts instead of []"
    ]
    cloud.machine.account()
    assert volume_checks.residency() == []


def test_answers_about_images_are_compared_with_the_rows(settled: Cloud) -> None:
    reports = [reported(each) for each in Operation.objects.exclude(kind="image.create")]
    operation = Operation.objects.get(kind="image.create")
    made = reported(operation, key="k", name="golden")
    assert checks.answers(reports) == [f"operation image.create {operation.pk} was told to nobody"]
    assert checks.answers([*reports, made]) == []
    Image.objects.filter(name="golden").update(state="deleted")
    done(ask_image(settled, moved_volume())[1])
    assert "2 are called golden" in checks.answers([*reports, made])


def test_own_image_that_is_left_is_found(settled: Cloud) -> None:
    assert "1 images are left" in checks.emptiness()
    image_delete(settled.tenant.actor, Image.objects.exclude(project=None).get())
    assert not [line for line in checks.emptiness() if "images" in line]
