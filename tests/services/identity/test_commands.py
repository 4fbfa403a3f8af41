"""Commands that create organizations, users, members and tokens."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command

from controlplane.identity.actor import SYSTEM
from controlplane.identity.errors import TokenRevoked
from controlplane.identity.models import ApiToken, Membership, Organization, Project, User
from controlplane.identity.selectors import actor_of, projects
from controlplane.identity.services import organization_delete, project_delete
from controlplane.kernel import clock

pytestmark = pytest.mark.django_db


class Console:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *arguments: str) -> str:
        """Return the standard output of a command without the line's end."""
        self.capsys.readouterr()
        call_command(*arguments)
        return self.capsys.readouterr().out.removesuffix("\n")


@pytest.fixture
def console(capsys: pytest.CaptureFixture[str]) -> Console:
    return Console(capsys)


@pytest.fixture
def acme(console: Console) -> Console:
    """Organization acme with the project web and its member ada@acme.example."""
    console("create_organization", "acme")
    console("create_project", "acme", "web")
    console("create_user", "ada@acme.example")
    console("add_member", "acme", "ada@acme.example", "member")
    return console


def test_each_create_command_is_idempotent_and_prints_the_id(console: Console) -> None:
    for arguments in (
        ("create_organization", "acme"),
        ("create_project", "acme", "web"),
        ("create_user", "ada@acme.example"),
    ):
        first, second = console(*arguments), console(*arguments)
        assert UUID(first) == UUID(second)
    assert [model.objects.count() for model in (Organization, Project, User)] == [1, 1, 1]


def test_a_membership_is_replaced(acme: Console) -> None:
    acme("add_member", "acme", "ada@acme.example", "admin")
    assert Membership.objects.get().role == "admin"


def test_deleted_resource_is_created_anew(acme: Console) -> None:
    project, organization = Project.objects.get(), Organization.objects.get()
    project_delete(SYSTEM, project)
    assert acme("create_project", "acme", "web") != str(project.pk)
    project_delete(SYSTEM, Project.objects.get(deleted_at=None))
    organization_delete(SYSTEM, organization)
    with pytest.raises(CommandError, match="There is no organization 'acme'"):
        acme("create_project", "acme", "web")
    assert acme("create_organization", "acme") != str(organization.pk)


@pytest.mark.parametrize("project", ["web", "acme/web"])
def test_create_token_prints_only_a_working_secret(acme: Console, project: str) -> None:
    secret = acme("create_token", "ada@acme.example", "--project", project, "--name", "laptop", "--days", "7")

    actor = actor_of(secret)
    assert actor is not None
    assert (actor.project_id, actor.role, actor.is_operator) == (Project.objects.get().pk, "member", False)
    token = ApiToken.objects.get()
    assert timedelta(days=6) < token.expires_at - clock.now() <= timedelta(days=7)
    assert secret.encode() not in bytes(token.sha256)


def test_token_without_a_project_is_valid_for_all_projects_of_a_member(acme: Console) -> None:
    acme("create_project", "acme", "shop")
    actor = actor_of(acme("create_token", "ada@acme.example", "--name", "laptop"))
    assert actor is not None
    assert (actor.project_id, actor.sees_all, set(actor.memberships.values())) == (None, False, {"member"})
    assert projects(actor).count() == 2
    capped = actor_of(acme("create_token", "ada@acme.example", "--name", "eyes", "--role", "viewer"))
    assert capped is not None
    assert set(capped.memberships.values()) == {"viewer"}


def test_an_operators_token_needs_no_project(console: Console) -> None:
    console("create_user", "op@example.org", "--operator")
    actor = actor_of(console("create_token", "op@example.org", "--name", "console", "--role", "owner"))
    assert actor is not None
    assert (actor.project_id, actor.is_operator) == (None, True)


def test_token_is_replaced_on_request(acme: Console) -> None:
    arguments = ("create_token", "ada@acme.example", "--project", "web", "--name", "laptop")
    first = acme(*arguments)
    with pytest.raises(CommandError, match="--replace"):
        acme(*arguments)
    assert actor_of(first) is not None

    second = acme(*arguments, "--replace")

    with pytest.raises(TokenRevoked):
        actor_of(first)
    assert actor_of(second) is not None


@pytest.mark.parametrize(
    ("role", "later", "good_for"),
    [
        ("sovereignty_officer", "owner", "viewer"),
        ("sovereignty_officer", "viewer", "viewer"),
        ("owner", "member", "member"),
        ("admin", "sovereignty_officer", "viewer"),
        ("member", "owner", "member"),
        ("viewer", "sovereignty_officer", "viewer"),
    ],
)
def test_token_role_is_limited_by_the_current_membership(acme: Console, role: str, later: str, good_for: str) -> None:
    acme("create_user", "olga@acme.example")
    acme("add_member", "acme", "olga@acme.example", "owner")
    acme("add_member", "acme", "ada@acme.example", role)
    secret = acme("create_token", "ada@acme.example", "--project", "web", "--name", "laptop", "--role", role)
    acme("add_member", "acme", "ada@acme.example", later)
    actor = actor_of(secret)
    assert actor is not None
    assert actor.role == good_for
    Membership.objects.all().delete()
    assert actor_of(secret) is None


def test_operator_needs_a_membership_for_a_project(acme: Console) -> None:
    acme("create_user", "op@example.org", "--operator")
    arguments = ("create_token", "op@example.org", "--project", "web", "--name", "x", "--role", "viewer")
    with pytest.raises(CommandError, match="is not a member of acme"):
        acme(*arguments)
    acme("add_member", "acme", "op@example.org", "viewer")
    actor = actor_of(acme(*arguments))
    assert actor is not None
    assert (actor.role, actor.is_operator) == ("viewer", False)


@pytest.mark.parametrize("duty", ["operator", "auditor", "support"])
def test_user_has_one_platform_role(console: Console, duty: str) -> None:
    first = console("create_user", "op@example.org", f"--{duty}")
    assert console("create_user", "op@example.org", f"--{duty}") == first
    with pytest.raises(CommandError, match=f"with platform role {duty}"):
        console("create_user", "op@example.org")
    actor = actor_of(console("create_token", "op@example.org", "--name", "console"))
    assert actor is not None
    assert (actor.role, actor.sees_all, actor.is_operator) == (duty, True, duty == "operator")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("create_organization", "Acme Inc"), "not a valid name"),
        (("create_project", "nobody", "web"), "There is no organization 'nobody'"),
        (("create_user", "ada"), "not an e-mail address"),
        (("create_user", "ada@acme.example", "--operator"), "with platform role none"),
        (("add_member", "acme", "eve@acme.example", "member"), "There is no user"),
        (("add_member", "acme", "ada@acme.example", "king"), "invalid choice"),
        (("create_token", "bob@other.example", "--name", "x"), "no platform role and no membership"),
        (("create_token", "ada@acme.example", "--project", "shop", "--name", "x"), "There is no project 'shop'"),
        (("create_token", "ada@acme.example", "--project", "web", "--name", "x", "--role", "admin"), "only member"),
        (("create_token", "ada@acme.example", "--project", "web", "--name", "x", "--days", "0"), "1 to 366 days"),
        (("create_token", "ada@acme.example", "--project", "web", "--name", "x", "--days", "9999999999"), "366"),
        (("create_token", "bob@other.example", "--project", "web", "--name", "x"), "is not a member of acme"),
    ],
)
def test_invalid_arguments_are_refused_with_a_message(acme: Console, arguments: tuple[str, ...], sentence: str) -> None:
    acme("create_user", "bob@other.example")
    with pytest.raises(CommandError, match=sentence):
        acme(*arguments)
    assert not ApiToken.objects.exists()


def test_ambiguous_project_name_needs_its_organization(acme: Console) -> None:
    acme("create_organization", "other")
    acme("create_project", "other", "web")
    with pytest.raises(CommandError, match="write ORGANIZATION/web"):
        acme("create_token", "ada@acme.example", "--project", "web", "--name", "x")
