"""Reads of request records and audit entries with their visibility, and exports of requests."""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from andromede_core.evidence.request_proofs import ExportedRequest
from controlplane.audit import request_log_batches
from controlplane.audit.errors import AuditTooLong
from controlplane.audit.models import AuditEntry, RequestRecord
from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.identity.models import ApiToken, Organization, Project, Role, User
from controlplane.identity.roles import includes
from controlplane.kernel import clock

EXPORT_MAX = 100_000
CHUNK = 500
# A cell that begins like this is a formula in spreadsheets.
FORMULA = ("=", "+", "-", "@")
Rows = QuerySet[RequestRecord]


def of_project(project: Project) -> Rows:
    return _completed(project_id=project.pk)


def of_organization(actor: Actor, organization: Organization) -> Rows:
    """Return the requests of an organization.

    Raises RoleNeeded: they show the actions and addresses of all projects, and are for the organization's
    administration.
    """
    _may_see_all_of(actor, organization)
    return _completed(organization_id=organization.pk)


def of_platform(actor: Actor) -> Rows:
    """Return the requests of the platform. Raises RoleNeeded unless the actor is an operator or auditor."""
    _may_see_platform(actor)
    return _completed()


def entries_of_project(project: Project) -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(project_id=project.pk)


def entries_of_organization(actor: Actor, organization: Organization) -> QuerySet[AuditEntry]:
    """Return the entries of the organization's projects, and of the organization itself: its members, invitations,
    tokens, quotas and policy.

    Raises:
        RoleNeeded
    """
    _may_see_all_of(actor, organization)
    projects = Project.objects.filter(organization=organization).values("pk")
    return AuditEntry.objects.filter(Q(organization_id=organization.pk) | Q(project_id__in=projects))


def entries_of_platform(actor: Actor) -> QuerySet[AuditEntry]:
    """Return all entries. Raises RoleNeeded."""
    _may_see_platform(actor)
    return AuditEntry.objects.all()


def _may_see_all_of(actor: Actor, organization: Organization) -> None:
    rules = actor.rules(organization.pk)
    if not actor.sees_all and not rules and not includes(actor.role, Role.ADMIN):
        raise RoleNeeded(role=Role.ADMIN)


def _may_see_platform(actor: Actor) -> None:
    if not actor.sees_all:
        raise RoleNeeded(role="operator")


def _completed(**of: UUID) -> Rows:
    return RequestRecord.objects.filter(completed_at__isnull=False, **of)


def page_details(records: Sequence[RequestRecord]) -> dict[str, Mapping[UUID, Any]]:
    """Return the context of a page of requests: names of users and credentials, and the audit entries."""
    users = [each.user_id for each in records if each.user_id is not None]
    credentials = [each.credential_id for each in records if each.credential_id is not None]
    return {
        "emails": dict(User.objects.filter(Q(pk__in=users)).values_list("pk", "email")),
        "credentials": dict(ApiToken.objects.filter(pk__in=credentials).values_list("pk", "name")),
        "deeds": _deeds(records),
    }


def _deeds(records: Sequence[RequestRecord]) -> dict[UUID, list[AuditEntry]]:
    """Return the audit entries by request. Several requests may have the same id, so the time of the entry decides."""
    if not records:
        return {}
    ends = [each.completed_at for each in records if each.completed_at is not None]
    within = (min(each.opened_at for each in records), max(ends))
    named_so = {each.request_id for each in records}
    named = defaultdict(list)
    for entry in AuditEntry.objects.filter(request_id__in=named_so, created_at__range=within).order_by("pk"):
        named[entry.request_id, entry.credential_id].append(entry)
    return {
        each.pk: [entry for entry in named[each.request_id, each.credential_id] if _is_of(entry, each)]
        for each in records
    }


def _is_of(entry: AuditEntry, record: RequestRecord) -> bool:
    """Return True for an entry of the request that the reader of the request may see: for a request in a project or an
    organization only entries about that.
    """
    is_within = record.completed_at is not None and record.opened_at <= entry.created_at <= record.completed_at
    is_of_project = record.project_id is None or entry.project_id in (None, record.project_id)
    is_of_organization = record.organization_id is None or entry.organization_id in (None, record.organization_id)
    return is_within and is_of_project and is_of_organization


# ── exports ───────────────────────────────────────────────────────────────────────────────────────


def exported(rows: Rows, write: Callable[[Sequence[ExportedRequest]], bytes]) -> Iterator[bytes]:
    """Yield the requests in batches, in the order of their completion; later completions are not included.

    Raises:
        AuditTooLong: before anything is written.
    """
    rows = rows.filter(completed_at__lt=clock.now())
    if rows[EXPORT_MAX : EXPORT_MAX + 1].exists():
        raise AuditTooLong(limit=EXPORT_MAX)
    return _exported(rows.order_by("completed_at", "pk"), write)


def _exported(rows: Rows, write: Callable[[Sequence[ExportedRequest]], bytes]) -> Iterator[bytes]:
    after, left = Q(), EXPORT_MAX
    while left and (records := list(rows.filter(after)[: min(CHUNK, left)])):
        yield write(request_log_batches.exported_requests(records))
        last = records[-1]
        after = Q(completed_at__gt=last.completed_at) | Q(completed_at=last.completed_at, pk__gt=last.pk)
        left -= len(records)


def as_json_lines(lines: Sequence[ExportedRequest]) -> bytes:
    return b"".join(line.as_bytes() + b"\n" for line in lines)


def as_csv(lines: Sequence[ExportedRequest]) -> bytes:
    """Yield the rows below csv_header()."""
    return _table(
        map(_cell, [*(line.document[name] for name in request_log_batches.NAMES), *_place(line)]) for line in lines
    )


def csv_header() -> bytes:
    return _table([[*request_log_batches.NAMES, "evidence", "evidence_seq", "evidence_index"]])


def _place(line: ExportedRequest) -> list[object]:
    return [line.covered.record, line.covered.seq, line.covered.index] if line.covered is not None else [None] * 3


def _cell(value: object) -> object:
    if isinstance(value, list):
        return " ".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _table(rows: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
