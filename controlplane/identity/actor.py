"""Actor: who asks, with which credential and for which project. Services and selectors take it first."""

from dataclasses import dataclass
from uuid import UUID

from controlplane.identity.errors import RoleNeeded


@dataclass(frozen=True, slots=True)
class Actor:
    """`project_id` is the project that the credential is for, and `organization_id` that project's; an operator's and
    an auditor's credential have none."""

    user_id: UUID | None
    credential_id: UUID | None
    project_id: UUID | None
    role: str
    is_operator: bool = False
    request_id: str = ""
    organization_id: UUID | None = None
    is_auditor: bool = False

    @property
    def is_authenticated(self) -> bool:
        """What REST framework asks of a user."""
        return True

    @property
    def sees_all(self) -> bool:
        """Every project, and the nodes behind it."""
        return self.is_operator or self.is_auditor

    def may_write(self) -> None:
        """Raises RoleNeeded for a role that does not change what a project has."""
        if self.role in ("viewer", "sovereignty_officer"):
            raise RoleNeeded(role="member")

    def may_look_inside(self) -> None:
        """Raises RoleNeeded unless the actor is of the project itself: what its guests print is no business of whoever
        runs, audits or rules the place."""
        if self.project_id is None or self.role == "sovereignty_officer":
            raise RoleNeeded(role="viewer")

    def may_rule(self, organization_id: UUID) -> None:
        """Raises RoleNeeded unless the actor is a sovereignty officer of this organization."""
        if not self.rules(organization_id):
            raise RoleNeeded(role="sovereignty_officer")

    def rules(self, organization_id: UUID) -> bool:
        return self.role == "sovereignty_officer" and self.organization_id == organization_id

    def may_operate(self) -> None:
        """Raises RoleNeeded unless the actor operates the platform."""
        if not self.is_operator:
            raise RoleNeeded(role="operator")


SYSTEM = Actor(user_id=None, credential_id=None, project_id=None, role="operator", is_operator=True)
