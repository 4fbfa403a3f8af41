"""Networks that an actor may see."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel.prepared_queries import PreparedByRef
from controlplane.network.errors import NetworkNotFound
from controlplane.network.models import Network, Port


def _networks(project: Any) -> QuerySet[Network]:
    return Network.objects.filter(project=project).select_related("subnet")


NETWORK = PreparedByRef(_networks, NetworkNotFound)


def networks(actor: Actor, project: Project) -> QuerySet[Network]:
    return _networks(project)


def network_get(actor: Actor, project: Project, ref: str) -> Network:
    return NETWORK.get(ref, project.pk)


def port_of_instance(instance_id: UUID, network: Network | None) -> Port | None:
    """Return the instance's first port, on `network` if it is given; None: there is none."""
    ports = Port.objects.filter(instance_id=instance_id).order_by("pk")
    return (ports if network is None else ports.filter(network=network)).first()
