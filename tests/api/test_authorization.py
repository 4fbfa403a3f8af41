"""The whole table of authorization, held against real requests: every route × everybody there is.

What is expected comes from the table; what is seen, from the routes of the URL table. Each request is undone.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.test import Client
from django.urls import path

from controlplane.api import rule_coverage
from controlplane.api.v1.service.views import Health
from controlplane.config import urls
from controlplane.identity import authorization_rules
from controlplane.identity.actor import SYSTEM
from controlplane.identity.authorization_rule import Rule
from controlplane.identity.authorization_rules import TABLE
from controlplane.identity.authorization_terms import OWN, PUBLIC, SIGNED_IN
from controlplane.identity.credentials import actor_for
from controlplane.identity.models import ApiToken, Organization, Project, Role, ServiceAccount, User
from controlplane.identity.roles import PLATFORM
from controlplane.identity.service_accounts import service_account_create
from controlplane.identity.services import membership_set, organization_create, project_create, user_create
from controlplane.identity.tokens import NewToken, account_token_create, own_token_create, token_create, token_revoke
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.kernel.views import View
from tests.api.client import Answer, Caller
from tests.api.test_isolation import ALL, MADE_BY_NAME, NAMES, Route, names  # noqa: F401 - names is a fixture
from tests.world import Cloud

DAY = timedelta(days=1)
# The same for everybody: that somebody knows their names, or what maintenance there is, says nothing.
SHARED = (*NAMES, "maintenance")
# Services refuse more than the table, by whose policy, member or evidence it is. This list may only shrink.
FINER = {
    "classification_policy_set",
    "classification_policy_undo",
    "exemption_approve",
    "exemption_request",
    "image_delete",
    "image_update",
    "image_upload",
    "member_remove",
    "member_update",
    "policy_proposal_approve",
    "policy_proposal_create",
    "policy_proposal_withdraw",
    "own_token_create",
}

# Anybody may; a credential that is sent counts all the same.
COUNTS = {"invitation_accept"}


@dataclass(frozen=True)
class Somebody:
    """`role`: in the organization alpha-org or for the platform; None: nowhere there. `refusal`: what every route
    answers that takes a credential."""

    name: str
    secret: Callable[[Cloud], str | None]
    role: str | None = None
    refusal: str | None = None
    is_bound: bool = False
    is_out_of_scope: bool = False
    is_foreign: bool = False

    def __str__(self) -> str:
        return self.name


def person(role: str, organization: Organization) -> User:
    user = user_create(email=f"{role}-{new_id()}@example.org")
    membership_set(organization, user=user, role=role)
    return user


def wide(user: User, **limits: object) -> str:
    new = NewToken("wide", "", DAY, is_platform=bool(user.platform_role), **limits)  # type: ignore[arg-type]
    return own_token_create(actor_for(user, credential_id=new_id()), new)[1]


def of_alpha(role: str) -> Callable[[Cloud], str]:
    return lambda cloud: wide(person(role, cloud.tenant.project.organization))


def of_beta(role: str) -> Callable[[Cloud], str]:
    return lambda cloud: wide(person(role, beta().organization))


def beta() -> Project:
    project = Project.objects.filter(name="beta").select_related("organization").first()
    return project or project_create(organization_create(name="beta-org"), name="beta")


def bound(role: str) -> Callable[[Cloud], str]:
    def secret(cloud: Cloud) -> str:
        project = cloud.tenant.project
        actor = actor_for(person(role, project.organization), credential_id=new_id()).within(project)
        return token_create(actor, project, NewToken(f"bound-{role}".replace("_", "-"), role, DAY))[1]

    return secret


def for_the_platform(duty: str) -> Callable[[Cloud], str]:
    return lambda cloud: wide(user_create(email=f"{duty}@example.org", **{f"is_{duty}": True}))


def expired(cloud: Cloud) -> str:
    secret = of_alpha("owner")(cloud)
    ApiToken.objects.filter(name="wide").update(expires_at=clock.now())
    return secret


def revoked(cloud: Cloud) -> str:
    secret = of_alpha("owner")(cloud)
    token_revoke(SYSTEM, ApiToken.objects.get(name="wide"))
    return secret


def out_of_scope(cloud: Cloud) -> str:
    return wide(person("owner", cloud.tenant.project.organization), verbs=["operate"])


def account(grant: bool, *, is_disabled: bool = False) -> Callable[[Cloud], str]:
    """A service account, a member in the project (`grant`) or in all of the organization."""

    def secret(cloud: Cloud) -> str:
        project = cloud.tenant.project
        owner = actor_for(person("owner", project.organization), credential_id=new_id())
        owner = owner.within_organization(project.organization)
        grants: dict[Project | None, str] = {project if grant else None: Role.MEMBER}
        created = service_account_create(owner, project.organization, name="robot", grants=grants)
        issued = account_token_create(owner, created, NewToken("robot", "", DAY))[1]
        if is_disabled:
            ServiceAccount.objects.filter(pk=created.pk).update(disabled_at=clock.now())
        return issued

    return secret


EVERYBODY = [
    Somebody("anonymous", lambda cloud: None, refusal="unauthenticated"),
    Somebody("unknown", lambda cloud: "andromede_unknown", refusal="unauthenticated"),
    Somebody("expired", expired, refusal="identity.token.expired"),
    Somebody("revoked", revoked, refusal="identity.token.revoked"),
    Somebody("disabled", account(False, is_disabled=True), refusal="identity.service_account.disabled"),
    Somebody("out of scope", out_of_scope, "owner", is_out_of_scope=True),
    Somebody("service account", account(False), "member"),
    *(Somebody(role, of_alpha(role), role) for role in Role.values),
    *(Somebody(f"{role} of a project", bound(role), role, is_bound=True) for role in Role.values if role != "billing"),
    *(Somebody(duty, for_the_platform(duty), duty) for duty in PLATFORM),
    *(Somebody(f"foreign {role}", of_beta(role), role, is_foreign=True) for role in Role.values),
]
# Who passes most rules of the table: the others get less far.
FOREIGNERS = [each for each in EVERYBODY if each.is_foreign and each.role in ("owner", "sovereignty_officer")]
# Credentials that every route treats alike: together those of a group try every route, and each of them every route
# nightly. Anonymous requests, and the owner of a project for callers that are bound to one, try every route anyway.
ALIKE = (
    [each for each in EVERYBODY if each.refusal is not None and each.name != "anonymous"],
    [each for each in EVERYBODY if each.is_bound and each.role != "owner"],
    FOREIGNERS,
)
# Those whom the table tells apart by their role alone. In the gate, each route is tried by one that may use it and by
# one that may not; by each of them nightly.
OF_ROLES = (
    [each for each in EVERYBODY if each.name in Role.values],
    [each for each in EVERYBODY if each.role in PLATFORM],
)
COMBINATIONS = len(ALL) * len(EVERYBODY)


def may_by_role(who: Somebody, route: Route) -> bool:
    roles = TABLE[route.operation_id].roles
    return who.role in roles or roles >= OWN or roles in (PUBLIC, SIGNED_IN)


def own_share(who: Somebody, group: list[Somebody]) -> list[Route]:
    """Return the routes that this role of the group tries, as one of those that may or of those that may not."""
    own = []
    for number, route in enumerate(ALL):
        alike = [each for each in group if may_by_role(each, route) == may_by_role(who, route)]
        if alike[number % len(alike)] == who:
            own.append(route)
    return own


def shared_out() -> Iterator[tuple[Somebody, list[Route]]]:
    """Return everybody with the routes to try in the gate. Other foreigners are refused for the same reason."""
    for who in EVERYBODY:
        if who.is_foreign and who not in FOREIGNERS:
            continue
        of_roles = next((group for group in OF_ROLES if who in group), None)
        group = of_roles or next((group for group in ALIKE if who in group), [who])
        yield who, own_share(who, group) if of_roles else ALL[group.index(who) :: len(group)]


# The gate tries all in one cloud, whose making costs as much as a hundred requests.
SHARES = list(shared_out())
NIGHTLY = [pytest.param([(who, ALL)], id=str(who), marks=pytest.mark.nightly) for who in EVERYBODY]
TRIED = [pytest.param(SHARES, id="shares"), *NIGHTLY]
TRIED_FOREIGNERS = [
    pytest.param([each for each in SHARES if each[0] in FOREIGNERS], id="shares"),
    *(each for each in NIGHTLY if each.values[0][0][0] in FOREIGNERS),
]


@contextmanager
def undone() -> Iterator[None]:
    """Roll back all that happens inside."""
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]
    with block:
        yield
        transaction.set_rollback(True)


def client_of(who: Somebody, cloud: Cloud, project: str = "") -> Caller:
    """Return a client whose credential is noted as used: it would be noted again with each request, which is undone."""
    caller = Caller(token=who.secret(cloud), project=project)
    caller.get("/v1/me")
    return caller


def ask(caller: Caller, route: Route, named: dict[str, str]) -> Answer:
    with undone():
        data = (route.body or "").encode()
        return caller.send(route.method, route.url(named), data, content_type="application/json")


def code_of(answer: Answer) -> str:
    return str(answer.body["code"]) if answer.status >= 400 else ""


def expected(who: Somebody, route: Route) -> str | None:
    """The code of the refusal; None: the table lets them in."""
    rule = TABLE[route.operation_id]
    if rule.roles == PUBLIC:
        is_refused = route.operation_id in COUNTS and (who.is_out_of_scope or who.is_bound)
        return "identity.scope_needed" if is_refused else None
    if who.refusal is not None:
        return who.refusal
    if who.is_foreign and re.match("v1/(projects|organizations)/<", route.path):
        return f"identity.{'project' if route.path.startswith('v1/projects') else 'organization'}.not_found"
    if rule.roles == SIGNED_IN:
        return None
    if who.role not in rule.roles and not rule.roles >= OWN:
        return "identity.role_needed"
    if who.is_out_of_scope or (rule.is_of_organization and who.is_bound):
        return "identity.scope_needed"
    return None


def check(who: Somebody, caller: Caller, route: Route, named: dict[str, str]) -> None:
    refusal, answer = expected(who, route), ask(caller, route, named)
    code, description = code_of(answer), f"{who}: {route} ({route.operation_id})"
    assert answer.status < 500, description
    if refusal is not None:
        assert code == refusal, description
    elif TABLE[route.operation_id].roles == PUBLIC:
        assert answer.status != 403, description
    else:
        refusals = {"identity.scope_needed", "identity.nobody_may"}
        refusals |= set() if route.operation_id in FINER else {"identity.role_needed"}
        assert answer.status != 401, description
        assert code not in refusals, description


@pytest.mark.parametrize("tried", TRIED)
def test_every_route_agrees_with_the_table(
    tried: list[tuple[Somebody, list[Route]]],
    cloud: Cloud,
    names: dict[str, str],  # noqa: F811
) -> None:
    for who, routes in tried:
        with undone():
            caller = client_of(who, cloud, "alpha")
            for route in routes:
                check(who, caller, route, names)


def plain(answer: Answer, named: dict[str, str]) -> tuple[int, str, dict[str, str]]:
    """Without the ids that were asked for and the request's own."""
    text = answer.text
    for name, value in named.items():
        text = text.replace(value, "<id>") if name not in SHARED else text
    text = text.replace(answer.headers.pop("X-Request-Id"), "")
    return answer.status, text, answer.headers


@pytest.mark.parametrize("tried", TRIED_FOREIGNERS)
def test_foreign_and_missing_resources_get_equal_answers(
    tried: list[tuple[Somebody, list[Route]]],
    cloud: Cloud,
    names: dict[str, str],  # noqa: F811
) -> None:
    for who, routes in tried:
        with undone():
            check_foreign(who, routes, client_of(who, cloud), names)


def check_foreign(who: Somebody, routes: list[Route], caller: Caller, named: dict[str, str]) -> None:
    nothing = {name: value if name in SHARED else str(new_id()) for name, value in named.items()}
    nothing["classification"] = "gamma-org.secret"[: len(named["classification"])]
    for route in (route for route in routes if TABLE[route.operation_id].roles != PUBLIC):
        for parent in ({}, {"project": "beta", "organization": "beta-org"}):
            in_path = re.findall(r"<str:(\w+)>", route.path)
            if not set(in_path) - set(SHARED) - parent.keys() or (parent and route.key in MADE_BY_NAME):
                continue
            theirs, none = ask(caller, route, named | parent), ask(caller, route, nothing | parent)
            assert plain(theirs, named) == plain(none, nothing), f"{who}: {route}"
            assert theirs.status in (403, 404), f"{who}: {route}"


@pytest.mark.parametrize("who", FOREIGNERS, ids=str)
def test_answer_contains_no_foreign_data(who: Somebody, cloud: Cloud, names: dict[str, str]) -> None:  # noqa: F811
    caller = client_of(who, cloud)
    secrets = {value for name, value in names.items() if name not in SHARED} | {"alpha-org", "alpha@example.org"}
    for route in ALL:
        if route.method == "GET" and not re.findall(r"<str:(\w+)>", route.path):
            answer = ask(caller, route, names)
            assert not [value for value in secrets if value in answer.text], f"{who}: {route}"


def test_every_rule_of_the_table_is_tested(capsys: pytest.CaptureFixture[str]) -> None:
    """Every rule has its route, and each role of every rule is somebody above."""
    assert {route.operation_id for route in ALL} == TABLE.keys()
    tried = {each.role for each in EVERYBODY}
    for rule in TABLE.values():
        assert rule.roles - PUBLIC - SIGNED_IN - OWN <= tried
    assert TABLE.keys() >= FINER
    assert COMBINATIONS > 3000
    for group in ALIKE:
        assert {route.key for who, share in SHARES if who in group for route in share} == {route.key for route in ALL}
    for group in OF_ROLES:
        seen = {(may_by_role(who, route), route.key) for who, share in SHARES if who in group for route in share}
        assert seen == {(may_by_role(who, route), route.key) for who in group for route in ALL}
    with capsys.disabled():
        print(f"\n{len(ALL)} routes × {len(EVERYBODY)} credentials = {COMBINATIONS} combinations")


def test_api_does_not_start_with_a_route_without_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    rule_coverage.check(urls.api_patterns)
    without = {name: rule for name, rule in TABLE.items() if name != "instance_list"}
    monkeypatch.setattr(rule_coverage, "TABLE", without)
    with pytest.raises(ImproperlyConfigured, match="instance_list has no authorization rule"):
        rule_coverage.check(urls.api_patterns)
    monkeypatch.setattr(rule_coverage, "TABLE", TABLE | {"instance_sell": Rule("instances", "act", PUBLIC)})
    with pytest.raises(ImproperlyConfigured, match="instance_sell is no route"):
        rule_coverage.check(urls.api_patterns)
    monkeypatch.setattr(rule_coverage, "TABLE", TABLE | {"me_get": Rule("me", "read", PUBLIC)})
    with pytest.raises(ImproperlyConfigured, match="me_get is not served as the table says"):
        rule_coverage.check(urls.api_patterns)


def test_route_without_a_rule_is_refused_to_all(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    without = {name: rule for name, rule in TABLE.items() if name not in ("instance_list", "health_get")}
    owner = Caller(token=of_alpha("owner")(cloud), project="alpha")
    assert owner.get("instances").status == 200  # the document that answers are held against is made with all rules
    monkeypatch.setattr(authorization_rules, "TABLE", without)
    assert owner.get("instances").problem == (403, "identity.nobody_may", None)
    answer = Client().get("/v1/healthz")  # of which the document says that it refuses nobody
    assert (answer.status_code, answer.json()["code"]) == (403, "identity.nobody_may")


def test_view_without_an_authorization_check_is_found() -> None:
    class Bare(View):
        get = Health.get

    with pytest.raises(ImproperlyConfigured, match="health_get is not served as the table says"):
        rule_coverage.check([path("bare", Bare.as_view())])
