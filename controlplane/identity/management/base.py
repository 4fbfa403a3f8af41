"""What the commands of the control plane share. They run on its own machine, for whoever may read its settings.

A command prints its result on stdout and everything else on stderr, so that scripts can use the result.
"""

import json
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError

from controlplane.kernel.errors import CloudError


class OperatorCommand(BaseCommand):
    """A refusal (CloudError) ends the command with its sentence on stderr and status 1."""

    requires_system_checks: ClassVar[list[str]] = []  # type: ignore[misc]

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except CloudError as exc:
            raise CommandError(f"{exc} [{exc.code}]") from exc

    def say(self, message: str) -> None:
        self.stderr.write(message)


def read_json(path: str) -> object:
    """Raises CommandError when the file cannot be read or is not JSON."""
    try:
        return json.loads(read_bytes(path))
    except ValueError as exc:
        raise CommandError(f"{path} is not JSON: {exc}") from exc


def read_bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as exc:
        raise CommandError(f"Cannot read {path}: {exc.strerror}.") from exc
