"""Removal of old images from node caches keeps images just sent; lost ones are sent anew."""

from collections.abc import Callable

import pytest
from django.db import connection

from controlplane.catalog.models import Image
from controlplane.nodes import agent_client
from controlplane.operations.models import Operation
from controlplane.reconcilers import image_files
from controlplane.workflows import instance_create, volume_create
from tests.workflows.helpers import Killed, altered, ask_instance, ask_volume, die, followed_by_another_worker
from tests.workflows.test_every_interruption import first
from tests.world import Cloud, run


def cached(cloud: Cloud) -> set[str]:
    return {image.sha256 for image in agent_client.describe(cloud.machine.row).images}


def sent(cloud: Cloud) -> Operation:
    """An instance is made of a new image, and so far the image is on the node."""
    Image.objects.filter(pk=cloud.image.pk).update(state="available")
    _, operation = ask_instance(cloud)
    with pytest.raises(Killed):
        run(operation, altered(instance_create.WORKFLOW, "root-disk", first(die)))
    return operation


def test_image_sent_during_cache_cleaning_stays(cloud: Cloud) -> None:
    Image.objects.update(state="deleted")
    marks: list[str] = []
    sending: list[Operation] = []

    def meanwhile(execute: Callable[..., object], sql: str, *rest: object) -> object:
        """Send the image when the reconciler lists its nodes, minutes before it comes to the last one."""
        if not marks and 'FROM "nodes_node"' in sql:
            marks.append(sql)
            sending.append(sent(cloud))
        return execute(sql, *rest)

    with connection.execute_wrapper(meanwhile):
        image_files.reconcile()
    assert cached(cloud) == {cloud.image.sha256}
    assert followed_by_another_worker(sending[0]).state == "succeeded"


def test_unused_cached_image_is_removed(cloud: Cloud) -> None:
    sent(cloud)
    assert cached(cloud) == {cloud.image.sha256}
    Image.objects.update(state="deleted")
    image_files.reconcile()
    assert cached(cloud) == set()


def lose_image(cloud: Cloud) -> Callable[[Operation], None]:
    return lambda operation: agent_client.remove_image(cloud.machine.row, sha256=cloud.image.sha256)


def test_instance_creation_resends_a_lost_image(cloud: Cloud) -> None:
    _, operation = ask_instance(cloud)
    workflow = altered(instance_create.WORKFLOW, "root-disk", first(lose_image(cloud)))
    assert run(operation, workflow).state == "succeeded", operation.steps
    assert cached(cloud) == {cloud.image.sha256}


def test_volume_creation_resends_a_lost_image(cloud: Cloud) -> None:
    _, operation = ask_volume(cloud, image=cloud.image)
    names = [step.name for step in volume_create.WORKFLOW.steps(operation)]
    workflow = altered(volume_create.WORKFLOW, names[names.index("image") + 1], first(lose_image(cloud)))
    assert run(operation, workflow).state == "succeeded", operation.steps
    assert cached(cloud) == {cloud.image.sha256}
