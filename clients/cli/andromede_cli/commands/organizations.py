"""Organizations, their projects, members, invitations and service accounts."""

from __future__ import annotations

from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated

import typer

from andromede_cli.columns import CREATED, LABELS, NAME
from andromede_cli.command import DRY_RUN, Name, OrganizationOption, command, group
from andromede_cli.completion import names
from andromede_cli.declared_commands import (
    DAYS,
    LABEL,
    NEW_NAME,
    call_command,
    delete_command,
    given,
    list_command,
    option,
    secret,
    show_command,
)
from andromede_cli.output import Column
from andromede_cli.session import Session
from andromede_cli.terminal import ask_secret, print_note

if TYPE_CHECKING:
    from andromede_sdk.models import GrantInput

SHOWN_ID = Column("id", "id")
ORGANIZATIONS = [NAME, LABELS, CREATED, SHOWN_ID]
PROJECTS = [NAME, Column(_("organization"), "organization"), LABELS, CREATED, SHOWN_ID]
MEMBERS = [
    Column(_("email"), "user.email"),
    Column(_("role"), "role"),
    Column(_("since"), "created_at"),
    Column("id", "user.id", is_wide=True),
]
INVITATIONS = [
    Column(_("email"), "email"),
    Column(_("role"), "role"),
    Column(_("invited by"), "invited_by.email"),
    Column(_("expires"), "expires_at"),
    SHOWN_ID,
]
SERVICE_ACCOUNTS = [
    NAME,
    Column(_("disabled"), "is_disabled"),
    Column(_("grants"), "grants"),
    CREATED,
    SHOWN_ID,
]
ROLES = _("owner, admin, member, viewer, billing or sovereignty_officer.")
Grants = Annotated[
    list[str] | None,
    typer.Option("--grant", help=_("Role in all projects, or project=role; repeatable.")),
]
Disabled = Annotated[
    bool | None, typer.Option("--disable/--enable", help=_("Disable its tokens, or enable them again."))
]
Account = Annotated[
    str,
    typer.Argument(
        metavar="ACCOUNT", help=_("By name or id."), show_default=False, autocompletion=names("service_accounts.list")
    ),
]


def register(app: typer.Typer) -> None:
    app.add_typer(_organizations(), name="organization")
    app.add_typer(_projects(), name="project")
    app.add_typer(_members(), name="member")
    app.add_typer(_invitations(), name="invitation")
    app.add_typer(_service_accounts(), name="service-account")


def _organizations() -> typer.Typer:
    organizations = group(_("Organizations."))
    filters = ("name", "labels", "created_after")
    list_command(organizations, _("List organizations."), "organizations.list", ORGANIZATIONS, *filters)
    show_command(organizations, _("An organization."), "organizations.get", "ORGANIZATION")
    owner = option("owner", "--owner", _("First owner, by email address or id."), default=None)
    name = given("name", "NAME")
    help = _("Create an organization; for operators.")
    call_command(organizations, "create", help, "organizations.create", name, owner, LABEL)
    subject = given("organization", "ORGANIZATION", completes="organizations.list")
    call_command(
        organizations, "update", _("Change its name or labels."), "organizations.update", subject, NEW_NAME, LABEL
    )
    question = _("Delete {names}?")
    delete_command(
        organizations, _("Delete organizations without projects."), "organizations.delete", "ORGANIZATION...", question
    )
    return organizations


def _projects() -> typer.Typer:
    projects = group(_("Projects."))
    filters = ("name", "labels", "created_after")
    list_command(projects, _("List your projects."), "projects.list", PROJECTS, *filters)
    show_command(projects, _("A project."), "projects.get", "PROJECT")
    call_command(projects, "create", _("Create a project."), "projects.create", given("name", "NAME"), LABEL)
    subject = given("project", "PROJECT", completes="projects.list")
    call_command(projects, "update", _("Change its name or labels."), "projects.update", subject, NEW_NAME, LABEL)
    question = _("Delete {names}?")
    delete_command(projects, _("Delete projects that are empty."), "projects.delete", "PROJECT...", question)
    return projects


def _members() -> typer.Typer:
    members = group(_("Members of an organization."))
    list_command(members, _("List members."), "members.list", MEMBERS, "role", "email")
    show_command(members, _("A member, by email or id."), "members.get", "MEMBER")
    subject = given("member", "MEMBER", _("Email address or id of the member."), completes="members.list")
    call_command(
        members, "update", _("Change the role of a member."), "members.update", subject, option("role", "--role", ROLES)
    )
    question = _("Remove {names} from the organization?")
    delete_command(members, _("Remove members from the organization."), "members.remove", "MEMBER...", question)
    return members


def _invitations() -> typer.Typer:
    invitations = group(_("Invitations to an organization."))
    list_command(invitations, _("List pending invitations."), "invitations.list", INVITATIONS, "email")
    email = given("email", "EMAIL")
    role = option("role", "--role", ROLES, default="member")
    help = _("Create an invitation. No mail is sent: pass on the token, which is shown once.")
    call_command(invitations, "create", help, "invitations.create", email, role, DAYS, show=secret("token"))
    delete_command(
        invitations, _("Revoke invitations, by id."), "invitations.revoke", "INVITATION...", _("Revoke {names}?")
    )
    help = _("Accept an invitation. The token is typed, or read from standard input.")
    command(invitations, "accept", help, DRY_RUN)(accept)
    return invitations


def accept(me: Session) -> None:
    me.show(me.client.invitations.accept(token=ask_secret(_("Token of the invitation:")), dry_run=me.is_dry_run))


def _service_accounts() -> typer.Typer:
    accounts = group(_("Service accounts: programs that belong to an organization."))
    list_command(accounts, _("List service accounts."), "service_accounts.list", SERVICE_ACCOUNTS, "name")
    show_command(accounts, _("A service account."), "service_accounts.get", "ACCOUNT")
    help = _("Create a service account. Tokens for it: andromede token create --service-account.")
    command(accounts, "create", help, DRY_RUN)(create_account)
    command(accounts, "update", _("Change its name or grants, disable or enable it."), DRY_RUN)(update_account)
    question = _("Delete {names}? All tokens of it end.")
    delete_command(accounts, _("Delete service accounts."), "service_accounts.delete", "ACCOUNT...", question)
    return accounts


def create_account(me: Session, name: Name, grant: Grants = None, organization: OrganizationOption = None) -> None:
    owner = me.organization(organization)
    me.show(me.client.service_accounts.create(owner, name=name, grants=_grants(grant), dry_run=me.is_dry_run))
    if not grant:
        print_note(_("The service account has no rights yet. Pass --grant with create or update."))


def update_account(
    me: Session,
    account: Account,
    name: Annotated[str | None, typer.Option("--name", help=_("The new name."))] = None,
    grant: Grants = None,
    disable: Disabled = None,
    organization: OrganizationOption = None,
) -> None:
    owner = me.organization(organization)
    accounts = me.client.service_accounts
    grants = _grants(grant)
    me.show(accounts.update(owner, account, name=name, grants=grants, is_disabled=disable, dry_run=me.is_dry_run))


def _grants(texts: list[str] | None) -> list[GrantInput] | None:
    """Parse the grants, each `role` or `project=role`."""
    if not texts:
        return None
    parts = [text.rpartition("=") for text in texts]
    return [{"project": project, "role": role} if project else {"role": role} for project, _equals, role in parts]
