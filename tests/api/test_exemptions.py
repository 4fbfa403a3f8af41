"""Break-glass over HTTP, from the refusal to the node's receipt."""

import base64
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from andromede_core.documents import signed
from andromede_core.permits import permit
from controlplane.audit.log_key import create_log_key
from controlplane.audit.models import EvidenceRecord
from controlplane.compute.models import Instance
from controlplane.identity.models import ApiToken, Project
from controlplane.kernel import clock
from controlplane.placement.models import Exemption, Permit
from controlplane.placement.policies import policy_set
from controlplane.storage.models import Volume
from tests import facts
from tests.api.client import Answer, Caller
from tests.api.conftest import finish
from tests.api.tokens import make_token
from tests.approvers import OFFICER, OPERATOR, Person, appoint, person
from tests.services.audit.exports import verdict
from tests.services.audit.receipts import record_receipts
from tests.services.audit.test_whole_export import exported
from tests.services.compliance.test_drift import HELD, certificate
from tests.world import Cloud

INSTANCE = {"name": "web", "flavor": "tiny", "image": "tiny", "networks": ["lan"]}
VOLUME = {"name": "data", "size_gib": 1}


@pytest.fixture
def suspended(cloud: Cloud) -> Cloud:
    """The only zone has lost, for now, what the project's policy wants."""
    facts.officer()
    cloud.world.publish_keys()
    facts.state_of("zone", "fr-idf-1", {"certifications": [certificate(days=1000, status="suspended")]})
    policy_set(cloud.tenant.actor, clauses=[HELD], project=cloud.tenant.project)
    return cloud


@pytest.fixture
def approvers(suspended: Cloud, operator: Caller) -> dict[str, tuple[Person, Caller]]:
    """Both with keys that the keyset knows, and with tokens of their own."""
    otto = person("otto", user_id=ApiToken.objects.latest("created_at").user_id)
    officer = Caller(token=make_token(suspended.tenant.project, role=OFFICER), project="alpha")
    owner, user = suspended.tenant.project.organization_id, ApiToken.objects.latest("created_at").user_id
    olga = person("olga", user_id=user, organization_id=owner)
    appoint(suspended.world.root, {olga: OFFICER, otto: OPERATOR})
    return {OFFICER: (olga, officer), OPERATOR: (otto, operator)}


def ask(api: Caller, refused: Answer) -> Any:
    assert refused.problem[:2] == (422, "policy_unsatisfiable")
    body = {"decision": refused.body["placement_decision"], "zone": "fr-idf-1", "reason": "the flood"}
    answer = api.post("/v1/exemptions", body)
    assert answer.status == 201
    return answer.body


def approve(approvers: dict[str, tuple[Person, Caller]], exemption: Any) -> None:
    for duty, (who, caller) in approvers.items():
        to_sign = caller.get(f"/v1/exemptions/{exemption['id']}").body["to_sign"][duty]
        signature = base64.b64encode(who.key.sign(base64.b64decode(to_sign))).decode()
        approval = {"duty": duty, "key_id": who.key_id, "signature": signature}
        assert caller.post(f"/v1/exemptions/{exemption['id']}/actions/approve", approval).status == 200


@pytest.mark.parametrize(("path", "body", "model"), [("instances", INSTANCE, Instance), ("volumes", VOLUME, Volume)])
def test_refused_resource_is_created_under_an_exemption(
    api: Caller,
    suspended: Cloud,
    approvers: dict[str, tuple[Person, Caller]],
    path: str,
    body: dict[str, Any],
    model: type[Instance] | type[Volume],
) -> None:
    exemption = ask(api, api.post(path, body))
    named = {**body, "exemption": exemption["id"]}
    assert api.post(path, named).problem == (409, "placement.exemption.unsigned", "/exemption")
    approve(approvers, exemption)
    created = api.post(path, named)
    assert (created.status, [created.body["id"]]) == (201, exemption["resource_ids"])
    finish(created)
    assert model.objects.get(pk=created.body["id"]).node_id is not None
    (row,) = Permit.objects.filter(resource_id=created.body["id"])
    carried = permit.parse(signed.read(bytes(row.document or b"")).payload).exemption
    assert carried is not None
    assert (carried.terms.id, len(carried.approvals)) == (exemption["id"], 2)
    assert Exemption.objects.get().use_count == 1
    record_receipts(suspended.machine)
    assert EvidenceRecord.objects.filter(kind="receipt", subject_id=row.pk).exists()
    counts = {(row["asked"], row["approved"], row["used"], row["uses"]) for row in reports(api, approvers)}
    assert counts == {(1, 1, 1, 1)}, "to the project, the organization's officer and the operator"
    repeated = api.post(path, {**named, "name": "again"})
    assert repeated.problem == (409, "placement.exemption.spent", "/exemption")


def test_export_of_exempted_resources_is_verified(
    api: Caller, suspended: Cloud, approvers: dict[str, tuple[Person, Caller]], tmp_path: Path
) -> None:
    create_log_key(suspended.world.folder / "pki")
    exemption = ask(api, api.post("volumes", VOLUME))
    approve(approvers, exemption)
    finish(api.post("volumes", {**VOLUME, "exemption": exemption["id"]}))
    record_receipts(suspended.machine)
    result = verdict(exported(suspended, tmp_path))
    assert result.status == 0, result.out


def reports(api: Caller, approvers: dict[str, tuple[Person, Caller]]) -> list[Any]:
    callers = [api, *(caller for _, caller in approvers.values())]
    return [caller.get("/v1/exemptions/report").body for caller in callers]


def test_report_covers_only_visible_organizations(api: Caller, suspended: Cloud, stranger: Caller) -> None:
    ask(api, api.post("volumes", VOLUME))
    assert api.get("/v1/exemptions/report").body["asked"] == 1
    assert stranger.get("/v1/exemptions/report").body["asked"] == 0
    other = Project.objects.create(organization=suspended.tenant.project.organization, name="other")
    officer = Caller(token=make_token(other, role=OFFICER), project="other")
    assert officer.get("/v1/exemptions/report").body["asked"] == 1, "of all projects of the organization"
    assert api.get("/v1/exemptions/report?quarter=2020-Q1").body["asked"] == 0
    assert api.get("/v1/exemptions/report?quarter=soon").problem == (400, "invalid_parameter", "quarter")


def test_exemption_is_valid_for_one_operation_of_one_project(
    api: Caller,
    suspended: Cloud,
    approvers: dict[str, tuple[Person, Caller]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exemption = ask(api, api.post("volumes", VOLUME))
    approve(approvers, exemption)
    other = api.post("instances", {**INSTANCE, "exemption": exemption["id"]})
    assert other.problem == (422, "placement.exemption.for_other", "/exemption")
    unknown = api.post("instances", {**INSTANCE, "exemption": "none"})
    assert unknown.problem == (422, "placement.exemption.not_found", "/exemption")
    later = clock.now() + timedelta(hours=5)
    monkeypatch.setattr(clock, "now", lambda: later)
    over = api.post("volumes", {**VOLUME, "exemption": exemption["id"]})
    assert over.problem == (409, "placement.exemption.over", "/exemption")
