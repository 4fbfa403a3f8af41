"""Whose policies there are."""

from dataclasses import dataclass
from uuid import UUID

from controlplane.identity.models import Organization, Project
from controlplane.placement.models import Classification, PolicyProposal, PolicyVersion


@dataclass(frozen=True)
class PolicyOwner:
    """Whose policy: one of these, or none for the platform's."""

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
        """The organization whose officers decide on it; None: the platform's operators do."""
        if self.project is not None:
            return self.project.organization
        return self.classification.organization if self.classification is not None else self.organization

    @property
    def columns(self) -> dict[str, Organization | Project | Classification]:
        """As PolicyVersion and PolicyProposal name them."""
        owner = self.project or self.classification or self.organization
        return {self.level: owner} if owner is not None else {}

    @property
    def key(self) -> UUID | str | None:
        """None: the platform."""
        owner = self.project or self.classification or self.organization
        return owner.pk if owner is not None else None

    @property
    def id(self) -> UUID | str:
        return self.key if self.key is not None else "platform"


def owner_of(row: PolicyVersion | PolicyProposal) -> PolicyOwner:
    return PolicyOwner(row.organization, row.project, row.classification)
