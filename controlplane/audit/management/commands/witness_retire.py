from typing import Any

from django.core.management.base import CommandParser

from controlplane.audit.witnesses import witness_retire
from controlplane.identity.management.base import OperatorCommand


class Command(OperatorCommand):
    help = "Accept no more cosignatures of a witness; earlier cosignatures stay."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        witness_retire(options["name"])
