from typing import Any

from django.core.management.base import CommandParser

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand
from controlplane.identity.management.lookups import user_with
from controlplane.signin.credentials import password_link_create


class Command(OperatorCommand):
    help = "Print the secret of a link with which a user chooses a password, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_with(options["email"])
        secret, until = password_link_create(SYSTEM, user)
        self.say(f"Until {until:%Y-%m-%d %H:%M} UTC, {user.email} can choose a password with this secret:")
        self.stdout.write(secret)
