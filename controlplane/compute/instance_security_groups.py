"""Security groups of an instance: those of all its ports."""

from collections.abc import Sequence

from django.db import transaction

from controlplane.audit.services import record
from controlplane.compute.actions import require_state_in
from controlplane.compute.instance_changes import instance_lock
from controlplane.compute.models import INSTANCE, Instance
from controlplane.identity.actor import Actor
from controlplane.network.models import Port, SecurityGroup
from controlplane.network.port_groups import port_groups_set


@transaction.atomic
def instance_security_groups_set(actor: Actor, instance: Instance, groups: Sequence[SecurityGroup]) -> list[Port]:
    """Give all ports of the instance these groups in place of those that they have; without any nothing passes.

    Raises:
        InstanceWrongState: the instance is deleted.
        SecurityGroupsTooMany, SecurityGroupNotFound, SecurityGroupsUnsupported.
    """
    actor.may_write()
    instance_lock(instance)
    require_state_in(instance, tuple(state for state in INSTANCE.moves if state != "deleted"))
    ports = instance_ports(instance)
    port_groups_set(ports, groups)
    for port in ports:
        port.is_filtered = True
    names = sorted(group.name for group in groups)
    record(actor, "instance.security-groups", instance.pk, project_id=instance.project_id, groups=names)
    return ports


def instance_ports(instance: Instance) -> list[Port]:
    """Return the ports of the instance, in the order of its network cards."""
    return list(Port.objects.filter(instance_id=instance.pk).select_related("network").order_by("position", "pk"))
