"""Failed guests are restarted: which, when, how often, and the state of the others."""

from datetime import timedelta

import pytest

from controlplane.compute import services as compute
from controlplane.compute.guest_restarts import PAUSES_S, REASON, RESTARTS_PER_NODE_MAX
from controlplane.compute.models import Instance
from controlplane.compute.power import SETTLE_AFTER
from controlplane.kernel import clock
from controlplane.nodes.models import Node
from controlplane.operations.models import Operation
from controlplane.reconcilers import guest_power, guest_restart
from tests.services.policies import in_zones, ruled
from tests.workflows.helpers import fresh, make_instance
from tests.world import Cloud, run


def failed(cloud: Cloud, instance: Instance, *, ago: timedelta = 2 * SETTLE_AFTER) -> None:
    """Its guest crashed so long ago, and its node said so."""
    cloud.fake.crash(instance.pk, "Kernel panic.")
    cloud.machine.report_power()
    Instance.objects.filter(pk=instance.pk).update(power_state_at=clock.now() - ago)


def restarts() -> list[Operation]:
    return list(Operation.objects.filter(kind="instance.reboot", reason=REASON).order_by("created_at"))


def reconcile() -> int:
    """Both come by, in the order that helps least."""
    guest_power.reconcile()
    return guest_restart.reconcile()


def test_crashed_guest_is_restarted(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    failed(cloud, instance)
    assert reconcile() == 1
    (operation,) = restarts()
    assert fresh(instance).state == "active"
    assert run(operation).state == "succeeded"
    cloud.machine.report_power()
    assert (fresh(instance).state, fresh(instance).power_state) == ("active", "running")
    assert cloud.fake.guests[instance.pk].starts == 2
    assert reconcile() == 0


def test_restart_waits_for_a_settled_crash_and_happens_once(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    failed(cloud, instance, ago=timedelta(0))
    assert reconcile() == 0
    failed(cloud, instance)
    assert [reconcile(), reconcile()] == [1, 0]
    assert len(restarts()) == 1


def test_crashed_guest_with_policy_never_is_stopped(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    Instance.objects.filter(pk=instance.pk).update(restart_policy="never")
    failed(cloud, instance)
    assert reconcile() == 0
    assert (fresh(instance).state, restarts()) == ("stopped", [])


def test_guest_that_powers_itself_off_stays_off(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    cloud.fake.guest_powers_off(instance.pk)
    cloud.machine.report_power()
    Instance.objects.filter(pk=instance.pk).update(power_state_at=clock.now() - 2 * SETTLE_AFTER)
    assert reconcile() == 0
    assert fresh(instance).state == "stopped"


def test_stopped_or_deleted_instance_is_not_restarted(cloud: Cloud) -> None:
    stopped, dying = make_instance(cloud, name="stopped"), make_instance(cloud, name="dying")
    for instance in (stopped, dying):
        failed(cloud, instance)
    assert run(compute.instance_power_off(cloud.tenant.actor, fresh(stopped))).state == "succeeded"
    compute.instance_delete(cloud.tenant.actor, fresh(dying))
    assert reconcile() == 0
    assert restarts() == []


def test_no_guest_is_restarted_on_an_unreachable_node(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    failed(cloud, instance)
    Node.objects.filter(pk=instance.node_id).update(state="unreachable")
    assert reconcile() == 0
    assert fresh(instance).state == "active"
    Node.objects.filter(pk=instance.node_id).update(state="ready")
    assert reconcile() == 1


def test_restart_pauses_grow_up_to_a_last_attempt(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    for number, pause_s in enumerate(PAUSES_S):
        failed(cloud, instance)
        now = clock.now()
        if pause_s:
            Instance.objects.filter(pk=instance.pk).update(restarted_at=now - timedelta(seconds=pause_s - 5))
            assert reconcile() == 0, number
        over = now - timedelta(seconds=pause_s) - 2 * SETTLE_AFTER
        Instance.objects.filter(pk=instance.pk).update(restarted_at=over, power_state_at=over)
        assert reconcile() == 1, number
        assert run(restarts()[-1]).state == "succeeded"
    failed(cloud, instance)
    assert reconcile() == 0
    given_up = fresh(instance)
    assert given_up.last_error is not None
    assert (given_up.state, given_up.last_error["code"]) == ("stopped", "compute.instance.guest_keeps_failing")
    assert given_up.last_error["facts"] == {"count": len(PAUSES_S)}
    assert run(compute.instance_start(cloud.tenant.actor, given_up)).state == "succeeded"
    failed(cloud, instance)
    assert reconcile() == 1, "it begins anew"


def test_restart_count_is_reset_after_a_stable_run(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    failed(cloud, instance)
    Instance.objects.filter(pk=instance.pk).update(
        restarts=len(PAUSES_S), restarted_at=clock.now() - timedelta(minutes=16)
    )
    assert reconcile() == 1
    assert fresh(instance).restarts == 1


def test_restarts_per_node_are_limited(cloud: Cloud) -> None:
    instances = [make_instance(cloud, name=f"web-{number}") for number in range(RESTARTS_PER_NODE_MAX + 2)]
    for instance in instances:
        failed(cloud, instance)
    assert [reconcile(), reconcile()] == [RESTARTS_PER_NODE_MAX, 0]
    assert run(restarts()[0]).state == "succeeded"
    assert reconcile() == 1


def test_guest_no_longer_admitted_is_stopped_with_the_reason(cloud: Cloud) -> None:
    """A weaker policy is no way to run."""
    instance = make_instance(cloud)
    failed(cloud, instance)
    ruled(cloud.tenant.project, *in_zones("de-rhein-1"))
    assert reconcile() == 0
    stopped = fresh(instance)
    assert stopped.last_error is not None
    assert (stopped.state, stopped.last_error["code"]) == ("stopped", "policy_unsatisfiable")


@pytest.mark.parametrize("policy", ["on-failure", "never"])
def test_restart_policy_is_set_and_changed(cloud: Cloud, policy: str) -> None:
    instance = make_instance(cloud)
    compute.instance_update(cloud.tenant.actor, instance, name="web", labels={}, restart_policy=policy)
    assert fresh(instance).restart_policy == policy
