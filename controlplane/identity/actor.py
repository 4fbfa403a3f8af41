"""The Actor: caller, credential and project of a request. Services and selectors take it first."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from controlplane.identity.errors import RoleNeeded
from controlplane.identity.models import Organization, Project
from controlplane.identity.roles import AUDITOR, OFFICER, OPERATOR, SUPPORT

# An operator writes the platform's own resources.
WRITERS = ("owner", "admin", "member", OPERATOR)
INSIDERS = ("owner", "admin", "member", "viewer")


@dataclass(frozen=True, slots=True)
class Scope:
    """Limits of a token; None: no limit."""

    verbs: frozenset[str] | None = None
    kinds: frozenset[str] | None = None
    project_ids: frozenset[UUID] | None = None

    @classmethod
    def of(
        cls, verbs: Iterable[str] | None, kinds: Iterable[str] | None, project_ids: Iterable[UUID] | None
    ) -> "Scope":
        return cls(
            None if verbs is None else frozenset(verbs),
            None if kinds is None else frozenset(kinds),
            None if project_ids is None else frozenset(project_ids),
        )

    def has(self, kind: str, verb: str) -> bool:
        return (self.kinds is None or kind in self.kinds) and (self.verbs is None or verb in self.verbs)


UNLIMITED = Scope()


@dataclass(frozen=True, slots=True)
class Actor:
    """An authenticated caller.

    `project_id` is the project of the credential, and `organization_id` that project's. `project`: its row, as read
    with the credential, which saves another query.

    A credential without a project, such as a session, has `memberships` (organization → role) instead, and a service
    account's also `grants` (project → role). within() and within_organization() return the actor with its role in one
    of them; until then it has no role.
    """

    user_id: UUID | None
    credential_id: UUID | None
    project_id: UUID | None
    role: str
    is_operator: bool = False
    request_id: str = ""
    organization_id: UUID | None = None
    is_auditor: bool = False
    is_support: bool = False
    memberships: Mapping[UUID, str] = field(default_factory=dict, hash=False)
    grants: Mapping[UUID, str] = field(default_factory=dict, hash=False)
    service_account_id: UUID | None = None
    scope: Scope = UNLIMITED
    project: Project | None = field(default=None, compare=False, repr=False)

    @property
    def is_authenticated(self) -> bool:
        """Return True, as REST framework expects of a user."""
        return True

    @property
    def owner_id(self) -> UUID | None:
        """Return the id of the credential owner: a user or a service account."""
        return self.user_id or self.service_account_id or self.credential_id

    @property
    def sees_all(self) -> bool:
        """Return True if the actor sees every project, and the nodes."""
        return self.is_operator or self.is_auditor or self.is_support

    @property
    def platform_roles(self) -> frozenset[str]:
        """Return the platform roles."""
        has = {OPERATOR: self.is_operator, AUDITOR: self.is_auditor, SUPPORT: self.is_support}
        return frozenset(role for role, is_held in has.items() if is_held)

    @property
    def organization_ids(self) -> frozenset[UUID]:
        """Return all organizations in which the actor has a role."""
        own = {self.organization_id} if self.organization_id is not None else set()
        return frozenset(own | self.memberships.keys())

    @property
    def ruled_ids(self) -> frozenset[UUID]:
        """Return the organizations of which the actor is a sovereignty officer."""
        return frozenset(each for each in self.organization_ids if self.rules(each))

    def within(self, project: Project) -> "Actor":
        """Return the actor with its role in the project, as services expect it, and without its roles elsewhere."""
        if self.project_id is not None:
            return self
        role = self.grants.get(project.pk) or self.memberships.get(project.organization_id)
        bound = replace(self, memberships={}, grants={})
        if role is None:
            return bound
        return replace(bound, role=role, project_id=project.pk, organization_id=project.organization_id)

    def within_organization(self, organization: Organization) -> "Actor":
        """Return the actor with its role in the organization."""
        if self.organization_id is not None:
            return self
        role = self.memberships.get(organization.pk)
        bound = replace(self, memberships={}, grants={})
        return bound if role is None else replace(bound, role=role, organization_id=organization.pk)

    @property
    def is_writer(self) -> bool:
        """Return True if the role may change the project's resources."""
        return self.role in WRITERS

    def may_write(self) -> None:
        """Raise RoleNeeded for a role that may not change the project's resources."""
        if not self.is_writer:
            raise RoleNeeded(role="member")

    def may_look_inside(self) -> None:
        """Raise RoleNeeded unless the actor is a member of the project: operators, auditors and officers may not read
        the output of guests.
        """
        if self.project_id is None or self.role not in INSIDERS:
            raise RoleNeeded(role="viewer")

    def may_rule(self, organization_id: UUID) -> None:
        """Raise RoleNeeded unless the actor is a sovereignty officer of this organization."""
        if not self.rules(organization_id):
            raise RoleNeeded(role=OFFICER)

    def rules(self, organization_id: UUID) -> bool:
        role = self.role if self.organization_id == organization_id else self.memberships.get(organization_id)
        return role == OFFICER

    def may_operate(self) -> None:
        """Raise RoleNeeded unless the actor operates the platform."""
        if not self.is_operator:
            raise RoleNeeded(role=OPERATOR)


SYSTEM = Actor(user_id=None, credential_id=None, project_id=None, role=OPERATOR, is_operator=True)
