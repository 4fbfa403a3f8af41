"""Announcers: the machines that announce public addresses to routers, and what they report."""

from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import Context, Page

MANY = 200


class Announcers(Page):
    template = "dashboard/platform/announcers.html"
    title = _("Announcers")
    section = "announcers"
    live = "announcer incident"

    def context(self) -> Context:
        page = self.api.get("announcers", zone=self.query("zone"), sort="name", page_token=self.query("page_token"))
        return {
            "announcers": page["items"],
            "next_page_token": page["next_page_token"],
            "zones": [each["id"] for each in self.api.get("zones", limit=MANY)["items"]],
        }
