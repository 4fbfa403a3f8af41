import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from controlplane.catalog import signing_keys
from controlplane.catalog.management.officers import moment
from controlplane.catalog.officer_keys import NewOfficerKey, officer_key_register, officer_key_revoke
from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand, read_bytes
from controlplane.identity.management.lookups import user_with


class Command(OperatorCommand):
    help = "Manage officers' keys: create a key on the officer's own machine, register its public part, revoke it."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        create = actions.add_parser("create", help="write a private key and print its public part (needs no database)")
        create.add_argument("--out", type=Path, required=True)
        create.add_argument("--keep", action="store_true", help="keep an existing key")
        register = actions.add_parser(
            "register", help="register a public key, so that its signatures are accepted, and print its id"
        )
        register.add_argument("public", help="path of the public part, PEM or the output of `create`; - for stdin")
        register.add_argument("--officer", required=True, help="name of the officer, used as author of facts")
        register.add_argument("--key-id", default="", help="id of the key; default: derived from the key")
        register.add_argument("--user", help="e-mail address of the officer's account")
        register.add_argument("--not-before", type=moment)
        register.add_argument("--not-after", type=moment)
        revoke = actions.add_parser("revoke", help="revoke a key, so that its later signatures are rejected")
        revoke.add_argument("key_id")

    def handle(self, *args: Any, **options: Any) -> None:
        {"create": self.create, "register": self.register, "revoke": self.revoke}[options["action"]](options)

    def create(self, options: dict[str, Any]) -> None:
        path: Path = options["out"]
        try:
            is_kept = options["keep"] and path.exists()
            key = signing_keys.read_private_key(path) if is_kept else signing_keys.create_private_key(path)
        except signing_keys.BadKey as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write(signing_keys.public_part(key))

    def register(self, options: dict[str, Any]) -> None:
        public = (
            sys.stdin.read() if options["public"] == "-" else read_bytes(options["public"]).decode(errors="replace")
        )
        key = officer_key_register(
            SYSTEM,
            NewOfficerKey(
                officer=options["officer"],
                public_key=public,
                key_id=options["key_id"],
                user_id=user_with(options["user"]).pk if options["user"] else None,
                not_before=options["not_before"],
                not_after=options["not_after"],
            ),
        )
        self.stdout.write(key.key_id)

    def revoke(self, options: dict[str, Any]) -> None:
        officer_key_revoke(SYSTEM, options["key_id"])
