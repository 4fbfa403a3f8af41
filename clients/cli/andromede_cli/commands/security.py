"""Sign-in methods and sessions of a user."""

from __future__ import annotations

from gettext import gettext as _
from typing import Annotated

import typer

from andromede_cli.columns import NAME, STATE
from andromede_cli.command import DRY_RUN, command, group
from andromede_cli.declared_commands import (
    Parameter,
    call_command,
    delete_command,
    filters,
    given,
    list_command,
    option,
    rows,
    show_command,
)
from andromede_cli.output import Column
from andromede_cli.session import Session
from andromede_cli.sign_in import ask_code
from andromede_cli.terminal import ask_new_password, ask_secret, print_note

SESSIONS = [
    Column(_("current"), "is_current"),
    Column(_("from"), "address"),
    Column(_("with"), "user_agent"),
    Column(_("last used"), "last_used_at"),
    Column(_("expires"), "expires_at"),
    Column(_("proved with"), "methods", is_wide=True),
    Column("id", "id"),
]
PASSKEYS = [
    NAME,
    Column(_("created"), "created_at"),
    Column(_("last used"), "last_used_at"),
    Column("id", "id"),
]
IDENTITIES = [
    Column(_("issuer"), "issuer"),
    Column(_("subject"), "subject"),
    Column(_("last used"), "last_used_at"),
    Column("id", "id"),
]
RESETS = [
    Column(_("user"), "user.email"),
    Column(_("requested by"), "asked_by.email"),
    Column(_("confirmed by"), "confirmed_by.email"),
    Column(_("valid from"), "good_from"),
    Column(_("expires"), "expires_at"),
    Column("id", "id"),
]
USERS = [
    Column(_("email"), "email"),
    Column(_("duty"), "duty"),
    STATE,
    Column(_("second factor"), "has_second_factor"),
    Column(_("last sign-in"), "last_sign_in_at"),
    Column(_("tokens"), "tokens"),
    Column("id", "id"),
]
REVOKE_TOKENS = _("Also revoke the API tokens that were made in these sessions.")
RevokeTokensOption = Annotated[bool, typer.Option("--revoke-tokens", help=REVOKE_TOKENS)]
PROVIDERS = [NAME, Column(_("title"), "title")]


def register(app: typer.Typer) -> None:
    app.add_typer(_sessions(), name="session")
    app.add_typer(_passwords(), name="password")
    app.add_typer(_totp(), name="totp")
    app.add_typer(_passkeys(), name="passkey")
    identities = group(_("OpenID identities that open your account."))
    list_command(identities, _("List your OpenID identities."), "identities.list", IDENTITIES)
    question = _("Unlink {names}?")
    delete_command(identities, _("Unlink them from your account."), "identities.unlink", "IDENTITY...", question)
    help = _("The OpenID providers of this control plane; see login --openid.")
    call_command(identities, "providers", help, "openid_providers.list", show=rows(PROVIDERS, "items"))
    app.add_typer(identities, name="identity")
    user = given("user", "USER", _("Id or email address of the user."))
    app.add_typer(_users(user), name="user")
    app.add_typer(_password_resets(user), name="password-reset")


def _users(user: Parameter) -> typer.Typer:
    users = group(_("Users; for operators, and for auditors to look at."))
    duty = option("duty", "--duty", _("Filter by duty: operator, support, auditor or none."), default=None)
    narrowed = [*filters("email", "state"), duty]
    call_command(users, "list", _("List users."), "users.list", *narrowed, show=rows(USERS))
    show_command(users, _("A user, by id or email."), "users.get", "USER")
    reason = option("reason", "--reason", _("Reason, for the audit of the platform."), default=None)
    revoke = option("revoke_tokens", "--revoke-tokens", REVOKE_TOKENS, bool, False)
    question = _("Suspend {user}? The user cannot sign in until reinstated.")
    help = _("Suspend a user: sessions end, and tokens are refused.")
    call_command(users, "suspend", help, "users.suspend", user, reason, revoke, question=question)
    help = _("Reinstate a user who was suspended, or has ended.")
    call_command(users, "reinstate", help, "users.reinstate", user)
    question = _("End {user}? Memberships, duty, tokens and sessions end for good.")
    help = _("End the account of a user.")
    call_command(users, "end", help, "users.end", user, question=question)
    question = _("Remove the platform role of {user}?")
    help = _("Remove the platform role of a user.")
    call_command(users, "take-duty", help, "users.duty_remove", user, question=question)
    question = _("Give up your platform role? You cannot take it back yourself.")
    help = _("Give up your own platform role.")
    call_command(users, "lay-down-duty", help, "own.duty_remove", question=question)
    question = _("End all sessions of {user}?")
    help = _("End all sessions of a user.")
    call_command(users, "end-sessions", help, "users.sessions_end", user, question=question)
    help = _("Create the secret of a link with which a new user sets a first password. It is shown once.")
    call_command(users, "password-link", help, "password_links.create", user)
    return users


def _password_resets(user: Parameter) -> typer.Typer:
    resets = group(_("Resets of passwords of users who have one; they take two people."))
    list_command(resets, _("List pending password resets."), "password_resets.list", RESETS)
    show_command(resets, _("A reset, by id."), "password_resets.get", "RESET")
    call_command(resets, "create", _("Request a reset; for operators."), "password_resets.create", user)
    help = _("Confirm the reset request of another person. The secret of the link is shown once.")
    reset, question = given("reset", "RESET"), _("Confirm {reset}? The person with its link can set the password.")
    call_command(resets, "confirm", help, "password_resets.confirm", reset, question=question)
    question = _("Withdraw {names}?")
    delete_command(resets, _("Withdraw resets and their links."), "password_resets.withdraw", "RESET...", question)
    return resets


def _sessions() -> typer.Typer:
    sessions = group(_("Your sessions."))
    list_command(sessions, _("List sessions with the address that each began from."), "sessions.list", SESSIONS)
    show_command(sessions, _("A session, by id; current is this one."), "sessions.get", "SESSION")
    delete_command(sessions, _("End sessions."), "sessions.end", "SESSION...", _("End {names}?"))
    question = _("End all sessions but this one?")
    help = _("End all but this one.")
    revoke = option("revoke_tokens", "--revoke-tokens", REVOKE_TOKENS, bool, False)
    call_command(sessions, "end-others", help, "sessions.end_others", revoke, question=question)
    help = _("Confirm your identity again, before a sensitive change.")
    command(sessions, "verify", help, DRY_RUN)(verify)
    call_command(sessions, "methods", _("List the sign-in methods of your account."), "sign.in_methods")
    return sessions


def verify(me: Session) -> None:
    methods = me.client.sign.in_methods()
    proof = ask_code() if methods.has_totp else {"password": ask_secret(_("Password:"))}
    me.show(me.client.sessions.verify(**proof, dry_run=me.is_dry_run))


def _passwords() -> typer.Typer:
    passwords = group(_("Your password. It is typed unseen, or read from standard input."))
    command(passwords, "change", _("Change it. Your other sessions end."))(password_change)
    help = _("Set one with the secret of a link that an operator has made for you.")
    command(passwords, "set", help)(password_set)
    return passwords


def password_change(me: Session, revoke_tokens: RevokeTokensOption = False) -> None:
    old = ask_secret(_("Password:")) if me.client.sign.in_methods().has_password else None
    me.client.password.change(old_password=old, new_password=ask_new_password(), revoke_tokens=revoke_tokens)
    print_note(_("Done."))


def password_set(me: Session) -> None:
    secret = ask_secret(_("Secret of the link:"))
    me.client.password.set(secret=secret, new_password=ask_new_password())
    print_note(_("Done. Sign in with: andromede login --email"))


def _totp() -> typer.Typer:
    totp = group(_("Codes of an application, as a second factor."))
    help = _("Begin: the secret, and its address for a QR code. Type it into the application, then confirm.")
    call_command(totp, "enrol", help, "totp.enrol")
    command(totp, "confirm", _("Confirm with a code. Prints recovery codes: keep them."), DRY_RUN)(confirm)
    help = _("Sign in without codes from now on.")
    question = _("Remove the second factor of your account?")
    call_command(totp, "remove", help, "totp.remove", question=question)
    question = _("Create new recovery codes? The old ones become invalid.")
    help = _("Create new recovery codes.")
    call_command(totp, "recovery-codes", help, "recovery.codes_replace", question=question)
    return totp


def confirm(me: Session) -> None:
    me.show(me.client.totp.confirm(code=ask_secret(_("Code of the application:")), dry_run=me.is_dry_run))


def _passkeys() -> typer.Typer:
    passkeys = group(_("Passkeys. They are made and used in a browser."))
    list_command(passkeys, _("List your passkeys."), "passkeys.list", PASSKEYS)
    question = _("Remove {names}?")
    delete_command(passkeys, _("Remove passkeys."), "passkeys.remove", "PASSKEY...", question)
    return passkeys
