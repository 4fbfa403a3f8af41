"""Volumes that change their place while a guest runs with them: no write is lost, whichever process dies."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from agents.node.adapters.interfaces import Power
from agents.node.services import volume_mirrors
from controlplane.audit.selectors import residency_of
from controlplane.catalog.models import VolumeType
from controlplane.compute import volume_moves
from controlplane.compute.attachments import volume_detach
from controlplane.compute.errors import VolumeMoveUnderGuest
from controlplane.compute.migration import instance_migrate
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.services import instance_power_off, instance_reboot, instance_start
from controlplane.compute.volume_moves import VOLUME_MIRROR, volume_retype_plan
from controlplane.identity.actor import SYSTEM
from controlplane.nodes.models import Node
from controlplane.operations.errors import Busy
from controlplane.operations.models import Operation
from controlplane.operations.services import enqueue, operation_cancel
from controlplane.storage.models import Volume, VolumeMove
from controlplane.storage.services import volume_grow
from controlplane.workflows.registry import WORKFLOWS
from tests.nightly import in_turn, thinned
from tests.services.policies import in_zones, ruled
from tests.workflows.helpers import (
    altered,
    assert_clean_slate,
    attach,
    cancel,
    delete_everything,
    done,
    explode,
    fresh,
    make_booted,
    make_instance,
    make_volume,
    run_on,
    then,
)
from tests.workflows.snapshots import ask_snapshot
from tests.workflows.test_volume_moves import PAIRS, PLACES, ask, held_at, places
from tests.world import Cloud, run_next_attempt

MOVE = WORKFLOWS["volume.move"]
FROM_EITHER = in_turn("source", list(PLACES))


class Rig:
    """An instance that runs with a volume, which it has written."""

    def __init__(self, cloud: Cloud, source: str = "local", *, boots: bool = False) -> None:
        self.cloud, self.source = cloud, source
        self.kinds = {place: PLACES[place](cloud) for place in PLACES}
        if boots:
            self.instance = make_booted(cloud)
            self.volume: Volume = self.instance.boot_volume
        else:
            self.instance = make_instance(cloud)
            self.volume = make_volume(cloud, volume_type=self.kinds[source])
            done(attach(cloud, self.instance, self.volume)[1])
        self.writes = 0
        self.write()

    @property
    def to(self) -> VolumeType:
        (kind,) = [kind for place, kind in self.kinds.items() if place != self.source]
        return kind

    def ask(self) -> Operation:
        return ask(self.cloud, self.volume, self.to)

    def write(self) -> None:
        self.cloud.fake.mirrors.write(self.instance.pk, self.volume.pk)
        self.writes += 1

    def check_content(self) -> None:
        """Check that the guest runs, and reads all that it ever wrote."""
        assert self.cloud.fake.guests[self.instance.pk].power is Power.RUNNING
        assert self.cloud.fake.mirrors.content(self.instance.pk, self.volume.pk) == self.writes

    def restart(self) -> None:
        """Power the guest off and on: it gets the disk that the rows name."""
        done(instance_power_off(SYSTEM, fresh(self.instance)))
        done(instance_start(SYSTEM, fresh(self.instance)))

    def clean_up(self) -> None:
        delete_everything(self.cloud)
        assert_clean_slate(self.cloud)


def ended(operation: Operation) -> Operation:
    """Run the attempts of the operation until it has ended."""
    while operation.state in ("running", "undoing"):
        operation = run_next_attempt(operation)
    return operation


@pytest.mark.parametrize(("source", "to", "boots"), [*((*pair, False) for pair in PAIRS), ("local", "rbd", True)])
def test_guest_runs_on_in_the_new_place(cloud: Cloud, source: str, to: str, boots: bool) -> None:
    rig = Rig(cloud, source, boots=boots)
    plan = volume_retype_plan(cloud.tenant.actor, fresh(rig.volume), volume_type=rig.to, max_mb_per_s=0)
    assert (plan.is_online, plan.copied_gib) == (True, 2)
    operation = run_on(rig.ask(), altered(MOVE, "copy", then(lambda _: rig.write())))
    assert operation.state == "succeeded", operation.steps
    rig.write()
    rig.check_content()
    assert cloud.fake.guests[rig.instance.pk].starts == 1
    after = fresh(rig.volume)
    assert (after.volume_type, after.state, places(cloud, after)) == (rig.to, "in-use", {to})
    assert VolumeMove.objects.get().state == "done"
    rig.restart()
    rig.check_content()
    rig.clean_up()


@FROM_EITHER
def test_guest_has_both_places_until_the_source_is_erased(cloud: Cloud, source: str) -> None:
    rig, seen = Rig(cloud, source), list[object]()

    def look(operation: Operation) -> None:
        seen.append(places(cloud, rig.volume))
        cloud.machine.account()
        found = residency_of(rig.volume.pk)
        assert not found.problems
        seen.append(len([each for each in found.intervals if each.end is None]) >= 1)

    operation = run_on(rig.ask(), altered(MOVE, "pivot", then(look)))
    assert (operation.state, seen) == ("succeeded", [{"local", "rbd"}, True])
    cloud.machine.account()
    assert not residency_of(rig.volume.pk).problems


def test_nothing_else_is_done_with_guest_or_volume_meanwhile(cloud: Cloud) -> None:
    rig = Rig(cloud)
    other = cloud.world.add_machine("fr-idf-1")
    operation = rig.ask()
    attachment = Attachment.objects.get(volume=rig.volume)
    calls: tuple[Callable[[], object], ...] = (
        lambda: instance_power_off(SYSTEM, fresh(rig.instance)),
        lambda: instance_reboot(SYSTEM, fresh(rig.instance)),
        lambda: instance_migrate(SYSTEM, fresh(rig.instance), node=other.row),
        lambda: volume_detach(cloud.tenant.actor, attachment),
        lambda: volume_grow(cloud.tenant.actor, fresh(rig.volume), size_gib=3),
        lambda: ask_snapshot(cloud, fresh(rig.volume)),
        rig.ask,
    )
    for call in calls:
        with pytest.raises(Busy) as caught:
            call()
        assert caught.value.facts["blocking_operation"] == str(operation.pk)
    operation_cancel(cloud.tenant.actor, operation)
    assert run_on(operation).state == "cancelled"
    rig.check_content()


@FROM_EITHER
def test_cancelled_move_leaves_the_guest_alone(cloud: Cloud, source: str) -> None:
    rig = Rig(cloud, source)
    operation = run_on(rig.ask(), altered(MOVE, "copy", then(cancel(cloud))))
    assert (operation.state, places(cloud, rig.volume)) == ("cancelled", {source})
    rig.write()
    rig.check_content()
    assert cloud.fake.call_counts["pause"] == 0
    assert run_on(rig.ask()).state == "succeeded"
    rig.write()
    rig.check_content()
    rig.clean_up()


def test_policy_of_the_destination_counts_before_the_pivot(cloud: Cloud) -> None:
    rig = Rig(cloud)

    def tighten(operation: Operation) -> None:
        ruled(cloud.tenant.project, *in_zones("de-rhein-1", roles=["storage"]))

    operation = ended(run_on(rig.ask(), altered(MOVE, "copy", then(tighten))))
    assert (operation.state, operation.error["code"]) == ("failed", "policy_unsatisfiable")
    assert (places(cloud, rig.volume), cloud.fake.call_counts["pivot_disk"]) == ({"local"}, 0)
    rig.check_content()


def test_policy_does_not_undo_what_the_guest_has(cloud: Cloud) -> None:
    """The guest has the copy: its source lacks what was written since."""
    rig = Rig(cloud)

    def tighten(operation: Operation) -> None:
        rig.write()
        ruled(cloud.tenant.project, *in_zones("de-rhein-1", roles=["storage"]))

    operation = ended(run_on(rig.ask(), altered(MOVE, "pivot", then(tighten))))
    assert (operation.state, places(cloud, rig.volume)) == ("succeeded", {"rbd"})
    rig.check_content()


def crash(rig: Rig) -> Callable[[Operation], None]:
    """Return what ends the guest's process."""
    return lambda operation: rig.cloud.fake.crash(rig.instance.pk)


@pytest.mark.parametrize(
    ("step", "source"),
    thinned(product(["place", "copy", "decide", "pivot", "switch", "finish", "open"], PLACES), keep_every=3),
)
def test_guest_whose_process_ends_starts_with_all_that_it_wrote(cloud: Cloud, source: str, step: str) -> None:
    """Up to the pivot the move is undone, from then on it goes on without the guest."""
    rig = Rig(cloud, source)
    operation = ended(run_on(rig.ask(), altered(MOVE, step, then(crash(rig)))))
    is_moved = step not in ("place", "copy", "decide")
    assert operation.state == ("succeeded" if is_moved else "failed"), operation.steps
    (place,) = places(cloud, rig.volume)
    assert (place != source) is is_moved
    assert held_at(cloud.machine, rig.volume) == (fresh(rig.volume).volume_type.pool)
    Instance.objects.filter(pk=rig.instance.pk).update(state="stopped")
    done(instance_start(SYSTEM, fresh(rig.instance)))
    rig.check_content()
    rig.clean_up()


@pytest.mark.parametrize(
    ("step", "source"),
    thinned(product(["copy", "decide", "pivot", "switch", "finish"], PLACES), keep_every=3, beginning=1),
)
def test_node_that_boots_in_the_middle_has_all_that_the_guest_wrote(cloud: Cloud, source: str, step: str) -> None:
    """Guests, keys of clusters and mirrors end with the node; its agent's state store, files and rows stay."""
    rig = Rig(cloud, source)

    def reboot(operation: Operation) -> None:
        cloud.fake.crash(rig.instance.pk)
        cloud.fake.opened.clear()
        cloud.machine.stop_agent()
        cloud.machine.start_agent()

    operation = ended(run_on(rig.ask(), altered(MOVE, step, then(reboot))))
    is_moved = step not in ("copy", "decide")
    assert operation.state == ("succeeded" if is_moved else "failed"), operation.steps
    Instance.objects.filter(pk=rig.instance.pk).update(state="stopped")
    done(instance_start(SYSTEM, fresh(rig.instance)))
    rig.check_content()
    assert len(places(cloud, rig.volume)) == 1


@FROM_EITHER
def test_node_that_is_away_at_the_pivot_is_waited_for(cloud: Cloud, source: str) -> None:
    """The node alone knows which place has all of the data: nothing starts, and nothing is erased, without it."""
    rig = Rig(cloud, source)
    operation = run_on(rig.ask(), altered(MOVE, "decide", then(lambda _: cloud.machine.become_unreachable())))
    Operation.objects.filter(pk=operation.pk).update(deadline_at=operation.created_at)
    for _ in range(3):
        operation = run_next_attempt(operation)
    assert (operation.state, operation.is_cancellable) == ("running", False)
    assert places(cloud, rig.volume) == {"local", "rbd"}
    with pytest.raises(Busy):
        instance_start(SYSTEM, fresh(rig.instance))
    cloud.machine.come_back()
    assert ended(operation).state == "succeeded"
    rig.write()
    rig.check_content()


def test_pivot_with_a_lost_answer_is_retried_and_done_once(cloud: Cloud) -> None:
    rig = Rig(cloud)
    operation = run_on(rig.ask(), altered(MOVE, "pivot", then(explode)))
    rig.write()
    assert ended(operation).state == "succeeded"
    assert cloud.fake.call_counts["pivot_disk"] == 1
    rig.write()
    rig.check_content()


def test_guest_that_writes_too_much_keeps_its_disk_when_the_time_is_over(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(cloud)
    monkeypatch.setattr(volume_mirrors, "NEARLY_LEVEL_BYTES", -1)
    operation = rig.ask()
    run_on(operation, altered(MOVE, "decide", then(lambda _: cloud.machine.stop_agent())))
    Operation.objects.filter(pk=operation.pk).update(deadline_at=operation.created_at)
    cloud.machine.start_agent()
    operation = ended(fresh(operation))
    assert (operation.state, operation.error["code"]) == ("failed", "operation.deadline_exceeded")
    assert places(cloud, rig.volume) == {"local"}
    rig.write()
    rig.check_content()


def test_copy_that_never_becomes_level_ends_with_the_time_of_the_move(cloud: Cloud) -> None:
    rig = Rig(cloud)
    cloud.fake.mirrors.is_lagging = True
    operation = rig.ask()
    Operation.objects.filter(pk=operation.pk).update(deadline_at=operation.created_at)
    operation = ended(run_on(fresh(operation)))
    assert (operation.state, operation.error["code"]) == ("failed", "operation.deadline_exceeded")
    assert "writes more than the copy takes" in operation.error["detail"]
    assert places(cloud, rig.volume) == {"local"}
    rig.check_content()


def test_instance_that_starts_before_its_lock_is_not_moved_as_stopped(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(cloud)
    done(instance_power_off(SYSTEM, fresh(rig.instance)))

    def started(*args: Any) -> Operation:
        Instance.objects.filter(pk=rig.instance.pk).update(state="active")
        return enqueue(*args)

    monkeypatch.setattr(volume_moves, "enqueue", started)
    with pytest.raises(VolumeMoveUnderGuest):
        rig.ask()
    assert not VolumeMove.objects.exists()


def test_node_with_an_old_agent_moves_offline_alone(cloud: Cloud) -> None:
    rig = Rig(cloud)
    traits = [trait for trait in fresh(cloud.machine.row).traits if trait != VOLUME_MIRROR]
    Node.objects.filter(pk=cloud.machine.row.pk).update(traits=traits)
    with pytest.raises(VolumeMoveUnderGuest):
        rig.ask()
    done(instance_power_off(SYSTEM, fresh(rig.instance)))
    plan = volume_retype_plan(cloud.tenant.actor, fresh(rig.volume), volume_type=rig.to, max_mb_per_s=0)
    assert not plan.is_online
    operation = run_on(rig.ask())
    assert (operation.state, "pivot" in {step["name"] for step in operation.steps}) == ("succeeded", False)
