"""Calls to announcers, over mutual TLS. A call opens its own connection: there are two announcers of a zone."""

import grpc
from django.conf import settings

from agents.protocol import announcer_pb2 as pb
from agents.protocol.announcer_pb2_grpc import AnnouncerStub
from controlplane.announcers.models import Announcer
from controlplane.announcers.services import AnnouncerReport
from controlplane.kernel.db import forbid_transaction
from controlplane.nodes.channels import channel_credentials
from controlplane.nodes.pki import announcer_server_name
from controlplane.nodes.service_agents import call_failed, channel_options

TIMEOUT_S = 15.0


def ensure_announcements(announcer: Announcer, request: pb.EnsureAnnouncementsRequest) -> AnnouncerReport:
    """Send the announcer documents; it checks the signatures itself. An empty request only asks for its state.

    Raises:
        CallFailed.
    """
    forbid_transaction()
    options = channel_options(announcer_server_name(announcer.pk))
    try:
        with grpc.secure_channel(announcer.address, channel_credentials(settings.PROCESS), options=options) as channel:
            stub = AnnouncerStub(channel)  # type: ignore[no-untyped-call]
            if not request.ByteSize():
                return _report(stub.GetStatus(pb.GetStatusRequest(), timeout=TIMEOUT_S))
            return _report(stub.EnsureAnnouncements(request, timeout=TIMEOUT_S))
    except grpc.RpcError as exc:
        raise call_failed(f"announcer {announcer.name}", exc) from exc


def _report(state: pb.AnnouncerState) -> AnnouncerReport:
    return AnnouncerReport(
        version=state.version,
        applied_version=state.applied_version,
        route_count=state.routes,
        session_count=state.sessions,
        established_session_count=state.established_sessions,
        keyset_version=state.keyset_version,
        deny_version=state.deny_version,
        software_version=state.software_version[:32],
        problem=state.problem[:32],
    )
