"""Which networks an actor sees, and what a node must know of a port."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel.prepared import PreparedByRef
from controlplane.network.errors import NetworkNotFound
from controlplane.network.models import Network, Port


def _networks(project: Any) -> QuerySet[Network]:
    return Network.objects.filter(project=project).select_related("subnet")


NETWORK = PreparedByRef(_networks)


def networks(actor: Actor, project: Project) -> QuerySet[Network]:
    return _networks(project)


def network_get(actor: Actor, project: Project, ref: str) -> Network:
    found = NETWORK.find(ref, project.pk)
    if found is None:
        raise NetworkNotFound(name=ref)
    return found


def ports_of(instance_ids: Iterable[UUID]) -> dict[UUID, list[Port]]:
    """instance id → its ports, in the order of the guest's network cards."""
    found: dict[UUID, list[Port]] = {instance_id: [] for instance_id in instance_ids}
    for port in Port.objects.filter(instance_id__in=found).select_related("network__subnet").order_by("id"):
        found[port.instance_id].append(port)
    return found
