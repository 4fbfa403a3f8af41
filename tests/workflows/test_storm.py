"""Concurrent requests of many tenants and several workers, on committed rows.

Each refusal is a CloudError, every operation ends, and after deletion nothing is left."""

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from pytest_django import Settings

from agents.node.errors import AdapterError, HypervisorUnavailable
from controlplane.catalog.models import Flavor
from controlplane.compute import services as compute
from controlplane.compute.attachments import volume_detach
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.rebuild import NewDisk, instance_rebuild
from controlplane.compute.resize import instance_resize
from controlplane.compute.selectors import attached_to
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.operations.models import LIVE, Operation
from controlplane.operations.services import operation_cancel
from controlplane.reconcilers import capacity_drift
from controlplane.storage.models import Volume
from controlplane.storage.services import volume_delete, volume_grow
from tests.workflows.helpers import ask_instance, ask_volume, assert_clean_slate, attach
from tests.world import Cloud, cloud_in, make_flavor, run

HANDS, WORKERS, REQUESTS = 4, 3, 25
PATIENCE = timedelta(seconds=60)


def one(rows: type[Instance] | type[Volume], dice: random.Random) -> Instance | Volume | None:
    found = list(rows.objects.exclude(state="deleted").order_by("pk"))
    return dice.choice(found) if found else None


class Hand:
    """A user who clicks on everything, on a node that has its moods. Being refused in our own words is all right."""

    def __init__(self, cloud: Cloud, number: int) -> None:
        self.cloud = cloud
        self.number = number
        self.dice = random.Random(number)
        often = [self.create, self.create_volume, self.power, self.attach, self.detach, self.grow]
        seldom = [self.cancel, self.delete, self.delete_volume, self.resize, self.rebuild, self.trouble]
        self.actions = 4 * often + seldom

    def click(self, count: int, is_over: threading.Event) -> None:
        for n in range(count):
            while live() > 2 * WORKERS:
                if is_over.wait(0.005):
                    return
            with suppress(CloudError):
                self.dice.choice(self.actions)(f"n{self.number}-{n}")

    def trouble(self, _: str) -> None:
        calls = [
            "define",
            "start",
            "power_off",
            "plug_disk",
            "unplug_disk",
            "create_volume",
            "remove_volume",
            "undefine",
        ]
        call = self.dice.choice(calls)
        error = self.dice.choice([HypervisorUnavailable("gone"), AdapterError("strange", retryable=False)])
        self.cloud.fake.fail_next(call, error)

    def create(self, name: str) -> None:
        if Instance.objects.exclude(state="deleted").count() > 5:
            return
        volume = one(Volume, self.dice)
        ask_instance(self.cloud, name, volumes=(volume,) if volume and self.dice.random() < 0.5 else ())

    def create_volume(self, name: str) -> None:
        if Volume.objects.exclude(state="deleted").count() > 5:
            return
        instance = one(Instance, self.dice)
        ask_volume(self.cloud, name, near=instance.pk if instance else None)

    def power(self, _: str) -> None:
        change: Callable[..., Operation] = self.dice.choice(
            [compute.instance_start, compute.instance_power_off, compute.instance_reboot, compute.instance_shutdown]
        )
        if instance := one(Instance, self.dice):
            change(self.cloud.tenant.actor, instance)

    def resize(self, _: str) -> None:
        flavor = self.dice.choice(list(Flavor.objects.all()))
        if isinstance(instance := one(Instance, self.dice), Instance):
            instance_resize(self.cloud.tenant.actor, instance, flavor=flavor)

    def rebuild(self, _: str) -> None:
        if isinstance(instance := one(Instance, self.dice), Instance):
            instance_rebuild(self.cloud.tenant.actor, instance, NewDisk(self.cloud.image))

    def attach(self, _: str) -> None:
        instance, volume = one(Instance, self.dice), one(Volume, self.dice)
        if isinstance(instance, Instance) and isinstance(volume, Volume):
            attach(self.cloud, instance, volume)

    def detach(self, _: str) -> None:
        if found := list(Attachment.objects.select_related("instance")):
            volume_detach(self.cloud.tenant.actor, self.dice.choice(found))

    def grow(self, _: str) -> None:
        if isinstance(volume := one(Volume, self.dice), Volume):
            volume_grow(self.cloud.tenant.actor, volume, size_gib=volume.size_gib + 1)

    def cancel(self, _: str) -> None:
        if found := list(Operation.objects.filter(state__in=LIVE)):
            operation_cancel(self.cloud.tenant.actor, self.dice.choice(found))

    def delete(self, _: str) -> None:
        if isinstance(instance := one(Instance, self.dice), Instance):
            compute.instance_delete(self.cloud.tenant.actor, instance)

    def delete_volume(self, _: str) -> None:
        if isinstance(volume := one(Volume, self.dice), Volume):
            volume_delete(self.cloud.tenant.actor, volume, attached_to=attached_to(volume.pk))


def work(is_over: threading.Event) -> None:
    """A worker that looks at the rows alone, and takes no pause that an operation asks for too seriously. When it dies,
    nobody waits for what it does not do."""
    try:
        while not is_over.is_set():
            Operation.objects.filter(state__in=LIVE, lease_token=None).update(due_at=clock.now())
            due = list(Operation.objects.filter(state__in=LIVE, lease_token=None))
            random.shuffle(due)
            for operation in due:
                run(operation)
    finally:
        is_over.set()


def in_its_own_connection(call: Callable[..., None], *args: object) -> None:
    try:
        call(*args)
    finally:
        connection.close()


def live() -> int:
    return Operation.objects.filter(state__in=LIVE).count()


def until_quiet() -> None:
    """Work on what is left, round after round; all of it ends."""
    started_at = clock.now()
    while left := list(Operation.objects.filter(state__in=LIVE).order_by("pk")):
        assert clock.now() < started_at + PATIENCE, [(o.kind, o.state, o.steps[-1:]) for o in left]
        Operation.objects.filter(state__in=LIVE).update(due_at=clock.now())
        for operation in left:
            run(operation)


@pytest.mark.django_db(transaction=True)
def test_a_storm_of_requests_and_workers_leaves_nothing(tmp_path: Path, settings: Settings) -> None:
    settings.PKI_DIR = tmp_path / "pki"
    settings.IMAGES_DIR = tmp_path / "images"
    with cloud_in(tmp_path) as cloud:
        make_flavor("other", vcpus=2, memory_mib=64, disk_gib=2)
        is_over = threading.Event()
        with ThreadPoolExecutor(HANDS + WORKERS) as pool:
            workers = [pool.submit(in_its_own_connection, work, is_over) for _ in range(WORKERS)]
            clicks = [Hand(cloud, number).click for number in range(HANDS)]
            hands = [pool.submit(in_its_own_connection, click, REQUESTS, is_over) for click in clicks]
            try:
                for hand in hands:
                    hand.result()
            finally:
                is_over.set()
            for worker in workers:
                worker.result()
        until_quiet()
        assert capacity_drift.reconcile() == []
        codes = {o.error["code"] for o in Operation.objects.exclude(error=None)}
        assert "internal" not in codes
        assert Operation.objects.filter(state="succeeded").count() > HANDS
        for instance in Instance.objects.exclude(state="deleted"):
            compute.instance_delete(cloud.tenant.actor, instance)
        until_quiet()
        for volume in Volume.objects.exclude(state="deleted"):
            volume_delete(cloud.tenant.actor, volume, attached_to=attached_to(volume.pk))
        until_quiet()
        assert_clean_slate(cloud)
