"""Announcers and their incidents, for those who see the platform."""

from collections.abc import Iterable, Mapping

from django.db.models import QuerySet

from controlplane.announcers.errors import AnnouncerNotFound
from controlplane.announcers.models import AnnouncementsDocument, Announcer, AnnouncerIncident
from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.kernel.db import by_ref


def announcers(actor: Actor) -> QuerySet[Announcer]:
    """Return all announcers. Raises RoleNeeded: the actor has no platform role."""
    if not actor.sees_all:
        raise RoleNeeded(role="operator")
    return Announcer.objects.all()


def announcer_get(actor: Actor, ref: str) -> Announcer:
    """Return an announcer by its id or name.

    Raises:
        RoleNeeded, AnnouncerNotFound.
    """
    announcer = by_ref(announcers(actor), ref)
    if announcer is None:
        raise AnnouncerNotFound(name=ref)
    return announcer


def incidents(announcer: Announcer) -> QuerySet[AnnouncerIncident]:
    return AnnouncerIncident.objects.filter(announcer=announcer)


def newest_documents(rows: Iterable[Announcer]) -> Mapping[str, AnnouncementsDocument]:
    """Return the newest documents by zone, without their bytes."""
    zones = {row.zone_id for row in rows}
    return {row.zone_id: row for row in AnnouncementsDocument.objects.filter(zone__in=zones).defer("document")}
