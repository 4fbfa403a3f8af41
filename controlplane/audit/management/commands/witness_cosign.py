import sys
from typing import Any

from django.core.management.base import CommandParser

from controlplane.audit.witnesses import cosign_accept
from controlplane.identity.management.base import OperatorCommand


class Command(OperatorCommand):
    help = "Store a witness's cosignature, read from stdin, under the checkpoint of this tree size."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("size", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        for line in sys.stdin.read().splitlines():
            cosign_accept(options["size"], line)
