from typing import Any

from django.core.management.base import CommandParser

from controlplane.audit import log_key
from controlplane.audit.witnesses import witness_add
from controlplane.identity.management.base import OperatorCommand


class Command(OperatorCommand):
    help = "Accept cosignatures of a witness from now on, and print the log's public key for the witness."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", help="public key of the witness: NAME+ID+BASE64")
        parser.add_argument("--url", default="", help="public URL of the witness")

    def handle(self, *args: Any, **options: Any) -> str:
        key = log_key.load().public
        witness_add(options["key"], url=options["url"])
        return str(key)
