"""Pages of an organization: who is in it, who is invited, what acts for it, and how much it may use."""

import re

import pytest
from django.test import Client
from django.urls import URLPattern, reverse

from controlplane.dashboard.base_views import Action
from controlplane.dashboard.urls import urlpatterns
from controlplane.identity.models import ApiToken, Grant, Invitation, Membership, Project, ServiceAccount
from controlplane.identity.services import project_create
from controlplane.quotas.models import QuotaRequest
from controlplane.signin.models import PasswordLink, PasswordReset, Session
from tests.dashboard.conftest import SignIn, browser_of
from tests.dashboard.sample_resources import text_of
from tests.dashboard.test_frame import ANY_ID, address
from tests.world import Cloud, make_tenant

PATTERNS = [pattern for pattern in urlpatterns if "<str:organization>" in str(pattern.pattern)]
LISTS = ("organization", "members", "service-accounts", "quota")
FOR_ADMINS = ("invitations", "organization-tokens", "organization-audit", "organization-deeds")


@pytest.fixture
def here(cloud: Cloud) -> str:
    return f"/organizations/{cloud.tenant.project.organization_id}"


@pytest.fixture
def owner(signed_in: SignIn) -> Client:
    return signed_in("owner")


def url(name: str, here: str) -> str:
    return reverse(name, kwargs={"organization": here.rsplit("/", 1)[1]})


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: str(pattern.name))
def test_foreign_organization_is_not_found(pattern: URLPattern, owner: Client) -> None:
    """Neither its pages nor its buttons."""
    beta = make_tenant("beta").project.organization
    page = address(pattern, organization=str(beta.pk))
    view = pattern.callback.view_class  # type: ignore[attr-defined]
    methods = [owner.get] if not issubclass(view, Action) else []
    methods += [owner.post] if hasattr(view, "post") else []
    for ask in methods:
        answer = ask(page)
        assert answer.status_code == 404, ask
        assert b"beta" not in answer.content


@pytest.mark.parametrize("name", [*LISTS, *FOR_ADMINS])
def test_pages_are_visible_to_their_roles(name: str, here: str, owner: Client, signed_in: SignIn) -> None:
    assert owner.get(url(name, here)).status_code == 200
    viewer = signed_in("viewer")
    page = viewer.get(url(name, here))
    assert page.status_code == (403 if name in FOR_ADMINS else 200)
    menu = viewer.get(here).content
    assert (url(name, here).encode() + b'"' in menu) == (name in LISTS)


def test_role_is_changed_and_member_removed(here: str, cloud: Cloud, owner: Client) -> None:
    user = cloud.tenant.actor.user_id
    assert b"alpha@example.org" in owner.get(f"{here}/members?role=member").content
    assert b"alpha@example.org" not in owner.get(f"{here}/members?role=viewer").content
    owner.post(f"{here}/members/{user}/edit", {"role": "viewer"})
    assert Membership.objects.get(user=user).role == "viewer"
    assert b"Remove alpha@example.org" in owner.get(f"{here}/members/{user}/remove").content
    assert owner.post(f"{here}/members/{user}/remove")["Location"] == f"{here}/members"
    assert not Membership.objects.filter(user=user).exists()


def test_member_who_leaves_is_redirected_to_the_organizations(here: str, member: Client) -> None:
    page = f"{here}/members/{Session.objects.get().user_id}/remove"
    answer = member.post(page)
    assert answer["Location"] == "/organizations"
    assert b"No organization yet" in member.get("/organizations").content


def test_last_owner_cannot_leave(here: str, owner: Client) -> None:
    page = owner.post(f"{here}/members/{Session.objects.get().user_id}/remove").content
    assert b"is the last owner" in page


def test_an_invitation_shows_its_link_once(here: str, owner: Client) -> None:
    form = {"email": "bob@people.example", "role": "viewer", "lifetime_days": "3"}
    page = owner.post(f"{here}/invitations/new", form).content.decode()
    link = re.search(r"http://testserver(/invitation\?token=[\w-]+)", page)
    assert link is not None
    assert page.count(link[0]) >= 2  # alone, and in the text to send
    assert "as viewer" in page
    listed = owner.get(f"{here}/invitations").content.decode()
    assert "bob@people.example" in listed and link[1] not in listed
    owner.post(f"{here}/invitations/{Invitation.objects.get().pk}/revoke")
    assert b"No pending invitations" in owner.get(f"{here}/invitations").content
    assert b"not valid" in Client().post("/invitation", {"token": link[1].split("=")[1]}).content


def test_invalid_invitation_has_an_error_at_its_field(here: str, owner: Client) -> None:
    page = owner.post(f"{here}/invitations/new", {"email": "nobody", "role": "viewer", "lifetime_days": "3"}).content
    assert b'id="id_email_error"' in page


def test_member_cannot_invite(here: str, member: Client) -> None:
    form = {"email": "bob@people.example", "role": "viewer", "lifetime_days": "3"}
    assert b"lacks the role admin" in member.post(f"{here}/invitations/new", form).content
    assert Invitation.objects.count() == 0


def test_operator_creates_a_password_link(here: str, cloud: Cloud, signed_in: SignIn, owner: Client) -> None:
    page = f"{here}/members/{cloud.tenant.actor.user_id}/password-link"
    operator = signed_in("operator")
    assert page.encode() in operator.get(f"{here}/members").content
    assert page.encode() not in owner.get(f"{here}/members").content
    assert b"andromede_link_" not in owner.post(page).content
    assert operator.post(page)["Location"] == "/password-resets", "the account is in use"
    (reset,) = PasswordReset.objects.all()
    assert b"/password-resets" in owner.get(f"{here}/members").content
    assert b"alpha@example.org" in owner.get("/password-resets").content
    confirm = f"/password-resets/{reset.pk}/confirm"
    assert confirm.encode() not in operator.get("/password-resets").content
    assert b"The requester of a reset" in operator.post(confirm).content
    assert b"operator@people.example" in owner.get(confirm).content
    assert b"/password?secret=andromede_link_" in owner.post(confirm).content
    mine = browser_of(reset.user)
    withdraw = f"/password-resets/{reset.pk}/withdraw"
    assert withdraw.encode() in mine.get("/account/sign-in").content
    assert mine.post(withdraw)["Location"] == "/password-resets"
    assert not PasswordReset.objects.exists() and not PasswordLink.objects.exists()


def test_operator_ends_the_sessions_of_a_member(here: str, cloud: Cloud, signed_in: SignIn, owner: Client) -> None:
    user = owner.get("/account").context["me"]["user"]["id"]
    page, operator = f"{here}/members/{user}/sessions/end", signed_in("operator")
    assert page.encode() in operator.get(f"{here}/members").content
    assert page.encode() not in owner.get(f"{here}/members").content
    assert b"operator" in owner.post(page).content
    assert owner.get("/account").status_code == 200
    operator.post(page)
    assert owner.get("/account").status_code == 302  # to sign in


def test_a_service_account_gets_a_token_is_disabled_and_deleted(here: str, cloud: Cloud, owner: Client) -> None:
    project = str(cloud.tenant.project.pk)
    owner.post(f"{here}/service-accounts/new", {"name": "ci", "role": "member", "projects": [project]})
    account = ServiceAccount.objects.get()
    page = f"{here}/service-accounts/{account.pk}"
    assert b"alpha" in owner.get(page).content
    shown = owner.post(f"{page}/tokens/new", {"name": "night", "role": "viewer", "lifetime_days": "9"}).content
    assert b"andromede_" in shown
    token = ApiToken.objects.get(name="night")
    assert f"{here}/tokens/{token.pk}/revoke".encode() in owner.get(page).content
    owner.post(f"{here}/tokens/{token.pk}/revoke")
    token.refresh_from_db()
    assert token.revoked_at is not None
    owner.post(f"{page}/switch")
    account.refresh_from_db()
    assert account.disabled_at is not None
    owner.post(f"{page}/delete")
    assert b"No service account yet" in owner.get(f"{here}/service-accounts").content


def test_quota_is_requested_withdrawn_and_decided(here: str, owner: Client, signed_in: SignIn) -> None:
    form = {"dimension": "instances", "limit": "900", "reason": "a new ward"}
    for _ in range(2):
        owner.post(f"{here}/quota/new", form)
        owner.post(f"{here}/quota/{QuotaRequest.objects.latest('created_at').pk}/withdraw")
    owner.post(f"{here}/quota/new", form)
    requested = QuotaRequest.objects.latest("created_at")
    operator = signed_in("operator")
    page = f"{here}/quota/{requested.pk}/decide/refuse"
    assert page.encode() in operator.get(f"{here}/quota").content
    assert b"a new ward" in operator.get(page).content
    operator.post(page, {"reason": "not this year"})
    assert b"not this year" in owner.get(f"{here}/quota").content
    assert sorted(QuotaRequest.objects.values_list("state", flat=True)) == ["refused", "withdrawn", "withdrawn"]


def test_an_operator_sets_the_limits(here: str, owner: Client, signed_in: SignIn) -> None:
    page = f"{here}/quota/edit"
    operator = signed_in("operator")
    assert page.encode() in operator.get(f"{here}/quota").content
    assert page.encode() not in owner.get(f"{here}/quota").content
    version = operator.get(page).context["form"]["version"].value()
    limits = {"instances": "7", "vcpus": "0", "version": version}
    assert operator.post(page, limits)["Location"] == f"{here}/quota"
    assert "Instances 0 / 7" in text_of(owner.get(f"{here}/quota"))
    assert operator.get(page).context["form"]["instances"].value() == 7
    outdated = operator.post(page, limits | {"instances": "9"})
    assert "if the change is still wanted" in text_of(outdated)
    assert "lacks the role" in text_of(owner.post(page, limits))
    assert "Instances 0 / 7" in text_of(owner.get(f"{here}/quota"))


def test_role_of_a_service_account_is_granted_and_withdrawn(here: str, cloud: Cloud, owner: Client) -> None:
    alpha, beta = cloud.tenant.project, project_create(cloud.tenant.project.organization, name="beta")
    owner.post(f"{here}/service-accounts/new", {"name": "ci", "role": "viewer", "projects": [str(alpha.pk)]})
    page = f"{here}/service-accounts/{ServiceAccount.objects.get().pk}"

    def rights() -> dict[str, str]:
        grants = Grant.objects.values_list("project__name", "role")
        return {name or "all": role for name, role in grants}

    for role, project in (("admin", str(beta.pk)), ("member", str(alpha.pk)), ("viewer", "")):
        assert owner.post(f"{page}/rights/new", {"role": role, "project": project})["Location"] == page
    assert rights() == {"alpha": "member", "beta": "admin", "all": "viewer"}
    assert "all projects viewer" in text_of(owner.get(page))
    owner.post(f"{page}/rights/withdraw", {"project": ""})
    owner.post(f"{page}/rights/withdraw", {"project": str(beta.pk)})
    assert rights() == {"alpha": "member"}
    owner.post(f"{page}/rights/withdraw", {"project": str(alpha.pk)})
    assert "No roles: all its requests are refused." in text_of(owner.get(page))


def test_member_cannot_grant_roles(here: str, cloud: Cloud, owner: Client, member: Client) -> None:
    owner.post(f"{here}/service-accounts/new", {"name": "ci", "role": "viewer"})
    page = f"{here}/service-accounts/{ServiceAccount.objects.get().pk}"
    assert "lacks the role admin" in text_of(member.post(f"{page}/rights/new", {"role": "admin", "project": ""}))
    answer = member.post(f"{page}/rights/withdraw", {"project": ""}, follow=True)
    assert "lacks the role admin" in text_of(answer)
    assert Grant.objects.get().role == "viewer"


def test_organization_name_and_labels_are_changed(here: str, cloud: Cloud, owner: Client) -> None:
    organization = cloud.tenant.project.organization
    for labels in ("env=prod\r\nteam=a", "team=b"):
        assert owner.post(f"{here}/edit", {"name": "gamma", "labels": labels})["Location"] == here
    organization.refresh_from_db()
    assert (organization.name, organization.labels) == ("gamma", {"team": "b"})


def test_project_is_created(here: str, owner: Client) -> None:
    answer = owner.post(f"{here}/projects/new", {"name": "web", "labels": "env=prod\nteam = a"})
    created = Project.objects.get(name="web")
    assert answer["Location"] == f"/projects/{created.pk}"
    assert created.labels == {"env": "prod", "team": "a"}
    assert b"web" in owner.get(here).content
    assert b'id="id_name_error"' in owner.post(f"{here}/projects/new", {"name": "web"}).content


def test_audit_is_filtered_and_exported(here: str, cloud: Cloud, owner: Client) -> None:
    home = f"/projects/{cloud.tenant.project.pk}"
    owner.post(f"{home}/networks/new", {"name": "mine", "cidr": "10.1.0.0/24"})
    owner.post(f"{home}/networks/new", {"name": "mine", "cidr": "10.1.0.0/24"})
    for audit in (f"{here}/audit", f"{home}/audit"):
        page = owner.get(f"{audit}?verb=network_create&outcome=succeeded").content
        assert page.count(b'<th scope="row"') == 1
        assert b"owner@people.example" in page
        assert b"No entry matches the filters." in owner.get(f"{audit}?completed_after=2099-01-01").content
        assert b"network.create" in owner.get(f"{audit}/deeds").content
        file = owner.get(f"{audit}/export?format=csv&verb=network_create")
        assert file["Content-Disposition"] == 'attachment; filename="audit.csv"'
        assert b"".join(file).count(b"network_create") == 2  # type: ignore[arg-type]


def test_placeholder_id_is_not_found(owner: Client, here: str) -> None:
    assert owner.get(f"/organizations/{ANY_ID}").status_code == 404
    assert owner.get(f"{here}/members/{ANY_ID}/edit").status_code == 404
