from typing import Any

from django.core.management.base import CommandParser

from controlplane.catalog.imports import catalogue_import
from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand, read_json


class Command(OperatorCommand):
    help = "Import regions, zones, parties, named sets and the facts about them; a second time changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="JSON, schema andromede.sovereignty.catalogue/1")

    def handle(self, *args: Any, **options: Any) -> None:
        done = catalogue_import(SYSTEM, read_json(options["file"]))
        self.stdout.write(
            f"{done.regions} regions, {done.parties} parties, {done.zones} zones; facts: {done.stated} stated, "
            f"{done.superseded} superseded, {done.unchanged} unchanged"
        )
