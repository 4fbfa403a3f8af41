import sys
from typing import Any

from django.core.management.base import CommandParser

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand
from controlplane.identity.management.lookups import user_with
from controlplane.signin.credentials import password_put


class Command(OperatorCommand):
    help = "Set a user's password: the first line of stdin, so that no list of processes and no history has it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_with(options["email"])
        if sys.stdin.isatty():
            self.say("The new password, and Enter:")
        password_put(SYSTEM, user, password=sys.stdin.readline().rstrip("\r\n"))
        self.say(f"{user.email} has a new password, and all their sessions have ended.")
