"""Who one is, and where: login, logout, profiles, projects, tokens."""

from __future__ import annotations

import getpass
import sys
from gettext import gettext as _
from typing import Annotated

import typer

from andromede_cli import output
from andromede_cli.command import Name, command, delete_command, group, list_command, show_command
from andromede_cli.failures import Misuse
from andromede_cli.output import Column
from andromede_cli.profiles import Profile, load, path, save
from andromede_cli.session import Session, open_client
from andromede_cli.terminal import say
from andromede_sdk import Ask, Client

SESSIONS = "/v1/sessions"
Url = Annotated[str | None, typer.Argument(metavar="URL", help=_("The control plane."), show_default=False)]
ReadToken = Annotated[bool, typer.Option("--token", help=_("Read the token from standard input."))]
Email = Annotated[
    str | None, typer.Option("--email", help=_("Sign in with a password instead of a token."), show_default=False)
]
CaFile = Annotated[
    str | None, typer.Option("--ca-file", help=_("The certificate of the authority to trust."), show_default=False)
]


def register(app: typer.Typer) -> None:
    command(app, "login", _("Keep the address of a control plane and a token for it."))(login)
    command(app, "logout", _("Forget the token of the profile."))(logout)
    profiles = group(_("Profiles: control planes and projects that are kept."))
    command(profiles, "list", _("All profiles; * marks the one in use."))(profile_list)
    command(profiles, "show", _("What is used now, from options, environment and profile."))(profile_show)
    command(profiles, "use", _("Use this profile from now on."))(profile_use)
    command(profiles, "delete", _("Forget a profile and its token."))(profile_delete)
    app.add_typer(profiles, name="profile")
    projects = group(_("Projects."))
    columns = [Column(_("name"), "name"), Column(_("organization"), "organization"), Column("id", "id")]
    list_command(projects, _("The projects that you see."), "projects", columns, "name")
    show_command(projects, _("A project."), "projects", "PROJECT")
    app.add_typer(projects, name="project")
    app.add_typer(_tokens(), name="token")


def login(me: Session, url: Url = None, token: ReadToken = False, email: Email = None, ca_file: CaFile = None) -> None:
    profiles = load()
    name = me.root.profile_name(profiles)
    kept = profiles.known.get(name, Profile())
    wanted = kept.overlaid(url=url or me.root.url, ca_file=ca_file, project=me.project or me.root.project)
    if not wanted.url:
        raise Misuse(_("Which control plane? Say: andromede login https://…"))
    if email:
        secret = _sign_in(open_client(Profile(wanted.url, ca_file=wanted.ca_file)), email)
    else:
        secret = _read_secret(_("Token: "), from_stdin=token)
    wanted = wanted.overlaid(token=secret)
    with open_client(Profile(wanted.url, wanted.token, ca_file=wanted.ca_file)) as client:
        visible = [project.name for project, _number in zip(client.projects.list(), range(2), strict=False)]
    if not wanted.project and len(visible) == 1:
        wanted = wanted.overlaid(project=visible[0])
    profiles.known[name] = wanted
    profiles.current = name
    save(profiles)
    said = _("Signed in to {url}, project {project}; profile {name}, kept in {file}.")
    say(said.format(url=wanted.url, project=wanted.project or "-", name=name, file=path()))


def _read_secret(prompt: str, *, from_stdin: bool) -> str:
    """Never from the command line, which others can see."""
    is_asked = sys.stdin.isatty() and not from_stdin
    secret = (getpass.getpass(prompt) if is_asked else sys.stdin.readline()).strip()
    if not secret:
        raise Misuse(_("There was no token on standard input."))
    return secret


def _sign_in(client: Client, email: str) -> str:
    """The secret of a new session."""
    if SESSIONS not in client.openapi.get()["paths"]:
        raise Misuse(_("This control plane knows no passwords. Sign in with a token."))
    password = _read_secret(_("Password: "), from_stdin=False)
    made = client.scope.document(Ask("POST", SESSIONS, body={"email": email, "password": password}))
    if not made.get("needs_second_factor"):
        return str(made["secret"])
    code = _read_secret(_("Code of the application (six digits): "), from_stdin=False)
    again = {"email": email, "password": password, "totp": code}
    return str(client.scope.document(Ask("POST", SESSIONS, body=again))["secret"])


def logout(me: Session) -> None:
    profiles = load()
    name = me.root.profile_name(profiles)
    kept = profiles.get(name)
    profiles.known[name] = Profile(kept.url, project=kept.project, ca_file=kept.ca_file)
    save(profiles)
    say(
        _(
            "The token of the profile {name} is forgotten here. It stays valid: revoke it with andromede token revoke."
        ).format(name=name)
    )


def profile_list(me: Session) -> None:
    profiles = load()
    rows = [
        {"name": name, "current": name == profiles.current, "url": each.url, "project": each.project}
        for name, each in sorted(profiles.known.items())
    ]
    if me.form in ("json", "yaml"):
        output.structured(rows, form=me.form)
    elif me.form == "name":
        for row in rows:
            output.plain(str(row["name"]))
    else:
        titles = ["", _("name"), _("address"), _("project")]
        output.table(
            titles,
            [["*" if row["current"] else "", *(str(row[n]) for n in ("name", "url", "project"))] for row in rows],
        )


def profile_show(me: Session) -> None:
    profile = me.profile
    known = {"url": profile.url, "project": profile.project, "ca_file": profile.ca_file}
    name = me.root.profile_name(load())
    me.show({"name": name, **known, "has_token": bool(profile.token), "file": str(path())})


def profile_use(me: Session, name: Name) -> None:
    profiles = load()
    profiles.get(name)
    profiles.current = name
    save(profiles)


def profile_delete(me: Session, name: Name) -> None:
    profiles = load()
    profiles.get(name)
    del profiles.known[name]
    save(profiles)


def _tokens() -> typer.Typer:
    tokens = group(_("Tokens of the project, for programs."))
    columns = [
        Column(_("name"), "name"),
        Column(_("role"), "role"),
        Column(_("begins with"), "prefix"),
        Column(_("expires"), "expires_at"),
        Column(_("last used"), "last_used_at"),
        Column("id", "id"),
    ]
    list_command(tokens, _("Your tokens for the project."), "tokens", columns, "name")
    command(tokens, "create", _("Make a token. Its secret is shown once."))(token_create)
    question = _("Revoke {names}? Whatever uses it stops working.")
    delete_command(tokens, _("Revoke tokens, by id."), "tokens", "TOKEN...", question, verb="revoke")
    return tokens


def token_create(
    me: Session,
    name: Name,
    role: Annotated[str, typer.Option(help=_("What it may do."))] = "member",
    days: Annotated[int, typer.Option(help=_("For how long it is valid."))] = 90,
) -> None:
    made = me.client.tokens.create(name=name, role=role, lifetime_days=days)
    if me.form == "name":
        output.plain(made.secret)
    else:
        me.show(made)
