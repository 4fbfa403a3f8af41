import sys
from typing import Any

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.lookups import UserCommand
from controlplane.identity.models import User
from controlplane.signin.credentials import password_put


class Command(UserCommand):
    help = "Set a user's password to the first line of stdin, which keeps it out of process lists and shell history."

    def act(self, user: User, options: dict[str, Any]) -> None:
        if sys.stdin.isatty():
            self.print_message("Type the new password and press Enter:")
        password_put(SYSTEM, user, password=sys.stdin.readline().rstrip("\r\n"))
        self.print_message(f"{user.email} has a new password, and all the user's sessions have ended.")
