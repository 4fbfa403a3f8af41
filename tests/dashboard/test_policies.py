"""Policies by pages: read, edited by rows and as text, tried before they are saved, proposed when they demand less."""

import json
import re

import pytest
from django.test import Client

from andromede_core.facts.attributes import ASKABLE, PARTY_ROLES
from andromede_core.policy.roles import ROLES_OF
from controlplane.dashboard import clause_labels
from controlplane.dashboard.clause_forms import ClauseRows
from controlplane.dashboard.views.compliance.policies import verdict_of
from controlplane.identity.services import membership_set, user_create
from controlplane.placement.models import PolicyProposal, PolicyVersion
from controlplane.reconcilers import compliance_drift
from tests.dashboard.conftest import SignIn, browser_of
from tests.dashboard.sample_resources import make_instance, text_of
from tests.facts import state_of
from tests.world import Cloud

FRENCH = {"clause": ["0:location.territory"], "c0-op": "in", "c0-value": "FR", "c0-id": "home"}
LOOSER = {**FRENCH, "c0-value": "FR, DE"}


@pytest.fixture
def officer(signed_in: SignIn) -> Client:
    return signed_in("sovereignty_officer")


def version_in(page: bytes) -> str:
    match = re.search(rb'name="version" value="([^"]*)"', page)
    assert match is not None
    return match[1].decode().replace("&quot;", '"')


def shown_in(page: bytes) -> str:
    """The mark of the clauses whose outcome the page shows."""
    match = re.search(rb'name="shown" value="([^"]*)"', page)
    assert match is not None
    return match[1].decode()


def previewed(browser: Client, url: str, fields: dict[str, object]) -> dict[str, object]:
    """Return the form of the editor that saves the previewed policy."""
    begun = {**fields, "version": version_in(browser.get(f"{url}/edit").content)}
    tried = browser.post(f"{url}/edit", {**begun, "do": "try"})
    return {**begun, "shown": shown_in(tried.content), "do": "save"}


def saved(browser: Client, url: str, fields: dict[str, object]) -> None:
    answer = browser.post(f"{url}/edit", previewed(browser, url, fields))
    assert answer.status_code == 302, answer.content.decode()


def test_form_offers_the_attributes_of_the_api() -> None:
    """With the operators that each takes: who adds an attribute is told to name it here."""
    shown = {name: set(clause_labels.OPERATORS_OF[each.kind]) for name, each in clause_labels.SUBJECTS.items()}
    assert {name: set(each.operators) for name, each in ASKABLE.items() if each.operators} == {
        name: operators
        for name, operators in shown.items()
        if name not in ("certifications", clause_labels.MIN_DISTANCE)
    }
    assert {name: each.order for name, each in ASKABLE.items() if each.order} == {
        name: each.scale for name, each in clause_labels.SUBJECTS.items() if each.scale
    }
    assert set(clause_labels.PARTY_ROLES) == set(PARTY_ROLES)
    assert {role for roles in ROLES_OF.values() for role in roles} <= set(clause_labels.ROLES)


@pytest.mark.parametrize(
    "clause",
    [
        {"id": "a", "op": "in", "attr": "location.territory", "value": ["@EU", "FR"]},
        {"id": "a", "op": "subset", "attr": "admin.access_from", "value": ["FR"], "assertion_min": "third_party"},
        {"id": "a", "op": "is", "attr": "encryption.at_rest", "value": False, "roles": ["backup", "image"]},
        {"id": "a", "op": "le", "attr": "party.non_eu_collective_pct", "value": "39.00", "party_roles": ["operator"]},
        {"id": "a", "op": "ge", "attr": "keys.custody", "value": "customer_byok", "waivable": True},
        {"id": "a", "op": "ge", "attr": "ual", "value": 0},
        {"id": "a", "op": "is", "attr": "party.control_change_notice", "value": "none"},
        {"id": "a", "op": "within_days", "attr": "disconnect.tested_at", "value": 30},
        {"id": "a", "op": "min_distance_km", "value": 100, "roles": ["backup"]},
        {
            "id": "a",
            "op": "holds",
            "scheme": "SecNumCloud",
            "min_version": "3.2",
            "scope": "iaas",
            "min_remaining_days": 90,
        },
        {"id": "a", "op": "in", "attr": "a.new.one", "value": {"as": ["it", "is"]}},
    ],
    ids=lambda clause: clause.get("attr", clause["op"]),
)
def test_clause_survives_the_form(clause: dict[str, object]) -> None:
    (row,) = ClauseRows.from_clauses([clause])
    fields = {f"{row.prefix}-{name}": row[name].value() for name in row.fields}
    resubmitted = type(row)(
        row.subject,
        {name: value for name, value in fields.items() if value is not None and value is not False},
        prefix="c0",
    )
    if "new" in row.subject:
        resubmitted = type(row)(row.subject, {**fields, "c0-value": json.dumps(clause["value"])}, prefix="c0")
    assert resubmitted.is_valid(), resubmitted.errors
    assert resubmitted.clause() == clause
    assert "a" in str(clause_labels.clause_html(clause))


def test_replaced_clause_does_not_count_in_the_preview() -> None:
    """A simulation adds the new clauses to those in force."""
    results = [
        {"level": "platform", "atom": "floor", "result": "T"},
        {"level": "project", "atom": "old", "result": "F"},
        {"level": "resource", "atom": "new", "result": "T"},
    ]
    zone = {"zone": "fr-idf-1", "status": "open", "results": results}
    assert (verdict_of(zone, "project")["now"], verdict_of(zone, "project")["then"]) == (False, True)
    assert verdict_of(zone, "platform")["then"] is False
    stricter = {**zone, "results": [*results[:1], {"level": "resource", "atom": "new", "result": "U"}]}
    verdict = verdict_of(stricter, "project")
    assert (verdict["now"], verdict["then"], [each["atom"] for each in verdict["refusing"]]) == (True, False, ["new"])
    assert verdict_of({**zone, "status": "draining"}, "project")["then"] is False


def test_declared_fact_is_marked(officer: Client, home: str, cloud: Cloud) -> None:
    state_of("zone", "fr-idf-1", {"encryption.at_rest": True, "location.territory": "FR"})
    words = "declared by the operator, not enforced by the platform"
    assert officer.get("/zones/fr-idf-1").content.decode().count(words) == 2, "among the facts and the statements"
    url = f"{home}/policy/edit"
    words = "rely on declarations of the zone operator that the platform does not enforce"
    encrypted = {"clause": ["0:encryption.at_rest"], "c0-op": "is", "c0-value": "true", "c0-id": "crypt"}
    assert words in officer.post(url, {**encrypted, "do": "try"}).content.decode()
    assert words not in officer.post(url, {**FRENCH, "do": "try"}).content.decode()


def test_policy_is_edited_by_rows_and_previewed(officer: Client, home: str, cloud: Cloud) -> None:
    url = f"{home}/policy"
    assert b"No clauses yet" in officer.get(url).content
    added = officer.post(f"{url}/edit", {"do": "add", "subject": "location.territory"})
    assert b'value="0:location.territory"' in added.content
    assert not PolicyVersion.objects.filter(project=cloud.tenant.project).exists()
    tried = officer.post(f"{url}/edit", {**FRENCH, "do": "try", "version": version_in(added.content)}).content.decode()
    assert "The new policy is stricter." in tried
    row = tried[tried.index('<a href="/zones/fr-idf-1"') :].partition("</tr>")[0]
    assert "admitted" in row and "refused" in row and "unknown, overdue for review" in row
    assert not PolicyVersion.objects.filter(project=cloud.tenant.project).exists()
    saved(officer, url, FRENCH)
    page = officer.get(url).content.decode()
    assert "version 1" in page and "<strong>Territory:</strong> one of" in page


SAVE = b'name="do" value="save"'


def test_policy_without_a_preview_is_not_saved(officer: Client, home: str, cloud: Cloud) -> None:
    """Without a script too: the button is there once the outcome of the same clauses has been shown."""
    url = f"{home}/policy/edit"
    assert SAVE not in officer.get(url).content
    at_once = officer.post(url, {**FRENCH, "do": "save"})
    assert at_once.status_code == 200
    assert b"Not saved yet." in at_once.content and b"The new policy is stricter." in at_once.content
    assert SAVE in at_once.content
    confirmed = {**FRENCH, "do": "save", "version": version_in(at_once.content), "shown": shown_in(at_once.content)}
    changed = officer.post(url, {**confirmed, "c0-value": "DE"})
    assert b"Not saved yet." in changed.content and shown_in(changed.content) != confirmed["shown"]
    assert not PolicyVersion.objects.filter(project=cloud.tenant.project).exists()
    assert officer.post(url, confirmed).status_code == 302
    assert PolicyVersion.objects.filter(project=cloud.tenant.project).count() == 1


def test_preview_lists_resources_that_would_drift(officer: Client, member: Client, home: str, cloud: Cloud) -> None:
    make_instance(member, home, name="at-risk")
    compliance_drift.reconcile()
    tried = officer.post(f"{home}/policy/edit", {**FRENCH, "do": "try"})
    text = text_of(tried)
    assert "Once in force, these resources drift" in text and "at-risk (fr-idf-1)" in text
    assert tried.content.index(b"these resources drift") < tried.content.index(SAVE)


def test_invalid_clause_has_an_error_at_its_field(officer: Client, home: str) -> None:
    answer = officer.post(f"{home}/policy/edit", {**FRENCH, "c0-value": "UK", "do": "try"}).content.decode()
    assert "the code of UK is GB" in answer[answer.index('id="id_c0-value"') :].partition("</fieldset>")[0]
    assert 'value="UK"' in answer
    empty = officer.post(f"{home}/policy/edit", {**FRENCH, "c0-value": "", "do": "save"}).content
    assert b"Some clauses are incomplete" in empty


def test_policy_as_text_equals_the_rows(officer: Client, home: str) -> None:
    text = json.dumps([{"id": "home", "op": "in", "attr": "location.territory", "value": ["DE"]}])
    page = officer.post(f"{home}/policy/edit", {"do": "read", "document": text}).content
    assert b'name="c0-value" value="DE"' in page
    wrong = officer.post(f"{home}/policy/edit", {**FRENCH, "do": "read", "document": "[{"}).content
    assert b"Invalid JSON at line 1, column 3." in wrong
    assert b'name="c0-value" value="FR"' in wrong
    without_clauses = officer.post(f"{home}/policy/edit", {**FRENCH, "do": "remove:c0"}).content
    assert b"No clauses: this level has no restrictions." in without_clauses


def test_conflicting_edit_is_reported_and_keeps_the_input(officer: Client, home: str, cloud: Cloud) -> None:
    url = f"{home}/policy"
    old = version_in(officer.get(f"{url}/edit").content)
    saved(officer, url, FRENCH)
    mine = {
        "clause": ["0:ual"],
        "c0-op": "ge",
        "c0-value": "2",
        "c0-id": "ual",
        "version": old,
        "reason": "I say so",
        "do": "save",
    }
    answer = officer.post(f"{url}/edit", mine)
    assert b"Version 1 has come into force since you opened this page." in answer.content
    assert b'name="c0-value" value="2"' in answer.content
    assert version_in(answer.content) == '"1"'
    assert PolicyVersion.objects.filter(project=cloud.tenant.project).count() == 1


def test_looser_policy_waits_for_another_officer(officer: Client, home: str, cloud: Cloud) -> None:
    url = f"{home}/policy"
    saved(officer, url, FRENCH)
    looser = previewed(officer, url, LOOSER)
    without = officer.post(f"{url}/edit", looser).content
    assert b"enter a reason" in without and b"Propose" in without
    answer = officer.post(f"{url}/edit", {**looser, "reason": "A site on the Rhine."})
    proposal = PolicyProposal.objects.get()
    assert answer["Location"] == f"/proposals/{proposal.pk}"
    page = officer.get(answer["Location"]).content.decode()
    assert "the proposer cannot approve it" in page and 'aria-disabled="true"' in page
    assert "A site on the Rhine." in officer.get(url).content.decode()
    assert "A site on the Rhine." in officer.get("/proposals").content.decode()
    act = f"/proposals/{proposal.pk}/approve"
    refused = officer.post(act, {"next": f"/proposals/{proposal.pk}"}, follow=True).content
    assert b'role="alert"' in refused
    assert PolicyProposal.objects.get().state == "proposed"
    second = user_create(email="second-officer@people.example")
    membership_set(cloud.tenant.project.organization, user=second, role="sovereignty_officer")
    approved = browser_of(second).post(act, {"next": f"/proposals/{proposal.pk}"}, follow=True).content.decode()
    assert "Proposal approved." in approved and "approved, not yet in force" in approved
    assert "approved; in force from:" in officer.get(url).content.decode()
    officer.post(f"/proposals/{proposal.pk}/withdraw", {"next": "/proposals"})
    proposal.refresh_from_db()
    assert proposal.state == "withdrawn"


def test_viewer_cannot_edit_a_policy(signed_in: SignIn, home: str) -> None:
    viewer = signed_in("viewer")
    assert viewer.get(f"{home}/policy").status_code == 200
    answer = viewer.post(f"{home}/policy/edit", {**FRENCH, "do": "save"})
    assert b'role="alert"' in answer.content and b"identity.role_needed" in answer.content


def test_every_level_has_its_page(officer: Client, signed_in: SignIn, cloud: Cloud) -> None:
    organization = cloud.tenant.project.organization
    for url in ("/policies", "/platform/policy", f"/organizations/{organization.pk}/policy"):
        assert officer.get(url).status_code == 200, url
    saved(officer, f"/organizations/{organization.pk}/policy", FRENCH)
    assert b"In force" in officer.get(f"/organizations/{organization.pk}/policy").content
    fields = {
        "organization": str(organization.pk),
        "name": "secret",
        "title": "Secrets",
        "title_fr": "Secrets",
        "drift_action": "freeze",
    }
    created = officer.post("/new-classification", fields)
    assert created["Location"] == "/classifications/alpha-org.secret/edit"
    saved(officer, "/classifications/alpha-org.secret", FRENCH)
    assert b"Secrets" in officer.get("/classifications").content
    operator = signed_in("operator")
    tried = operator.post("/platform/policy/edit", {**FRENCH, "do": "try"}).content
    assert b"The new policy is stricter." in tried


def test_author_of_a_policy_undoes_it_by_a_button(cloud: Cloud, officer: Client, signed_in: SignIn, home: str) -> None:
    saved(officer, f"{home}/policy", FRENCH)
    page = officer.get(f"{home}/policy")
    assert "Undo change" in text_of(page)
    assert "Undo change" not in text_of(signed_in("owner").get(f"{home}/policy"))
    url = re.search(r'action="([^"]+/policy/undo)"', page.content.decode())
    assert url is not None
    answer = officer.post(url[1], {"next": f"{home}/policy"}, follow=True)
    assert "Change undone." in text_of(answer)
    assert "Undo change" not in text_of(answer)
    assert PolicyVersion.objects.latest("version").clauses == []
    reverted = officer.post(url[1], {"next": f"{home}/policy"}, follow=True)
    assert "cannot be undone by you" in text_of(reverted)
