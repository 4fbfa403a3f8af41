"""The user's permissions on a page, from the API's `allowed_actions` of the project or organization."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext, gettext_lazy

from controlplane.dashboard import labels

AN_OWNER = gettext_lazy("an owner")
# Contacts for operations that owners may not perform either.
WHOM = {
    "organization_policy_set": gettext_lazy("a sovereignty officer"),
    "organization_quotas_set": gettext_lazy("an operator"),
    "quota_request_approve": gettext_lazy("an operator"),
    "quota_request_refuse": gettext_lazy("an operator"),
    "password_link_create": gettext_lazy("an operator"),
    "user_sessions_end": gettext_lazy("an operator"),
}


@dataclass(frozen=True)
class Rights:
    """A user's permissions. `permissions`: ids of API operations; None: the page has no project or organization."""

    permissions: frozenset[str] | None = None
    role: str = ""
    is_of_project: bool = True

    @classmethod
    def of(cls, me: Mapping[str, Any], owner: Mapping[str, Any] | None) -> "Rights":
        """Return the rights of `me` in a project or an organization."""
        if owner is None:
            return cls()
        organization = owner.get("organization") or owner
        roles = {each["organization"]["id"]: each["role"] for each in me["memberships"]}
        role = roles.get(organization["id"], me["duty"])
        return cls(frozenset(owner["permissions"]), role, is_of_project="organization" in owner)

    def denial_reason(self, operation: str) -> str:
        """Return why the user may not perform the operation; empty if allowed."""
        if not operation or self.permissions is None or operation in self.permissions:
            return ""
        role = labels.ROLES.get(self.role, self.role)
        if self.is_of_project:
            text = gettext("Your role in this project ({role}) does not allow this. Contact {whom}.")
        else:
            text = gettext("Your role in this organization ({role}) does not allow this. Contact {whom}.")
        return text.format(role=role, whom=WHOM.get(operation, AN_OWNER))
