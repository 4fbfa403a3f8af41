"""Organizations for operators: quota requests and the catalog."""

from functools import cached_property
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import navigation
from controlplane.dashboard.base_views import Context, FormPage, Page, Text
from controlplane.dashboard.forms import ApiForm, NamedForm
from controlplane.dashboard.views.project.instances import NameForm
from controlplane.dashboard.views.project.overview import in_words
from controlplane.dashboard.volume_type_texts import describe_durability, describe_type_limits

MANY = 200


class PlatformOrganizationList(Page):
    template = "dashboard/platform/organizations/list.html"
    title = _("Organizations")
    section = "customers"

    def context(self) -> dict[str, Any]:
        page = self.api.get("organizations", name=self.query("name"), sort="name", page_token=self.query("page_token"))
        return {
            "organizations": page["items"],
            "next_page_token": page["next_page_token"],
            "is_filtered": bool(self.query("name")),
            "may_operate": self.me["duty"] == navigation.OPERATOR,
        }


class PlatformOrganizationForm(NamedForm):
    owner = forms.EmailField(
        label=_("E-mail address of the first owner"),
        help_text=_("Optional. The person needs an account."),
        required=False,
    )


class PlatformOrganizationCreate(FormPage):
    template = "dashboard/forms/page.html"
    title = _("New organization")
    section = "customers"
    form_class = PlatformOrganizationForm
    submit = _("Create")
    right = "organization_create"

    def context(self) -> Context:
        lead = _("An organization contains members and projects. The default quota applies until you set another.")
        return {"lead": lead, "back": reverse("customers")}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Organizations"), reverse("customers"))]

    def send(self, form: ApiForm) -> str:
        organization = self.api.post("organizations", body=form.body(), key=self.key)
        self.notify(_("Organization created."))
        return reverse("customer", kwargs={"organization": organization["id"]})


class PlatformOrganization(Page):
    template = "dashboard/platform/organizations/detail.html"
    section = "customers"

    @cached_property
    def organization(self) -> dict[str, Any]:
        organization: dict[str, Any] = self.api.get("organizations", self.kwargs["organization"])
        return organization

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Organizations"), reverse("customers"))]

    def layout_context(self) -> dict[str, Any]:
        return super().layout_context() | {"title": self.organization["name"]}

    def context(self) -> dict[str, Any]:
        path = ("organizations", self.organization["id"])
        quota_requests = self.api.get(*path, "quota-requests", limit=MANY)["items"]
        limits = self.api.get(*path, "limits")["items"]
        return {
            "organization": self.organization,
            "their_projects": self.api.get("projects", organization=self.organization["name"], limit=MANY)["items"],
            "limits": [in_words(each) for each in limits],
            "requests": [in_words(each) for each in quota_requests],
            "may_operate": self.me["duty"] == navigation.OPERATOR,
        }


class PlatformOrganizationDelete(FormPage, PlatformOrganization):
    template = "dashboard/shared/confirm.html"
    form_class = NameForm
    submit = _("Delete")
    right = "organization_delete"

    def choices(self) -> Context:
        return {"expected_name": self.organization["name"]}

    def layout_context(self) -> Context:
        return super().layout_context() | {"title": _("Delete {name}").format(name=self.organization["name"])}

    def context(self) -> Context:
        return {
            "lost": _("The organization, its memberships, tokens and policy are permanently deleted."),
            "kept": _("Only an organization without projects can be deleted. Its audit log is kept."),
            "back": reverse("customer", kwargs=self.kwargs),
        }

    def send(self, form: ApiForm) -> str:
        self.api.delete("organizations", self.kwargs["organization"])
        self.notify(_("Organization deleted."))
        return reverse("customers")


class Offers(Page):
    """The catalog: flavors, public images and volume types."""

    template = "dashboard/platform/offers.html"
    title = _("Catalog")
    section = "offers"

    def context(self) -> dict[str, Any]:
        return {
            "flavors": self.api.get("flavors", limit=MANY)["items"],
            "volume_types": [
                each | {"limits": describe_type_limits(each), "durability": describe_durability(each)}
                for each in self.api.get("volume-types", limit=MANY)["items"]
            ],
            "images": self.public_images(),
            "may_operate": self.me["duty"] == navigation.OPERATOR,
        }

    def public_images(self) -> list[dict[str, Any]]:
        """Return public images; the API lists them only in projects."""
        if not self.projects:
            return []
        images = self.api.get("projects", self.projects[0]["id"], "images", limit=MANY)["items"]
        return [image for image in images if image["is_public"]]
