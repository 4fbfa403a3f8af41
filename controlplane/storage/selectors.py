"""Which volumes an actor sees."""

from django.db.models import Q, QuerySet

from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel.names import as_uuid
from controlplane.storage.errors import VolumeNotFound
from controlplane.storage.models import Volume


def volumes(actor: Actor, project: Project) -> QuerySet[Volume]:
    return Volume.objects.filter(project=project).exclude(state="deleted").select_related("node", "image")


def volume_get(actor: Actor, project: Project, ref: str) -> Volume:
    as_id = as_uuid(ref)
    found = volumes(actor, project).filter(Q(pk=as_id) if as_id else Q(name=ref)).first()
    if found is None:
        raise VolumeNotFound(name=ref)
    return found
