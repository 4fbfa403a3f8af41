from typing import Any

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.lookups import UserCommand
from controlplane.identity.models import User
from controlplane.signin.credentials import factors_reset


class Command(UserCommand):
    help = "Remove all second factors of a user who has lost them. Verify the identity of the user first."

    def act(self, user: User, options: dict[str, Any]) -> None:
        factors_reset(SYSTEM, user)
        self.print_message(f"{user.email} has no second factor now, and all the user's sessions have ended.")
