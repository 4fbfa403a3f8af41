"""Snapshots of the disks of an instance, as users request them."""

from typing import Any

from django.db import transaction

from controlplane.compute.instance_snapshots import NewSnapshots, instance_snapshot
from controlplane.compute.models import Instance
from controlplane.operations.models import Operation
from controlplane.storage.models import Snapshot
from tests.workflows.helpers import ask_instance, done, fresh, make_volume
from tests.workflows.snapshots import cluster
from tests.world import Cloud


def ask_snapshots(cloud: Cloud, instance: Instance, **fields: Any) -> tuple[list[Snapshot], Operation]:
    """Request snapshots of the instance's disks, in one transaction."""
    with transaction.atomic():
        return instance_snapshot(cloud.tenant.actor, instance, NewSnapshots(**{"name": "then", **fields}))


def make_clustered(cloud: Cloud, *, disks: int = 2) -> Instance:
    """Return an instance all of whose disks are volumes of a storage cluster; it boots from the first one."""
    kind = cluster(cloud)
    boot, *others = (
        make_volume(cloud, f"disk-{number}", image=None if number else cloud.image, volume_type=kind)
        for number in range(disks)
    )
    instance, operation = ask_instance(cloud, boot_volume=boot, volumes=tuple(others))
    done(operation)
    return reported(cloud, instance)


def reported(cloud: Cloud, instance: Instance) -> Instance:
    """Return the instance after a report of its node."""
    cloud.machine.report_power()
    return fresh(instance)
