"""Operation retry: a new operation with the same request, decided anew."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from agents.node.errors import AdapterError
from controlplane.catalog.models import VolumeType
from controlplane.compute import user_data
from controlplane.compute.attachments import volume_detach
from controlplane.compute.errors import InstanceWrongState
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.port_attachments import port_attach, port_detach
from controlplane.compute.resize import instance_resize
from controlplane.compute.services import instance_delete, instance_power_off, instance_reboot
from controlplane.compute.volume_moves import volume_move
from controlplane.compute.volume_relocation import volume_relocate
from controlplane.identity.actor import Scope
from controlplane.identity.errors import ScopeNeeded
from controlplane.kernel import clock
from controlplane.network.models import Port
from controlplane.network.services import network_delete
from controlplane.nodes.models import NodeRemoval
from controlplane.nodes.services import record_removal
from controlplane.operations.errors import Busy, NotRetryable
from controlplane.operations.models import Operation
from controlplane.operations.services import operation_cancel
from controlplane.placement.errors import PolicyUnsatisfiable
from controlplane.placement.policies import policy_set
from controlplane.quotas.errors import QuotaExceeded
from controlplane.quotas.models import Quota, QuotaUse
from controlplane.reconcilers import node_removals
from controlplane.storage.retype import volume_retype
from controlplane.storage.services import volume_grow
from controlplane.workflows.operation_retry import NOT_RETRYABLE, RETRY_HANDLERS, operation_retry
from controlplane.workflows.registry import WORKFLOWS
from tests.nightly import thinned
from tests.workflows.helpers import (
    ask_instance,
    ask_volume,
    assert_clean_slate,
    attach,
    delete_everything,
    done,
    fresh,
    make_attached,
    make_instance,
    make_port,
    make_stopped_instance,
    make_volume,
    picture,
    run_on,
)
from tests.workflows.snapshots import ask_image, cluster
from tests.world import Broker, Cloud, make_flavor, run

FULL = AdapterError("The disk is full.", retryable=False)


def failed_create(cloud: Cloud, **more: object) -> tuple[Instance, Operation]:
    cloud.fake.fail_next("start", FULL)
    instance, operation = ask_instance(cloud, **more)
    assert run(operation).state == "failed"
    return fresh(instance), operation


def retry(cloud: Cloud, operation: Operation, **more: object) -> Operation:
    """Retry as a request of an actor of the project's organization."""
    actor = replace(cloud.tenant.actor, organization_id=cloud.tenant.project.organization_id, **more)
    return operation_retry(actor, fresh(operation))


def test_retried_creation_keeps_the_id_and_name(cloud: Cloud) -> None:
    volume = make_volume(cloud)
    instance, failed = failed_create(cloud, volumes=(volume,), labels={"env": "prod"}, user_data=b"#!")
    retried = retry(cloud, failed)
    assert (retried.kind, retried.retry_of, retried.resource_ids) == (failed.kind, failed.pk, failed.resource_ids)
    assert fresh(failed).retried_by == retried.pk
    assert (fresh(instance).state, fresh(instance).last_error) == ("building", None)
    done(retried)
    created = fresh(instance)
    assert (created.state, created.labels, user_data.read(created)) == ("active", {"env": "prod"}, b"#!")
    assert created.root_volume_id != instance.root_volume_id and created.root_volume_id in cloud.fake.volumes
    assert cloud.fake.guests[instance.pk].starts == 1
    assert Port.objects.get().instance_id == instance.pk
    assert (Attachment.objects.get().volume_id, fresh(volume).state) == (volume.pk, "in-use")
    assert QuotaUse.objects.get(dimension="instances").amount == 1


def test_second_failure_leaves_nothing_and_can_be_retried(cloud: Cloud) -> None:
    instance, failed = failed_create(cloud)
    cloud.fake.fail_next("start", FULL)
    second = run(retry(cloud, failed))
    assert second.state == "failed"
    assert_clean_slate(cloud)
    done(retry(cloud, second))
    done(instance_delete(cloud.tenant.actor, fresh(instance)))
    assert_clean_slate(cloud)


def test_cleanup_of_the_first_attempt_keeps_the_retried_instance(cloud: Cloud) -> None:
    """The removal of the first attempt has an older generation."""
    instance, failed = failed_create(cloud)
    record_removal(cloud.machine.row, kind="instance", resource_id=instance.pk, generation=instance.generation)
    done(retry(cloud, failed))
    node_removals.reconcile()
    assert instance.pk in cloud.fake.guests
    assert not NodeRemoval.objects.exists()


def test_retry_is_checked_against_policy_and_quota(cloud: Cloud) -> None:
    _, failed = failed_create(cloud)
    Quota.objects.create(project=cloud.tenant.project, dimension="instances", limit=0)
    with pytest.raises(QuotaExceeded):
        retry(cloud, failed)
    Quota.objects.all().delete()
    clauses = [{"id": "away", "attr": "zone.id", "op": "in", "value": ["us-va-1"]}]
    policy_set(cloud.tenant.actor, clauses=clauses, project=cloud.tenant.project)
    with pytest.raises(PolicyUnsatisfiable):
        retry(cloud, failed)
    assert fresh(failed).retried_by is None


def test_retried_operation_is_not_retried_twice(cloud: Cloud) -> None:
    instance, failed = failed_create(cloud)
    retried = retry(cloud, failed)
    with pytest.raises(Busy) as busy:
        retry(cloud, failed)
    assert busy.value.facts["blocking_operation"] == str(retried.pk)
    done(retried)
    with pytest.raises(InstanceWrongState):
        retry(cloud, failed)


def test_retried_creation_stays_stopped(cloud: Cloud) -> None:
    instance, operation = ask_instance(cloud, is_started=False)
    operation_cancel(cloud.tenant.actor, operation)
    assert run(operation).state == "cancelled"
    done(retry(cloud, operation))
    assert (fresh(instance).state, cloud.fake.guests[instance.pk].starts) == ("stopped", 0)


def resize(cloud: Cloud) -> Operation:
    instance = make_stopped_instance(cloud)
    return instance_resize(cloud.tenant.actor, instance, flavor=make_flavor("large", vcpus=2))


def image_of_volume(cloud: Cloud) -> Operation:
    return ask_image(cloud, make_volume(cloud, volume_type=cluster(cloud)))[1]


ASKED: dict[str, Callable[[Cloud], Operation]] = {
    "image.create": image_of_volume,
    "instance.create": lambda cloud: ask_instance(cloud)[1],
    "instance.power-off": lambda cloud: instance_power_off(cloud.tenant.actor, make_instance(cloud)),
    "instance.reboot": lambda cloud: instance_reboot(cloud.tenant.actor, make_instance(cloud)),
    "instance.resize": resize,
    "port.attach": lambda cloud: port_attach(cloud.tenant.actor, make_port(cloud), instance=make_instance(cloud)),
    "port.detach": lambda cloud: port_detach(cloud.tenant.actor, Port.objects.get(instance_id=make_instance(cloud).pk)),
    "volume.attach": lambda cloud: attach(cloud, make_instance(cloud), make_volume(cloud))[1],
    "volume.create": lambda cloud: ask_volume(cloud)[1],
    "volume.detach": lambda cloud: volume_detach(cloud.tenant.actor, make_attached(cloud)),
    "volume.grow": lambda cloud: volume_grow(cloud.tenant.actor, make_volume(cloud), size_gib=3),
    "volume.move": lambda cloud: volume_move(cloud.tenant.actor, make_volume(cloud), volume_type=cluster(cloud)),
    "volume.relocate": lambda cloud: volume_relocate(
        cloud.tenant.actor, make_volume(cloud), zone=cloud.world.add_machine("de-fra-1").row.zone
    ),
    "volume.retype": lambda cloud: volume_retype(
        cloud.tenant.actor,
        make_volume(cloud),
        volume_type=VolumeType.objects.create(pk="fast", description="fast", iops=500),
    ),
}


@pytest.mark.parametrize("kind", thinned(ASKED, keep_every=3))
def test_cancelled_operation_can_be_retried(cloud: Cloud, kind: str) -> None:
    """The retried operation has the effect of the cancelled one."""
    cancelled = ASKED[kind](cloud)
    operation_cancel(cloud.tenant.actor, cancelled)
    assert run(cancelled).state == "cancelled"
    before = picture(cloud)
    retried = run_on(retry(cloud, cancelled))
    assert (retried.state, retried.kind, retried.retry_of) == ("succeeded", kind, cancelled.pk)
    changed = picture(cloud)
    assert changed["drift"] == [] and (changed != before or kind in ("instance.reboot",))


def test_every_kind_that_can_fail_has_a_retry_handler(cloud: Cloud) -> None:
    never_fail = {"instance.delete", "snapshot.delete", "volume.delete"}
    assert RETRY_HANDLERS.keys() | NOT_RETRYABLE.keys() == WORKFLOWS.keys() - never_fail
    assert not RETRY_HANDLERS.keys() & NOT_RETRYABLE.keys()


def test_successful_operation_is_not_retryable(cloud: Cloud) -> None:
    make_instance(cloud)
    with pytest.raises(NotRetryable, match="it has succeeded"):
        retry(cloud, Operation.objects.get())


def test_retry_names_the_deleted_resource(cloud: Cloud) -> None:
    _, failed = failed_create(cloud)
    network_delete(cloud.tenant.actor, cloud.network)
    with pytest.raises(NotRetryable, match="no network"):
        retry(cloud, failed)
    delete_everything(cloud)
    with pytest.raises(NotRetryable, match="no instance"):
        retry(cloud, failed)


def test_retry_of_a_waiting_operation_runs_it_now(cloud: Cloud, broker: Broker) -> None:
    _, operation = ask_instance(cloud)
    Operation.objects.filter(pk=operation.pk).update(due_at=clock.now() + timedelta(hours=1))
    assert run(operation).state == "pending"
    assert retry(cloud, operation) == operation
    assert run(operation).state == "succeeded"


def test_retry_needs_the_scope_of_the_original_route(cloud: Cloud) -> None:
    _, failed = failed_create(cloud)
    for_operations_alone = Scope.of(["read", "act"], ["operations"], None)
    with pytest.raises(ScopeNeeded) as refused:
        retry(cloud, failed, scope=for_operations_alone)
    assert refused.value.facts["scope"] == "instances:create"
