from typing import Any

from django.core.management.base import CommandParser

from controlplane.catalog.catalogue_import import offers_import
from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand, read_json


class Command(OperatorCommand):
    help = "Import flavors and volume types. A repetition changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="path of the offers, JSON, schema andromede.offers/1")

    def handle(self, *args: Any, **options: Any) -> None:
        done = offers_import(SYSTEM, read_json(options["file"]))
        self.stdout.write(f"{done.flavors} flavors, {done.volume_types} volume types; {done.changed} changed")
