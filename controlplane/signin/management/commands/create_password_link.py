from typing import Any

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.lookups import UserCommand
from controlplane.identity.models import User
from controlplane.signin.credentials import password_link_create


class Command(UserCommand):
    help = "Print the secret of a single-use link with which a user chooses a password."

    def act(self, user: User, options: dict[str, Any]) -> None:
        secret, until = password_link_create(SYSTEM, user)
        self.print_message(f"Until {until:%Y-%m-%d %H:%M} UTC, {user.email} can choose a password with this secret:")
        self.stdout.write(secret)
