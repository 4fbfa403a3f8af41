"""A shell in a guest, by the ssh of this machine: to the public address of the instance, or through a tunnel.

User and addresses come from the API, where others write them: they are checked before ssh sees them, and no shell of
this machine sees them.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from gettext import gettext as _
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from andromede_cli.command import Instance, command
from andromede_cli.commands.public_addresses import public_addresses_of
from andromede_cli.commands.tunnel import SSH_PORT, Network, Port
from andromede_cli.error_reports import Misuse
from andromede_cli.profiles import load, path
from andromede_cli.session import Session
from andromede_cli.terminal import print_note

if TYPE_CHECKING:
    from andromede_sdk.models import InstanceWithActions as Found

CONNECT_LIMIT_S = 30  # with the tunnel's own opening
NOT_CONNECTED = 255  # the exit status of ssh for its own errors
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
Relay = Annotated[
    bool, typer.Option("--relay", help=_("Use a tunnel of the control plane, also if there is a public address."))
]
Public = Annotated[bool, typer.Option("--public", help=_("Use a public address; refuse if there is none."))]
Identity = Annotated[str | None, typer.Option("--identity", "-i", help=_("The file of the private key."))]
Command = Annotated[list[str] | None, typer.Argument(metavar="[-- COMMAND...]", help=_("Command to run in the guest."))]


def register(instances: typer.Typer) -> None:
    command(instances, "ssh", _("Open a shell in the guest, or run a command there."))(ssh)
    command(instances, "ssh-config", _("Print the configuration by which ssh, scp and Ansible reach the guest."))(
        ssh_config
    )


@dataclass(frozen=True)
class Way:
    """Way of ssh to the guest. `options`: of ssh; `is_public`: without the control plane."""

    address: str
    options: dict[str, str]
    is_public: bool = False


def ssh(
    me: Session,
    name: Instance,
    line: Command = None,
    user: User = None,
    port: Port = SSH_PORT,
    network: Network = None,
    jump: Jump = None,
    relay: Relay = False,
    public: Public = False,
    identity: Identity = None,
) -> None:
    if sum((relay, public, bool(jump))) > 1:
        raise Misuse(_("Pass only one of --relay, --public and --jump."))
    instance = me.client.instances.get(name)
    program = shutil.which("ssh")
    if program is None:
        raise Misuse(_("ssh was not found. Install an OpenSSH client."))
    if jump:
        way = Way(address_of(instance, network), {"ProxyJump": jump, "Port": str(port)})
    else:
        way = _way_to(me, instance, port, network, relay=relay, public=public)
    options = way.options | host_key_options(me, instance, way) | _user_option(user or _user_by_label(me, instance))
    words = [word for option, value in options.items() for word in ("-o", f"{option}={value}")]
    words += ["-i", identity] if identity else []
    status = subprocess.call([program, *words, "--", way.address, *(line or [])])
    if status == NOT_CONNECTED and way.is_public:
        text = _("ssh used the public address {address}. With --relay it goes through the control plane.")
        print_note(text.format(address=way.address))
    raise typer.Exit(status if status >= 0 else SIGNALLED - status)


def ssh_config(
    me: Session,
    name: Instance,
    user: User = None,
    port: Port = SSH_PORT,
    network: Network = None,
    relay: Relay = False,
    public: Public = False,
    identity: Identity = None,
) -> None:
    if relay and public:
        raise Misuse(_("Pass only one of --relay and --public."))
    instance = me.client.instances.get(name)
    if not HOST.fullmatch(instance.name):
        raise Misuse(_("{name} cannot be the name of a host. Rename the instance.").format(name=instance.name))
    way = _way_to(me, instance, port, network, relay=relay, public=public)
    options = {"HostName": way.address} if way.is_public else {}
    options |= way.options | host_key_options(me, instance, way) | _user_option(user or _user_by_label(me, instance))
    options |= {"IdentityFile": f'"{identity}"'} if identity else {}
    lines = [f"Host {instance.name}", *(f"    {option} {value}" for option, value in options.items())]
    print("\n".join(lines))  # noqa: T201 - the result


def _way_to(me: Session, instance: Found, port: int, network: str | None, *, relay: bool, public: bool) -> Way:
    """Return the way by a public address, or else by a tunnel. Raises Misuse: there is no address."""
    address = address_of(instance, network)
    limit = {"ConnectTimeout": str(CONNECT_LIMIT_S)}
    if not relay and (outside := _public_address_of(me, instance, network)) is not None:
        return Way(outside, {"Port": str(port), **limit}, is_public=True)
    if public:
        text = _("{name} has no public address that is applied: {command}")
        command = shlex.join(["andromede", "public-address", "list", "--instance", instance.name])
        raise Misuse(text.format(name=instance.name, command=command))
    return Way(address, {"ProxyCommand": proxy_command(me, instance, port, network), **limit})


def _public_address_of(me: Session, instance: Found, network: str | None) -> str | None:
    """Return a public address that the node applies, of that network's port; the translated ones first, since a routed
    one depends on the guest."""
    ports = {each.port.id for each in instance.addresses if network in (None, each.network.name, each.network.id)}
    usable = [
        each
        for each in public_addresses_of(me, instance.id)
        if each.state == "applied" and each.port is not None and each.port.id in ports
    ]
    usable.sort(key=lambda each: (each.mode != "nat", each.family))
    return str(_parsed(usable[0].ip, instance)) if usable else None


def address_of(instance: Found, network: str | None) -> str:
    """Return the guest's address. Raises Misuse if there is none in that network, or what the API says is none."""
    addresses = [each.ip for each in instance.addresses if network in (None, each.network.name, each.network.id)]
    if not addresses:
        raise Misuse(_("{name} has no address in that network.").format(name=instance.name))
    return str(_parsed(addresses[0], instance))


def _parsed(address: str, instance: Found) -> IPv4Address | IPv6Address:
    try:
        return ip_address(address)
    except ValueError as exc:
        raise Misuse(_("The address of {name} is not valid.").format(name=instance.name)) from exc


def host_key_options(me: Session, instance: Found, way: Way) -> dict[str, str]:
    """Return the options by which ssh remembers the host key under the instance's id, in a file of the profile.

    Other instances have the same address, later or in another network. The first key is accepted of a tunnel, which
    leads to this instance and to no other; at a public address ssh asks.
    """
    try:
        alias = f"andromede-{UUID(instance.id)}"
    except ValueError as exc:
        raise Misuse(_("The id of {name} is not valid.").format(name=instance.name)) from exc
    known_hosts = known_hosts_file(me.root.profile_name(load()))
    first_key = "ask" if way.is_public else "accept-new"
    return {
        "HostKeyAlias": alias,
        "UserKnownHostsFile": _ssh_word(str(known_hosts)),
        "StrictHostKeyChecking": first_key,
    }


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
