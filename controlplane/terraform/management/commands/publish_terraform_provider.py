from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from controlplane.identity.management.base import OperatorCommand
from controlplane.terraform.provider_registry import BadRelease, release_publish


class Command(OperatorCommand):
    help = "Publish a release of the Terraform provider in the registry: its zips, SHA256SUMS and SHA256SUMS.sig."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="folder of the release's files")
        parser.add_argument("--namespace", default="andromede")
        parser.add_argument("--key-id", required=True, help="long id of the signing key, 16 hex digits")
        parser.add_argument("--key", type=Path, required=True, help="path of the public key, ASCII-armoured")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            release = release_publish(
                options["folder"],
                namespace=options["namespace"],
                key_id=options["key_id"].upper(),
                key_file=options["key"],
            )
        except BadRelease as exc:
            raise CommandError(str(exc)) from exc
        except OSError as exc:
            raise CommandError(f"{exc.filename}: {exc.strerror}") from exc
        platforms = ", ".join(f"{package.os}_{package.arch}" for package in release.packages)
        self.print_message(f"Version {release.version} is published in the registry for {platforms}.")
