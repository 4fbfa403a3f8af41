from typing import Any

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.lookups import UserCommand
from controlplane.identity.models import User
from controlplane.signin.users import user_duty_remove


class Command(UserCommand):
    help = "Take away a user's duty for the platform, and the tokens for it. Also of the last operator."

    def act(self, user: User, options: dict[str, Any]) -> None:
        user_duty_remove(SYSTEM, user)
        self.print_message(f"{user.email} has no duty for the platform any more.")
