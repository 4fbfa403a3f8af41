from typing import Any

from django.core.management.base import CommandParser

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand
from controlplane.identity.management.lookups import user_with
from controlplane.signin.users import user_duty_remove


class Command(OperatorCommand):
    help = "Take away a user's duty for the platform, and the tokens for it. Also of the last operator."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_with(options["email"])
        user_duty_remove(SYSTEM, user)
        self.say(f"{user.email} has no duty for the platform any more.")
