"""A volume of a storage cluster that several instances can have attached at once, and two instances on two nodes."""

from dataclasses import dataclass

from controlplane.catalog.models import VolumeType
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.services import NewInstance, instance_create
from controlplane.identity.actor import SYSTEM
from controlplane.nodes.models import Node
from controlplane.storage.models import Volume
from tests.workflows.helpers import attach, done, fresh, make_volume
from tests.workflows.snapshots import cluster
from tests.world import Cloud


@dataclass(frozen=True)
class Sharing:
    """`attachment`: of the volume in another instance than `instance`, which can get it too."""

    instance: Instance
    attachment: Attachment

    @property
    def volume(self) -> Volume:
        return fresh(self.attachment.volume)


def make_sharing(cloud: Cloud) -> Sharing:
    """Give each node an instance and an address of its own, and attach the volume to one of them."""
    other = cloud.world.add_machine(cloud.machine.row.zone_id)
    pool = cluster(cloud, other).pool
    kind = VolumeType.objects.create(pk="together", description="for several", pool=pool, is_multi_attach=True)
    instances = []
    for number, machine in enumerate((cloud.machine, other)):
        Node.objects.filter(pk=machine.row.pk).update(storage_addresses=[f"10.0.9.{number}"])
        size = {"flavor": cloud.flavor, "image": cloud.image, "networks": (cloud.network,)}
        new = NewInstance(name=f"web-{number}", host=machine.row.name, **size)
        instance, operation = instance_create(SYSTEM, cloud.tenant.project, new)
        done(operation)
        instances.append(fresh(instance))
    attachment, operation = attach(cloud, instances[1], make_volume(cloud, volume_type=kind))
    done(operation)
    return Sharing(instances[0], fresh(attachment))
