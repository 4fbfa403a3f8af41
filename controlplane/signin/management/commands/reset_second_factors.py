from typing import Any

from django.core.management.base import CommandParser

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand
from controlplane.identity.management.lookups import user_with
from controlplane.signin.credentials import factors_reset


class Command(OperatorCommand):
    help = "Take away all second factors of a user who has lost them. Make sure first who asks for it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_with(options["email"])
        factors_reset(SYSTEM, user)
        self.say(f"{user.email} has no second factor any more, and all their sessions have ended.")
