from typing import Any

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.lookups import UserCommand
from controlplane.identity.models import User
from controlplane.signin.credentials import lockout_end


class Command(UserCommand):
    help = "End the lockout of an account after failed sign-ins. Lockouts of addresses end by themselves."

    def act(self, user: User, options: dict[str, Any]) -> None:
        lockout_end(SYSTEM, user)
        self.print_message(f"No failed sign-in of {user.email} counts any more.")
