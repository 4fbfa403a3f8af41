from typing import Any

from django.core.management.base import CommandParser

from controlplane.audit.witnesses import witness_get, witness_request
from controlplane.identity.management.base import OperatorCommand


class Command(OperatorCommand):
    help = "Print what a witness is to be asked: to cosign the newest checkpoint."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--old", type=int, help="the size that it signed last, if it is not the one known here")

    def handle(self, *args: Any, **options: Any) -> str:
        return str(witness_request(witness_get(options["name"]), old=options["old"]))
