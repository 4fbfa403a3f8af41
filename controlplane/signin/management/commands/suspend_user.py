from typing import Any

from django.core.management.base import CommandParser

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.lookups import UserCommand
from controlplane.identity.models import User
from controlplane.signin.users import user_suspend


class Command(UserCommand):
    help = "Suspend a user: sign-ins and tokens are rejected until reinstate_user. Suspends the last operator too."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--reason", default="", help="reason, recorded in the platform's audit")

    def act(self, user: User, options: dict[str, Any]) -> None:
        user_suspend(SYSTEM, user, reason=options["reason"])
        self.print_message(f"{user.email} is suspended: sessions have ended, and tokens are rejected.")
