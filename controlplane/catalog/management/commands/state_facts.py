import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from andromede_core.documents.parsing import Malformed
from controlplane.catalog import signing
from controlplane.catalog.facts import facts_state
from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand, read_bytes


class Command(OperatorCommand):
    help = "State facts signed by officers, all or none. A repetition changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file",
            help="path of signed statements from sign_facts or export_catalogue --signed; - for standard input",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        text = sys.stdin.buffer.read() if options["file"] == "-" else read_bytes(options["file"])
        try:
            documents = signing.read_signed(signing.parse_file(text))
        except Malformed as exc:
            raise CommandError(str(exc)) from exc
        done = facts_state(SYSTEM, documents)
        self.stdout.write(
            f"facts: {len(done.stated)} stated, {done.superseded} superseded, {done.unchanged} unchanged; "
            f"epoch {done.epoch}"
        )
