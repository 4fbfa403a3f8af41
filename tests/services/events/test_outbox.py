"""Outbox: events are published in the transaction of the change."""

from datetime import timedelta

import pytest
from django.db import transaction
from pytest_django import DjangoCaptureOnCommitCallbacks

from controlplane.audit.services import record
from controlplane.compute.models import Instance
from controlplane.compute.power import reconcile_power
from controlplane.compute.services import instance_delete, instance_power_off
from controlplane.events import kinds, services, wakeups
from controlplane.events.models import Event
from controlplane.events.selectors import EventFilter, read
from controlplane.events.services import publish_event
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.kernel.errors import IllegalTransition, StateConflict
from controlplane.kernel.ids import new_id
from controlplane.network.services import network_create, network_delete
from controlplane.nodes.services import node_cordon
from controlplane.storage.models import VOLUME
from controlplane.storage.services import volume_delete
from tests.workflows.helpers import done, make_instance, make_volume
from tests.world import Cloud, make_tenant


def event_kinds(**fields: object) -> list[str]:
    return list(Event.objects.filter(**fields).order_by("number").values_list("kind", flat=True))


def test_lifecycle_of_an_instance_is_published(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    done(instance_power_off(cloud.tenant.actor, instance))
    done(instance_delete(cloud.tenant.actor, instance))
    assert event_kinds(resource_id=instance.pk) == [
        "operation.pending",
        "instance.created",
        "instance.active",
        "operation.succeeded",
        "operation.pending",
        "instance.stopped",
        "operation.succeeded",
        "operation.pending",
        "instance.deleted",
        "operation.succeeded",
    ]
    events = Event.objects.filter(resource_id=instance.pk)
    assert {event.resource_kind for event in events} == {"instance"}
    assert {event.project_id for event in events} == {cloud.tenant.project.pk}
    assert {event.user_id for event in events} == {cloud.tenant.actor.user_id}
    assert {event.credential_id for event in events} == {cloud.tenant.actor.credential_id}


def test_events_of_a_workflow_name_its_operation(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    active = Event.objects.get(kind="instance.active")
    ended = Event.objects.get(kind="operation.succeeded", resource_id=instance.pk)
    assert active.operation_id == ended.operation_id is not None
    assert active.resource_name == instance.name
    assert ended.data == {"operation": "instance.create"}


def test_lifecycle_of_a_volume_is_published(cloud: Cloud) -> None:
    volume = make_volume(cloud, name="data")
    done(volume_delete(cloud.tenant.actor, volume, attached_to=None))
    assert event_kinds(resource_id=volume.pk, kind__startswith="volume.") == [
        "volume.created",
        "volume.available",
        "volume.deleted",
    ]


@pytest.mark.django_db
def test_only_listed_audit_actions_are_published() -> None:
    tenant = make_tenant()
    network = network_create(tenant.actor, tenant.project, name="lan", cidr="10.0.0.0/24", dns_servers=[], labels={})
    record(tenant.actor, "instance.power-off", new_id())
    record(tenant.actor, "never.heard-of", new_id())
    event = Event.objects.get()
    assert (event.kind, event.resource_name, event.data) == ("network.created", "lan", {"cidr": "10.0.0.0/24"})
    network_delete(tenant.actor, network)
    assert event_kinds() == ["network.created", "network.deleted"]


@pytest.mark.django_db
def test_policy_events_reach_the_projects_they_concern() -> None:
    tenant, other = make_tenant(), make_tenant("beta")
    organization = tenant.project.organization
    for level, owner in (("organization", organization), ("project", tenant.project)):
        record(tenant.actor, "policy.set", new_id(), level=level, owner=str(owner.pk), version=1, change="tighter")
    levels = [
        [event.data["level"] for event in read(each.actor, EventFilter(), after=0, limit=9).events]
        for each in (tenant, other)
    ]
    assert levels == [["organization", "project"], []]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("drifted", "drift.found"),
        ("at-risk", "drift.found"),
        ("remediating", "drift.found"),
        ("evicted", "drift.ended"),
    ],
)
def test_drift_is_published(state: str, kind: str) -> None:
    record(SYSTEM, "drift", new_id(), was="compliant", state=state, zone="z", failing=[], warned_days=None)
    assert event_kinds() == [kind]


@pytest.mark.django_db
def test_transaction_sends_one_wakeup(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks() as after_commit:
        for _ in range(3):
            publish_event(None, "network.created", new_id(), project_id=None)
    assert after_commit == [wakeups.wake]


@pytest.mark.django_db
def test_wakeup_is_sent_after_a_rolled_back_savepoint(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks() as after_commit:
        with pytest.raises(LookupError), transaction.atomic():
            publish_event(None, "network.created", new_id(), project_id=None)
            raise LookupError
        publish_event(None, "network.created", new_id(), project_id=None)
    assert after_commit == [wakeups.wake]


@pytest.mark.django_db
def test_rolled_back_change_is_not_published() -> None:
    tenant = make_tenant()
    with transaction.atomic():
        record(tenant.actor, "network.create", new_id())
        assert event_kinds() == ["network.created"]
        transaction.set_rollback(True)
    assert event_kinds() == []


def test_failed_state_change_is_not_published(cloud: Cloud) -> None:
    volume = make_volume(cloud, name="data")
    stale = type(volume).objects.get(pk=volume.pk)
    move(volume, VOLUME, "in-use")
    before = event_kinds()
    with transaction.atomic():
        with pytest.raises(StateConflict):
            move(stale, VOLUME, "deleted")
        with pytest.raises(IllegalTransition):
            move(volume, VOLUME, "nowhere")
        assert event_kinds() == before, "and one can go on"


def test_guest_that_powers_off_by_itself_is_published(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    long_ago = clock.now() - timedelta(minutes=1)
    Instance.objects.filter(pk=instance.pk).update(power_state="off", power_state_at=long_ago)
    assert reconcile_power() == 1
    assert reconcile_power() == 0
    assert event_kinds(resource_id=instance.pk)[-1] == "instance.stopped"
    assert event_kinds(kind="instance.stopped") == ["instance.stopped"]


def test_node_events_are_published_to_operators_only(cloud: Cloud) -> None:
    cloud.machine.become_unreachable()
    cloud.machine.come_back()
    cloud.machine.heartbeat()
    node_cordon(SYSTEM, cloud.machine.row, reason="repair")
    assert event_kinds(resource_id=cloud.machine.row.pk, kind__startswith="node.")[-3:] == [
        "node.unreachable",
        "node.ready",
        "node.cordoned",
    ]
    assert not Event.objects.filter(kind__startswith="node.", project_id__isnull=False).exists()


@pytest.mark.django_db
def test_event_data_has_only_the_fields_of_its_kind() -> None:
    publish_event(None, "network.created", new_id(), project_id=None, cidr="10.0.0.0/24", name="lan", password="x")
    assert Event.objects.get().data == {"cidr": "10.0.0.0/24"}
    with pytest.raises(ValueError, match=r"network\.painted"):
        publish_event(None, "network.painted", new_id(), project_id=None)


@pytest.mark.django_db
def test_cause_applies_within_its_block() -> None:
    cause = services.Cause(operation_id=new_id(), user_id=new_id(), request_id="r")
    with services.caused_by(cause):
        publish_event(None, "instance.active", new_id(), project_id=None)
    publish_event(None, "instance.active", new_id(), project_id=None)
    first, second = Event.objects.order_by("number")
    assert (first.operation_id, first.user_id, first.request_id) == (cause.operation_id, cause.user_id, "r")
    assert (second.operation_id, second.user_id, second.request_id) == (None, None, "")


def test_every_published_action_and_state_is_a_kind() -> None:
    assert set(kinds.DEEDS.values()) <= set(kinds.KINDS)
    assert all(kind.partition(".")[0] in {*kinds.MOVES, "operation"} or kind in _others() for kind in kinds.KINDS)


def _others() -> set[str]:
    """Return kinds without a state change: of audit actions, or published by the code."""
    return {*kinds.DEEDS.values(), "drift.found", "drift.ended", "incident.reported", kinds.PING} | {
        "node.ready",
        "node.unreachable",
        "node.drain-progress",
        "node.drain-blocked",
        "node.recovery-progress",
        "node.recovery-blocked",
        "node.recovered",
        "snapshot_schedule.missed",
    }


@pytest.mark.parametrize(
    ("pattern", "kind", "is_match"),
    [
        ("*", "node.ready", True),
        ("instance.*", "instance.active", True),
        ("instance.*", "image.active", False),
        ("instance.active", "instance.active", True),
        ("instance.active", "instance.stopped", False),
        ("inst*", "instance.active", False),
    ],
)
def test_filter_patterns_match_kinds(pattern: str, kind: str, is_match: bool) -> None:
    assert kinds.matches(pattern, kind) == is_match
