"""Organizations: which there are, one of them at a glance, and its projects."""

from functools import cached_property
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import navigation
from controlplane.dashboard.forms import ApiForm, labels_as_text, labels_of
from controlplane.dashboard.page import Context, FormPage, Page, Text


class OrganizationList(Page):
    template = "dashboard/organization/list.html"
    title = _("Organizations")
    section = "organizations"

    def context(self) -> Context:
        if not self.is_somewhere:
            return {}
        page = self.api.get("organizations", sort="name", page_token=self.query("page_token"))
        roles = {item["organization"]["id"]: item["role"] for item in self.me["memberships"]}
        organizations = [item | {"role": roles.get(item["id"])} for item in page["items"]]
        return {"organizations": organizations, "next_page_token": page["next_page_token"]}


class OrganizationPage(Page):
    """A page of an organization, whose address begins with it."""

    @cached_property
    def organization(self) -> Context:
        organization: Context = self.api.get("organizations", self.kwargs["organization"])
        return organization

    def of_organization(self, *path: str, **query: Any) -> Any:
        """What the API answers below the organization."""
        return self.api.get("organizations", self.kwargs["organization"], *path, **query)

    def frame(self) -> Context:
        menu = navigation.menu(self.me, None, organization=self.organization)
        return super().frame() | {"menu": menu, "organization": self.organization}

    def place(self) -> Context:
        return self.organization

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(self.organization["name"], self.url("organization"))]

    def url(self, name: str, **path: str) -> str:
        """Of another page of the organization."""
        return reverse(name, kwargs={"organization": self.kwargs["organization"], **path})


class OrganizationOverview(OrganizationPage):
    template = "dashboard/organization/overview.html"
    section = "organization"

    def context(self) -> Context:
        projects = self.api.get("projects", organization=self.organization["name"], sort="name", limit=200)
        return {"title": self.organization["name"], "projects_here": projects["items"]}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Organizations"), reverse("organizations"))]


class NamedForm(ApiForm):
    """A name and labels, as nearly everything has them."""

    name = forms.CharField(
        label=_("Name"),
        help_text=_("Lower case letters, digits and dashes."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    labels = forms.CharField(
        label=_("Labels"),
        help_text=_("One a line: env=prod. You find and filter by them."),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono", "spellcheck": "false"}),
    )

    def body(self) -> Context:
        return super().body() | {"labels": labels_of(self.cleaned_data["labels"])}


def named_as(thing: Context) -> Context:
    """What stands in the form of a thing that is there already."""
    return {"name": thing["name"], "labels": labels_as_text(thing["labels"])}


def changed(thing: Context, form: ApiForm) -> Context:
    """What is sent to make the thing what stands in the form now: the API keeps labels that are not named."""
    body = form.body()
    gone = dict.fromkeys(thing["labels"].keys() - body["labels"].keys())
    return body | {"labels": gone | body["labels"]}


class OrganizationEdit(FormPage, OrganizationPage):
    template = "dashboard/forms/page.html"
    title = _("Edit the organization")
    section = "organization"
    form_class = NamedForm
    submit = _("Save")
    right = "organization_update"

    def initial(self) -> Context:
        return named_as(self.organization)

    def context(self) -> Context:
        return {"back": self.url("organization")}

    def send(self, form: ApiForm) -> str:
        self.api.patch("organizations", self.kwargs["organization"], body=changed(self.organization, form))
        self.say(_("It is saved."))
        return self.url("organization")


class ProjectCreate(FormPage, OrganizationPage):
    template = "dashboard/forms/page.html"
    title = _("New project")
    section = "organization"
    form_class = NamedForm
    submit = _("Create it")
    right = "project_create"

    def context(self) -> Context:
        lead = _("A project holds instances, volumes and networks, with a quota and a policy of its own.")
        return {"lead": lead, "back": self.url("organization")}

    def send(self, form: ApiForm) -> str:
        made = self.api.post("organizations", self.kwargs["organization"], "projects", body=form.body(), key=self.key)
        self.say(_("The project is there."))
        return reverse("overview", kwargs={"project": made["id"]})
