from django.db import models
from django.db.models import Q

from controlplane.catalog.models import Zone
from controlplane.kernel.db import BaseModel


class Announcer(BaseModel):
    """A machine that announces the zone's public addresses by BGP. Two of a zone announce the same.

    Its certificate names its id and its zone; without one it is not called. Its last report, of `last_seen_at`:
    `version`, of the document that it has; `applied_version`, of the one that BIRD announces; the routes of BIRD and
    its BGP sessions. `problem`: see PROBLEMS in services.py; empty: it announces the zone's newest document.
    """

    name = models.CharField(max_length=63, unique=True)
    zone = models.ForeignKey(Zone, models.PROTECT)
    address = models.CharField(max_length=255)
    certificate_sha256 = models.CharField(max_length=64, blank=True)
    certificate_expires_at = models.DateTimeField(null=True)
    last_seen_at = models.DateTimeField(null=True)
    software_version = models.CharField(max_length=32, blank=True)
    version = models.PositiveBigIntegerField(default=0)
    applied_version = models.PositiveBigIntegerField(default=0)
    route_count = models.PositiveIntegerField(default=0)
    session_count = models.PositiveIntegerField(default=0)
    established_session_count = models.PositiveIntegerField(default=0)
    keyset_version = models.PositiveBigIntegerField(default=0)
    deny_version = models.PositiveBigIntegerField(default=0)
    problem = models.CharField(max_length=32, blank=True)


class AnnouncerIncident(BaseModel):
    """A problem of an announcer, from its first observation until `ended_at`, when it was not observed any more."""

    announcer = models.ForeignKey(Announcer, models.CASCADE, related_name="incidents", db_index=False)
    kind = models.CharField(max_length=32)
    observed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["announcer", "kind"], condition=Q(ended_at=None), name="announcers_incident_once_at_a_time"
            )
        ]
        indexes = [models.Index(fields=["announcer", "-created_at"], name="announcers_incident_of")]


class AnnouncementsDocument(BaseModel):
    """The newest signed announcements of a zone (andromede_core.permits.announcements).

    `digest`: of the routes. `key_id`: the key that signed the document; empty: it is to be signed anew.
    """

    zone = models.OneToOneField(Zone, models.PROTECT)
    version = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)
    route_count = models.PositiveIntegerField(default=0)
    key_id = models.CharField(max_length=64, blank=True)
    document = models.BinaryField(default=bytes)
