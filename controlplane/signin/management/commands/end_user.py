from typing import Any

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.lookups import UserCommand
from controlplane.identity.models import User
from controlplane.signin.users import user_end


class Command(UserCommand):
    help = "End a user's account with its memberships, platform role, tokens, sessions and links, even the last operator's."

    def act(self, user: User, options: dict[str, Any]) -> None:
        user_end(SYSTEM, user)
        self.print_message(f"{user.email} has ended. What they made stays.")
