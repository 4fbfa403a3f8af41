from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand
from controlplane.nodes import signing_keys, trust_documents
from controlplane.nodes.management import signing
from controlplane.nodes.selectors import node_get


class Command(OperatorCommand):
    help = "Sign a charter with the root key: the node's zone and classifications, as seen by two witnesses on site."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--node", required=True, help="name or id of the node")
        parser.add_argument(
            "--classifications",
            type=signing.words,
            required=True,
            help="classifications that the node may hold; * for all",
        )
        parser.add_argument("--serial", required=True, help="serial number of the machine")
        parser.add_argument(
            "--witness", action="append", required=True, help="name of a person who saw the machine on site; pass two"
        )
        parser.add_argument("--valid-days", type=int, default=366)
        signing.add_root_key(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        root = signing_keys.load(Path(options["root_key"]), signing_keys.ROOT)
        node = node_get(SYSTEM, options["node"])
        charter_request = trust_documents.CharterRequest(
            classifications=options["classifications"],
            serial=options["serial"],
            valid_for=timedelta(days=options["valid_days"]),
            witnesses=options["witness"],
        )
        charter = trust_documents.charter_sign(SYSTEM, root, node, charter_request)
        self.print_message(
            f"{node.name} has charter {charter.version}: {charter.zone}, {', '.join(sorted(charter.classifications))}."
        )
