"""Networks that an actor may see."""

from typing import Any

from django.db.models import QuerySet

from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel.prepared_queries import PreparedByRef
from controlplane.network.errors import NetworkNotFound
from controlplane.network.models import Network


def _networks(project: Any) -> QuerySet[Network]:
    return Network.objects.filter(project=project).select_related("subnet")


NETWORK = PreparedByRef(_networks, NetworkNotFound)


def networks(actor: Actor, project: Project) -> QuerySet[Network]:
    return _networks(project)


def network_get(actor: Actor, project: Project, ref: str) -> Network:
    return NETWORK.get(ref, project.pk)
