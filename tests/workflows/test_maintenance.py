"""Maintenance rules reject operations or pause them until the rule ends."""

from datetime import timedelta

import pytest
from django.db.models import F

from controlplane.compute.services import instance_delete, instance_power_off, instance_reboot
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.operations import maintenance
from controlplane.operations.errors import MaintenanceEndsFirst, UnderMaintenance
from controlplane.operations.maintenance import NewRule, rule_create, rule_end
from controlplane.operations.models import MaintenanceRule, Operation
from controlplane.operations.services import operation_cancel
from controlplane.storage.services import volume_grow
from tests.workflows.helpers import ask_instance, ask_volume, done, fresh, make_instance, make_volume
from tests.world import Broker, Cloud, run, run_next_attempt


def rule(action: str, pattern: str = "*", **more: object) -> MaintenanceRule:
    return rule_create(SYSTEM, NewRule(pattern, action, "new switches", **more))


def test_rejected_operation_is_refused_with_the_reason(cloud: Cloud) -> None:
    rule("reject", ends_at=clock.now() + timedelta(seconds=30))
    with pytest.raises(UnderMaintenance, match="new switches") as refused:
        ask_instance(cloud)
    assert 25 <= refused.value.facts["retry_after_s"] <= 30
    assert not Operation.objects.exists()


def test_paused_operation_waits_with_a_message(cloud: Cloud, broker: Broker) -> None:
    pause = rule("pause")
    _, operation = ask_instance(cloud)
    assert run(operation).state == "pending"
    (step,) = operation.steps
    assert (step["name"], step["state"], step["message"]) == (
        "maintenance",
        "waiting",
        "paused by maintenance: new switches",
    )
    broker.sent.clear()
    rule_end(SYSTEM, pause)
    assert run(operation).state == "succeeded"
    assert [each["state"] for each in operation.steps if each["name"] == "maintenance"] == ["done"]


def test_paused_time_does_not_count_toward_the_deadline(cloud: Cloud) -> None:
    pause = rule("pause")
    _, operation = ask_instance(cloud)
    deadline_at = operation.deadline_at
    run(operation)
    paused_at = operation.paused_at
    assert run_next_attempt(operation).paused_at == paused_at
    an_hour = timedelta(hours=1)
    Operation.objects.update(created_at=F("created_at") - an_hour, deadline_at=F("deadline_at") - an_hour)
    rule_end(SYSTEM, pause)
    done(operation)
    assert operation.paused_at is None and operation.deadline_at >= deadline_at


def test_rule_begun_after_the_request_pauses_the_operation(cloud: Cloud) -> None:
    """Under either kind of rule an accepted operation waits and is not refused."""
    for action in ("pause", "reject"):
        _, operation = ask_instance(cloud, name=action)
        created = rule(action)
        assert run(operation).state == "pending"
        rule_end(SYSTEM, created)
        done(operation)


def test_running_operation_continues_under_a_rule(cloud: Cloud) -> None:
    _, operation = ask_instance(cloud)
    Operation.objects.update(state="running")
    rule("pause")
    done(operation)


def test_paused_operation_can_be_cancelled(cloud: Cloud) -> None:
    rule("pause")
    _, operation = ask_instance(cloud)
    run(operation)
    operation_cancel(cloud.tenant.actor, operation)
    assert run(operation).state == "cancelled"


def test_rule_covers_deletions_and_stops_only_by_name(cloud: Cloud) -> None:
    first, second = make_instance(cloud), make_instance(cloud, name="second")
    rule("reject")
    rule("reject", "instance.*")
    done(instance_power_off(cloud.tenant.actor, first))
    done(instance_delete(cloud.tenant.actor, first))
    rule("reject", "instance.power-off")
    with pytest.raises(UnderMaintenance):
        instance_power_off(cloud.tenant.actor, second)


def test_most_specific_then_strictest_rule_applies(cloud: Cloud) -> None:
    rule("reject")
    rule("accept", "volume.*")
    rule("accept", "volume.create")
    volume = make_volume(cloud)
    rule("reject", "volume.grow")
    rule("accept", "volume.grow")
    with pytest.raises(UnderMaintenance):
        volume_grow(cloud.tenant.actor, volume, size_gib=3)
    with pytest.raises(UnderMaintenance):
        ask_instance(cloud)


def test_rule_applies_to_its_zone_or_node_only(cloud: Cloud) -> None:
    other = cloud.world.add_machine("fr-sud-1")
    here, there = make_instance(cloud, zones=("fr-idf-1",)), make_instance(cloud, name="there", zones=("fr-sud-1",))
    rule("reject", zone="fr-sud-1")
    with pytest.raises(UnderMaintenance):
        instance_reboot(cloud.tenant.actor, there)
    with pytest.raises(UnderMaintenance):
        ask_instance(cloud, name="new", zones=("fr-sud-1",))
    done(instance_reboot(cloud.tenant.actor, here))
    ask_instance(cloud, name="anywhere")
    MaintenanceRule.objects.all().delete()
    maintenance.forget()
    rule("pause", node_id=other.row.pk)
    assert run(instance_reboot(cloud.tenant.actor, there)).state == "pending"
    done(instance_reboot(cloud.tenant.actor, here))


def test_rule_applies_in_its_period_only(cloud: Cloud) -> None:
    now = clock.now()
    rule("reject", begins_at=now + timedelta(hours=1))
    over = rule("reject")
    MaintenanceRule.objects.filter(pk=over.pk).update(ends_at=now)
    maintenance.forget()
    done(ask_instance(cloud)[1])
    for ends_at in (now, now - timedelta(hours=1)):
        with pytest.raises(MaintenanceEndsFirst):
            rule("reject", ends_at=ends_at)


def test_recently_read_rules_cost_no_query(
    cloud: Cloud, django_assert_num_queries: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "RULES_KEPT_S", 3600)
    maintenance.admit("instance.create", [])
    with django_assert_num_queries(0):  # type: ignore[operator]
        maintenance.admit("instance.create", [])
    MaintenanceRule.objects.create(pattern="*", action="reject", reason="by another process", begins_at=clock.now())
    ask_volume(cloud)
    monkeypatch.setattr(maintenance, "RULES_KEPT_S", 0)
    with pytest.raises(UnderMaintenance):
        ask_volume(cloud, name="later")
    assert fresh(Operation.objects.get()).state == "pending"
