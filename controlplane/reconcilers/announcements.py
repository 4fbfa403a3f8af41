"""Announcers get the newest announcements and trust documents of their zone, and their state is recorded."""

import logging
from concurrent.futures import ThreadPoolExecutor

from agents.protocol import announcer_pb2 as pb
from controlplane.announcers.announcer_client import ensure_announcements
from controlplane.announcers.models import AnnouncementsDocument, Announcer
from controlplane.announcers.services import AnnouncerReport, record_failure, record_report
from controlplane.nodes import trust_documents
from controlplane.nodes.service_agents import CallFailed
from controlplane.nodes.trust_documents import DENY, KEYSET

log = logging.getLogger(__name__)

CALLS_AT_ONCE = 8


def reconcile() -> int:
    """Return how many announcers answered. They are called at once, so that a silent one delays no other."""
    announcers = list(Announcer.objects.exclude(certificate_sha256="").order_by("name"))
    if not announcers:
        return 0
    documents = {row.zone_id: row for row in AnnouncementsDocument.objects.exclude(version=0)}
    requests = [_request(each, documents.get(each.zone_id)) for each in announcers]
    with ThreadPoolExecutor(min(CALLS_AT_ONCE, len(announcers))) as pool:
        answers = list(pool.map(_call, announcers, requests))
    return sum(_record(each, answer, documents) for each, answer in zip(announcers, answers, strict=True))


def _request(announcer: Announcer, document: AnnouncementsDocument | None) -> pb.EnsureAnnouncementsRequest:
    """Return a request with what the announcer lacks by its last report."""
    request = pb.EnsureAnnouncementsRequest()
    keyset, deny = trust_documents.newest(KEYSET), trust_documents.newest(DENY)
    if keyset is not None and keyset.version > announcer.keyset_version:
        request.keyset = bytes(keyset.document)
    if deny is not None and deny.version > announcer.deny_version:
        request.deny = bytes(deny.document)
    if document is not None and document.version > announcer.version:
        request.announcements = bytes(document.document)
    return request


def _call(announcer: Announcer, request: pb.EnsureAnnouncementsRequest) -> AnnouncerReport | str:
    """Return the report or the problem. It runs in a thread, without the database."""
    try:
        return ensure_announcements(announcer, request)
    except CallFailed as exc:
        return exc.problem


def _record(announcer: Announcer, answer: AnnouncerReport | str, documents: dict[str, AnnouncementsDocument]) -> int:
    if isinstance(answer, str):
        record_failure(announcer, answer)
        return 0
    document = documents.get(announcer.zone_id)
    if document is not None and answer.version > document.version:
        # The database was restored from a backup, so the announcer has a later version; it accepts one signed anew.
        AnnouncementsDocument.objects.filter(pk=document.pk, version=document.version).update(key_id="")
    record_report(announcer, answer, document)
    return 1
