import re
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from controlplane.identity.management.base import OperatorCommand, read_bytes
from controlplane.nodes import pki
from controlplane.nodes.management import signing

HOST = re.compile(r"[A-Za-z0-9.:-]{1,253}")


class Command(OperatorCommand):
    help = (
        "Sign the certificate request of PostgreSQL, or of a sentinel on another machine, and print "
        "the certificate. Needs no database."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--csr", required=True, help="path of the certificate request, PEM")
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument(
            "--database",
            metavar="HOST",
            help="sign for PostgreSQL at this name or address, the value of ANDROMEDE_DB_HOST",
        )
        whose.add_argument(
            "--sentinel",
            action="store_true",
            help="sign for the sentinel, which PostgreSQL authenticates by the certificate",
        )
        signing.add_ca_key(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        request, ca_key = read_bytes(options["csr"]), signing.ca_key(options)
        if options["sentinel"]:
            certificate = pki.sign_sentinel(settings.PKI_DIR, request_pem=request, ca_key=ca_key)
        else:
            host = options["database"]
            if not HOST.fullmatch(host):
                raise CommandError(
                    f"{host!r} is not a name or address: pass the value of ANDROMEDE_DB_HOST, such as 10.0.0.1."
                )
            certificate = pki.sign_database(settings.PKI_DIR, request_pem=request, host=host, ca_key=ca_key)
        self.stdout.write(pki.as_pem(certificate))
