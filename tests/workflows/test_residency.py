"""Residency in the evidence against the nodes' contents, along the possible lives of an instance."""

from collections.abc import Callable

import pytest

from agents.node.adapters.interfaces import Power
from controlplane.audit.selectors import residency_of
from controlplane.compute.migration import instance_migrate
from controlplane.compute.models import Instance
from controlplane.compute.resize import instance_resize
from controlplane.compute.services import instance_delete, instance_power_off, instance_start
from controlplane.identity.actor import SYSTEM
from controlplane.operations.models import Operation
from tests.workflows.helpers import fresh, make_attached
from tests.workflows.test_instance_rebuild import rebuild
from tests.world import Cloud, follow, make_flavor, make_image

Verb = Callable[[Cloud, Instance], Operation]

VERBS: dict[str, Verb] = {
    "start": lambda cloud, instance: instance_start(cloud.tenant.actor, instance),
    "stop": lambda cloud, instance: instance_power_off(cloud.tenant.actor, instance),
    "resize": lambda cloud, instance: instance_resize(
        cloud.tenant.actor, instance, flavor=make_flavor("big", vcpus=2, disk_gib=3)
    ),
    "rebuild": lambda cloud, instance: rebuild(
        cloud, instance, make_image(cloud.world.folder / "images", name="other")
    ),
    "move": lambda cloud, instance: instance_migrate(SYSTEM, instance),
    "delete": lambda cloud, instance: instance_delete(cloud.tenant.actor, instance),
}
LIVES = [
    ("stop", "resize", "rebuild", "start", "move", "delete"),
    ("rebuild", "stop", "move", "start", "stop", "delete"),
]
Where = set[tuple[str, str]]


def actual_residency(cloud: Cloud, instance: Instance, volume: object) -> dict[str, Where]:
    """Return where the nodes run the guest and store each of its disks."""
    runs: Where = set()
    disks: Where = set()
    for machine in cloud.world.machines:
        guest, node = machine.fake.guests.get(instance.pk), str(machine.row.pk)
        runs |= {("", node)} if guest is not None and guest.power is Power.RUNNING else set()
        disks |= {(str(disk), node) for disk in machine.fake.volumes if disk != volume}
    return {"compute": runs, "storage": disks}


def evidence_residency(instance: Instance) -> dict[str, Where]:
    """Return the open intervals of the residency in the evidence."""
    found = residency_of(instance.pk)
    assert not found.problems
    places: dict[str, Where] = {"compute": set(), "storage": set()}
    for interval in found.intervals:
        assert interval.is_compliant
        if interval.end is None:
            assert interval.state == "proven"
            places[interval.role].add((interval.disk, interval.node))
    return places


@pytest.mark.parametrize("life", LIVES, ids=" ".join)
def test_evidence_equals_the_nodes_content_after_each_change(cloud: Cloud, life: tuple[str, ...]) -> None:
    attachment = make_attached(cloud)
    instance, other = attachment.instance, cloud.world.add_machine("fr-idf-1")
    for verb in ("create", *life):
        if verb != "create":
            operation = VERBS[verb](cloud, fresh(instance))
            assert follow(operation).state == "succeeded", (verb, operation.error, operation.steps)
        for machine in (cloud.machine, other):
            machine.account()
        assert evidence_residency(instance) == actual_residency(cloud, instance, attachment.volume_id), verb
