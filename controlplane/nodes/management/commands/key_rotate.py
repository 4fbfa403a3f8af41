from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.db import transaction

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand
from controlplane.kernel import clock
from controlplane.nodes import keysets, signing_keys, trust_documents
from controlplane.nodes.management import signing


class Command(OperatorCommand):
    help = "Create and publish a new signer key. The old key ends after an overlap or, in an emergency, at once."

    def add_arguments(self, parser: CommandParser) -> None:
        signing.add_root_key(parser)
        signing.add_scope(parser)
        parser.add_argument("--emergency", action="store_true", help="revoke the old keys of the same scope at once")
        parser.add_argument(
            "--delay-minutes",
            type=int,
            default=10,
            help="minutes until the new key signs, so that all nodes have the keyset by then",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        root = signing_keys.load(Path(options["root_key"]), signing_keys.ROOT)
        delay = timedelta(0) if options["emergency"] else timedelta(minutes=options["delay_minutes"])
        new = keysets.NewKeys(options["zones"], options["classifications"], delay=delay)
        old = signing.to_void(new) if options["emergency"] else set()
        key = signing_keys.create_new(
            settings.PKI_DIR, signing_keys.SIGNER, name=f"{signing_keys.SIGNER}-{clock.now():%Y%m%dT%H%M%S%f}"
        )
        with transaction.atomic():
            published = signing.publish(SYSTEM, root, new, without=old)
            if old:
                trust_documents.deny(
                    SYSTEM, root, kids=old
                )  # in spite of versions that a thief may have signed with them
        self.print_message(
            f"{key.id} is in keyset {published.version}." + (f" Void: {', '.join(sorted(old))}." if old else "")
        )
        self.stdout.write(key.id)
