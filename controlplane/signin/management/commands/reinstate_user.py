from typing import Any

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.lookups import UserCommand
from controlplane.identity.models import User
from controlplane.signin.users import user_reinstate


class Command(UserCommand):
    help = "Reinstate a suspended user. An ended user starts again without memberships and platform role."

    def act(self, user: User, options: dict[str, Any]) -> None:
        user_reinstate(SYSTEM, user)
        self.print_message(f"{user.email} can sign in again.")
