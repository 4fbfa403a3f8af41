"""Announcers: their rows, certificates and reports."""

from dataclasses import dataclass
from datetime import timedelta

from cryptography.hazmat.primitives import hashes
from django.conf import settings
from django.db import transaction

from controlplane.announcers.errors import AnnouncerAddressInvalid, AnnouncerNameTaken
from controlplane.announcers.models import AnnouncementsDocument, Announcer
from controlplane.audit.services import record
from controlplane.catalog.models import Zone
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.kernel.db import raise_on_violation
from controlplane.kernel.names import check_name
from controlplane.nodes import pki
from controlplane.nodes.channels import is_agent_address
from controlplane.nodes.service_agents import reconcile_incidents

SILENT_AFTER = timedelta(seconds=15)
# An announcer's problem; each of them is an incident while it lasts.
PROBLEMS = (
    "silent",  # its service does not answer
    "refused",  # it does not accept the zone's document or keys
    "behind",  # BIRD announces an older document than the zone's newest
    "no-session",  # BIRD has no BGP session with a router
    "bird-silent",  # BIRD does not run
    "bird-refused",  # BIRD does not accept its configuration
    "bird-differs",  # BIRD has other routes than the document
)


@dataclass(frozen=True, slots=True)
class AnnouncerReport:
    """The announcer's report. `problem`: its own, or the control plane's with it; see PROBLEMS."""

    version: int = 0
    applied_version: int = 0
    route_count: int = 0
    session_count: int = 0
    established_session_count: int = 0
    keyset_version: int = 0
    deny_version: int = 0
    software_version: str = ""
    problem: str = ""


@transaction.atomic
def announcer_create(actor: Actor, *, name: str, zone: Zone, address: str) -> Announcer:
    """Create the announcer; it is called from when it has a certificate (announcer_certify).

    Raises:
        AnnouncerNameTaken, AnnouncerAddressInvalid, InvalidName.
    """
    actor.may_operate()
    if not is_agent_address(address):
        raise AnnouncerAddressInvalid(field="address", address=address)
    with raise_on_violation("announcers_announcer_name_key", AnnouncerNameTaken(field="name", name=name)):
        announcer = Announcer.objects.create(name=check_name(name), zone=zone, address=address)
    record(actor, "announcer.create", announcer.pk, name=name, zone=zone.pk, address=address)
    return announcer


@transaction.atomic
def announcer_delete(actor: Actor, announcer: Announcer) -> None:
    """Delete the announcer: it gets no document any more, and goes on with the one that it has until it is stopped."""
    actor.may_operate()
    record(actor, "announcer.delete", announcer.pk, name=announcer.name, zone=announcer.zone_id)
    announcer.delete()


@transaction.atomic
def announcer_certify(actor: Actor, announcer: Announcer, *, request_pem: bytes, ca_key: bytes | None = None) -> str:
    """Sign the announcer's certificate request, also for a renewal. Returns the certificate (PEM).

    `ca_key`: the authority's, PEM, where it is not beside ca.crt.

    Raises:
        CertificateRequestInvalid, KeyMissing.
    """
    actor.may_operate()
    certificate = pki.sign_announcer(
        settings.PKI_DIR, request_pem=request_pem, announcer_id=announcer.pk, zone=announcer.zone_id, ca_key=ca_key
    )
    announcer.certificate_sha256 = certificate.fingerprint(hashes.SHA256()).hex()
    announcer.certificate_expires_at = certificate.not_valid_after_utc
    announcer.save(update_fields=["certificate_sha256", "certificate_expires_at"])
    record(actor, "announcer.certify", announcer.pk, name=announcer.name, zone=announcer.zone_id)
    return pki.as_pem(certificate)


@transaction.atomic
def record_report(announcer: Announcer, report: AnnouncerReport, document: AnnouncementsDocument | None) -> None:
    """Record an announcer's report. `document`: the newest of its zone."""
    fields = {name: getattr(report, name) for name in AnnouncerReport.__slots__}
    now, problem = clock.now(), report.problem or _problem(report, document)
    Announcer.objects.filter(pk=announcer.pk).update(**{**fields, "problem": problem}, last_seen_at=now, updated_at=now)
    _reconcile_incident(announcer, problem)


@transaction.atomic
def record_failure(announcer: Announcer, problem: str) -> None:
    """Record that a call to the announcer failed. It is `silent` after SILENT_AFTER without an answer."""
    last_seen_at = announcer.last_seen_at or announcer.created_at
    if problem == "silent" and clock.now() - last_seen_at < SILENT_AFTER:
        return
    Announcer.objects.filter(pk=announcer.pk).update(problem=problem, updated_at=clock.now())
    _reconcile_incident(announcer, problem)


def _problem(report: AnnouncerReport, document: AnnouncementsDocument | None) -> str:
    if document is not None and document.version and report.applied_version != document.version:
        return "behind"
    return "" if report.established_session_count else "no-session"


def _reconcile_incident(announcer: Announcer, problem: str) -> None:
    problems = {problem} if problem else ()
    reconcile_incidents(announcer, problems, among=PROBLEMS, prefix="announcer", field="announcer")
