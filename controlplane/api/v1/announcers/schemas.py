"""Schemas of announcers."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controlplane.announcers.models import AnnouncementsDocument, Announcer
from controlplane.announcers.services import PROBLEMS
from controlplane.kernel.fields import In, Name, Out, Text


class AnnouncerIn(In):
    """A new announcer. `address`: HOST:PORT of its service."""

    example = {"name": "announcer-1", "zone": "fr-idf-1", "address": "10.0.7.11:7445"}

    name = Name()
    zone = Text(max_length=63)
    address = Text(max_length=255)


class AnnouncerSessionsOut(Out):
    total = serializers.IntegerField()
    established = serializers.IntegerField()


class AnnouncerOut(Out):
    """An announcer, with its last report.

    `document_version`: of the zone's newest document; `version`: of the announcer's; `applied_version`: of the one that
    BIRD announces. `route_count`: of BIRD. `sessions`: with routers. `problem`: a kind of its incidents; empty: it
    announces the newest document. Without a certificate it is not called.
    """

    id = serializers.UUIDField()
    name = serializers.CharField()
    zone = serializers.CharField(source="zone_id")
    address = serializers.CharField()
    certificate_expires_at = serializers.DateTimeField(allow_null=True)
    last_seen_at = serializers.DateTimeField(allow_null=True)
    software_version = serializers.CharField()
    document_version = serializers.SerializerMethodField()
    version = serializers.IntegerField()
    applied_version = serializers.IntegerField()
    document_route_count = serializers.SerializerMethodField()
    route_count = serializers.IntegerField()
    sessions = serializers.SerializerMethodField()
    problem = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def get_document_version(self, announcer: Announcer) -> int:
        document = self._document(announcer)
        return document.version if document is not None else 0

    def get_document_route_count(self, announcer: Announcer) -> int:
        document = self._document(announcer)
        return document.route_count if document is not None else 0

    @extend_schema_field(AnnouncerSessionsOut)
    def get_sessions(self, announcer: Announcer) -> Any:
        return {"total": announcer.session_count, "established": announcer.established_session_count}

    def _document(self, announcer: Announcer) -> AnnouncementsDocument | None:
        document: AnnouncementsDocument | None = self.context["documents"].get(announcer.zone_id)
        return document


class AnnouncerIncidentOut(Out):
    """An incident of the announcer: a problem, from its first observation on.

    `ended_at`: since when it is no longer observed.
    """

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(PROBLEMS)
    created_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField(source="observed_at")
    ended_at = serializers.DateTimeField(allow_null=True)
