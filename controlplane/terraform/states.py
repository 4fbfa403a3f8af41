"""States: storage and state locks for Terraform's `http` backend."""

import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max, QuerySet, Sum

from andromede_core.documents.messages import Message
from controlplane.audit.services import record
from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.identity.row_locks import lock_project
from controlplane.kernel import clock, free_space
from controlplane.kernel.encryption import DecryptionFailed, decrypt, encrypt
from controlplane.kernel.names import check_name
from controlplane.kernel.units import MIB, in_whole
from controlplane.quotas import services as quotas
from controlplane.terraform.errors import (
    StateLocked,
    StateMalformed,
    StateNotFound,
    StateNotLocked,
    StatesExhausted,
    StateUnreadable,
    StateVersionNotFound,
)
from controlplane.terraform.models import TerraformState, TerraformStateVersion

STATES_MAX = 100
VERSIONS_KEPT = 30
STATE_MAX_BYTES = 16 * 2**20
SERIAL_MAX = 2**63 - 1
PURPOSE = "terraform state"
Lock = Mapping[str, Any]


def states(actor: Actor, project: Project) -> QuerySet[TerraformState]:
    """Return the states without their contents."""
    return TerraformState.objects.filter(project=project).annotate(version=Max("terraformstateversion__number"))


def state_get(actor: Actor, project: Project, name: str) -> TerraformState:
    """Return a state by name: its users' configuration has the name.

    Raises:
        StateNotFound
    """
    state = states(actor, project).filter(name=name).first()
    if state is None:
        raise StateNotFound(name=name)
    return state


def versions(state: TerraformState) -> QuerySet[TerraformStateVersion]:
    return TerraformStateVersion.objects.filter(state=state)


def state_read(actor: Actor, state: TerraformState, *, number: int | None = None) -> bytes:
    """Return the version as Terraform wrote it; None: the newest.

    Raises:
        RoleNeeded: states contain secrets, so only roles that write may read them.
        StateVersionNotFound, StateUnreadable
    """
    actor.may_write()
    rows = versions(state).order_by("-number")
    version = (rows if number is None else rows.filter(number=number)).first()
    if version is None and number is None:
        raise StateNotFound(name=state.name)  # locked, and never written
    if version is None:
        raise StateVersionNotFound(name=state.name, number=number)
    try:
        return decrypt(bytes(version.encrypted_content), purpose=PURPOSE, row_id=version.pk)
    except DecryptionFailed as exc:
        raise StateUnreadable(name=state.name) from exc


def need_room() -> None:
    """Raise InsufficientStorage when the database's disk is nearly full. Not inside a transaction."""
    free_space.require_free_space(settings.DATABASE_DIR)


@transaction.atomic
def state_write(
    actor: Actor, project: Project, name: str, content: bytes, *, lock_id: str | None
) -> TerraformStateVersion:
    """Store a new version; the oldest are deleted when there are more than VERSIONS_KEPT.

    Raises:
        StateMalformed, InvalidName, StatesExhausted, QuotaExceeded
        StateLocked: another client has the lock, or `lock_id` is missing while there is one.
        StateNotLocked: `lock_id` is given, and there is no lock.
    """
    actor.may_write()
    serial = _serial(content)
    state = _locked_row(project, name)
    _need_lock(state, lock_id)
    number = (versions(state).aggregate(last=Max("number"))["last"] or 0) + 1
    version = TerraformStateVersion(
        state=state,
        number=number,
        serial=serial,
        size_bytes=len(content),
        user_id=actor.user_id,
        credential_id=actor.credential_id,
    )
    version.encrypted_content = encrypt(content, purpose=PURPOSE, row_id=version.pk)
    version.save(force_insert=True)
    versions(state).filter(number__lte=number - VERSIONS_KEPT).delete()
    TerraformState.objects.filter(pk=state.pk).update(updated_at=clock.now())
    record(actor, "terraform_state.write", state.pk, project_id=project.pk, name=name, number=number, serial=serial)
    kept_bytes = versions(state).aggregate(sum=Sum("size_bytes"))["sum"]
    quotas.claim(project.pk, state.pk, state_mib=in_whole(kept_bytes, MIB))
    return version


@transaction.atomic
def state_delete(actor: Actor, state: TerraformState) -> None:
    """Delete a state with all its versions. The resources that it describes stay.

    Raises:
        StateLocked
    """
    actor.may_write()
    row = _locked_row(state.project, state.name)
    _need_lock(row, None)
    record(actor, "terraform_state.delete", row.pk, project_id=row.project_id, name=row.name)
    quotas.release(row.pk)
    row.delete()


@transaction.atomic
def state_lock(actor: Actor, project: Project, name: str, lock: Lock) -> TerraformState:
    """Lock a state; repeating with the same ID changes nothing. A state need not exist to be locked.

    Raises:
        StateLocked, InvalidName, StatesExhausted
    """
    actor.may_write()
    state = _locked_row(project, name)
    if state.lock is None:
        state.lock, state.locked_at = dict(lock), clock.now()
        state.save(update_fields=["lock", "locked_at"])
    elif state.lock["ID"] != lock["ID"]:
        raise _lock_conflict(state)
    return state


@transaction.atomic
def state_unlock(actor: Actor, state: TerraformState, *, lock_id: str | None) -> TerraformState:
    """Unlock a state; without a lock, nothing changes. `lock_id` None: any lock is ended, which is audited.

    Raises:
        StateLocked: another client has the lock.
    """
    actor.may_write()
    row = _locked_row(state.project, state.name)
    if row.lock is None:
        return row
    if lock_id is not None and row.lock["ID"] != lock_id:
        raise _lock_conflict(row)
    if lock_id is None:
        record(actor, "terraform_state.force_unlock", row.pk, project_id=row.project_id, lock_id=row.lock["ID"])
    row.lock, row.locked_at = None, None
    row.save(update_fields=["lock", "locked_at"])
    return row


def _locked_row(project: Project, name: str) -> TerraformState:
    """Return the locked row of the state of this name, created if missing; concurrent transactions wait."""
    rows = TerraformState.objects.select_for_update(of=("self",)).select_related("project")
    row = rows.filter(project=project, name=name).first()
    if row is not None:
        return row
    check_name(name)
    lock_project(project)
    if TerraformState.objects.filter(project=project).count() >= STATES_MAX:
        raise StatesExhausted(limit=STATES_MAX)
    TerraformState.objects.bulk_create([TerraformState(project=project, name=name)], ignore_conflicts=True)
    return rows.get(project=project, name=name)


def _need_lock(state: TerraformState, lock_id: str | None) -> None:
    if state.lock is not None and state.lock["ID"] != lock_id:
        raise _lock_conflict(state)
    if state.lock is None and lock_id is not None:
        raise StateNotLocked(name=state.name)


def _lock_conflict(state: TerraformState) -> StateLocked:
    lock = state.lock or {}
    return StateLocked(
        lock,
        name=state.name,
        who=lock.get("Who") or "-",
        operation=lock.get("Operation") or "-",
        since=lock.get("Created") or state.locked_at,
        lock_id=lock["ID"],
    )


def _serial(content: bytes) -> int:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise StateMalformed(reason=Message("it is not JSON.")) from exc
    serial = document.get("serial") if isinstance(document, dict) else None
    if not isinstance(serial, int) or isinstance(serial, bool) or not 0 <= serial <= SERIAL_MAX:
        raise StateMalformed(reason=Message("it has no serial number."))
    return serial
