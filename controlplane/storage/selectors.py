"""Volumes that an actor may see."""

from django.db.models import QuerySet

from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel.db import by_ref
from controlplane.storage.errors import VolumeNotFound
from controlplane.storage.models import Volume


def volumes(actor: Actor, project: Project) -> QuerySet[Volume]:
    return Volume.objects.filter(project=project).exclude(state="deleted").select_related("node", "image")


def volume_get(actor: Actor, project: Project, ref: str) -> Volume:
    volume = by_ref(volumes(actor, project), ref)
    if volume is None:
        raise VolumeNotFound(name=ref)
    return volume
