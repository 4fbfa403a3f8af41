"""A shell in a guest, by the ssh of this machine.

Address and user come from the API, where others write them: they are checked before ssh sees them, and no shell of this
machine sees them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from gettext import gettext as _
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from andromede_cli.command import Instance, command
from andromede_cli.error_reports import Misuse
from andromede_cli.session import Session
from andromede_cli.terminal import print_note

if TYPE_CHECKING:
    from andromede_sdk.models import InstanceWithActions as Found

CONNECT_LIMIT_S = 5
# How ssh ends when ssh itself failed; otherwise it ends as the remote command did (ssh(1), EXIT STATUS).
SSH_FAILED = 255
# What a shell adds to the number of the signal that ended a program.
SIGNALLED = 128
USER_LABEL = "ssh-user"
USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}")
User = Annotated[
    str | None,
    typer.Option("--user", "-u", help=_("The user there; else the label ssh-user of the instance or its image.")),
]
Network = Annotated[str | None, typer.Option("--network", help=_("Network whose address to use."))]
Jump = Annotated[str | None, typer.Option("--jump", "-J", help=_("Jump host."))]
Identity = Annotated[str | None, typer.Option("--identity", "-i", help=_("The file of the private key."))]
Command = Annotated[list[str] | None, typer.Argument(metavar="[-- COMMAND...]", help=_("Command to run in the guest."))]


def register(instances: typer.Typer) -> None:
    command(instances, "ssh", _("Open a shell in the guest, or run a command there."))(ssh)


def ssh(
    me: Session,
    name: Instance,
    line: Command = None,
    user: User = None,
    network: Network = None,
    jump: Jump = None,
    identity: Identity = None,
) -> None:
    found = me.client.instances.get(name)
    program = shutil.which("ssh")
    if program is None:
        raise Misuse(_("ssh was not found. Install an OpenSSH client."))
    words = arguments(found, user=user or _user_by_label(me, found), network=network)
    # With a jump host the limit would also cover the time of signing in there.
    way = ["-J", jump] if jump else ["-o", f"ConnectTimeout={CONNECT_LIMIT_S}"]
    options = [*way, *(["-i", identity] if identity else [])]
    status = subprocess.call([program, *options, *words, *(line or [])])
    address = words[-1]
    if status == SSH_FAILED and not jump and ip_address(address).is_private:
        advice = _(
            "{address} is a private address. If ssh could not connect: the network of {name} is not reached from here. "
            "Use `andromede instance console {name}`, or --jump with a machine that reaches it."
        )
        print_note(advice.format(address=address, name=found.name))
    raise typer.Exit(status if status >= 0 else SIGNALLED - status)


def arguments(instance: Found, *, user: str | None, network: str | None) -> list[str]:
    """Return the arguments of ssh.

    Other instances use the same addresses, later or in another network: the host key is stored under the id.

    Raises:
        Misuse: there is no such address, or what the API says is none.
    """
    addresses = [each.ip for each in instance.addresses if network in (None, each.network.name, each.network.id)]
    if not addresses:
        raise Misuse(_("{name} has no address in that network.").format(name=instance.name))
    try:
        address, alias = str(ip_address(addresses[0])), f"andromede-{UUID(instance.id)}"
    except ValueError as exc:
        raise Misuse(_("The address of {name} is not valid.").format(name=instance.name)) from exc
    if user is not None and not USER.fullmatch(user):
        raise Misuse(_("{user!r} is not a valid user name.").format(user=user))
    return ["-o", f"HostKeyAlias={alias}", *(["-l", user] if user else []), "--", address]


def _user_by_label(me: Session, instance: Found) -> str | None:
    if USER_LABEL in instance.labels:
        return instance.labels[USER_LABEL]
    return me.client.images.get(instance.image.id).labels.get(USER_LABEL)
