"""Actor: who asks, with which credential and for which project. Services and selectors take it first."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from controlplane.identity.errors import RoleNeeded
from controlplane.identity.models import Organization, Project

# An operator writes what is the platform's own.
WRITERS = ("owner", "admin", "member", "operator")
NO_ROLE = ""


@dataclass(frozen=True, slots=True)
class Actor:
    """`project_id` is the project that the credential is for, and `organization_id` that project's.

    A credential that is for no project, such as a session, has `memberships` instead: organization → role. What it may
    do in one of them, within() and within_organization() say; until then it has no role.
    """

    user_id: UUID | None
    credential_id: UUID | None
    project_id: UUID | None
    role: str
    is_operator: bool = False
    request_id: str = ""
    organization_id: UUID | None = None
    is_auditor: bool = False
    memberships: Mapping[UUID, str] = field(default_factory=dict, hash=False)

    @property
    def is_authenticated(self) -> bool:
        """What REST framework asks of a user."""
        return True

    @property
    def sees_all(self) -> bool:
        """Every project, and the nodes behind it."""
        return self.is_operator or self.is_auditor

    @property
    def organization_ids(self) -> frozenset[UUID]:
        """All organizations in which it has a role."""
        own = {self.organization_id} if self.organization_id is not None else set()
        return frozenset(own | self.memberships.keys())

    @property
    def ruled_ids(self) -> frozenset[UUID]:
        """The organizations of which it is a sovereignty officer."""
        return frozenset(each for each in self.organization_ids if self.rules(each))

    def within(self, project: Project) -> "Actor":
        """The same one with the role that it has in the project, as services expect it."""
        role = self.memberships.get(project.organization_id)
        if self.project_id is not None or role is None:
            return self
        return replace(self, project_id=project.pk, organization_id=project.organization_id, role=role)

    def within_organization(self, organization: Organization) -> "Actor":
        """The same one with the role that it has in the organization."""
        role = self.memberships.get(organization.pk)
        if self.organization_id is not None or role is None:
            return self
        return replace(self, organization_id=organization.pk, role=role)

    def may_write(self) -> None:
        """Raises RoleNeeded for a role that does not change what a project has."""
        if self.role not in WRITERS:
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
        role = self.role if self.organization_id == organization_id else self.memberships.get(organization_id)
        return role == "sovereignty_officer"

    def may_operate(self) -> None:
        """Raises RoleNeeded unless the actor operates the platform."""
        if not self.is_operator:
            raise RoleNeeded(role="operator")


SYSTEM = Actor(user_id=None, credential_id=None, project_id=None, role="operator", is_operator=True)
