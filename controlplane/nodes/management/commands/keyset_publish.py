from argparse import ArgumentTypeError
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from andromede_core.permits.trust_documents import DUTIES, OFFICER_DUTY, Approver
from controlplane.catalog.models import OfficerKey
from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand
from controlplane.identity.management.lookups import organization_named
from controlplane.nodes import keysets, signing_keys
from controlplane.nodes.management import signing


def _approver(text: str) -> tuple[str, Approver]:
    """Parse KEY_ID=DUTY and the person."""
    key_id, _, role = text.partition("=")
    duty, _, organization = role.partition("@")
    if duty not in DUTIES or bool(organization) != (duty == OFFICER_DUTY):
        raise ArgumentTypeError(f"{text}: write KEY_ID=duty_operator or KEY_ID=sovereignty_officer@ORGANIZATION")
    key = OfficerKey.objects.filter(key_id=key_id).first()
    if key is None or key.user_id is None:
        raise ArgumentTypeError(f"{key_id}: no key is registered with this id and a --user. See officer_key register.")
    owner = str(organization_named(organization).pk) if organization else ""
    return key_id, Approver(str(key.user_id), duty, owner)


class Command(OperatorCommand):
    help = (
        "Sign and publish a keyset: the keys of signers (signer*.pub), of sentinels (sentinel*.pub) and of officers "
        "that nodes trust from now on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        signing.add_root_key(parser)
        signing.add_scope(parser)
        parser.add_argument(
            "--approver",
            action="append",
            default=[],
            type=_approver,
            metavar="KEY_ID=DUTY",
            help="officer's key that approves exemptions and no longer signs facts; DUTY is duty_operator or"
            " sovereignty_officer@ORGANIZATION",
        )
        parser.add_argument(
            "--cosigned",
            type=signing.words,
            default=keysets.COSIGNED,
            help="classifications whose permits need a cosignature of the new sentinel keys (default: %(default)s)",
        )
        parser.add_argument(
            "--without",
            action="append",
            default=[],
            metavar="KEY_ID",
            help="id of a signer's or sentinel's key to leave out",
        )
        parser.add_argument("--delay-minutes", type=int, default=0, help="minutes until new signer keys sign")

    def handle(self, *args: Any, **options: Any) -> None:
        new = keysets.NewKeys(
            zones=options["zones"],
            classifications=options["classifications"],
            cosigned=options["cosigned"],
            delay=timedelta(minutes=options["delay_minutes"]),
        )
        root = signing_keys.load(Path(options["root_key"]), signing_keys.ROOT)
        published = signing.publish(SYSTEM, root, new, approvers=dict(options["approver"]), without=options["without"])
        self.print_message(f"Keyset {published.version} has the keys {', '.join(sorted(published.keys))}.")
