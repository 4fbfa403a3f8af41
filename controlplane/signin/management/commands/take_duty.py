from typing import Any

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.lookups import UserCommand
from controlplane.identity.models import User
from controlplane.signin.users import user_duty_remove


class Command(UserCommand):
    help = "Remove a user's platform role and the tokens issued for the role, even the last operator's."

    def act(self, user: User, options: dict[str, Any]) -> None:
        user_duty_remove(SYSTEM, user)
        self.print_message(f"{user.email} has no platform role now.")
