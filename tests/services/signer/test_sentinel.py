"""The sentinel signs only what it has decided itself, and every node requires its signature."""

from dataclasses import replace
from typing import Any

import pytest

from andromede_core.documents import signed
from andromede_core.permits.permit import KIND
from controlplane.audit.models import EvidenceRecord
from controlplane.catalog import epochs
from controlplane.placement.models import Permit
from controlplane.signer import floors, sentinel
from controlplane.signer import permits as signer
from tests.roles import as_role
from tests.services.signer.conftest import STATE, Waiting, fresh, payload_of
from tests.world import run_next_attempt

pytestmark = pytest.mark.django_db


def cosigned(waiting: Waiting) -> Permit:
    with as_role("sentinel"):
        sentinel.cosign(waiting.row.pk)
    return fresh(waiting.row.pk)


def forged(waiting: Waiting, **changes: Any) -> None:
    """The signer itself has signed something else."""
    row = fresh(waiting.row.pk)
    permit = replace(payload_of(row), **changes)
    document = waiting.cloud.world.signer.sign(KIND, permit.payload()).document()
    Permit.objects.filter(pk=row.pk).update(document=document)


def refused(waiting: Waiting) -> str:
    row = cosigned(waiting)
    assert (row.state, row.sentinel_signature) == ("refused", None)
    assert row.error is not None
    return str(row.error["code"])


def test_cosigned_permit_is_executed_and_recorded(cosigning: Waiting) -> None:
    row = cosigned(cosigning)
    assert row.state == "signed", row.error
    key_id = signed.read(bytes(row.sentinel_signature or b"")).key_id
    assert key_id.startswith("sentinel-")
    assert run_next_attempt(cosigning.operation).state == "succeeded"
    kinds = EvidenceRecord.objects.filter(resource_id=row.resource_id).values_list("kind", flat=True)
    assert {"permit", "cosignature"} <= set(kinds)


def test_other_classifications_need_no_sentinel(waiting: Waiting) -> None:
    assert waiting.signed().classifications == ()
    assert fresh(waiting.row.pk).sentinel_signature is None


def test_operation_waits_for_the_sentinel_with_a_message(cosigning: Waiting) -> None:
    operation = run_next_attempt(cosigning.operation)
    assert operation.state == "running"
    assert "waits for the sentinel" in str(operation.steps)
    assert not cosigning.cloud.machine.fake.volumes
    assert sentinel.cosign_all() == 1
    assert run_next_attempt(cosigning.operation).state == "succeeded"


def test_permit_waits_for_the_sentinel_key(cosigning: Waiting) -> None:
    folder = cosigning.cloud.world.folder / "pki"
    (folder / "sentinel.key").rename(folder / "kept")
    assert cosigned(cosigning).state == "cosigning"
    (folder / "kept").rename(folder / "sentinel.key")
    assert cosigned(cosigning).state == "signed"


@pytest.mark.parametrize(
    "changes",
    [
        {"policy_digest": "0" * 64},
        {"classifications": (STATE, "public")},
        {"roles": ("compute",)},
        {"project": "019abc00-0000-7000-8000-000000000000"},
        {"gen": 7},
    ],
)
def test_permit_that_the_sentinel_refuses_is_an_incident(cosigning: Waiting, changes: dict[str, Any]) -> None:
    forged(cosigning, **changes)
    assert refused(cosigning) == "permit.disputed"
    incident = EvidenceRecord.objects.get(kind="incident", document__contains="permit-disputed")
    assert str(cosigning.row.pk) in (incident.document or "")
    operation = run_next_attempt(cosigning.operation)
    assert (operation.state, operation.error["code"]) == ("failed", "permit.disputed")
    assert not cosigning.cloud.machine.fake.volumes


def test_a_permit_that_no_signer_signed_is_disputed(cosigning: Waiting) -> None:
    row = fresh(cosigning.row.pk)
    document = cosigning.cloud.world.root.sign(KIND, payload_of(row).payload()).document()
    Permit.objects.filter(pk=row.pk).update(document=document)
    assert refused(cosigning) == "permit.disputed"


def test_outdated_permit_is_void_and_requested_anew(cosigning: Waiting) -> None:
    before = payload_of(fresh(cosigning.row.pk)).epoch
    epochs.advance()
    assert cosigned(cosigning).state == "void"
    assert run_next_attempt(cosigning.operation).state == "running"
    new = Permit.objects.get(operation_id=cosigning.operation.pk, state="requested")
    signer.sign(new.pk)
    sentinel.cosign(new.pk)
    assert payload_of(fresh(new.pk)).epoch == before + 1
    floors.sign_missing_floors()
    assert run_next_attempt(cosigning.operation).state == "succeeded"


def test_a_permit_is_cosigned_once(cosigning: Waiting) -> None:
    before = cosigned(cosigning)
    assert cosigned(cosigning).sentinel_signature == before.sentinel_signature
    assert EvidenceRecord.objects.filter(kind="cosignature").count() == 1


def test_node_refuses_a_permit_without_the_sentinel_signature(
    cosigning: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    Permit.objects.filter(pk=cosigning.row.pk).update(state="signed")
    operation = run_next_attempt(cosigning.operation)
    assert "not_cosigned" in str(operation.steps) + str(operation.error)
    assert not cosigning.cloud.machine.fake.volumes
