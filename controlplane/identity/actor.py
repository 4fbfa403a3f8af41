"""Actor: who asks, with which credential and for which project. Services and selectors take it first."""

from dataclasses import dataclass
from uuid import UUID

from controlplane.identity.errors import RoleNeeded


@dataclass(frozen=True, slots=True)
class Actor:
    """`project_id` is the project that the credential is for; an operator's credential has none."""

    user_id: UUID | None
    credential_id: UUID | None
    project_id: UUID | None
    role: str
    is_operator: bool = False
    request_id: str = ""

    @property
    def is_authenticated(self) -> bool:
        """What REST framework asks of a user."""
        return True

    def may_write(self) -> None:
        """Raises RoleNeeded for a role that only reads."""
        if self.role == "viewer":
            raise RoleNeeded(role="member")

    def may_operate(self) -> None:
        """Raises RoleNeeded unless the actor operates the platform."""
        if not self.is_operator:
            raise RoleNeeded(role="operator")


SYSTEM = Actor(user_id=None, credential_id=None, project_id=None, role="operator", is_operator=True)
