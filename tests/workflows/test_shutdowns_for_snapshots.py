"""Snapshots of a guest that is off are `filesystem` only if its shutdown was the last change of it and its disks."""

from datetime import timedelta
from uuid import UUID

import libvirt
import pytest
from django.db import transaction

from agents.node.adapters.libvirt_states import OFF_REASONS
from controlplane.compute.errors import GuestNotShutDown
from controlplane.compute.instance_snapshots import POWERED_ITSELF_OFF
from controlplane.compute.models import Instance
from controlplane.compute.services import instance_power_off, instance_shutdown, instance_start
from controlplane.compute.volume_reverts import volume_revert
from controlplane.kernel import clock
from controlplane.operations.models import Operation
from controlplane.storage.models import Snapshot, Volume
from tests.workflows.helpers import done, fresh
from tests.workflows.instance_snapshots import ask_snapshots, make_clustered, reported
from tests.world import Cloud

OFF = {"state": "stopped", "power_state": "off"}


@pytest.fixture
def instance(cloud: Cloud) -> Instance:
    return make_clustered(cloud)


def has_shut_down(cloud: Cloud, instance: Instance) -> bool:
    """Tell if a snapshot `filesystem` of the guest that is off is accepted."""
    instance = fresh(instance)
    assert instance.power_state == "off"
    try:
        done(ask_snapshots(cloud, instance, name=f"then-{Snapshot.objects.count()}", consistency="filesystem")[1])
    except GuestNotShutDown as error:
        assert "the consistency crash" in str(error)
        return False
    return True


def shut_down(cloud: Cloud, instance: Instance) -> None:
    done(instance_shutdown(cloud.tenant.actor, fresh(instance)))
    reported(cloud, instance)


def write_operation(kind: str, state: str, *resources: UUID) -> None:
    """Write an operation that has ended now."""
    now = clock.now()
    Operation.objects.create(
        kind=kind,
        resource_id=resources[0],
        resource_ids=list(resources),
        state=state,
        created_at=now,
        due_at=now,
        deadline_at=now,
        finished_at=now,
    )


def power_itself_off(cloud: Cloud, instance: Instance) -> None:
    cloud.fake.guest_powers_off(instance.pk)
    reported(cloud, instance)
    Instance.objects.filter(pk=instance.pk).update(state="stopped")


def test_snapshots_after_a_shutdown_leave_it_the_last_change(cloud: Cloud, instance: Instance) -> None:
    shut_down(cloud, instance)
    assert has_shut_down(cloud, instance)
    write_operation("port.detach", "failed", instance.pk)
    assert has_shut_down(cloud, instance)


SINCE = (
    ("instance.start", "succeeded"),  # as of an evacuation's, without the guest's start
    ("instance.start", "failed"),
    ("instance.evacuate", "succeeded"),
    ("instance.rebuild", "failed"),
    ("instance.rebuild", "cancelled"),
    ("instance.power-off", "failed"),
    ("instance.power-off", "cancelled"),
    ("instance.shutdown", "failed"),
    ("instance.reset", "failed"),
    ("instance.migrate", "failed"),
)


def test_any_other_operation_since_refuses(cloud: Cloud, instance: Instance) -> None:
    shut_down(cloud, instance)
    assert has_shut_down(cloud, instance)
    for kind, state in SINCE:
        before = transaction.savepoint()
        write_operation(kind, state, instance.pk)
        assert not has_shut_down(cloud, instance), (kind, state)
        transaction.savepoint_rollback(before)


def test_volume_that_was_attached_since_refuses(cloud: Cloud, instance: Instance) -> None:
    shut_down(cloud, instance)
    write_operation("volume.attach", "succeeded", Volume.objects.get(name="disk-1").pk)
    assert not has_shut_down(cloud, instance)


def test_volume_that_was_reverted_since_refuses(cloud: Cloud, instance: Instance) -> None:
    done(ask_snapshots(cloud, instance, name="old")[1])
    shut_down(cloud, instance)
    assert has_shut_down(cloud, instance)
    snapshot = Snapshot.objects.get(name="old-disk-1")
    done(volume_revert(cloud.tenant.actor, snapshot.volume, snapshot=snapshot))
    assert not has_shut_down(cloud, instance)


def test_operations_that_are_not_kept_prove_nothing(cloud: Cloud, instance: Instance) -> None:
    shut_down(cloud, instance)
    Operation.objects.all().delete()
    assert not has_shut_down(cloud, instance)
    Instance.objects.filter(pk=instance.pk).update(power_reason=POWERED_ITSELF_OFF)
    assert not has_shut_down(cloud, instance)


def test_guest_that_never_ran_since_its_creation_refuses(cloud: Cloud, instance: Instance) -> None:
    Instance.objects.filter(pk=instance.pk).update(**OFF)
    assert not has_shut_down(cloud, instance)


def test_guest_that_powered_itself_off_has_shut_down(cloud: Cloud, instance: Instance) -> None:
    power_itself_off(cloud, instance)
    assert has_shut_down(cloud, instance)


def test_guest_that_is_off_without_a_reason_refuses(cloud: Cloud, instance: Instance) -> None:
    power_itself_off(cloud, instance)
    Instance.objects.filter(pk=instance.pk).update(power_reason="")
    assert not has_shut_down(cloud, instance)


def test_operation_since_the_guest_powered_itself_off_refuses(cloud: Cloud, instance: Instance) -> None:
    power_itself_off(cloud, instance)
    write_operation("volume.attach", "succeeded", Volume.objects.get(name="disk-1").pk)
    assert not has_shut_down(cloud, instance)


def test_earlier_reason_does_not_excuse_a_power_off(cloud: Cloud, instance: Instance) -> None:
    power_itself_off(cloud, instance)
    done(instance_start(cloud.tenant.actor, fresh(instance)))
    done(instance_power_off(cloud.tenant.actor, fresh(instance)))
    Instance.objects.filter(pk=instance.pk).update(
        power_reason=POWERED_ITSELF_OFF, power_state_at=clock.now() + timedelta(seconds=1)
    )
    assert not has_shut_down(cloud, instance)


def test_shutdown_of_a_guest_that_had_crashed_refuses_until_the_guest_runs(cloud: Cloud, instance: Instance) -> None:
    cloud.fake.crash(instance.pk)
    assert reported(cloud, instance).power_state == "crashed"
    shut_down(cloud, instance)
    assert not has_shut_down(cloud, instance)
    done(instance_start(cloud.tenant.actor, fresh(instance)))
    shut_down(cloud, instance)
    assert has_shut_down(cloud, instance)


def test_shutdown_after_a_fence_of_the_node_refuses_until_the_next_start(cloud: Cloud, instance: Instance) -> None:
    assert instance.node_id is not None
    write_operation("node.fence", "succeeded", instance.node_id)
    shut_down(cloud, instance)
    assert not has_shut_down(cloud, instance)
    done(instance_start(cloud.tenant.actor, fresh(instance)))
    shut_down(cloud, instance)
    assert has_shut_down(cloud, instance)


def test_reason_is_the_one_that_nodes_report() -> None:
    assert OFF_REASONS[libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN] == POWERED_ITSELF_OFF
