"""Compliance drift, its forecast, and exemptions, over HTTP."""

import base64
from datetime import datetime, timedelta
from typing import Any

from controlplane.catalog.models import Image
from controlplane.compute.models import Instance
from controlplane.identity.models import ApiToken
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.placement.policies import policy_set
from controlplane.reconcilers import compliance_drift, image_files, remediation
from tests import facts
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.api.tokens import make_token
from tests.approvers import OFFICER, appoint, person
from tests.services import policies
from tests.services.compliance.test_drift import HELD, certificate
from tests.world import Cloud, make_image


def certified(cloud: Cloud, status: str = "valid") -> None:
    facts.state_of("zone", "fr-idf-1", {"certifications": [certificate(days=1000, status=status)]})


def test_drift_is_listed_with_failing_clauses_and_a_plan(api: Caller, cloud: Cloud, instance: Instance) -> None:
    officer = policies.officer(cloud.tenant.project)
    certified(cloud)
    policy_set(cloud.tenant.actor, clauses=[HELD], project=cloud.tenant.project)
    compliance_drift.reconcile()
    assert [row["state"] for row in api.get("/v1/drift").body["items"]] == ["compliant"]
    certified(cloud, "suspended")
    compliance_drift.reconcile()
    (row,) = api.get("/v1/drift?state=drifted").body["items"]
    assert row["name"] == "web"
    assert (row["resource_id"], row["zone"]) == (str(instance.pk), "fr-idf-1")
    assert [(clause["atom"], clause["code"]) for clause in row["failing"]] == [("snc", "CERT_SUSPENDED")]
    for own, elsewhere in (("project", new_id()), ("resource", new_id())):
        value = row[{"project": "project", "resource": "resource_id"}[own]]
        assert api.get(f"/v1/drift?{own}={value}").body["items"] == [row]
        assert api.get(f"/v1/drift?{own}={elsewhere}").body["items"] == []
        assert api.get(f"/v1/drift?{own}=alpha").status == 400
    refused = api.post("instances/web/actions/reboot")
    assert refused.problem[:2] == (422, "policy_unsatisfiable")
    assert refused.body["detail"].startswith(
        "The resource is in fr-idf-1, which project/snc does not admit. The certificate "
    )
    assert refused.body["facts"] == {"clauses": "project/snc", "zone": "fr-idf-1"}
    assert refused.body["placement_decision"]
    (plan,) = api.get("remediation-plans").body["items"]
    assert [item["resource_id"] for item in plan["items"]] == [str(instance.pk)]
    project = cloud.tenant.project
    assert plan["owner"] == {
        "project": str(project.pk),
        "organization": str(project.organization_id),
        "officers": [str(officer.user_id)],
    }
    since = datetime.fromisoformat(row["since"])
    assert datetime.fromisoformat(plan["items"][0]["deadline_at"]) == since + timedelta(days=30)
    approved = api.post(f"remediation-plans/{plan['id']}/actions/approve")
    assert (approved.status, approved.body["state"]) == (200, "approved")
    repeated = api.post(f"remediation-plans/{plan['id']}/actions/approve")
    assert repeated.problem[:2] == (409, "state_conflict")


def allowed(plan: dict[str, Any]) -> list[str]:
    return [action["name"] for action in plan["allowed_actions"] if action["is_allowed"]]


def test_plan_is_executed_and_paused_over_http(
    api: Caller, viewer: Caller, stranger: Caller, cloud: Cloud, instance: Instance
) -> None:
    certified(cloud)
    policy_set(cloud.tenant.actor, clauses=[HELD], project=cloud.tenant.project)
    certified(cloud, "suspended")
    compliance_drift.reconcile()
    (plan,) = api.get("remediation-plans").body["items"]
    url = f"remediation-plans/{plan['id']}"
    assert (plan["execution"], plan["items"][0]["state"], allowed(plan)) == ("idle", "waiting", ["approve"])
    refused = api.post(f"{url}/actions/execute")
    assert refused.problem[:2] == (409, "compliance.plan.not_approved")
    assert "Approve it first" in refused.body["detail"]
    assert allowed(api.post(f"{url}/actions/approve").body) == ["execute"]
    assert api.post(f"{url}/actions/pause").problem[:2] == (409, "compliance.plan.not_executed")
    assert api.post(f"{url}/actions/execute?dry_run=true").body["execution"] == "running"
    assert api.get(url).body["execution"] == "idle"
    path = f"/v1/projects/{cloud.tenant.project.pk}/{url}"
    for action in ("execute", "pause"):
        assert viewer.post(f"{path}/actions/{action}").status == 403
        assert stranger.post(f"{path}/actions/{action}").status == 404
    begun = api.post(f"{url}/actions/execute")
    assert (begun.status, begun.body["execution"], allowed(begun.body)) == (200, "running", ["pause"])
    assert begun.body["executed_by"] == str(cloud.tenant.actor.user_id)
    assert api.post(f"{url}/actions/execute").body["execution"] == "running"
    remediation.reconcile()
    (item,) = viewer.get(path).body["items"]
    assert (item["state"], item["operation"], item["next_try_at"]) == ("stays", None, None)
    assert item["reason"]["code"] == "compliance.plan.item_stays"
    french = api.get(url, Accept_Language="fr").body["items"][0]["reason"]["detail"]
    assert french.startswith("Reste dans sa zone") and "Arrêtez" in french
    paused = api.post(f"{url}/actions/pause").body
    assert (paused["execution"], paused["pause_reason"], allowed(paused)) == ("paused", None, ["execute"])
    assert api.post(f"{url}/actions/pause").status == 200


def test_copies_of_private_images_are_listed(api: Caller, stranger: Caller, cloud: Cloud) -> None:
    own = make_image(cloud.world.folder / "images", name="own", project=cloud.tenant.project)
    Image.objects.exclude(pk=own.pk).delete()
    finish(api.post("volumes", {"name": "data", "size_gib": 1, "image": "own"}))
    image_files.reconcile()
    (row,) = api.get("/v1/drift/images?state=compliant").body["items"]
    assert row["name"] == "own"
    assert (row["resource_id"], row["kind"], row["zone"]) == (str(own.pk), "image", "fr-idf-1")
    assert stranger.get("/v1/drift/images").body["items"] == []


def test_lost_certificate_simulation_lists_broken_resources(api: Caller, cloud: Cloud, instance: Instance) -> None:
    certified(cloud)
    policy_set(cloud.tenant.actor, clauses=[HELD], project=cloud.tenant.project)
    lost = api.post("/v1/policy/simulate", {"lost_certificates": [{"zone": "fr-idf-1", "number": "SNC-1"}]})
    assert [row["resource_id"] for row in lost.body["broken"]] == [str(instance.pk)]
    assert lost.body["broken"][0]["failing"][0]["code"] == "CERT_WITHDRAWN"
    assert lost.body["lost_zones"] == [{"project": str(cloud.tenant.project.pk), "zones": ["fr-idf-1"]}]
    later = (clock.now() + timedelta(days=1001)).isoformat()
    assert api.post("/v1/policy/simulate", {"at": later}).body["broken"]
    assert api.post("/v1/policy/simulate", {}).body["broken"] == []
    forgotten = {"subject_kind": "zone", "subject_id": "fr-idf-1", "attribute": "certifications", "value": None}
    assert api.post("/v1/policy/simulate", {"changes": [forgotten]}).body["broken"]
    unknown = api.post("/v1/policy/simulate", {"lost_certificates": [{"zone": "fr-idf-1", "number": "none"}]})
    assert unknown.problem == (400, "compliance.what_if_invalid", "/certificate")


def test_exemption_is_requested_and_approved(api: Caller, cloud: Cloud, instance: Instance) -> None:
    certified(cloud, "suspended")
    policy_set(cloud.tenant.actor, clauses=[HELD], project=cloud.tenant.project)
    refused = api.post("instances/web/actions/reboot")
    assert refused.problem[:2] == (422, "policy_unsatisfiable")
    body = {"decision": refused.body["placement_decision"], "zone": "fr-idf-1", "reason": "the flood"}
    requested = api.post("/v1/exemptions", body)
    assert (requested.status, requested.body["use_count"], requested.body["approvals"]) == (201, 0, [])
    officer = Caller(token=make_token(cloud.tenant.project, role="sovereignty_officer"), project="alpha")
    shown = officer.get(f"/v1/exemptions/{requested.body['id']}").body
    user, owner = ApiToken.objects.latest("created_at").user_id, cloud.tenant.project.organization_id
    olga = person("olga", user_id=user, organization_id=owner)
    appoint(cloud.world.root, {olga: OFFICER})
    signature = base64.b64encode(olga.key.sign(base64.b64decode(shown["to_sign"][OFFICER]))).decode()
    approval = {"duty": OFFICER, "key_id": olga.key_id, "signature": signature}
    approved = officer.post(f"/v1/exemptions/{requested.body['id']}/actions/approve", approval)
    assert (approved.status, [each["duty"] for each in approved.body["approvals"]]) == (200, ["sovereignty_officer"])
    unknown = api.post("/v1/exemptions", body | {"decision": "none"})
    assert unknown.problem == (422, "placement.decision.not_found", "/decision")
