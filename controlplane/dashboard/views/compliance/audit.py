"""The audit log of a project, an organization or the platform: actions and requests."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import labels
from controlplane.dashboard.api_client import ApiRequest
from controlplane.dashboard.base_views import Context, Page, ProjectPage
from controlplane.dashboard.views.organization.organizations import OrganizationPage

FILTERS = ("actor", "verb", "resource", "outcome", "request_id", "completed_after", "completed_before")
DAYS = ("completed_after", "completed_before")
OUTCOMES = ("succeeded", "refused", "failed", "unknown")
FORMATS = ("csv", "jsonl")


class Audit(Page):
    """An audit page. `level`: the first part of the paths, here and in the API."""

    section = "project-audit"
    level = ""

    def path(self) -> tuple[str, ...]:
        return (f"{self.level}s", self.kwargs[self.level], "audit")

    def filters(self) -> Context:
        """Return the filters in the API's form: a day starts at midnight UTC."""
        chosen = {name: self.query(name).strip() for name in FILTERS}
        return {name: f"{text}T00:00:00Z" if text and name in DAYS else text for name, text in chosen.items()}


class Requests(Audit):
    template = "dashboard/compliance/audit/requests.html"
    title = _("Audit")

    def context(self) -> Context:
        filters = self.filters()
        page = self.api.get(*self.path(), **filters, sort="-completed_at", page_token=self.query("page_token"))
        return {
            "records": page["items"],
            "next_page_token": page["next_page_token"],
            "is_filtered": any(filters.values()),
            "outcomes": [(outcome, labels.state_badge(outcome, "outcome").words) for outcome in OUTCOMES],
            "formats": FORMATS,
            "is_of_all": self.level == "platform",
            "deeds": self.url(f"{self.level}-deeds"),
            "export": self.url(f"{self.level}-audit-export"),
        }

    def url(self, name: str, **path: str) -> str:
        raise NotImplementedError


class AuditEntries(Audit):
    template = "dashboard/compliance/audit/entries.html"
    title = _("Actions")

    def context(self) -> Context:
        filters = {name: self.query(name).strip() for name in ("actor", "verb", "resource")}
        page = self.api.get(*self.path(), "deeds", **filters, sort="-created_at", page_token=self.query("page_token"))
        return {
            "records": page["items"],
            "next_page_token": page["next_page_token"],
            "is_filtered": any(filters.values()),
            "requests": self.url(f"{self.level}-audit"),
        }

    def url(self, name: str, **path: str) -> str:
        raise NotImplementedError


class Export(Audit):
    """Stream all entries of the filter as a file."""

    def get(self, request: HttpRequest, **path: str) -> HttpResponseBase:  # type: ignore[override]
        query: dict[str, Any] = {**self.filters(), "format": self.query("format")}
        return self.api.file("GET", (*self.path(), "export"), ApiRequest(query=query))


class ProjectRequests(ProjectPage, Requests):
    level = "project"


class ProjectAuditEntries(ProjectPage, AuditEntries):
    level = "project"


class ProjectExport(ProjectPage, Export):
    level = "project"


class OrganizationRequests(OrganizationPage, Requests):
    level, section = "organization", "organization-audit"


class OrganizationAuditEntries(OrganizationPage, AuditEntries):
    level, section = "organization", "organization-audit"


class OrganizationExport(OrganizationPage, Export):
    level = "organization"


class PlatformAudit(Audit):
    """The platform's audit log, for operators and auditors."""

    level, section = "platform", "platform-audit"

    def path(self) -> tuple[str, ...]:
        return ("audit",)

    def url(self, name: str, **path: str) -> str:
        return reverse(name)


class PlatformRequests(PlatformAudit, Requests):
    pass


class PlatformAuditEntries(PlatformAudit, AuditEntries):
    pass


class PlatformExport(PlatformAudit, Export):
    pass
