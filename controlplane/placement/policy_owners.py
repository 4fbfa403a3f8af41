"""Owners of policies."""

from dataclasses import dataclass
from uuid import UUID

from controlplane.identity.models import Organization, Project
from controlplane.placement.models import Classification, PolicyProposal, PolicyVersion


@dataclass(frozen=True)
class PolicyOwner:
    """The owner of a policy: one of these, or none for the platform."""

    organization: Organization | None = None
    project: Project | None = None
    classification: Classification | None = None

    @property
    def level(self) -> str:
        if self.project is not None:
            return "project"
        if self.classification is not None:
            return "classification"
        return "organization" if self.organization is not None else "platform"

    @property
    def ruler(self) -> Organization | None:
        """Return the organization whose officers decide on the policy; None: the platform's operators do."""
        if self.project is not None:
            return self.project.organization
        return self.classification.organization if self.classification is not None else self.organization

    @property
    def columns(self) -> dict[str, Organization | Project | Classification]:
        """Return the owner as columns of PolicyVersion and PolicyProposal."""
        owner = self.project or self.classification or self.organization
        return {self.level: owner} if owner is not None else {}

    @property
    def key(self) -> UUID | str | None:
        """Return the owner's id; None: the platform."""
        owner = self.project or self.classification or self.organization
        return owner.pk if owner is not None else None

    @property
    def id(self) -> UUID | str:
        return self.key if self.key is not None else "platform"


def owner_of(row: PolicyVersion | PolicyProposal) -> PolicyOwner:
    return PolicyOwner(row.organization, row.project, row.classification)
