"""A shell in a guest, by the ssh of this machine, through a tunnel of the control plane.

User and addresses come from the API, where others write them: they are checked before ssh sees them, and no shell of
this machine sees them.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from gettext import gettext as _
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from andromede_cli.command import Instance, command
from andromede_cli.commands.tunnel import SSH_PORT, Network, Port
from andromede_cli.error_reports import Misuse
from andromede_cli.profiles import load, path
from andromede_cli.session import Session

if TYPE_CHECKING:
    from andromede_sdk.models import InstanceWithActions as Found

CONNECT_LIMIT_S = 30  # with the tunnel's own opening
# What a shell adds to the number of the signal that ended a program.
SIGNALLED = 128
USER_LABEL = "ssh-user"
USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}")
HOST = re.compile(r"[A-Za-z0-9_.-]+")
User = Annotated[
    str | None,
    typer.Option("--user", "-u", help=_("The user there; else the label ssh-user of the instance or its image.")),
]
Jump = Annotated[
    str | None,
    typer.Option("--jump", "-J", help=_("Connect to the address from this host instead of through a tunnel.")),
]
Identity = Annotated[str | None, typer.Option("--identity", "-i", help=_("The file of the private key."))]
Command = Annotated[list[str] | None, typer.Argument(metavar="[-- COMMAND...]", help=_("Command to run in the guest."))]


def register(instances: typer.Typer) -> None:
    command(instances, "ssh", _("Open a shell in the guest, or run a command there."))(ssh)
    command(instances, "ssh-config", _("Print the configuration by which ssh, scp and Ansible reach the guest."))(
        ssh_config
    )


def ssh(
    me: Session,
    name: Instance,
    line: Command = None,
    user: User = None,
    port: Port = SSH_PORT,
    network: Network = None,
    jump: Jump = None,
    identity: Identity = None,
) -> None:
    found = me.client.instances.get(name)
    program = shutil.which("ssh")
    if program is None:
        raise Misuse(_("ssh was not found. Install an OpenSSH client."))
    address = address_of(found, network)
    if jump:
        way = {"ProxyJump": jump, "Port": str(port)}
    else:
        way = {"ProxyCommand": proxy_command(me, found, port, network), "ConnectTimeout": str(CONNECT_LIMIT_S)}
    options = way | host_key_options(me, found) | _user_option(user or _user_by_label(me, found))
    words = [word for option, value in options.items() for word in ("-o", f"{option}={value}")]
    words += ["-i", identity] if identity else []
    status = subprocess.call([program, *words, "--", address, *(line or [])])
    raise typer.Exit(status if status >= 0 else SIGNALLED - status)


def ssh_config(
    me: Session,
    name: Instance,
    user: User = None,
    port: Port = SSH_PORT,
    network: Network = None,
    identity: Identity = None,
) -> None:
    found = me.client.instances.get(name)
    address_of(found, network)
    if not HOST.fullmatch(found.name):
        raise Misuse(_("{name} cannot be the name of a host. Rename the instance.").format(name=found.name))
    options = {"ProxyCommand": proxy_command(me, found, port, network), "ConnectTimeout": str(CONNECT_LIMIT_S)}
    options |= host_key_options(me, found) | _user_option(user or _user_by_label(me, found))
    options |= {"IdentityFile": f'"{identity}"'} if identity else {}
    lines = [f"Host {found.name}", *(f"    {option} {value}" for option, value in options.items())]
    print("\n".join(lines))  # noqa: T201 - the result


def address_of(instance: Found, network: str | None) -> str:
    """Return the guest's address. Raises Misuse if there is none in that network, or what the API says is none."""
    addresses = [each.ip for each in instance.addresses if network in (None, each.network.name, each.network.id)]
    if not addresses:
        raise Misuse(_("{name} has no address in that network.").format(name=instance.name))
    try:
        return str(ip_address(addresses[0]))
    except ValueError as exc:
        raise Misuse(_("The address of {name} is not valid.").format(name=instance.name)) from exc


def host_key_options(me: Session, instance: Found) -> dict[str, str]:
    """Return the options by which ssh remembers the host key under the instance's id, in a file of the profile.

    Other instances have the same address, later or in another network. The first key is accepted: the tunnel leads to
    this instance and to no other.
    """
    try:
        alias = f"andromede-{UUID(instance.id)}"
    except ValueError as exc:
        raise Misuse(_("The id of {name} is not valid.").format(name=instance.name)) from exc
    known = known_hosts_file(me.root.profile_name(load()))
    return {"HostKeyAlias": alias, "UserKnownHostsFile": _ssh_word(str(known)), "StrictHostKeyChecking": "accept-new"}


def known_hosts_file(profile: str) -> Path:
    """Return the file of the profile, in a folder that exists."""
    folder = path().parent / "known_hosts"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / re.sub(r"[^A-Za-z0-9_.-]", "_", profile)


def proxy_command(me: Session, instance: Found, port: int, network: str | None) -> str:
    """Return the command line by which ssh opens a tunnel: this command, with the same control plane and project."""
    root, project = me.root, me.profile.project
    words = [sys.executable, "-P", "-m", "andromede_cli"]
    words += ["--profile", root.profile] if root.profile else []
    words += ["--url", root.url] if root.url else []
    words += ["instance", "tunnel", instance.id, "--stdio", "--port", str(port)]
    words += ["--network", network] if network else []
    words += ["--project", project] if project else []
    return shlex.join(words).replace("%", "%%")


def _ssh_word(text: str) -> str:
    """Return the text as one word of ssh's configuration."""
    escaped = text.replace("%", "%%")
    return f'"{escaped}"' if " " in escaped else escaped


def _user_option(user: str | None) -> dict[str, str]:
    if user is None:
        return {}
    if not USER.fullmatch(user):
        raise Misuse(_("{user!r} is not a valid user name.").format(user=user))
    return {"User": user}


def _user_by_label(me: Session, instance: Found) -> str | None:
    if USER_LABEL in instance.labels:
        return instance.labels[USER_LABEL]
    return me.client.images.get(instance.image.id).labels.get(USER_LABEL)
