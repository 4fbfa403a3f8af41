"""For whoever runs the platform: organizations and what they ask for, and what is offered to all of them."""

from functools import cached_property
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.forms import ApiForm
from controlplane.dashboard.page import FormPage, Page, Text
from controlplane.dashboard.views.overview import DIMENSIONS

MANY = 200
ANSWERS = {"approve": _("Approve the request"), "refuse": _("Refuse the request")}


class CustomerList(Page):
    template = "dashboard/fleet/customers.html"
    title = _("Organizations")
    section = "customers"

    def context(self) -> dict[str, Any]:
        page = self.api.get("organizations", name=self.query("name"), sort="name", page_token=self.query("page_token"))
        return {
            "organizations": page["items"],
            "next_page_token": page["next_page_token"],
            "is_filtered": bool(self.query("name")),
        }


class CustomerPage(Page):
    section = "customers"

    @cached_property
    def organization(self) -> dict[str, Any]:
        organization: dict[str, Any] = self.api.get("organizations", self.kwargs["organization"])
        return organization

    @property
    def url(self) -> str:
        return reverse("customer", kwargs={"organization": self.kwargs["organization"]})

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Organizations"), reverse("customers"))]


class Customer(CustomerPage):
    template = "dashboard/fleet/customer.html"

    def frame(self) -> dict[str, Any]:
        return super().frame() | {"title": self.organization["name"]}

    def context(self) -> dict[str, Any]:
        path = ("organizations", self.organization["id"])
        asked = self.api.get(*path, "quota-requests", limit=MANY)["items"]
        limits = self.api.get(*path, "limits")["items"]
        return {
            "organization": self.organization,
            "their_projects": self.api.get("projects", organization=self.organization["name"], limit=MANY)["items"],
            "limits": [each | {"words": DIMENSIONS.get(each["dimension"], each["dimension"])} for each in limits],
            "requests": [each | {"words": DIMENSIONS.get(each["dimension"], each["dimension"])} for each in asked],
            "may_operate": self.me["duty"] == "operator",
        }


class AnswerForm(ApiForm):
    reason = forms.CharField(label=_("Answer"), help_text=_("Whoever asked reads it."), max_length=500)


class QuotaAnswer(FormPage, CustomerPage):
    template = "dashboard/forms/page.html"
    form_class = AnswerForm
    submit = _("Answer")

    def crumbs(self) -> list[tuple[Text, str]]:
        return [*super().crumbs(), (self.organization["name"], self.url)]

    @cached_property
    def asked(self) -> dict[str, Any]:
        path = ("organizations", self.kwargs["organization"], "quota-requests", self.kwargs["quota_request"])
        asked: dict[str, Any] = self.api.get(*path)
        return asked

    def context(self) -> dict[str, Any]:
        what = DIMENSIONS.get(self.asked["dimension"], self.asked["dimension"])
        lead = _("{name} asks for a limit of {limit} ({what}): {reason}").format(
            name=self.organization["name"], limit=self.asked["limit"], what=what, reason=self.asked["reason"]
        )
        return {"title": ANSWERS.get(self.kwargs["answer"], self.submit), "lead": lead, "back": self.url}

    def send(self, form: ApiForm) -> str:
        path = ("organizations", self.kwargs["organization"], "quota-requests", self.kwargs["quota_request"])
        self.api.post(*path, "actions", self.kwargs["answer"], body=form.body(), key=self.key)
        self.say(_("The request is answered."))
        return self.url


class Offers(Page):
    """What everybody can choose."""

    template = "dashboard/fleet/offers.html"
    title = _("Offers")
    section = "offers"

    def context(self) -> dict[str, Any]:
        return {
            "flavors": self.api.get("flavors", limit=MANY)["items"],
            "volume_types": self.api.get("volume-types", limit=MANY)["items"],
            "images": self.public_images(),
        }

    def public_images(self) -> list[dict[str, Any]]:
        """As any project sees them: the API lists them in projects alone."""
        if not self.projects:
            return []
        images = self.api.get("projects", self.projects[0]["id"], "images", limit=MANY)["items"]
        return [image for image in images if image["is_public"]]
