"""Account and connection: login, logout, profiles."""

from __future__ import annotations

from contextlib import suppress
from gettext import gettext as _
from typing import Annotated

import typer

from andromede_cli import output
from andromede_cli.command import Name, command, group
from andromede_cli.declared_commands import call_command
from andromede_cli.error_reports import Misuse
from andromede_cli.profiles import Profile, load, path, save
from andromede_cli.session import Session, open_client
from andromede_cli.sign_in import SESSION, with_password, with_provider
from andromede_cli.terminal import ask_secret, print_note
from andromede_sdk import Unauthenticated

Url = Annotated[str | None, typer.Argument(metavar="URL", help=_("URL of the control plane."), show_default=False)]
ReadToken = Annotated[
    bool, typer.Option("--token", help=_("Sign in with a token: it is typed, or read from standard input."))
]
Email = Annotated[
    str | None, typer.Option("--email", help=_("Sign in with a password instead of a token."), show_default=False)
]
OpenId = Annotated[
    str | None, typer.Option("--openid", help=_("Sign in at this OpenID provider, in a browser."), show_default=False)
]
Port = Annotated[int, typer.Option("--port", help=_("Redirect URI of the browser: http://127.0.0.1:PORT/signed-in."))]
CaFile = Annotated[
    str | None, typer.Option("--ca-file", help=_("Certificate file of the authority to trust."), show_default=False)
]


def register(app: typer.Typer) -> None:
    command(app, "login", _("Sign in and save the control plane and credential in a profile."))(login)
    command(app, "logout", _("Sign out: end the session of the profile, or delete its token."))(logout)
    profiles = group(_("Saved control planes and projects."))
    command(profiles, "list", _("List profiles; * marks the one in use."))(profile_list)
    command(profiles, "show", _("Show the settings in use, from options, environment and profile."))(profile_show)
    command(profiles, "use", _("Use this profile from now on."))(profile_use)
    command(profiles, "delete", _("Delete a profile and its token."))(profile_delete)
    app.add_typer(profiles, name="profile")
    call_command(app, "whoami", _("Show your user and rights."), "me.get")


def login(
    me: Session,
    url: Url = None,
    token: ReadToken = False,
    email: Email = None,
    openid: OpenId = None,
    port: Port = 8400,
    ca_file: CaFile = None,
) -> None:
    profiles = load()
    name = me.root.profile_name(profiles)
    profile = profiles.known.get(name, Profile())
    new_profile = profile.overlaid(url=url or me.root.url, ca_file=ca_file, project=me.project or me.root.project)
    if not new_profile.url:
        raise Misuse(_("No control plane selected. Sign in with: andromede login https://…"))
    if sum(map(bool, (token, email, openid))) > 1:
        raise Misuse(_("Pass only one of --token, --email and --openid."))
    is_limited = False
    if email or openid:
        with open_client(Profile(new_profile.url, ca_file=new_profile.ca_file), is_debug=me.root.is_debug) as client:
            credential = with_password(client, email) if email else with_provider(client, str(openid), port)
        new_profile, is_limited = new_profile.overlaid(token=credential.secret), credential.needs_second_factor
    else:
        new_profile = new_profile.overlaid(token=ask_secret(_("Token:")))
    if not is_limited:
        new_profile = _with_project(new_profile)
    profiles.known[name] = new_profile
    profiles.current = name
    save(profiles)
    text = _("Signed in to {url}, project {project}; profile {name}, kept in {file}.")
    print_note(text.format(url=new_profile.url, project=new_profile.project or "-", name=name, file=path()))
    if is_limited:
        print_note(_("Your account needs a second factor first: andromede totp enrol"))


def _with_project(profile: Profile) -> Profile:
    """Check the token and choose the project: the named one, else the only one."""
    with open_client(Profile(profile.url, profile.token, ca_file=profile.ca_file)) as client:
        visible = [project.name for project, _number in zip(client.projects.list(), range(2), strict=False)]
    return profile.overlaid(project=visible[0]) if not profile.project and len(visible) == 1 else profile


def logout(me: Session) -> None:
    profiles = load()
    name = me.root.profile_name(profiles)
    profile = profiles.get(name)
    is_session = profile.token.startswith(SESSION)
    if is_session:
        with open_client(profile) as client, suppress(Unauthenticated):  # it has ended by itself
            client.sessions.end("current")
    profiles.known[name] = Profile(profile.url, project=profile.project, ca_file=profile.ca_file)
    save(profiles)
    if is_session:
        text = _("The session of the profile {name} has ended.")
    else:
        text = _(
            "The token of the profile {name} was deleted from this machine. It stays valid; revoke it with: andromede "
            "token revoke"
        )
    print_note(text.format(name=name))


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
    shown = {"url": profile.url, "project": profile.project, "ca_file": profile.ca_file}
    name = me.root.profile_name(load())
    me.show({"name": name, **shown, "has_token": bool(profile.token), "file": str(path())})


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
