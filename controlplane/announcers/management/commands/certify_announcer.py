from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.db import transaction

from controlplane.announcers.errors import AnnouncerNotFound
from controlplane.announcers.models import Announcer
from controlplane.announcers.selectors import announcer_get
from controlplane.announcers.services import announcer_certify, announcer_create
from controlplane.catalog.selectors import zone_get
from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand, read_bytes
from controlplane.nodes.management import signing


class Command(OperatorCommand):
    help = "Sign an announcer's certificate request, and print or write its certificate."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("announcer", help="name or id of the announcer")
        parser.add_argument("--zone", help="zone of a new announcer, which is created")
        parser.add_argument("--address", help="HOST:PORT of a new announcer's service")
        parser.add_argument("--csr", required=True, help="path of the announcer's certificate request, PEM")
        parser.add_argument("--out", type=Path, help="path of the certificate to write; default: standard output")
        signing.add_ca_key(parser)

    # One transaction around all, so that an announcer whose certificate could not be written has none.
    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        announcer = _announcer(options["announcer"], options["zone"], options["address"])
        request = read_bytes(options["csr"])
        certificate = announcer_certify(SYSTEM, announcer, request_pem=request, ca_key=signing.ca_key(options))
        self.print_message(f"{announcer.name} needs this certificate and {Path(settings.PKI_DIR) / 'ca.crt'}.")
        signing.write_certificate(self, options["out"], certificate, otherwise="No certificate was issued.")


def _announcer(ref: str, zone: str | None, address: str | None) -> Announcer:
    """Return the announcer. It is created if there is none and its zone and address are given."""
    try:
        return announcer_get(SYSTEM, ref)
    except AnnouncerNotFound:
        if zone is None or address is None:
            raise
        return announcer_create(SYSTEM, name=ref, zone=zone_get(zone), address=address)
