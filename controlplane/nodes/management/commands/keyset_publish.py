from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand
from controlplane.nodes import keys, keysets
from controlplane.nodes.management import signing


class Command(OperatorCommand):
    help = "Sign a keyset of the signers' keys (signer*.pub) and the officers', for all nodes to trust from now on."

    def add_arguments(self, parser: CommandParser) -> None:
        signing.add_root_key(parser)
        signing.add_scope(parser)
        parser.add_argument(
            "--approver",
            action="append",
            default=[],
            metavar="KEY_ID",
            help="an officer's key for exemptions, not facts",
        )
        parser.add_argument(
            "--delay-minutes", type=int, default=0, help="how long new signers' keys wait before they sign"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        new = keysets.NewKeys(
            zones=options["zones"],
            classifications=options["classifications"],
            delay=timedelta(minutes=options["delay_minutes"]),
        )
        root = keys.load(Path(options["root_key"]), keys.ROOT)
        published = signing.publish(SYSTEM, root, new, approvers=options["approver"])
        self.say(f"Keyset {published.version} has the keys {', '.join(sorted(published.keys))}.")
