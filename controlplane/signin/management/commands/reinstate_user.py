from typing import Any

from django.core.management.base import CommandParser

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand
from controlplane.identity.management.lookups import user_with
from controlplane.signin.users import user_reinstate


class Command(OperatorCommand):
    help = "Reinstate a user who was suspended; one who has ended begins anew, with nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_with(options["email"])
        user_reinstate(SYSTEM, user)
        self.say(f"{user.email} can sign in again.")
