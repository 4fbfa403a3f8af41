"""Common parts of every page: access, frame, and the page for a missing resource."""

import pytest
from django.test import Client
from django.urls import URLPattern, reverse

from controlplane.dashboard import cookies
from controlplane.dashboard.api_client import Api
from controlplane.dashboard.base_views import Action, Page, safe_redirect_url
from controlplane.dashboard.urls import urlpatterns
from controlplane.dashboard.views import home as home_views
from controlplane.identity.models import Project
from controlplane.identity.services import user_create
from controlplane.signin.models import Session
from tests.dashboard.conftest import SignIn, browser_of
from tests.world import Cloud, make_tenant

ANY_ID = "01890000-0000-7000-8000-000000000000"


def address(pattern: URLPattern, **known: str) -> str:
    names = pattern.pattern.regex.groupindex  # type: ignore[union-attr]
    return reverse(str(pattern.name), kwargs={name: known.get(name, ANY_ID) for name in names})


OPEN = {"accessibility", "preferences", "sign-in", "sign-out"}
OPEN |= {"sign-in-passkey", "passkey-challenge", "openid", "signed-in", "password", "invitation"}
CLOSED = [pattern for pattern in urlpatterns if pattern.name not in OPEN]


def test_unauthenticated_visitor_signs_in_and_returns() -> None:
    browser = Client()
    for pattern in CLOSED:
        assert issubclass(pattern.callback.view_class, Page)  # type: ignore[attr-defined]
        answer = browser.get(address(pattern))
        assert answer.status_code == 302, pattern
        assert answer["Location"].startswith("/sign-in?next=%2F"), pattern


def test_foreign_project_is_not_found(member: Client) -> None:
    """Neither its pages nor its buttons."""
    tenant = make_tenant("beta")
    of_projects = [pattern for pattern in CLOSED if "project" in str(pattern.pattern)]
    assert len(of_projects) > 100
    for pattern in of_projects:
        url = address(pattern, project=str(tenant.project.pk))
        view = pattern.callback.view_class  # type: ignore[attr-defined]
        methods = [member.get] if "get" in view.http_method_names and not issubclass(view, Action) else []
        methods += [member.post] if hasattr(view, "post") else []
        for ask in methods:
            answer = ask(url)
            assert answer.status_code == 404, (pattern, ask)
            assert b"beta" not in answer.content, (pattern, ask)


@pytest.mark.django_db
def test_cookie_of_an_ended_session_is_deleted(cloud: Cloud) -> None:
    browser = Client()
    browser.cookies[cookies.SESSION] = "andromede_session_nobodys"
    answer = browser.get("/")
    assert answer["Location"] == "/sign-in?next=%2F"
    assert answer.cookies[cookies.SESSION].value == ""


def test_session_without_its_second_factor_reaches_only_that_page(cloud: Cloud) -> None:
    user = user_create(email="new@people.example", is_operator=True)
    browser = browser_of(user)
    Session.objects.filter(user=user).update(is_two_factor=False)
    answer = browser.get("/")
    assert answer["Location"] == "/sign-in/second-factor?next=%2F"
    assert browser.get(answer["Location"]).status_code == 200


def test_missing_page_is_reported_in_html(member: Client, home: str) -> None:
    for url in ("/nowhere", f"{home}/instances/nobody"):
        answer = member.get(url)
        assert answer.status_code == 404
        assert b"<h1>Not found</h1>" in answer.content
    assert member.get("/v1/nowhere")["Content-Type"] == "application/problem+json"


def test_forms_without_a_csrf_token_are_refused(signed_in: SignIn, home: str) -> None:
    browser = signed_in("member")
    browser.handler.enforce_csrf_checks = True
    answer = browser.post(f"{home}/instances/web/actions/start")
    assert answer.status_code == 403
    assert b"Form expired" in answer.content


def test_pages_load_only_own_resources_and_are_not_cached(member: Client) -> None:
    answer = member.get("/")
    policy = answer["Content-Security-Policy"]
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'"} <= set(policy.split("; "))
    assert "unsafe" not in policy
    assert answer["Cache-Control"] == "no-store"


def test_language_and_colours_are_chosen_and_kept(member: Client) -> None:
    assert b'<html lang="en">' in member.get("/").content
    answer = member.post("/preferences", {"language": "fr", "next": "/search?q=a"})
    assert answer["Location"] == "/search?q=a"
    member.post("/preferences", {"theme": "dark"})
    assert b'<html lang="fr" data-theme="dark">' in member.get("/").content
    member.post("/preferences", {"theme": ""})
    assert b'<html lang="fr">' in member.get("/").content


@pytest.mark.parametrize("url", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"])
def test_external_redirect_is_refused(url: str, cloud: Cloud) -> None:
    answer = Client().post("/preferences", {"language": "fr", "next": url})
    assert answer["Location"] == "/preferences"
    assert safe_redirect_url(answer.wsgi_request, url) == ""


def test_search_finds_resources_by_name_or_address(cloud: Cloud, member: Client, home: str) -> None:
    assert b"alpha" in member.get("/search?q=ALPHA").content
    assert b"No results." in member.get("/search?q=zzz").content
    options = member.get("/search?q=inst&palette=1").content
    assert f'data-href="{home}/instances"'.encode() in options
    assert b"<html" not in options


def test_search_queries_a_bounded_number_of_projects(
    cloud: Cloud, member: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    queried: list[str] = []
    get = Api.get
    monkeypatch.setattr(Api, "get", lambda api, *path, **query: queried.append(path[-1]) or get(api, *path, **query))
    member.get("/search?q=a&palette=1")
    monkeypatch.setattr(home_views, "SEARCHED_MAX", 1)
    for number in range(3):
        Project.objects.create(organization=cloud.tenant.project.organization, name=f"other-{number}")
    queried.clear()
    page = member.get("/search?q=zzz").content
    assert queried.count("instances") == 1
    assert b"Only the first 1 of your projects were searched" in page
    monkeypatch.setattr(home_views, "FOUND_MAX", 1)
    queried.clear()
    page = member.get("/search?q=").content
    assert "instances" not in queried and b"of your projects were searched" not in page


def test_language_does_not_leak_to_the_next_request(cloud: Cloud, signed_in: SignIn) -> None:
    french, english = signed_in("member"), signed_in("viewer")
    french.post("/preferences", {"language": "fr"})
    french.get("/")
    assert b'<html lang="en">' in english.get("/").content
