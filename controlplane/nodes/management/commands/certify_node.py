from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand, read_bytes
from controlplane.nodes.management import signing
from controlplane.nodes.selectors import node_get
from controlplane.nodes.services import node_certify


class Command(OperatorCommand):
    help = "Renew the certificate of an enrolled node: sign its request, for the same key, and print or write it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("node", help="name or id of the node")
        parser.add_argument("--csr", required=True, help="path of the node's certificate request, PEM")
        parser.add_argument("--out", type=Path, help="path of the certificate to write; default: standard output")
        signing.add_ca_key(parser)

    # One transaction around all, so that the node's row never names a certificate that could not be written.
    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        node = node_get(SYSTEM, options["node"])
        if node.admin_state == "retired":
            raise CommandError(f"{node.name} is retired. Enrol the machine as a new node.")
        request = read_bytes(options["csr"])
        certificate = node_certify(SYSTEM, node, request_pem=request, ca_key=signing.ca_key(options))
        self.print_message(f"{node.name} needs this certificate. Install it, and restart the agent.")
        signing.write_certificate(self, options["out"], certificate, otherwise="Nothing was renewed.")
