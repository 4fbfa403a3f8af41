"""Base of the control plane's commands. They run on its own machine, for users who may read its settings.

A command prints its result on stdout and everything else on stderr, so that scripts can use the result. Each audit
entry of a command names the command and the Unix account that ran it.
"""

import json
import os
import pwd
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from controlplane.audit.services import Invoker, invoked_by
from controlplane.identity.models import User
from controlplane.kernel.errors import CloudError

LOGIN_UID = Path("/proc/self/loginuid")  # set at login, and kept by su and sudo (pam_loginuid(8))


class OperatorCommand(BaseCommand):
    """A command. A CloudError ends it with the error's text on stderr and status 1."""

    requires_system_checks: ClassVar[list[str]] = []  # type: ignore[misc]

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.add_argument(
            "--as",
            dest="acts_as",
            metavar="EMAIL",
            default=settings.ACTOR,
            help="e-mail address of the user recorded in the audit (default: $ANDROMEDE_ACTOR)",
        )
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            with invoked_by(self._invoker(options.get("acts_as") or "")):
                return super().execute(*args, **options)
        except CloudError as exc:
            raise CommandError(f"{exc} [{exc.code}]") from exc

    def _invoker(self, email: str) -> Invoker:
        command = type(self).__module__.rpartition(".")[2]
        user_id = None
        if email:
            user = User.objects.filter(email__iexact=email).first()
            if user is None:
                raise CommandError(f"--as: there is no user {email!r}.")
            user_id = user.pk
        return Invoker(f"manage.py {command}: {invoking_account()}", user_id)

    def print_message(self, message: str) -> None:
        self.stderr.write(message)


def invoking_account() -> str:
    """Return the Unix account that ran the command: the one of the login, also after su and sudo; without a login, the
    one that called sudo; else the one of the process.
    """
    with suppress(OSError, ValueError, KeyError):
        return pwd.getpwuid(int(LOGIN_UID.read_text())).pw_name
    if settings.SUDO_USER:
        return str(settings.SUDO_USER)
    with suppress(KeyError):
        return pwd.getpwuid(os.getuid()).pw_name
    return f"uid {os.getuid()}"


def read_json(path: str) -> object:
    """Read a JSON file. Raises CommandError when the file cannot be read or is not JSON."""
    try:
        return json.loads(read_bytes(path))
    except ValueError as exc:
        raise CommandError(f"{path} is not JSON: {exc}") from exc


def read_bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as exc:
        raise CommandError(f"Cannot read {path}: {exc.strerror}.") from exc
