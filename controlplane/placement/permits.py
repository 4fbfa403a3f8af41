"""Permits for work on a node: a row that requests one from the signer, and the signed document.

A worker requests a permit when an operation needs one, and again when the permit has expired. The row is the request;
the message to the signer is a wake-up, which may be lost (the signer polls the rows) and grants nothing.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, NoReturn
from uuid import UUID

from django.db.models import Expression, Q, QuerySet

from andromede_core.documents import signed
from andromede_core.documents.canonical import dumps
from andromede_core.permits import permit as core
from controlplane.kernel import clock, error_messages
from controlplane.kernel.multi_insert import insert
from controlplane.kernel.prepared_queries import Prepared, preparing_cursor
from controlplane.kernel.wakeups import send_wakeup
from controlplane.operations import lease_guard
from controlplane.operations.models import Operation
from controlplane.placement.errors import SignerSilent
from controlplane.placement.models import OPEN, Decision, Permit, PolicyDocument
from controlplane.placement.selectors import DecisionVersions

SIGN = "controlplane.signer.tasks.sign_requested", "signer"
COSIGN = "controlplane.signer.tasks.cosign_signed", "sentinel"
PATIENCE_S = 1.0
# An answer takes some 15 ms, so the first polls are short and later ones longer.
POLL_FIRST_S, POLL_MAX_S, POLL_GROWTH = 0.004, 0.05, 1.4
# Before this time, the first wake-up may still be under way.
WAKE_UP_INTERVAL = timedelta(milliseconds=400)
# A permit that ends sooner than this is not used; a refusal stays valid for so long.
MARGIN = timedelta(seconds=10)
# Signed permits that do not end soon and whose inputs have not changed since.
VALID = """
SELECT permit.id, EXISTS (SELECT FROM operations_operation WHERE id = permit.operation_id AND lease_token = %s)
FROM placement_permit AS permit
    JOIN placement_decision AS decision ON decision.id = permit.decision_id
    JOIN identity_project AS project ON project.id = permit.project_id
WHERE permit.operation_id = %s AND permit.op = %s AND permit.resource_id = %s AND permit.generation = %s
    AND permit.node_id = %s AND permit.state = 'signed' AND permit.expires_at > %s
    AND decision.is_admitted AND (decision.valid_until IS NULL OR decision.valid_until > %s)
    AND decision.facts_epoch = (SELECT value FROM catalog_factsepoch WHERE id = 1)
    AND decision.platform_version = (SELECT version FROM placement_policyhead WHERE organization_id IS NULL)
    AND decision.organization_version = (
        SELECT version FROM placement_policyhead AS head WHERE head.organization_id = project.organization_id
    )
ORDER BY permit.created_at DESC LIMIT 1
"""


@dataclass(frozen=True)
class IssuedPermit:
    """A permit as sent to the node, and the policies (canonical JSON) that it was issued for.

    `epoch`: of the facts that it rests on, which the node needs. `sentinel_signature`: empty where no sentinel had to
    sign.
    """

    jti: UUID
    document: bytes
    sentinel_signature: bytes
    policies: bytes
    epoch: int


@dataclass(frozen=True)
class PermitKey:
    """The purpose of a permit. `op`: of the operation's kind, or a part of it (roles.PART_OF). `part_id`: the resource,
    if it is not the operation's.
    """

    operation: Operation
    op: str
    node_id: UUID
    generation: int
    part_id: UUID | None = None

    @property
    def resource_id(self) -> UUID:
        return self.part_id or self.operation.resource_id


def find_valid(key: PermitKey) -> IssuedPermit | None:
    """Return the operation's permit for this purpose, if it is still valid everywhere."""
    began, now, operation = time.monotonic(), clock.now(), key.operation
    named = (operation.pk, key.op, key.resource_id, key.generation, key.node_id)
    with preparing_cursor() as cursor:
        cursor.execute(VALID, (operation.lease_token, *named, now + MARGIN, now))
        row = cursor.fetchone()
    if row is None:
        return None
    permit_id, is_leased = row
    issued = _issued_permit(permit_id)
    if is_leased:
        lease_guard.record_lease_read(began)
    return issued


def obtain_permit(key: PermitKey, *, decide: Callable[[], UUID]) -> IssuedPermit:
    """Request a permit, unless a request exists, and wait a moment for the answer.

    `decide` gives the decision of the request.

    Raises:
        SignerSilent: the signer, or the sentinel, has not answered yet; another call finds the request or its answer.
        CloudError: one of them refused, with the error that states why.
    """
    permit = request_permit(key, decide=decide)
    state = permit.state if permit.state == "refused" else _answered(permit.pk)
    if state != "signed" and state != "refused":
        raise SignerSilent(process="signer" if state == "requested" else "sentinel")
    if state == "refused":
        _raise_refusal(permit.pk)
    return _issued_permit(permit.pk)


def request_permit(key: PermitKey, *, decide: Callable[[], UUID]) -> Permit:
    """Request a permit without waiting, outside any transaction.

    It finds a request that exists already, and a recent refusal.
    """
    now = clock.now()
    operation = key.operation
    permit = FRESH.first(*_named(key).values(), now - MARGIN)
    if permit is None:
        assert operation.project_id is not None, "what is of no project gives nodes nothing"
        project_id, decision_id = operation.project_id, decide()
        permit = Permit(**_named(key), project_id=project_id, decision_id=decision_id)
        insert(permit)
        wake_up_next(permit.pk)
    elif permit.state in OPEN and permit.created_at < now - WAKE_UP_INTERVAL:
        wake_up_next(permit.pk, state=permit.state)
    return permit


def invalidate(jti: UUID) -> None:
    """Mark the permit as rejected by the node: it is not found again."""
    Permit.objects.filter(pk=jti, expires_at__gt=clock.now()).update(expires_at=clock.now(), updated_at=clock.now())


def is_current(decision: Decision, standing: DecisionVersions) -> bool:
    """Tell if no input of the decision has changed since, or expired."""
    rests_on = DecisionVersions(decision.facts_epoch, decision.platform_version, decision.organization_version)
    is_lapsed = decision.valid_until is not None and decision.valid_until <= clock.now()
    return decision.is_admitted and rests_on == standing and not is_lapsed


def wake_up_next(permit_id: UUID, *, state: str = "requested") -> None:
    """Wake up the process that answers next. Never fails: the row is written already."""
    send_wakeup(COSIGN if state == "cosigning" else SIGN, [str(permit_id)])


NAMED = ("operation_id", "op", "resource_id", "generation", "node_id")


def _fresh(*named: Expression) -> QuerySet[Permit]:
    *values, since = named
    is_fresh = Q(state__in=OPEN) | Q(state="refused", updated_at__gt=since)
    rows = Permit.objects.filter(is_fresh, **dict(zip(NAMED, values, strict=True)))
    return rows.order_by("-created_at")[:1]


FRESH = Prepared(_fresh)


def _named(key: PermitKey) -> dict[str, Any]:
    values = (key.operation.pk, key.op, key.resource_id, key.generation, key.node_id)
    return dict(zip(NAMED, values, strict=True))


def _answered(permit_id: UUID) -> str:
    """Return the permit's state once all have answered, or when the wait is over."""
    until, pause = time.monotonic() + PATIENCE_S, POLL_FIRST_S
    while True:
        with preparing_cursor() as cursor:
            cursor.execute("SELECT state FROM placement_permit WHERE id = %s", [permit_id])
            state: str = cursor.fetchone()[0]
        if state not in OPEN or time.monotonic() >= until:
            return state
        time.sleep(pause)
        pause = min(pause * POLL_GROWTH, POLL_MAX_S)


@lru_cache(maxsize=1024)
def _issued_permit(permit_id: UUID) -> IssuedPermit:
    """Return a signed permit, which never changes."""
    row = Permit.objects.only("document", "sentinel_signature").get(pk=permit_id)
    document, sentinel_signature = bytes(row.document or b""), bytes(row.sentinel_signature or b"")
    permit = core.parse(signed.read(document).payload)
    return IssuedPermit(permit_id, document, sentinel_signature, _policies(permit.policy_digest), permit.epoch)


@lru_cache(maxsize=256)
def _policies(digest: str) -> bytes:
    """Return the policies by their digest, so they never change either."""
    return dumps(PolicyDocument.objects.values_list("document", flat=True).get(pk=digest))


def _raise_refusal(permit_id: UUID) -> NoReturn:
    """Raise the error of the signer, as it would have been raised here."""
    raise error_messages.error_from_document(Permit.objects.values_list("error", flat=True).get(pk=permit_id) or {})
