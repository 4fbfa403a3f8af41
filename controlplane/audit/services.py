"""Append a record, inside the caller's transaction."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Model

from controlplane.audit.models import AuditRecord
from controlplane.audit.requests import touched
from controlplane.events.services import told_deed
from controlplane.identity.actor import Actor
from controlplane.kernel.inserts import insert


def record(actor: Actor, verb: str, resource_id: UUID, *, project_id: UUID | None = None, **facts: object) -> None:
    """`facts` are JSON values and hold no secret. Those who follow events hear of it."""
    insert(*deed(actor, verb, resource_id, project_id=project_id, **facts))


def deed(actor: Actor, verb: str, resource_id: UUID, *, project_id: UUID | None = None, **facts: object) -> list[Model]:
    """What record() writes, for the caller to insert() with other rows."""
    return _rows(actor, verb, resource_id, project_id or actor.project_id, facts)


def record_in_all(actor: Actor, verb: str, resource_id: UUID, *, project_ids: Iterable[UUID], **facts: object) -> None:
    """One deed that concerns several projects, told in each of them; if there is none, told once all the same."""
    places: list[UUID | None] = [*project_ids]
    for place in places or [None]:
        insert(*_rows(actor, verb, resource_id, place, facts))


def _rows(actor: Actor, verb: str, resource_id: UUID, place: UUID | None, facts: dict[str, object]) -> list[Model]:
    told = told_deed(actor, verb, resource_id, project_id=place, facts=facts)
    return [_record(actor, verb, resource_id, place, facts), *told]


def _record(
    actor: Actor, verb: str, resource_id: UUID, project_id: UUID | None, facts: dict[str, object]
) -> AuditRecord:
    touched(resource_id)
    return AuditRecord(
        verb=verb,
        resource_id=resource_id,
        project_id=project_id,
        user_id=actor.user_id,
        credential_id=actor.credential_id,
        request_id=actor.request_id,
        facts=facts,
    )
