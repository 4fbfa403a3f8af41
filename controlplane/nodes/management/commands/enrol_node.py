from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from controlplane.catalog.selectors import zone_get
from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand, read_bytes
from controlplane.nodes.channels import is_agent_address
from controlplane.nodes.management import offers, signing
from controlplane.nodes.services import node_enrol


class Command(OperatorCommand):
    help = "Sign a node's certificate request, enrol the node, and print or write its certificate."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True)
        parser.add_argument("--zone", required=True)
        parser.add_argument("--address", required=True, help="HOST:PORT of the node's agent")
        parser.add_argument("--csr", required=True, help="path of the node's certificate request, PEM")
        parser.add_argument("--out", type=Path, help="path of the certificate to write; default: standard output")
        signing.add_ca_key(parser)
        offers.add_options(parser)

    # One transaction around all, so that a node whose certificate could not be written has no row.
    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        if not is_agent_address(options["address"]):
            raise CommandError(f"{options['address']!r} is not HOST:PORT.")
        zone = zone_get(options["zone"])
        node, certificate = node_enrol(
            SYSTEM,
            name=options["name"],
            zone=zone,
            address=options["address"],
            request_pem=read_bytes(options["csr"]),
            ca_key=signing.ca_key(options),
        )
        offers.apply(node, options)
        self.print_message(f"{node.name} is node {node.pk} of {zone.pk}. It needs this certificate and {_authority()}.")
        signing.write_certificate(self, options["out"], certificate, otherwise="The node was not enrolled.")


def _authority() -> Path:
    folder: Path = settings.PKI_DIR
    return folder / "ca.crt"
