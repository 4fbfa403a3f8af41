"""Append a record, inside the caller's transaction."""

from uuid import UUID

from controlplane.audit.models import AuditRecord
from controlplane.identity.actor import Actor


def record(actor: Actor, verb: str, resource_id: UUID, *, project_id: UUID | None = None, **facts: object) -> None:
    """`facts` are JSON values and hold no secret."""
    AuditRecord.objects.create(
        verb=verb,
        resource_id=resource_id,
        project_id=project_id or actor.project_id,
        user_id=actor.user_id,
        credential_id=actor.credential_id,
        request_id=actor.request_id,
        facts=facts,
    )
