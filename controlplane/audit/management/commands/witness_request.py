from typing import Any

from django.core.management.base import CommandParser

from controlplane.audit.witnesses import witness_get, witness_request
from controlplane.identity.management.base import OperatorCommand


class Command(OperatorCommand):
    help = "Print the request for a witness to cosign the newest checkpoint."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument(
            "--old", type=int, help="tree size that the witness signed last; default: the size recorded here"
        )

    def handle(self, *args: Any, **options: Any) -> str:
        return str(witness_request(witness_get(options["name"]), old=options["old"]))
