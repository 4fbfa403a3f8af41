"""Tokens of projects, users and service accounts, and the list of an organization's tokens."""

from __future__ import annotations

from gettext import gettext as _
from typing import Any

import typer

from andromede_cli.columns import NAME
from andromede_cli.command import group
from andromede_cli.declared_commands import (
    DAYS,
    PROJECT,
    call_command,
    delete_command,
    given,
    list_command,
    option,
    secret,
)
from andromede_cli.output import Column
from andromede_cli.session import Session
from andromede_cli.terminal import print_note

TOKENS = [
    NAME,
    Column(_("role"), "role"),
    Column(_("follows its owner"), "follows_owner", is_wide=True),
    Column(_("begins with"), "prefix"),
    Column(_("expires"), "expires_at"),
    Column(_("last used"), "last_used_at"),
    Column(_("from"), "last_used_from", is_wide=True),
    Column(_("user"), "user.email", is_wide=True),
    Column(_("service account"), "service_account", is_wide=True),
    Column(_("verbs"), "verbs", is_wide=True),
    Column(_("kinds"), "kinds", is_wide=True),
    Column(_("projects"), "projects", is_wide=True),
    Column("id", "id"),
]
LIST = {
    PROJECT: "tokens.list",
    "organization": "organizations.token_list",
    "own": "own.token_list",
    "platform": "platform.token_list",
    "service_account": "service_accounts.token_list",
}
CREATE = {PROJECT: "tokens.create", "own": "own.token_create", "service_account": "service_accounts.token_create"}
REVOKE = {
    PROJECT: "tokens.revoke",
    "organization": "organizations.token_revoke",
    "own": "own.token_revoke",
    "platform": "platform.token_revoke",
}


ROLE = _("Maximum role. Without it, a token for all projects has all roles of its owner, also later ones.")


def _made(me: Session, token: Any) -> None:
    secret("secret")(me, token)
    if token.follows_owner:
        print_note(_("The token has all roles of its owner, also later ones. Limit it with --role."))


def register(app: typer.Typer) -> None:
    tokens = group(_("Tokens, for programs."))
    list_command(tokens, _("Your tokens for the project, or others."), LIST, TOKENS, "name")
    call_command(
        tokens,
        "create",
        _("Create a token. The secret is shown once."),
        CREATE,
        given("name", "NAME"),
        option("role", "--role", ROLE, default=None),
        DAYS,
        option("verbs", "--verb", _("Allowed verb, such as read; repeatable."), list[str], None),
        option(
            "kinds",
            "--kind",
            _("Allowed resource kind, such as instances; repeatable."),
            list[str],
            None,
        ),
        option("projects", "--in-project", _("Only in this project; repeatable."), list[str], None),
        option("is_platform", "--for-platform", _("For the platform; for operators."), bool, False),
        show=_made,
    )
    question = _("Revoke {names}? Programs that use it stop working.")
    delete_command(tokens, _("Revoke tokens, by id."), REVOKE, "TOKEN...", question)
    app.add_typer(tokens, name="token")
