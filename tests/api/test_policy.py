"""Policies through the API: rights, answers, and the two people who relax one."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from controlplane.identity.actor import SYSTEM
from controlplane.identity.models import Project, User
from controlplane.identity.services import membership_set, token_issue, user_create
from controlplane.kernel import clock
from controlplane.placement.models import PolicyProposal, PolicyVersion
from controlplane.placement.policies import policy_set
from controlplane.storage.models import Volume
from tests.api.client import Answer, Caller
from tests.api.tokens import make_token
from tests.facts import state_of
from tests.services.policies import import_all
from tests.world import Cloud, make_tenant

HOME = {"id": "home", "attr": "zone.id", "op": "in", "value": ["fr-idf-1"]}
WIDER = HOME | {"value": ["de-rhein-1", "fr-idf-1"]}
ORGANIZATION = "/v1/organizations/alpha-org/policy"


def officer(project: Project, name: str) -> Caller:
    """A sovereignty officer with a token of the project."""
    user = user_create(email=f"{name}@alpha.example")
    membership_set(project.organization, user=user, role="sovereignty_officer")
    token = token_issue(user, project=project, name=name, role="sovereignty_officer", lifetime=timedelta(days=1))[1]
    return Caller(token=token, project=project.name)


@pytest.fixture
def olga(cloud: Cloud) -> Caller:
    return officer(cloud.tenant.project, "olga")


@pytest.fixture
def otto(cloud: Cloud) -> Caller:
    return officer(cloud.tenant.project, "otto")


def test_new_project_has_an_empty_policy(api: Caller, cloud: Cloud) -> None:
    nothing = {"version": 0, "atoms": [], "inherited": [], "created_at": None}
    for path, level in (("policy", "project"), (ORGANIZATION, "organization"), ("/v1/platform/policy", "platform")):
        body = api.get(path).body
        (undo,) = body.pop("allowed_actions")
        assert body == {"level": level, **nothing}
        assert (undo["name"], undo["is_allowed"], undo["until"]) == ("undo", False, None)


def test_author_of_a_policy_can_undo_it_until_the_deadline(api: Caller, olga: Caller) -> None:
    api.put("policy", {"atoms": [WIDER]})
    made_at = datetime.fromisoformat(api.put("policy", {"atoms": [HOME]}).body["created_at"])
    (undo,) = api.get("policy").body["allowed_actions"]
    assert (undo["is_allowed"], undo["problem"]) == (True, None)
    assert datetime.fromisoformat(undo["until"]) == made_at + timedelta(minutes=10)
    (hers,) = olga.get("policy").body["allowed_actions"]
    assert (hers["is_allowed"], hers["problem"]["code"]) == (False, "placement.policy_not_undoable")
    assert olga.post("policy/actions/undo").problem[:2] == (409, "placement.policy_not_undoable")
    would = api.post("policy/actions/undo?dry_run=true")
    assert (would.status, would.body["atoms"], would.body["change"]) == (200, [WIDER], "looser")
    assert api.get("policy").body["version"] == 2
    undone = api.post("policy/actions/undo")
    assert (undone.status, undone.body["version"], undone.body["atoms"]) == (200, 3, [WIDER])
    assert undone.headers["ETag"] == '"3"'
    assert not PolicyProposal.objects.exists()
    french = Caller(token="alpha", project="alpha", language="fr").post("policy/actions/undo").body["detail"]
    assert "elle n’exige pas plus que la précédente" in french


def test_user_of_another_organization_cannot_undo(api: Caller, cloud: Cloud) -> None:
    api.put("policy", {"atoms": [HOME]})
    make_tenant("beta")
    stranger = Caller(token="beta", project="alpha")
    assert stranger.post("policy/actions/undo").status == 404


def test_stricter_policy_holds_at_once(api: Caller, cloud: Cloud) -> None:
    import_all()
    answer = api.put("policy", {"atoms": [WIDER]})
    assert (answer.status, answer.body["version"], answer.body["atoms"]) == (200, 1, [WIDER])
    assert (answer.body["change"], answer.body["proposal"], answer.body["lint"]) == ("tighter", None, [])
    assert "us-va-1" in answer.body["newly_refused_zones"]
    assert "fr-idf-1" not in answer.body["newly_refused_zones"]
    answer = api.put("policy", {"atoms": [WIDER, HOME | {"id": "more"}]})
    assert answer.body["lint"] == [{"code": "NO_EFFECT", "atom": "home"}]
    assert api.put("policy", {"atoms": [HOME]}).body["change"] == "same"


def test_clause_on_a_declared_fact_is_marked(api: Caller, cloud: Cloud) -> None:
    state_of("zone", "fr-idf-1", {"encryption.at_rest": False})
    clause = {"id": "crypt", "attr": "encryption.at_rest", "op": "is", "value": True}
    tried = api.put("policy?dry_run=true", {"atoms": [clause]})
    assert tried.body["lint"] == [{"code": "CLAIMED", "atom": "crypt"}]
    api.put("policy", {"atoms": [clause]})
    simulation = {"operation": "volume.create", "disk_gib": 1}
    refused = api.post("volumes", {"name": "data", "size_gib": 1, "volume_type": "local"})
    decision = refused.body["placement_decision"]
    for language, expected in (
        (
            "en",
            "Declared by the operator of each zone, not enforced by the platform: project/crypt (encryption.at_rest).",
        ),
        ("fr", "Déclaré par l'opérateur de chaque zone, non imposé par la plateforme : project/crypt"),
    ):
        api.language = language
        for body in (api.get(f"decisions/{decision}").body, api.post("/v1/placement/simulations", simulation).body):
            assert any(sentence.startswith(expected) for sentence in body["explanation"]), body["explanation"]


def test_the_levels_above_are_shown_and_cannot_be_contradicted(api: Caller, olga: Caller, cloud: Cloud) -> None:
    policy_set(SYSTEM, clauses=[HOME | {"id": "floor", "value": ["de-rhein-1", "fr-idf-1", "fr-idf-2"]}])
    assert olga.put(ORGANIZATION, {"atoms": [WIDER]}).status == 200
    inherited = api.get("policy").body["inherited"]
    assert [(layer["level"], layer["atoms"][0]["id"]) for layer in inherited] == [
        ("platform", "floor"),
        ("organization", "home"),
    ]
    answer = api.put("policy", {"atoms": [HOME | {"id": "us", "value": ["us-va-1"]}]})
    assert answer.problem == (422, "placement.policy_empty", "/atoms")
    assert answer.body["facts"] == {"atoms": "organization/home, project/us"}


def test_invalid_clause_is_refused(api: Caller, cloud: Cloud) -> None:
    answer = api.put("policy", {"atoms": [HOME, HOME | {"id": "x", "op": "near"}]})
    assert answer.problem == (400, "placement.policy_invalid", "/atoms/1/op")
    assert answer.body["facts"] == {"atom": "x", "place": "atoms/1/op"}
    assert api.put("policy", {"atoms": ["eu"]}).problem == (400, "invalid_request", "/atoms/0")
    unknown = api.put("policy", {"atoms": [HOME | {"attr": "location.territory", "value": ["@MARS"]}]})
    assert unknown.problem == (400, "placement.policy_invalid", "/atoms/0/value")


def test_dry_run_changes_no_policy(api: Caller, olga: Caller, cloud: Cloud) -> None:
    for path, caller in (("policy", api), (ORGANIZATION, olga)):
        answer = caller.put(f"{path}?dry_run=true", {"atoms": [HOME]})
        assert (answer.status, answer.body["version"], answer.body["change"]) == (200, 0, "tighter")
    assert api.put("policy?dry_run=yes", {"atoms": []}).problem == (400, "invalid_parameter", "dry_run")
    assert not PolicyVersion.objects.exists()
    api.put("policy", {"atoms": [HOME]})
    answer = api.put("policy?dry_run=true", {"atoms": []})
    assert (answer.status, answer.body["change"], answer.body["proposal"]) == (200, "looser", None)
    assert not PolicyProposal.objects.exists()


def test_policy_change_needs_the_version_that_was_read(api: Caller, cloud: Cloud) -> None:
    assert api.get("policy").headers["ETag"] == '"0"'
    assert api.put("policy", {"atoms": [HOME]}, If_Match="").problem == (428, "version_required", None)
    for wrong in ('"1"', 'W/"0"', "0", '"x"', '"-1"'):
        assert api.put("policy", {"atoms": [HOME]}, If_Match=wrong).problem == (412, "outdated", None)
    assert api.put("policy?dry_run=true", {"atoms": [HOME]}, If_Match='"1"').problem[0] == 412
    assert not PolicyVersion.objects.exists()
    assert api.put("policy", {"atoms": [WIDER]}, If_Match='"0"').headers["ETag"] == '"1"'
    assert api.put("policy", {"atoms": [HOME]}, If_Match='"0"').body["facts"] == {"current": 1}
    assert api.put("policy", {"atoms": [HOME]}, If_Match='"1"').headers["ETag"] == '"2"'


def test_answer_has_the_effect_of_the_change(api: Caller, olga: Caller, volume: Volume) -> None:
    api.put("policy", {"atoms": [WIDER]})
    abroad = HOME | {"id": "abroad", "value": ["de-rhein-1"]}
    for path in (f"{ORGANIZATION}?dry_run=true", ORGANIZATION):
        answer = olga.put(path, {"atoms": [abroad]})
        assert (answer.status, answer.body["atoms_added"], answer.body["atoms_removed"]) == (200, [abroad], [])
        (drifted,) = answer.body["drifted"]
        assert (drifted["resource_id"], drifted["zone"]) == (str(volume.pk), "fr-idf-1")
        assert [each["atom"] for each in drifted["failing"]] == ["abroad"]
        assert answer.body["contradicted"] == []


def test_lower_contradiction_is_reported_and_does_not_block(
    api: Caller, olga: Caller, operator: Caller, cloud: Cloud
) -> None:
    api.put("policy", {"atoms": [HOME]})
    created = {"name": "secret", "title": "Secret", "title_fr": "Secret", "atoms": [HOME | {"id": "secret"}]}
    olga.post("/v1/organizations/alpha-org/classifications", created)
    abroad = HOME | {"id": "abroad", "value": ["de-rhein-1"]}
    contradicted = olga.put(ORGANIZATION, {"atoms": [abroad]}).body["contradicted"]
    assert [(each["level"], each["id"]) for each in sorted(contradicted, key=lambda each: str(each["level"]))] == [
        ("classification", "alpha-org.secret"),
        ("project", str(cloud.tenant.project.pk)),
    ]
    assert {"level": "organization", "atom": "abroad"} in contradicted[0]["atoms"]
    more = api.put("policy", {"atoms": [HOME, WIDER | {"id": "more"}]})
    assert (more.status, [each["level"] for each in more.body["contradicted"]]) == (200, ["project"])
    floor = operator.put("/v1/platform/policy", {"atoms": [HOME | {"id": "floor", "value": ["us-va-1"]}]})
    assert (floor.status, len(floor.body["contradicted"])) == (200, 3)


def test_dry_run_needs_the_same_rights(api: Caller, olga: Caller, operator: Caller, cloud: Cloud) -> None:
    olga.put(ORGANIZATION, {"atoms": [HOME]})
    for path in (ORGANIZATION, f"{ORGANIZATION}?dry_run=true"):
        assert operator.put(path, {"atoms": []}).problem[:2] == (403, "identity.role_needed")


def test_roles_without_the_right_are_refused(
    api: Caller, viewer: Caller, olga: Caller, operator: Caller, cloud: Cloud
) -> None:
    for caller in (api, viewer):
        assert caller.put(ORGANIZATION, {"atoms": [HOME]}).problem[:2] == (403, "identity.role_needed")
        assert caller.put("/v1/platform/policy", {"atoms": [HOME]}).problem[:2] == (403, "identity.role_needed")
    assert viewer.put("policy", {"atoms": [HOME]}).problem[:2] == (403, "identity.role_needed")
    assert olga.put("/v1/platform/policy", {"atoms": [HOME]}).problem[:2] == (403, "identity.role_needed")
    assert olga.put("policy", {"atoms": [HOME]}).status == 200
    assert olga.post("volumes", {"name": "data", "size_gib": 1}).problem[:2] == (403, "identity.role_needed")
    assert operator.put("/v1/platform/policy", {"atoms": [HOME]}).status == 200
    assert operator.put(ORGANIZATION, {"atoms": [HOME]}).status == 200
    assert operator.put(ORGANIZATION, {"atoms": []}).problem[:2] == (403, "identity.role_needed")


def proposal_of(answer: Answer) -> Any:
    assert answer.status == 202, answer.body
    return answer.body["proposal"]


def test_looser_policy_is_proposed_and_approved_by_another_officer(
    api: Caller, olga: Caller, otto: Caller, cloud: Cloud
) -> None:
    olga.put(ORGANIZATION, {"atoms": [HOME]})
    answer = olga.put(ORGANIZATION, {"atoms": [WIDER], "reason": "a second site"})
    proposal = proposal_of(answer)
    assert (answer.body["version"], answer.body["atoms"], answer.body["change"]) == (1, [HOME], "looser")
    assert (proposal["state"], proposal["reason"], proposal["base_version"]) == ("proposed", "a second site", 1)
    path = f"/v1/policy-proposals/{proposal['id']}"
    assert olga.post(f"{path}/actions/approve").problem[:2] == (403, "placement.second_person_needed")
    assert api.post(f"{path}/actions/approve").problem[:2] == (403, "identity.role_needed")
    approved = otto.post(f"{path}/actions/approve")
    assert (approved.status, approved.body["state"]) == (200, "approved")
    assert approved.body["not_before"] > clock.now().isoformat()
    assert api.get(path).body == approved.body
    assert [each["id"] for each in api.get("/v1/policy-proposals?state=approved").body["items"]] == [proposal["id"]]
    withdrawn = otto.post(f"{path}/actions/withdraw")
    assert withdrawn.body["state"] == "withdrawn"
    assert otto.post(f"{path}/actions/approve").problem[:2] == (409, "illegal_transition")


def test_proposal_is_created_by_its_own_route(api: Caller, olga: Caller, cloud: Cloud) -> None:
    api.put("policy", {"atoms": [HOME]})
    body = {"project": "alpha", "atoms": [WIDER], "reason": "a second site"}
    created = olga.post("/v1/policy-proposals", body)
    assert (created.status, created.body["level"], created.body["project"]["name"]) == (201, "project", "alpha")
    assert created.headers["Location"] == f"/v1/policy-proposals/{created.body['id']}"
    needless = olga.post("/v1/policy-proposals", body | {"atoms": [HOME]})
    assert needless.problem == (422, "placement.proposal.not_needed", "/atoms")
    assert olga.post("/v1/policy-proposals", body | {"project": "beta"}).problem[0] == 422
    assert olga.post("/v1/policy-proposals", {"atoms": [], "reason": "x"}).problem[:2] == (403, "identity.role_needed")


def test_proposals_of_others_are_not_found(api: Caller, olga: Caller, stranger: Caller, cloud: Cloud) -> None:
    olga.put(ORGANIZATION, {"atoms": [HOME]})
    proposal = proposal_of(olga.put(ORGANIZATION, {"atoms": []}))
    path = f"/v1/policy-proposals/{proposal['id']}"
    assert stranger.get("/v1/policy-proposals").body["items"] == []
    assert stranger.get(path).problem[:2] == (404, "placement.proposal.not_found")
    other = officer(make_tenant("other").project, "oskar")
    assert other.post(f"{path}/actions/approve").problem[:2] == (404, "placement.proposal.not_found")


def test_an_auditor_reads_all_and_writes_nothing(api: Caller, olga: Caller, cloud: Cloud) -> None:
    olga.put(ORGANIZATION, {"atoms": [HOME]})
    user = user_create(email="ines@audit.example", is_auditor=True)
    token = token_issue(user, project=None, name="audit", role="owner", lifetime=timedelta(days=1))[1]
    auditor = Caller(token=token, project="alpha")
    assert auditor.get(ORGANIZATION).body["atoms"] == [HOME]
    assert auditor.get("instances").status == 200
    for path in ("policy", ORGANIZATION, "/v1/platform/policy"):
        assert auditor.put(path, {"atoms": [HOME]}).problem[:2] == (403, "identity.role_needed")
    assert auditor.post("volumes", {"name": "x", "size_gib": 1}).problem[:2] == (403, "identity.role_needed")


def test_errors_are_in_french(api: Caller, cloud: Cloud) -> None:
    api.language = "fr"
    answer = api.put("policy", {"atoms": [HOME, HOME]})
    assert "La politique ne peut pas être enregistrée" in answer.body["detail"]


def test_declassification_of_one_resource_is_proposed_and_approved(
    api: Caller, olga: Caller, otto: Caller, operator: Caller, cloud: Cloud
) -> None:
    created = {"name": "secret", "title": "Secret", "title_fr": "Secret", "atoms": [HOME]}
    olga.post("/v1/organizations/alpha-org/classifications", created)
    volume = api.post("volumes", {"name": "data", "size_gib": 1, "classifications": ["alpha-org.secret"]}).body["id"]
    assert api.get(f"/v1/organizations/alpha-org/resources/{volume}/lineage").body["items"] == []
    path = "/v1/organizations/alpha-org/declassifications"
    body = {"resource": volume, "classifications": ["alpha-org.secret"], "reason": "it is published"}
    for caller in (api, operator):
        assert caller.post(path, body).problem[:2] == (403, "identity.role_needed")
    nothing = olga.post(path, body | {"classifications": ["hds"]})
    assert nothing.problem == (422, "placement.declassification.nothing_to_lose", "/classifications")
    assert "nothing is named" in olga.post(path, body | {"classifications": []}).body["detail"]
    made_proposal = olga.post(path, body)
    assert (made_proposal.status, made_proposal.body["level"]) == (201, "resource")
    assert made_proposal.body["classifications"] == ["alpha-org.secret"]
    url = made_proposal.headers["Location"]
    assert api.get(url).body["resource_id"] == volume
    assert otto.post(f"{url}/actions/approve").body["state"] == "approved"


# ---- classifications


def test_classifications_are_listed_in_the_readers_language(api: Caller, cloud: Cloud) -> None:
    import_all()
    titles = {each["id"]: each["title"] for each in api.get("/v1/classifications").body["items"]}
    assert titles["hds"] == "Health data"
    api.language = "fr"
    assert api.get("/v1/classifications/hds").body["title"] == "Données de santé"
    assert api.get("/v1/classifications/hds/policy").body["version"] == 1
    assert api.get("/v1/classifications/nothing").problem[:2] == (404, "placement.classification.not_found")


def test_organization_creates_its_classifications(api: Caller, olga: Caller, stranger: Caller, cloud: Cloud) -> None:
    path = "/v1/organizations/alpha-org/classifications"
    body = {"name": "secret", "title": "Secret", "title_fr": "Secret", "atoms": [HOME]}
    assert api.post(path, body).problem[:2] == (403, "identity.role_needed")
    created = olga.post(path, body)
    assert (created.status, created.body["id"]) == (201, "alpha-org.secret")
    assert olga.post(path, body).problem == (409, "placement.classification.taken", "/name")
    assert olga.post(path, body | {"name": "Not A Name"}).problem[2] == "/name"
    assert olga.post(path, body | {"name": "b" * 60}).problem == (
        400,
        "placement.classification.id_too_long",
        "/name",
    )
    assert [each["id"] for each in api.get("/v1/classifications").body["items"]] == ["alpha-org.secret"]
    assert stranger.get("/v1/classifications").body["items"] == []
    assert stranger.get("/v1/classifications/alpha-org.secret/policy").problem[0] == 404
    answer = olga.put("/v1/classifications/alpha-org.secret/policy", {"atoms": []})
    assert (answer.status, answer.body["proposal"]["classification"]) == (202, "alpha-org.secret")


def test_resources_have_their_classifications(api: Caller, olga: Caller, cloud: Cloud) -> None:
    body = {"name": "secret", "title": "Secret", "title_fr": "Secret", "atoms": [HOME]}
    olga.post("/v1/organizations/alpha-org/classifications", body)
    classified = {"classifications": ["alpha-org.secret"]}
    instance = {"name": "web", "flavor": "tiny", "image": "tiny", **classified}
    created = {
        "instances": api.post("instances", instance),
        "volumes": api.post("volumes", {"name": "data", "size_gib": 1, **classified}),
        "images": api.post("images", {"name": "mine", "format": "qcow2", **classified}),
    }
    for kind, answer in created.items():
        assert (answer.status, answer.body["classifications"]) == (201, ["alpha-org.secret"]), answer.body
        assert api.get(f"{kind}/{answer.body['id']}").body["classifications"] == ["alpha-org.secret"]
        assert api.get(kind).body["items"][0]["classifications"] in ([], ["alpha-org.secret"])
    unknown = api.post("volumes", {"name": "x", "size_gib": 1, "classifications": ["nothing"]})
    assert unknown.problem == (422, "placement.classification.not_found", "/classifications/0")


def test_a_resource_has_clauses_of_its_own(api: Caller, cloud: Cloud) -> None:
    body = {"name": "data", "size_gib": 1, "policy_atoms": [HOME | {"value": ["us-va-1"]}]}
    assert api.post("volumes", body).problem[:2] == (422, "policy_unsatisfiable")
    wrong = api.post("volumes", body | {"policy_atoms": [HOME | {"op": "like"}]})
    assert wrong.problem == (400, "placement.policy_invalid", "/policy_atoms/0/op")


def test_only_operators_choose_a_host(api: Caller, operator: Caller, cloud: Cloud) -> None:
    body = {"name": "data", "size_gib": 1, "host": "node-1"}
    assert api.post("volumes", body).problem[:2] == (403, "identity.role_needed")
    assert operator.post("volumes", body).problem[:2] == (403, "identity.role_needed"), "no member of the project"
    membership_set(cloud.tenant.project.organization, user=User.objects.get(is_operator=True), role="member")
    assert operator.post("volumes", body | {"host": "nowhere"}).problem == (400, "placement.unknown_host", "/host")
    assert operator.post("volumes", body).status == 201


# ---- what would be


def test_unknown_decision_is_not_found(api: Caller, cloud: Cloud) -> None:
    for ref in ("x", "01890000-0000-7000-8000-000000000000"):
        assert api.get(f"decisions/{ref}").problem == (404, "placement.decision.not_found", None)


def test_owner_cannot_issue_an_officer_token(api: Caller, cloud: Cloud) -> None:
    owner = Caller(token=make_token(cloud.tenant.project, role="owner"), project="alpha")
    answer = owner.post("tokens", {"name": "x", "role": "sovereignty_officer"})
    assert answer.problem[:2] == (403, "identity.role_needed")
