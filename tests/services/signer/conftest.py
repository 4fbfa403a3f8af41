"""An operation that waits for its permit: only the signer's answer is missing."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import pytest

from andromede_core.documents import signed
from andromede_core.permits import permit as core
from controlplane.kernel import wakeups
from controlplane.operations.models import Operation
from controlplane.placement import permits
from controlplane.placement.models import Binding, Permit
from controlplane.signer import permits as signer
from tests.roles import as_role
from tests.workflows.helpers import ask_instance
from tests.world import Cloud, Signer, run

STATE = "etat-sensible"


@dataclass(frozen=True)
class Waiting:
    """A waiting operation. `row` is the request of its permit."""

    cloud: Cloud
    operation: Operation
    row: Permit

    def signed(self) -> core.Permit:
        """Return the signer's permit; fails on a refusal."""
        row = self.answered()
        assert row.state == "signed", row.error
        return payload_of(row)

    def refused(self) -> str:
        """Return the code of the signer's refusal; nothing is signed."""
        row = self.answered()
        assert (row.state, row.document, row.expires_at) == ("refused", None, None)
        assert row.error is not None
        return str(row.error["code"])

    def answered(self) -> Permit:
        with as_role("signer"):
            signer.sign(self.row.pk)
        return fresh(self.row.pk)


def fresh(permit_id: UUID) -> Permit:
    return Permit.objects.select_related("decision").get(pk=permit_id)


def payload_of(row: Permit) -> core.Permit:
    return core.parse(signed.read(bytes(row.document or b"")).payload)


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the signer from answering by itself."""
    monkeypatch.setattr(permits, "PATIENCE_S", 0)


@pytest.fixture
def wait_for(cloud: Cloud, silent: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[Operation], Waiting]:
    def wait(operation: Operation) -> Waiting:
        monkeypatch.setattr(wakeups, "current_app", Signer(permits.SIGN, permits.COSIGN))
        assert run(operation).state == "running"
        return Waiting(cloud, operation, Permit.objects.get(operation_id=operation.pk))

    return wait


@pytest.fixture
def waiting(cloud: Cloud, wait_for: Callable[[Operation], Waiting]) -> Waiting:
    """Return the creation of an instance, after its placement."""
    return wait_for(ask_instance(cloud)[1])


@pytest.fixture
def cosigning(waiting: Waiting) -> Waiting:
    """Return a signed permit for sensitive data, which needs the sentinel."""
    Binding.objects.update_or_create(
        resource_id=waiting.operation.resource_id,
        defaults={"kind": "instance", "project": waiting.cloud.tenant.project, "classifications": [STATE]},
    )
    with as_role("signer"):
        signer.sign(waiting.row.pk)
    row = fresh(waiting.row.pk)
    assert (row.state, row.sentinel_signature) == ("cosigning", None), row.error
    return waiting
