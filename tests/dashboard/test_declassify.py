"""Data that two officers take a classification from, on pages."""

import re

import pytest
from django.test import Client

from controlplane.identity.services import membership_set, user_create
from controlplane.placement.models import Binding, Lineage, PolicyProposal
from controlplane.reconcilers import policy_proposals
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.dashboard.conftest import SignIn, browser_of
from tests.dashboard.sample_resources import errors_of, text_of
from tests.services.placement.test_policies import wait
from tests.services.policies import classify, in_zones
from tests.world import Cloud

ASKED = {"classifications": ["alpha-org.secret"], "reason": "The patent is published."}


@pytest.fixture
def officer(signed_in: SignIn) -> Client:
    return signed_in("sovereignty_officer")


@pytest.fixture
def instance(cloud: Cloud) -> str:
    """Create an instance that is classified itself, and by the content of a volume."""
    for name in ("secret", "other", "third"):
        classify(name, in_zones("fr-idf-1"), cloud.tenant.project)
    api = Caller(token="alpha", project="alpha")
    body = {"name": "web", "flavor": "tiny", "image": "tiny", "classifications": ["alpha-org.secret"]}
    instance: str = finish(api.post("instances", body))["id"]
    finish(api.post("volumes", {"name": "data", "size_gib": 1, "classifications": ["alpha-org.other"]}))
    finish(api.post("instances/web/attachments", {"volume": "data"}))
    return instance


def test_two_officers_declassify_after_the_cooling_period(officer: Client, cloud: Cloud, instance: str) -> None:
    page = f"/residency/{instance}/declassify"
    assert page.encode() in officer.get(f"/residency/{instance}").content
    form = officer.get(page).content.decode()
    assert re.findall(r'name="classifications" value="([^"]*)"', form) == ["alpha-org.other", "alpha-org.secret"]
    (origin,) = Lineage.objects.filter(resource_id=instance)
    assert re.findall(r'name="lineage" value="([^"]*)"', form) == [str(origin.pk)]
    created = officer.post(page, {**ASKED, "lineage": [str(origin.pk)]})
    proposal = PolicyProposal.objects.get()
    assert created["Location"] == f"/proposals/{proposal.pk}"
    assert "Another officer has to approve it." in text_of(officer.get(created["Location"]))
    assert "alpha-org.secret" in text_of(officer.get(created["Location"]))
    assert b"The patent is published." in officer.get("/proposals?level=resource").content
    second = user_create(email="second-officer@people.example")
    membership_set(cloud.tenant.project.organization, user=second, role="sovereignty_officer")
    browser_of(second).post(f"/proposals/{proposal.pk}/approve")
    assert policy_proposals.reconcile() == 0
    wait(24)
    assert policy_proposals.reconcile() == 1
    assert Binding.objects.get(pk=instance).classifications == ["alpha-org.other"]
    assert not Lineage.objects.filter(resource_id=instance).exists()
    assert text_of(officer.get(page)).count("No options available.") == 1


def test_missing_classification_cannot_be_removed(officer: Client, instance: str) -> None:
    page = f"/residency/{instance}/declassify"
    assert errors_of(officer.post(page, {"reason": "Because."}), "classifications") == (
        "The classifications or lineage entries cannot be removed: nothing is named. Name those that the data has."
    )
    third = officer.post(page, {**ASKED, "classifications": ["alpha-org.third"]})
    assert "alpha-org.third is not one of" in errors_of(third, "classifications")
    assert PolicyProposal.objects.count() == 0


def test_only_an_officer_proposes_a_declassification(signed_in: SignIn, instance: str) -> None:
    page = f"/residency/{instance}/declassify"
    for role in ("owner", "operator"):
        browser = signed_in(role)
        assert page.encode() not in browser.get(f"/residency/{instance}").content
        refused = browser.post(page, ASKED)
        assert refused.status_code in (200, 403, 404)
    assert "lacks the role sovereignty_officer" in text_of(signed_in("member").post(page, ASKED))
    assert PolicyProposal.objects.count() == 0
