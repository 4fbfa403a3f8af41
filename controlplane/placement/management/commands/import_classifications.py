from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from andromede_core.documents.parsing import Malformed
from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand, read_json
from controlplane.placement.classifications import classifications_import

SHIPPED = Path(__file__).resolve().parents[2] / "fixtures" / "classifications.json"


class Command(OperatorCommand):
    help = "Import the platform's classifications and their policies. A repetition changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file",
            nargs="?",
            default=str(SHIPPED),
            help="path of the classifications, JSON, schema andromede.classifications/1",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = classifications_import(SYSTEM, read_json(options["file"]))
        except Malformed as exc:
            raise CommandError(f"{options['file']}: {exc}") from exc
        for name in done.kept:
            self.print_message(f"{name} keeps its stricter definition: the file would demand less, or something else.")
            self.print_message(
                "  Two people may loosen the policy; a milder drift_action or is_supported needs a new name."
            )
        self.stdout.write(f"{done.known} classifications; {done.changed} changed")
