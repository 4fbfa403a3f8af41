"""Start, shutdown, power-off, reboot and reset: effects on the guest, and errors."""

import pytest

from agents.node.adapters.interfaces import Power
from agents.node.errors import AdapterError, HypervisorUnavailable
from controlplane.compute import services as compute
from controlplane.compute.errors import InstanceWrongState
from controlplane.compute.power import SETTLE_AFTER
from controlplane.kernel import clock
from controlplane.operations.errors import Busy
from controlplane.operations.models import Operation
from controlplane.operations.services import operation_cancel
from controlplane.placement.errors import NoAllocation
from controlplane.reconcilers import guest_power
from controlplane.workflows.registry import WORKFLOWS
from tests.workflows.helpers import (
    altered,
    ask_instance,
    done,
    explode,
    fresh,
    make_instance,
    make_stopped_instance,
    pass_deadline,
    then,
)
from tests.world import Cloud, run, run_next_attempt


def test_stop_and_start_change_only_the_power(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    before = cloud.fake.guests[instance.pk].spec
    done(compute.instance_power_off(cloud.tenant.actor, instance))
    stopped = fresh(instance)
    assert (stopped.state, stopped.power_state, stopped.node_id) == ("stopped", "off", instance.node_id)
    assert cloud.fake.guests[instance.pk].power is Power.OFF
    done(compute.instance_start(cloud.tenant.actor, instance))
    guest = cloud.fake.guests[instance.pk]
    assert (fresh(instance).state, guest.power, guest.starts, guest.spec) == ("active", Power.RUNNING, 2, before)


def test_guest_that_obeys_shutdown_is_stopped(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    done(compute.instance_shutdown(cloud.tenant.actor, instance))
    assert (fresh(instance).state, cloud.fake.guests[instance.pk].power) == ("stopped", Power.OFF)


def test_slow_shutdown_is_awaited(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    cloud.fake.ignore_shutdown = True
    operation = run(compute.instance_shutdown(cloud.tenant.actor, instance))
    assert (operation.state, operation.steps[0]["state"], operation.attempts) == ("running", "waiting", 0)
    assert operation.due_at > clock.now()
    cloud.fake.ignore_shutdown = False
    assert run_next_attempt(operation).state == "succeeded"
    assert fresh(instance).state == "stopped"


def test_guest_that_ignores_shutdown_stays_active(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    cloud.fake.ignore_shutdown = True
    operation = run(compute.instance_shutdown(cloud.tenant.actor, instance))
    assert operation.limit == compute.SHUTDOWN_LIMIT
    pass_deadline(operation)
    run_next_attempt(operation)
    assert (operation.state, operation.error["code"]) == ("failed", "compute.instance.guest_did_not_stop")
    assert operation.error["facts"] == {"limit_s": 90}
    instance = fresh(instance)
    assert (instance.state, instance.last_error["code"]) == ("active", "compute.instance.guest_did_not_stop")
    assert cloud.fake.guests[instance.pk].power is Power.RUNNING
    done(compute.instance_power_off(cloud.tenant.actor, instance))
    assert (fresh(instance).state, fresh(instance).last_error) == ("stopped", None)


def test_waiting_shutdown_can_be_cancelled(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    cloud.fake.ignore_shutdown = True
    operation = run(compute.instance_shutdown(cloud.tenant.actor, instance))
    operation_cancel(cloud.tenant.actor, operation)
    assert run(operation).state == "cancelled"
    assert fresh(instance).state == "active"


def test_shutdown_of_a_crashed_guest_succeeds(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    cloud.fake.crash(instance.pk)
    done(compute.instance_shutdown(cloud.tenant.actor, instance))
    assert fresh(instance).state == "stopped"


@pytest.mark.parametrize("restart", [compute.instance_reboot, compute.instance_reset])
def test_each_restart_request_restarts_once(cloud: Cloud, restart: object) -> None:
    instance = make_instance(cloud)
    for count in (1, 2):
        done(restart(cloud.tenant.actor, instance))
        guest = cloud.fake.guests[instance.pk]
        assert (guest.restarts, guest.starts, guest.power) == (count, 1, Power.RUNNING)
    assert fresh(instance).state == "active"


@pytest.mark.parametrize(("kind", "call"), [("reboot", compute.instance_reboot), ("reset", compute.instance_reset)])
def test_reboot_and_reset_differ(cloud: Cloud, kind: str, call: object) -> None:
    instance = make_instance(cloud)
    done(call(cloud.tenant.actor, instance))
    other = "reset" if kind == "reboot" else "reboot"
    assert (cloud.fake.call_counts[kind], cloud.fake.call_counts[other]) == (1, 0)


def test_a_restart_that_is_repeated_after_its_answer_was_lost_happens_once(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    operation = compute.instance_reset(cloud.tenant.actor, instance)
    cloud.fake.fail_next("state", HypervisorUnavailable("libvirtd is gone"))
    assert run(operation).state == "running"
    assert run_next_attempt(operation).state == "succeeded"
    assert cloud.fake.guests[instance.pk].restarts == 1


def test_reboot_starts_a_crashed_guest(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    cloud.fake.crash(instance.pk)
    cloud.machine.report_power()
    assert (fresh(instance).power_state, fresh(instance).power_reason) == ("crashed", "The guest crashed.")
    done(compute.instance_reboot(cloud.tenant.actor, instance))
    guest = cloud.fake.guests[instance.pk]
    assert (guest.power, guest.starts, guest.restarts) == (Power.RUNNING, 2, 0)


def test_start_refused_by_the_node_leaves_the_instance_stopped(cloud: Cloud) -> None:
    instance = make_stopped_instance(cloud)
    cloud.fake.fail_next("start", AdapterError("no such CPU", retryable=False))
    operation = run(compute.instance_start(cloud.tenant.actor, instance))
    assert (operation.state, operation.error["code"]) == ("failed", "node.refused")
    assert (fresh(instance).state, fresh(instance).last_error["code"]) == ("stopped", "node.refused")
    done(compute.instance_start(cloud.tenant.actor, instance))
    assert (fresh(instance).state, fresh(instance).last_error) == ("active", None)


def test_failed_start_of_a_running_guest_is_detected(cloud: Cloud) -> None:
    """The operation failed, the guest runs: what is true wins."""
    instance = make_stopped_instance(cloud)
    operation = compute.instance_start(cloud.tenant.actor, instance)
    run(operation, altered(WORKFLOWS["instance.start"], "start", then(explode)))
    assert (operation.state, fresh(instance).state) == ("failed", "stopped")
    cloud.machine.report_power()
    type(instance).objects.filter(pk=instance.pk).update(power_state_at=clock.now() - 2 * SETTLE_AFTER)
    guest_power.reconcile()
    assert (fresh(instance).state, fresh(instance).power_state) == ("active", "running")


def test_action_in_a_wrong_state_names_the_expected_states(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    with pytest.raises(InstanceWrongState) as caught:
        compute.instance_start(cloud.tenant.actor, instance)
    assert caught.value.facts == {"state": "active", "wanted": "stopped or error"}
    done(compute.instance_power_off(cloud.tenant.actor, instance))
    for change in (compute.instance_shutdown, compute.instance_reboot, compute.instance_reset):
        with pytest.raises(InstanceWrongState):
            change(cloud.tenant.actor, instance)
    assert not Operation.objects.filter(state="pending").exists()


def test_instance_with_a_failed_creation_cannot_be_started(cloud: Cloud) -> None:
    cloud.fake.fail_next("start", AdapterError("no", retryable=False))
    instance, operation = ask_instance(cloud)
    assert run(operation).state == "failed"
    with pytest.raises(NoAllocation):
        compute.instance_start(cloud.tenant.actor, instance)


def test_second_power_action_is_busy(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    first = compute.instance_reboot(cloud.tenant.actor, instance)
    with pytest.raises(Busy) as caught:
        compute.instance_power_off(cloud.tenant.actor, instance)
    assert caught.value.facts == {"kind": "instance.reboot", "blocking_operation": str(first.pk)}
    done(first)
    done(compute.instance_power_off(cloud.tenant.actor, instance))


def test_rename_is_busy_during_an_operation(cloud: Cloud) -> None:
    """Were it allowed, the repeated spec would differ from the first one of its generation, and be refused."""
    instance = make_instance(cloud)
    operation = compute.instance_reboot(cloud.tenant.actor, instance)
    with pytest.raises(Busy):
        compute.instance_update(cloud.tenant.actor, fresh(instance), name="new", labels={}, restart_policy="never")
    compute.instance_update(cloud.tenant.actor, fresh(instance), name="web", labels={"a": "b"}, restart_policy="never")
    done(operation)
    compute.instance_update(cloud.tenant.actor, fresh(instance), name="new", labels={}, restart_policy="never")
    done(compute.instance_reboot(cloud.tenant.actor, instance))
    assert fresh(instance).name == "new"
    assert b"new" in cloud.fake.seeds[instance.pk]["meta-data"]
