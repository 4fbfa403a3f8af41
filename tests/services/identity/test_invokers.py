"""Audit entries of manage.py commands: the invoker, and the organization that can read them."""

import pwd
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from controlplane.audit.models import AuditEntry
from controlplane.audit.request_log import entries_of_organization
from controlplane.identity.actor import Actor
from controlplane.identity.management import base
from controlplane.identity.models import Organization, Project
from controlplane.identity.services import membership_set, organization_create, project_create, user_create

pytestmark = pytest.mark.django_db
ROOT = pwd.getpwuid(0).pw_name


@pytest.fixture(autouse=True)
def logged_in_as_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "loginuid"
    file.write_text("0")
    monkeypatch.setattr(base, "LOGIN_UID", file)
    return file


def audit_entries(organization: str) -> list[tuple[str, object]]:
    """Return verb and invoker of each entry that an owner of the organization can read."""
    owned = Organization.objects.get(name=organization)
    owner = Actor(user_id=None, credential_id=None, project_id=None, role="owner", organization_id=owned.pk)
    rows = entries_of_organization(owner, owned).order_by("pk")
    return [(row.verb, row.facts.get("by", "")) for row in rows]


def test_each_audit_entry_names_the_command_and_the_account() -> None:
    call_command("create_organization", "acme")
    call_command("create_project", "acme", "web")
    call_command("create_user", "ada@acme.example")
    call_command("add_member", "acme", "ada@acme.example", "member")
    call_command("create_token", "ada@acme.example", "--project", "acme/web", "--name", "ci")
    call_command("create_token", "ada@acme.example", "--name", "everywhere")
    assert audit_entries("acme") == [
        ("organization.create", f"manage.py create_organization: {ROOT}"),
        ("project.create", f"manage.py create_project: {ROOT}"),
        ("member.create", f"manage.py add_member: {ROOT}"),
        ("token.create", f"manage.py create_token: {ROOT}"),
        ("token.create", f"manage.py create_token: {ROOT}"),
    ]
    created = AuditEntry.objects.get(verb="user.create")
    assert (created.user_id, created.facts["by"]) == (None, f"manage.py create_user: {ROOT}")


def test_invoker_is_named_by_option_or_environment(settings: Settings) -> None:
    otto = user_create(email="otto@example.org", is_operator=True)
    call_command("create_organization", "acme", acts_as="otto@example.org")
    settings.ACTOR = "OTTO@example.org"
    call_command("create_organization", "globex")
    for row in AuditEntry.objects.filter(verb="organization.create"):
        assert (row.user_id, row.facts["by"]) == (otto.pk, f"manage.py create_organization: {ROOT}")
    with pytest.raises(CommandError, match=r"no user 'eve@example\.org'"):
        call_command("create_organization", "initech", acts_as="eve@example.org")
    assert not Organization.objects.filter(name="initech").exists()


def test_invoker_without_a_login_is_the_sudo_account(logged_in_as_root: Path, settings: Settings) -> None:
    logged_in_as_root.write_text("4294967295")
    settings.SUDO_USER = "alice"
    call_command("create_organization", "acme")
    assert audit_entries("acme") == [("organization.create", "manage.py create_organization: alice")]
    logged_in_as_root.unlink()
    settings.SUDO_USER = ""
    call_command("create_organization", "globex")
    assert audit_entries("globex")[0][1] != "manage.py create_organization: alice"


def test_action_after_a_command_has_no_invoker() -> None:
    call_command("create_organization", "acme")
    organization_create(name="globex")
    assert audit_entries("globex") == [("organization.create", "")]


def test_organization_sees_only_its_own_audit_entries() -> None:
    acme, globex = organization_create(name="acme"), organization_create(name="globex")
    project_create(acme, name="web")
    ada, bob, both = (user_create(email=f"{name}@example.org") for name in ("ada", "bob", "both"))
    for organization, user in ((acme, ada), (globex, bob), (acme, both), (globex, both)):
        membership_set(organization, user=user, role="member")
    start = AuditEntry.objects.count()
    call_command("create_token", "ada@example.org", "--name", "one")
    call_command("create_token", "bob@example.org", "--name", "one")
    call_command("create_token", "both@example.org", "--name", "one")
    rows = AuditEntry.objects.order_by("pk")[start:]
    assert [(row.facts["user"], row.organization_id, row.project_id) for row in rows] == [
        (str(ada.pk), acme.pk, None),
        (str(bob.pk), globex.pk, None),
        (str(both.pk), acme.pk, None),
        (str(both.pk), globex.pk, None),
    ]
    for each, other in ((acme, globex), (globex, acme)):
        entries = entries_of_organization(
            Actor(user_id=None, credential_id=None, project_id=None, role="owner", organization_id=each.pk), each
        )
        ids = set(entries.values_list("organization_id", flat=True)) | set(entries.values_list("project_id", flat=True))
        assert ids <= {each.pk, None, *Project.objects.filter(organization=each).values_list("pk", flat=True)}
        assert str(other.pk) not in str(list(entries.values("facts")))
