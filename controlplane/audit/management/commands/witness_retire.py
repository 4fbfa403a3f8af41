from typing import Any

from django.core.management.base import CommandParser

from controlplane.audit.witnesses import witness_retire
from controlplane.identity.management.base import OperatorCommand


class Command(OperatorCommand):
    help = "Take no cosignature of a witness any more; those that it gave stay."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        witness_retire(options["name"])
