"""A change of a volume's type that moves its data: the plan, the request, and what it refuses."""

from typing import Any

import pytest

from controlplane.catalog.models import VolumeType
from controlplane.compute.models import Instance
from controlplane.identity.actor import SYSTEM
from controlplane.operations.models import Operation, ResourceLock
from controlplane.reconcilers import storage_clusters
from controlplane.storage.models import Volume, VolumeMove
from controlplane.storage.services import NewVolume, volume_create
from controlplane.storage_clusters.models import StorageCluster
from tests.api.client import Caller
from tests.api.test_snapshots import attached
from tests.cases import in_one_cloud
from tests.workflows.helpers import done, fresh
from tests.workflows.shared_pool import Shared

URL = "volumes/data/actions/retype"
TO_SHARED = {"volume_type": "shared", "max_mb_per_s": 40}


@pytest.fixture
def volume(shared: Shared) -> Volume:
    """A volume on the disk of a node that reaches the storage cluster."""
    local = VolumeType.objects.get(pk="local")
    new = NewVolume(name="data", size_gib=2, volume_type=local, host=shared.here.row.name)
    made, operation = volume_create(SYSTEM, shared.cloud.tenant.project, new)
    done(operation)
    return fresh(made)


def move_problem(api: Caller) -> str | None:
    """Return the code of the problem that the action `move` has."""
    (action,) = [each for each in api.get("volumes/data").body["allowed_actions"] if each["name"] == "move"]
    assert action["is_allowed"] == (action["problem"] is None)
    return action["problem"]["code"] if action["problem"] else None


def test_dry_run_shows_the_copied_data(api: Caller, shared: Shared, volume: Volume) -> None:
    answer = api.post(f"{URL}?dry_run=true", TO_SHARED)
    plan: dict[str, Any] = {
        "volume": {"id": str(volume.pk), "name": "data"},
        "volume_type": "local",
        "new_volume_type": "shared",
        "pool": "",
        "new_pool": "shared",
        "copied_gib": volume.size_gib,
        "is_online": False,
        "max_mb_per_s": 40,
        "instance": None,
    }
    assert answer.status == 200, answer.body
    assert answer.body == plan
    stays = api.post(f"{URL}?dry_run=true", {"volume_type": "local"}).body
    assert (stays["copied_gib"], stays["max_mb_per_s"], stays["new_pool"]) == (0, 0, "")
    assert not VolumeMove.objects.exists()
    assert not Operation.objects.filter(kind="volume.move").exists()


def test_type_of_another_pool_moves_the_volume(api: Caller, shared: Shared, volume: Volume) -> None:
    assert move_problem(api) is None
    answer = api.post(URL, TO_SHARED)
    assert (answer.status, answer.operation["kind"]) == (202, "volume.move")
    row = VolumeMove.objects.get()
    assert (row.volume_id, row.max_mb_per_s, row.state) == (volume.pk, 40, "placing")
    assert move_problem(api) == "resource_busy"
    assert api.post(URL, TO_SHARED).problem[:2] == (409, "resource_busy")
    assert api.post("snapshots", {"volume": "data", "name": "then"}).problem[:2] == (409, "resource_busy")
    assert api.post(f"operations/{answer.operation['id']}/actions/cancel").status == 202


def test_volume_of_a_running_instance_moves_online(api: Caller, shared: Shared, volume: Volume) -> None:
    attached(api, volume, state="active")
    assert move_problem(api) is None
    assert api.post(f"{URL}?dry_run=true", TO_SHARED).body["is_online"]
    answer = api.post(URL, TO_SHARED)
    assert (answer.status, answer.operation["kind"]) == (202, "volume.move")
    assert VolumeMove.objects.get().is_online


def test_volume_of_an_instance_in_error_stays(api: Caller, shared: Shared, volume: Volume) -> None:
    attached(api, volume, state="error")
    assert move_problem(api) == "compute.volume.move_under_guest"
    for query in ("", "?dry_run=true"):
        assert api.post(f"{URL}{query}", TO_SHARED).problem[:2] == (409, "compute.volume.move_under_guest")


def test_volume_moves_between_pools_of_clusters_while_it_is_off(api: Caller, shared: Shared) -> None:
    assert shared.agent is not None
    shared.agent.add_pool("second")
    storage_clusters.reconcile()
    for machine in (shared.here, shared.other):
        machine.heartbeat()
    VolumeType.objects.create(pk="second", description="of the same cluster", pool="second")
    volume, to_second = shared.volume(), {"volume_type": "second"}
    plan = api.post(f"{URL}?dry_run=true", to_second).body
    assert (plan["pool"], plan["new_pool"], plan["copied_gib"], plan["is_online"]) == ("shared", "second", 2, False)
    StorageCluster.objects.update(capabilities=["snapshots"])
    assert api.post(URL, to_second).problem[:2] == (409, "storage.volume.pool_moves_unsupported")
    storage_clusters.reconcile()
    attached(api, volume, state="active")
    for query in ("", "?dry_run=true"):
        assert api.post(f"{URL}{query}", to_second).problem[:2] == (409, "compute.volume.move_under_guest")
    Instance.objects.update(state="stopped")
    answer = api.post(URL, to_second)
    assert (answer.status, answer.operation["kind"]) == (202, "volume.move")


@in_one_cloud("limit", [0, -1, 100_001, "fast", 1.5])
def test_limit_is_a_whole_number_of_mb(api: Caller, volume: Volume, limit: object) -> None:
    answer = api.post(URL, {"volume_type": "local", "max_mb_per_s": limit})
    assert answer.status in (400, 422)
    assert answer.problem[2] == "/max_mb_per_s"


def test_move_is_not_allowed_while_the_instance_that_has_the_volume_is_busy(
    api: Caller, shared: Shared, volume: Volume
) -> None:
    instance = attached(api, volume, state="stopped")
    assert move_problem(api) is None
    operation = Operation.objects.filter(resource_ids__contains=[instance.pk]).latest("created_at")
    hold = ResourceLock.objects.create(resource_id=instance.pk, operation=operation)
    assert move_problem(api) == "resource_busy"
    hold.delete()
    assert move_problem(api) is None
