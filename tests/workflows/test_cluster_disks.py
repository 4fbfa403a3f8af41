"""Disks in a storage cluster: its agent makes, opens, closes and fences them, before or after the nodes."""

from collections.abc import Callable

import pytest

from agents.node.adapters.interfaces import Power
from agents.node.errors import AdapterError, BadRequest, ImageInUse, PermitRefused
from controlplane.catalog.models import Image
from controlplane.compute.attachments import volume_attach, volume_detach
from controlplane.compute.migration import instance_migrate
from controlplane.compute.models import Instance, Migration
from controlplane.compute.port_attachments import port_attach, port_detach
from controlplane.compute.services import instance_delete, instance_power_off, instance_reboot, instance_start
from controlplane.identity.actor import SYSTEM
from controlplane.kernel.units import GIB
from controlplane.node_lifecycle.recovery.evacuation import instance_evacuate
from controlplane.nodes.models import NodeRemoval
from controlplane.operations.models import Operation
from controlplane.placement.models import Permit
from controlplane.reconcilers import image_files, node_removals
from controlplane.storage.services import NewVolume, volume_create, volume_delete, volume_grow
from controlplane.storage_clusters.errors import StorageClusterRefused
from controlplane.storage_clusters.models import ClusterImage, StorageCluster
from controlplane.workflows import cluster_disks
from controlplane.workflows.registry import WORKFLOWS
from tests.nightly import thinned
from tests.storage_agent import FakeStorageAgent
from tests.workflows.helpers import altered, cancel, die_with_guests, done, fresh, make_port, run_on, then
from tests.workflows.shared_pool import Shared
from tests.world import follow, run


def agent_of(shared: Shared) -> FakeStorageAgent:
    assert shared.agent is not None
    return shared.agent


def retried(operation: Operation) -> str:
    """Run the operation until a step waits for its next attempt; return why."""
    steps = run(operation).steps
    assert steps[-1]["state"] == "retrying", steps
    return str(steps[-1]["message"])


def test_image_is_imported_into_the_cluster_and_not_sent_to_the_node(shared: Shared) -> None:
    agent = agent_of(shared)
    shared.instance()
    shared.instance("second")
    assert agent.images == {shared.cloud.image.sha256}
    assert not shared.here.fake.images and not shared.other.fake.images
    image = shared.volume("copy", image=shared.cloud.image, size_gib=shared.cloud.image.min_disk_gib or 1)
    assert str(image.pk) in shared.files


def test_image_that_nothing_needs_is_removed_from_the_cluster(shared: Shared) -> None:
    agent = agent_of(shared)
    done(create_volume(shared)())
    image_files.reconcile()
    assert agent.images == {shared.cloud.image.sha256}
    Image.objects.update(state="deleted")
    agent.failure = ImageInUse("A volume is a clone of it.")
    image_files.reconcile()
    assert (len(agent.images), ClusterImage.objects.count()) == (1, 1)
    agent.failure = None
    image_files.reconcile()
    assert (agent.images, ClusterImage.objects.count()) == (set(), 0)


def test_disk_is_fenced_from_the_former_node_before_the_next_one_opens_it(shared: Shared) -> None:
    agent, volume = agent_of(shared), shared.volume(host=shared.here.row.name)
    instance = shared.instance(host="other")
    del agent.calls[:]
    shared.attach(instance, volume)
    assert agent.calls == ["fence", "ensure", "open", "close"], "nothing else can write when it is opened"
    assert agent.keys[volume.pk] == {shared.other.row.pk}


def test_volume_of_an_unreachable_node_is_fenced_and_deleted(shared: Shared) -> None:
    agent, volume = agent_of(shared), shared.volume(host="other")
    shared.other.become_unreachable()
    del agent.calls[:]
    done(volume_delete(shared.cloud.tenant.actor, volume, attached_to=None))
    assert (agent.calls, agent.volumes) == (["close", "remove"], {})
    assert [(row.kind, row.node) for row in NodeRemoval.objects.all()] == [("shared-volume", shared.other.row)]
    shared.other.come_back()
    assert node_removals.reconcile() == 1
    assert not shared.held_by(shared.other)


def test_late_removal_of_an_earlier_generation_spares_the_volume(shared: Shared) -> None:
    """A worker that slept has the generation that the row had then; its node may not answer, and refuse nothing."""
    agent, volume = agent_of(shared), fresh(shared.volume())
    assert volume.pool is not None
    done(volume_grow(shared.cloud.tenant.actor, fresh(volume), size_gib=volume.size_gib + 1))
    with pytest.raises(StorageClusterRefused) as refused:
        cluster_disks.remove(volume.pool, volume.pk, generation=volume.generation)
    assert (refused.value.facts["agent_code"], agent.volumes.keys()) == ("storage.stale_generation", {volume.pk})


def test_node_that_lost_its_keys_gets_them_before_a_start(shared: Shared) -> None:
    instance = shared.instance(host="other")
    shared.attach(instance, shared.volume())
    done(instance_power_off(shared.cloud.tenant.actor, fresh(instance)))
    shared.other.fake.opened.clear()  # by a reboot: they are on tmpfs
    calls = agent_of(shared).calls
    del calls[:]
    done(instance_start(shared.cloud.tenant.actor, fresh(instance)))
    assert calls == ["fence", "ensure", "open"] * 2, "what the guest has left open is fenced"
    assert shared.other.fake.guests[instance.pk].power == "running"
    assert len(shared.other.fake.opened) == 2
    del calls[:]
    done(instance_reboot(shared.cloud.tenant.actor, fresh(instance)))
    assert calls == [], "a running guest keeps its keys"


def stopped_on_a_rebooted_node(shared: Shared) -> Instance:
    """Return an instance with a volume that is off; its node has lost the keys of both disks."""
    instance = shared.instance(host="other")
    shared.attach(instance, shared.volume())
    done(instance_power_off(shared.cloud.tenant.actor, fresh(instance)))
    shared.other.fake.opened.clear()  # by a reboot: they are on tmpfs
    return fresh(instance)


def test_stopped_instance_migrates_from_a_node_that_lost_its_keys(shared: Shared) -> None:
    instance = stopped_on_a_rebooted_node(shared)
    agent = agent_of(shared)
    del agent.calls[:]
    operation = done(instance_migrate(SYSTEM, instance))
    assert agent.calls == ["fence"] * 2 + ["ensure", "open"] * 2 + ["close"] * 2, "never open at both ends"
    assert "move" not in {step["name"] for step in operation.steps}
    instance = fresh(instance)
    assert (instance.node, instance.state, instance.power_state) == (shared.here.row, "stopped", "off")
    assert Migration.objects.get().state == "done"
    assert {pk: set(nodes) for pk, nodes in agent.keys.items()} == dict.fromkeys(agent.keys, {shared.here.row.pk})
    assert instance.pk not in shared.other.fake.guests and not shared.held_by(shared.other)
    assert shared.here.fake.guests[instance.pk].power == "off"
    done(instance_start(shared.cloud.tenant.actor, instance))
    assert shared.here.fake.guests[instance.pk].power == "running"
    assert len(shared.here.fake.guests[instance.pk].running.disks) == 2  # type: ignore[union-attr]
    done(instance_delete(SYSTEM, fresh(instance)))
    assert not shared.here.fake.guests


def test_migration_of_a_stopped_instance_that_fails_leaves_it_startable(shared: Shared) -> None:
    instance = stopped_on_a_rebooted_node(shared)
    operation = instance_migrate(SYSTEM, instance)
    run_on(operation, altered(WORKFLOWS["instance.migrate"], "plug-0", then(cancel(shared.cloud))))
    assert (fresh(instance).node, Migration.objects.get().state) == (shared.other.row, "cancelled")
    assert not shared.here.fake.guests and not shared.held_by(shared.here)
    done(instance_start(shared.cloud.tenant.actor, fresh(instance)))
    assert shared.other.fake.guests[instance.pk].power == "running"


def test_guest_that_runs_against_its_row_keeps_its_disks(shared: Shared) -> None:
    instance = stopped_on_a_rebooted_node(shared)
    agent, guest = agent_of(shared), shared.other.fake.guests[instance.pk]
    guest.power = Power.RUNNING
    del agent.calls[:]
    operation = run(instance_migrate(SYSTEM, instance))
    assert operation.error is not None and operation.error["code"] == "compute.migration.failed"
    assert agent.calls == []


def test_detached_volume_has_no_key(shared: Shared) -> None:
    agent, volume, instance = agent_of(shared), shared.volume(), shared.instance(host="other")
    shared.attach(instance, volume)
    del agent.calls[:]
    done(volume_detach(SYSTEM, instance.attachment_set.get(is_boot=False)))
    assert (agent.calls, agent.keys[volume.pk]) == (["fence"], set())
    shared.attach(instance, fresh(volume))
    assert agent.keys[volume.pk] == {shared.other.row.pk}
    done(instance_delete(SYSTEM, fresh(instance)))
    assert agent.keys[volume.pk] == set()


def test_undone_detachment_reopens_the_volume(shared: Shared) -> None:
    agent, volume, instance = agent_of(shared), shared.volume(), shared.instance(host="other")
    shared.attach(instance, volume)
    operation = volume_detach(SYSTEM, instance.attachment_set.get(is_boot=False))
    run_on(operation, altered(WORKFLOWS["volume.detach"], "unplug", then(cancel(shared.cloud))))
    assert follow(operation).state in ("cancelled", "succeeded")
    is_attached = fresh(volume).state == "in-use"
    assert agent.keys[volume.pk] == ({shared.other.row.pk} if is_attached else set())


def test_start_whose_attempt_has_reached_the_node_fences_nothing(shared: Shared) -> None:
    """QEMU is starting, which libvirt calls off, and has the disks open already."""
    instance = shared.instance(host="other")
    done(instance_power_off(SYSTEM, fresh(instance)))
    operation = instance_start(SYSTEM, fresh(instance))
    shared.other.fake.fail_next("start", AdapterError("The monitors are slow.", retryable=True))
    run(operation)
    calls = agent_of(shared).calls
    del calls[:]
    assert follow(operation).state == "succeeded"
    assert calls == []


def test_keys_that_are_lost_during_a_start_are_made_anew(shared: Shared) -> None:
    instance = shared.instance(host="other")
    done(instance_power_off(SYSTEM, fresh(instance)))
    operation = instance_start(SYSTEM, fresh(instance))
    shared.other.fake.fail_next("start", AdapterError("The monitors are slow.", retryable=True))
    run(operation)
    shared.other.fake.opened.clear()  # by a reboot
    assert follow(operation).state == "succeeded"
    assert shared.other.fake.guests[instance.pk].power == "running"


def test_node_that_lost_its_keys_gets_them_before_a_card_is_taken_out(shared: Shared) -> None:
    """A detachment is tried for ever, and holds the lock that the start of the guest waits for."""
    instance, port = shared.instance(host="other"), make_port(shared.cloud)
    done(port_attach(SYSTEM, port, instance=fresh(instance)))
    shared.other.fake.crash(instance.pk)
    shared.other.fake.opened.clear()  # by a reboot
    operation = port_detach(SYSTEM, fresh(port))
    assert "no key for volume" in retried(operation)
    assert follow(operation).state == "succeeded"
    assert shared.other.fake.guests[instance.pk].power == "running"


def test_operation_waits_for_a_cluster_that_does_not_answer(shared: Shared) -> None:
    agent = agent_of(shared)
    agent.failure = AdapterError("The cluster does not answer.", retryable=True)
    new = NewVolume(name="data", size_gib=1, volume_type=shared.type)
    volume, operation = volume_create(SYSTEM, shared.cloud.tenant.project, new)
    assert "failed in the storage cluster" in retried(operation)
    agent.failure = None
    assert follow(operation).state == "succeeded"
    assert fresh(volume).state == "available"


def test_refusal_of_the_cluster_is_the_operations_error(shared: Shared) -> None:
    agent_of(shared).failure = BadRequest("pool", "the agent was not started for it")
    new = NewVolume(name="data", size_gib=1, volume_type=shared.type)
    _, operation = volume_create(SYSTEM, shared.cloud.tenant.project, new)
    run(operation)
    agent_of(shared).failure = None
    assert follow(operation).state == "failed"
    assert operation.error is not None and operation.error["code"] == "storage_cluster.refused"


def test_unreachable_storage_agent_is_an_error_of_its_own(shared: Shared) -> None:
    volume = shared.volume()
    address = StorageCluster.objects.get().address
    operation = volume_grow(shared.cloud.tenant.actor, volume, size_gib=5)
    StorageCluster.objects.update(address="127.0.0.1:1")
    assert "does not answer" in retried(operation)
    StorageCluster.objects.update(address=address)
    assert follow(operation).state == "succeeded"
    assert shared.size_bytes(volume) == 5 * GIB


def test_rejected_permit_is_used_once(shared: Shared) -> None:
    agent = agent_of(shared)
    agent.failure = PermitRefused("STALE_FACTS", "the facts are of epoch 3")
    new = NewVolume(name="data", size_gib=1, volume_type=shared.type)
    volume, operation = volume_create(SYSTEM, shared.cloud.tenant.project, new)
    assert "does not have the documents" in retried(operation)
    issued = Permit.objects.count()
    agent.failure = None
    assert follow(operation).state == "succeeded"
    assert Permit.objects.count() == issued + 1
    assert fresh(volume).state == "available"


def test_disks_of_a_dead_node_are_fenced_before_they_are_opened_elsewhere(shared: Shared) -> None:
    agent, instance = agent_of(shared), shared.instance(host="other")
    volume = shared.volume()
    shared.attach(instance, volume)
    die_with_guests(shared.other)
    del agent.calls[:]
    assert follow(instance_evacuate(SYSTEM, fresh(instance))).state == "succeeded"
    assert agent.calls == ["fence", "ensure", "open"] * 2
    assert agent.keys == {each: {shared.here.row.pk} for each in (instance.root_id, volume.pk)}
    assert shared.here.fake.guests[instance.pk].power == "running"


def create_volume(shared: Shared) -> Callable[[], Operation]:
    size_gib = shared.cloud.image.min_disk_gib
    new = NewVolume(name="copy", size_gib=size_gib, volume_type=shared.type, image=shared.cloud.image)
    return lambda: volume_create(SYSTEM, shared.cloud.tenant.project, new)[1]


def attach_elsewhere(shared: Shared) -> Callable[[], Operation]:
    volume, instance = shared.volume(host=shared.here.row.name), shared.instance(host="other")
    return lambda: volume_attach(SYSTEM, instance, volume=volume, is_read_only=False)[1]


def delete_volume(shared: Shared) -> Callable[[], Operation]:
    volume = shared.volume()
    return lambda: volume_delete(SYSTEM, volume, attached_to=None)


def migrate(shared: Shared) -> Callable[[], Operation]:
    instance = shared.instance(host="other")
    shared.attach(instance, shared.volume())
    return lambda: instance_migrate(SYSTEM, fresh(instance))


def evacuate(shared: Shared) -> Callable[[], Operation]:
    instance = shared.instance(host="other")
    die_with_guests(shared.other)
    return lambda: instance_evacuate(SYSTEM, fresh(instance))


CALLS = {
    create_volume: {"image", "ensure", "open"},
    attach_elsewhere: {"fence", "ensure", "open", "close"},
    delete_volume: {"close", "remove"},
    migrate: {"ensure", "open", "close"},
    evacuate: {"fence", "ensure", "open"},
}


@pytest.mark.parametrize("prepare", thinned(CALLS, keep_every=2))
def test_call_whose_answer_is_lost_is_repeated(
    shared: Shared, prepare: Callable[[Shared], Callable[[], Operation]]
) -> None:
    """Each call to the cluster has its effect before its answer is lost, so the next attempt finds the effect there."""
    agent, begin = agent_of(shared), prepare(shared)
    agent.loses_answers = True
    assert follow(begin()).state == "succeeded"
    assert {call for call, _ in agent.lost} == CALLS[prepare]
