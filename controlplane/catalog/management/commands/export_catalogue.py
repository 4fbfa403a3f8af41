import json
from typing import Any

from django.core.management.base import CommandParser

from controlplane.catalog.exports import catalogue_export
from controlplane.catalog.selectors import signed_facts
from controlplane.identity.management.base import OperatorCommand
from controlplane.kernel import clock


class Command(OperatorCommand):
    help = "Print the facts in force as a file for import_catalogue, or as signed statements."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--signed", action="store_true", help="print the signed statements, one per line")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["signed"]:
            for statement in signed_facts():
                self.stdout.write(statement.document().decode())
        else:
            self.stdout.write(json.dumps(catalogue_export(now=clock.now()), ensure_ascii=False, indent=2))
