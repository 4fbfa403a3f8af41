from typing import Any

from django.core.management.base import CommandParser

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand
from controlplane.identity.management.lookups import user_with
from controlplane.signin.users import user_suspend


class Command(OperatorCommand):
    help = "Suspend a user: nobody gets in as them until reinstate_user. Also the last operator."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--reason", default="", help="for the audit of the platform")

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_with(options["email"])
        user_suspend(SYSTEM, user, reason=options["reason"])
        self.say(f"{user.email} is suspended: sessions have ended, and tokens are refused.")
