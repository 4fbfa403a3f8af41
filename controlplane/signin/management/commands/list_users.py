from typing import Any

from controlplane.identity.management.base import OperatorCommand
from controlplane.signin.selectors import accounts


class Command(OperatorCommand):
    help = (
        "List all users: address, platform role, state, second factor, last sign-in and number of tokens, separated by "
        "tabs."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        user: Any  # Any: with the annotations of accounts()
        for user in accounts().order_by("email"):
            factor = "second-factor" if user.has_second_factor else "no-second-factor"
            last = f"{user.last_sign_in_at:%Y-%m-%dT%H:%M:%SZ}" if user.last_sign_in_at else "never"
            self.stdout.write(
                "\t".join([user.email, user.platform_role or "-", user.state, factor, last, str(user.tokens)])
            )
