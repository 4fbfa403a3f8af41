"""For whoever runs the platform: organizations and what they ask for, and what is offered to all of them."""

from functools import cached_property
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.page import Page, Text
from controlplane.dashboard.views.overview import in_words

MANY = 200


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


class Customer(Page):
    template = "dashboard/fleet/customer.html"
    section = "customers"

    @cached_property
    def organization(self) -> dict[str, Any]:
        organization: dict[str, Any] = self.api.get("organizations", self.kwargs["organization"])
        return organization

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Organizations"), reverse("customers"))]

    def frame(self) -> dict[str, Any]:
        return super().frame() | {"title": self.organization["name"]}

    def context(self) -> dict[str, Any]:
        path = ("organizations", self.organization["id"])
        asked = self.api.get(*path, "quota-requests", limit=MANY)["items"]
        limits = self.api.get(*path, "limits")["items"]
        return {
            "organization": self.organization,
            "their_projects": self.api.get("projects", organization=self.organization["name"], limit=MANY)["items"],
            "limits": [in_words(each) for each in limits],
            "requests": [in_words(each) for each in asked],
            "may_operate": self.me["duty"] == "operator",
        }


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
