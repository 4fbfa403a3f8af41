import json
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from andromede_core.documents.parsing import Malformed
from controlplane.catalog import signing
from controlplane.catalog.management.officers import add_key_arguments, officer_of
from controlplane.identity.management.base import OperatorCommand, read_bytes
from controlplane.kernel import clock


class Command(OperatorCommand):
    help = "Sign statements with an officer's key and print a body for POST /v1/facts. Needs no database."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="path of one or several statements, JSON; - for standard input")
        add_key_arguments(parser)
        mode = parser.add_mutually_exclusive_group(required=True)
        mode.add_argument("--author", help="name of the officer, as registered with the key")
        mode.add_argument(
            "--agree",
            action="store_true",
            help="sign the statements of FILE as the second officer; wider sets need two signatures",
        )
        parser.add_argument(
            "--known",
            help="path of the facts in force (export_catalogue --signed, or a response of GET /v1/facts); parts that "
            "the new statements would drop are signed too",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        officer = officer_of(options["key"], options["key_id"], options["author"] or "")
        text = sys.stdin.buffer.read() if options["file"] == "-" else read_bytes(options["file"])
        known_facts = read_bytes(options["known"]) if options["known"] else b"[]"
        try:
            if options["agree"]:
                self._print(signing.agree_all(signing.read_signed(signing.parse_file(text)), officer))
                return
            new = signing.read_unsigned(signing.parse_file(text), author=officer.name, now=clock.now())
            body = signing.sign_all(new, signing.parse_statements(signing.parse_file(known_facts)), officer)
        except Malformed as exc:
            raise CommandError(str(exc)) from exc
        self._print(body)

    def _print(self, body: dict[str, object]) -> None:
        self.stdout.write(json.dumps(body, ensure_ascii=False))
