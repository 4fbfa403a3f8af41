"""The side menu: project, organization, compliance, operation and account."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

OPERATOR, AUDITOR, SUPPORT = "operator", "auditor", "support"


@dataclass(frozen=True)
class Entry:
    """A menu entry. `name`: of its URL, and the `section` of the pages below it. `roles`: roles in the organization or
    platform roles that see it; empty: all users."""

    name: str
    words: str | Promise
    icon: str
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Group:
    words: str | Promise
    entries: tuple[Entry, ...]


PROJECT: tuple[Group, ...] = (
    Group(
        _("Project"),
        (
            Entry("overview", _("Overview"), "house"),
            Entry("instances", _("Instances"), "server"),
            Entry("volumes", _("Volumes"), "hard-drive"),
            Entry("snapshots", _("Snapshots"), "history"),
            Entry("snapshot-schedules", _("Snapshot schedules"), "clock"),
            Entry("networks", _("Networks"), "network"),
            Entry("public-addresses", _("Public addresses"), "earth"),
            Entry("security-groups", _("Security groups"), "shield"),
            Entry("address-sets", _("Address sets"), "list-checks"),
            Entry("reachability", _("Reachability"), "activity"),
            Entry("images", _("Images"), "disc"),
            Entry("ssh-keys", _("SSH keys"), "key-round"),
            Entry("affinity-groups", _("Affinity groups"), "boxes"),
            Entry("policy", _("Policy"), "scale"),
            Entry("operations", _("Activity"), "activity"),
        ),
    ),
    Group(
        _("More"),
        (
            Entry("webhooks", _("Webhooks"), "webhook"),
            Entry("terraform-states", _("Terraform states"), "layers"),
            Entry("project-tokens", _("API tokens"), "plug"),
            Entry("plans", _("Remediation plans"), "list-checks"),
            Entry("project-audit", _("Audit"), "scroll-text"),
            Entry("settings", _("Settings"), "settings"),
        ),
    ),
)
ADMINS = frozenset({"owner", "admin"})
AUDIT_READERS = ADMINS | {"sovereignty_officer", OPERATOR, SUPPORT, AUDITOR}
ORGANIZATION = Group(
    _("Organization"),
    (
        Entry("organization", _("Overview"), "building-2"),
        Entry("members", _("Members"), "users"),
        Entry("invitations", _("Invitations"), "mail", ADMINS),
        Entry("service-accounts", _("Service accounts"), "bot"),
        Entry("organization-tokens", _("API tokens"), "plug", ADMINS),
        Entry("quota", _("Quota"), "gauge"),
        Entry("organization-audit", _("Audit"), "scroll-text", AUDIT_READERS),
    ),
)
YOURS = Group(
    _("Your account"),
    (
        Entry("account", _("Account"), "user"),
        Entry("organizations", _("Organizations"), "building-2"),
    ),
)
RULES: tuple[Group, ...] = (
    Group(
        _("Compliance"),
        (
            Entry("policies", _("Policies"), "scale"),
            Entry("proposals", _("Proposals"), "git-branch"),
            Entry("classifications", _("Classifications"), "tag"),
            Entry("zones", _("Zones"), "map-pin"),
            Entry("residencies", _("Residency"), "earth"),
            Entry("drift", _("Drift"), "shield-alert"),
            Entry("exemptions", _("Exemptions"), "key-round"),
            Entry("evidence", _("Evidence"), "file-check"),
            Entry("jurisdictions", _("Transparency"), "landmark"),
        ),
    ),
)
OPERATORS: tuple[Group, ...] = (
    Group(
        _("Operation"),
        (
            Entry("fleet", _("Fleet"), "server"),
            Entry("pools", _("Storage pools"), "database"),
            Entry("storage-clusters", _("Storage clusters"), "database"),
            Entry("announcers", _("Announcers"), "network"),
            Entry("address-pools", _("Address pools"), "earth"),
            Entry("all-operations", _("Operations"), "activity"),
            Entry("incidents", _("Incidents"), "triangle-alert"),
            Entry("quarantine", _("Quarantine"), "shield-alert"),
            Entry("maintenance", _("Maintenance"), "circle-pause"),
            Entry("customers", _("Organizations"), "building-2"),
            Entry("users", _("Users"), "users", frozenset({OPERATOR, AUDITOR})),
            Entry("offers", _("Catalog"), "layers"),
            Entry("platform-audit", _("Audit"), "scroll-text"),
        ),
    ),
)


def menu(
    me: Mapping[str, Any], project: Mapping[str, Any] | None, organization: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Return the groups of entries with their URLs; those of a project and its organization if the page has one."""
    groups: list[dict[str, Any]] = []
    if project is not None:
        groups += [_with_urls(group, project=project["id"]) for group in PROJECT]
        organization = organization or project["organization"]
    if organization is not None:
        groups.append(_with_urls(_shown(ORGANIZATION, me, organization), organization=organization["id"]))
    groups += [_with_urls(group) for group in RULES]
    if me["duty"]:
        groups += [_with_urls(_for_role(group, me["duty"])) for group in OPERATORS]
    groups.append(_with_urls(YOURS))
    return groups


def _shown(group: Group, me: Mapping[str, Any], organization: Mapping[str, Any]) -> Group:
    """Return the entries for the user's role in the organization or on the platform."""
    roles = {item["role"] for item in me["memberships"] if item["organization"]["id"] == organization["id"]}
    roles.add(me["duty"])
    return replace(group, entries=tuple(entry for entry in group.entries if not entry.roles or entry.roles & roles))


def _for_role(group: Group, role: str) -> Group:
    return replace(group, entries=tuple(entry for entry in group.entries if not entry.roles or role in entry.roles))


def _with_urls(group: Group, **path: str) -> dict[str, Any]:
    entries = [
        {"name": entry.name, "words": entry.words, "icon": entry.icon, "url": reverse(entry.name, kwargs=path)}
        for entry in group.entries
    ]
    return {"words": group.words, "entries": entries}
