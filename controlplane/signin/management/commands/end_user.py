from typing import Any

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.lookups import UserCommand
from controlplane.identity.models import User
from controlplane.signin.users import user_end


class Command(UserCommand):
    help = "End a user's account: memberships, platform role, tokens, sessions and links. Ends the last operator too."

    def act(self, user: User, options: dict[str, Any]) -> None:
        user_end(SYSTEM, user)
        self.print_message(f"{user.email} has ended. Resources of the user stay.")
