"""Maximum numbers of resources."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from pytest_django import Settings

from controlplane.kernel.count_limits import WHAT
from controlplane.placement.models import Exemption, PolicyProposal
from tests.api.client import Answer, Caller
from tests.api.test_exemptions import VOLUME, suspended  # noqa: F401 - a fixture
from tests.api.test_members_and_tokens import member
from tests.api.test_policy import HOME, WIDER, olga  # noqa: F401 - a fixture
from tests.world import Cloud

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
ORGANIZATION = "/v1/organizations/alpha-org"
TITLES = {"title": "Secret", "title_fr": "Secret", "atoms": [HOME]}
# By whose token they are made: of the role in the organization.
CREATES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "projects": ("owner", f"{ORGANIZATION}/projects", {}),
    "service_accounts": ("owner", f"{ORGANIZATION}/service-accounts", {"grants": [{"role": "member"}]}),
    "ssh_keys": ("member", "ssh-keys", {"public_key": KEY}),
    "affinity_groups": ("member", "affinity-groups", {"rule": "affinity"}),
    "classifications": ("sovereignty_officer", f"{ORGANIZATION}/classifications", TITLES),
}
ELSEWHERE = {"invitations", "newcomers", "proposals", "exemptions"}


@pytest.fixture
def limited(settings: Settings) -> Any:
    def limit(kind: str, count: int) -> None:
        settings.COUNTS_MAX = settings.COUNTS_MAX | {kind: count}

    return limit


def refused(answer: Answer, kind: str) -> None:
    assert answer.problem[:2] == (409, "count_exhausted"), answer.text
    assert str(WHAT[kind]) in answer.body["detail"]


def test_each_kind_is_tested_and_has_a_setting() -> None:
    assert WHAT.keys() == django_settings.COUNTS_MAX.keys() == CREATES.keys() | ELSEWHERE


@pytest.mark.parametrize("kind", CREATES)
def test_maximum_of_resources_is_enforced(cloud: Cloud, limited: Any, kind: str) -> None:
    role, path, body = CREATES[kind]
    caller = member(role, cloud.tenant.project.organization, name="person")
    caller.project = "alpha"
    limited(kind, 2 + (kind == "projects"))  # one is there already
    for name in ("a", "b"):
        assert caller.post(path, {"name": name, **body}).status == 201
    refused(caller.post(path, {"name": "c", **body}), kind)
    if "classifications" not in path:  # which stay
        assert caller.delete("/v1/projects/a" if kind == "projects" else f"{path}/a").status == 204
        assert caller.post(path, {"name": "c", **body}).status == 201


def test_maximum_of_pending_invitations_is_enforced(cloud: Cloud, limited: Any) -> None:
    owner, path = member("owner", cloud.tenant.project.organization), f"{ORGANIZATION}/invitations"
    limited("invitations", 1)
    assert owner.post(path, {"email": "ada@new.example"}).status == 201
    assert owner.post(path, {"email": "ada@new.example"}).status == 201, "in place of the first"
    refused(owner.post(path, {"email": "bob@new.example"}), "invitations")


def test_maximum_of_pending_proposals_is_enforced(api: Caller, olga: Caller, cloud: Cloud, limited: Any) -> None:  # noqa: F811
    olga.post(f"{ORGANIZATION}/classifications", {"name": "secret", **TITLES})
    volume = api.post("volumes", {"name": "data", "size_gib": 1, "classifications": ["alpha-org.secret"]}).body["id"]
    api.put("policy", {"atoms": [HOME]})
    limited("proposals", 1)
    body = {"project": "alpha", "atoms": [WIDER], "reason": "a second site"}
    assert olga.post("/v1/policy-proposals", body).status == 201
    refused(olga.post("/v1/policy-proposals", body), "proposals")
    lose = {"resource": volume, "classifications": ["alpha-org.secret"], "reason": "it is published"}
    refused(olga.post(f"{ORGANIZATION}/declassifications", lose), "proposals")
    assert PolicyProposal.objects.count() == 1


def test_maximum_of_requested_exemptions_is_enforced(api: Caller, suspended: Cloud, limited: Any) -> None:  # noqa: F811
    bodies = [{"decision": api.post("volumes", VOLUME | {"name": name}).body["placement_decision"]} for name in "ab"]
    limited("exemptions", 1)
    answers = [api.post("/v1/exemptions", each | {"zone": "fr-idf-1", "reason": "the flood"}) for each in bodies]
    assert answers[0].status == 201
    refused(answers[1], "exemptions")
    assert Exemption.objects.count() == 1


def test_resource_kinds_of_maxima_are_in_french() -> None:
    french = Path(django_settings.LOCALE_PATHS[0], "fr", "LC_MESSAGES", "django.po").read_text()
    known = dict(re.findall(r'^msgid "(.+)"\nmsgstr "(.+)"$', french, re.MULTILINE))
    assert [what for what in WHAT.values() if str(what) not in known] == []
