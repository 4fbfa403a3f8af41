"""Organizations: the list, the overview and its projects."""

from functools import cached_property
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import navigation
from controlplane.dashboard.base_views import Context, FormPage, Page, Text
from controlplane.dashboard.forms import ApiForm, NamedForm, initial_values


class OrganizationList(Page):
    template = "dashboard/organization/list.html"
    title = _("Organizations")
    section = "organizations"

    def context(self) -> Context:
        if not self.has_membership:
            return {}
        page = self.api.get("organizations", sort="name", page_token=self.query("page_token"))
        roles = {item["organization"]["id"]: item["role"] for item in self.me["memberships"]}
        organizations = [item | {"role": roles.get(item["id"])} for item in page["items"]]
        return {"organizations": organizations, "next_page_token": page["next_page_token"]}


class OrganizationPage(Page):
    """A page of an organization; its URL starts with the organization's."""

    @cached_property
    def organization(self) -> Context:
        organization: Context = self.api.get("organizations", self.kwargs["organization"])
        return organization

    def get_in_organization(self, *path: str, **query: Any) -> Any:
        """Return a document of the API below the organization."""
        return self.api.get("organizations", self.kwargs["organization"], *path, **query)

    def layout_context(self) -> Context:
        menu = navigation.menu(self.me, None, organization=self.organization)
        return super().layout_context() | {"menu": menu, "organization": self.organization}

    def place(self) -> Context:
        return self.organization

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(self.organization["name"], self.url("organization"))]

    def url(self, name: str, **path: str) -> str:
        """Return the URL of another page of the organization."""
        return reverse(name, kwargs={"organization": self.kwargs["organization"], **path})


class OrganizationOverview(OrganizationPage):
    template = "dashboard/organization/overview.html"
    section = "organization"

    def context(self) -> Context:
        projects = self.api.get("projects", organization=self.organization["name"], sort="name", limit=200)
        return {"title": self.organization["name"], "projects_here": projects["items"]}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Organizations"), reverse("organizations"))]


class OrganizationEdit(FormPage, OrganizationPage):
    template = "dashboard/forms/page.html"
    title = _("Edit organization")
    section = "organization"
    form_class = NamedForm
    submit = _("Save")
    right = "organization_update"

    def initial(self) -> Context:
        return initial_values(self.organization)

    def context(self) -> Context:
        return {"back": self.url("organization")}

    def send(self, form: ApiForm) -> str:
        self.save(self.organization, form, "organizations", self.kwargs["organization"])
        return self.url("organization")


class ProjectCreate(FormPage, OrganizationPage):
    template = "dashboard/forms/page.html"
    title = _("New project")
    section = "organization"
    form_class = NamedForm
    submit = _("Create")
    right = "project_create"

    def context(self) -> Context:
        lead = _("A project contains instances, volumes and networks, and has its own quota and policy.")
        return {"lead": lead, "back": self.url("organization")}

    def send(self, form: ApiForm) -> str:
        project = self.api.post(
            "organizations", self.kwargs["organization"], "projects", body=form.body(), key=self.key
        )
        self.notify(_("Project created."))
        return reverse("overview", kwargs={"project": project["id"]})
