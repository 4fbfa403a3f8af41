from typing import Any

from django.core.management.base import CommandParser

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand
from controlplane.identity.management.lookups import user_with
from controlplane.signin.users import user_end


class Command(OperatorCommand):
    help = "End a user who leaves: memberships, duty, tokens, sessions and links. Also the last operator."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_with(options["email"])
        user_end(SYSTEM, user)
        self.say(f"{user.email} has ended. What they made stays.")
