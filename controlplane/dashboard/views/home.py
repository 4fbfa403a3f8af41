"""The home page and the search."""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from controlplane.dashboard import navigation
from controlplane.dashboard.api_client import ApiError
from controlplane.dashboard.base_views import Page

FOUND_MAX = 20
# Number of projects that a search covers: each costs len(SOUGHT) calls, during which a thread is busy.
SEARCHED_MAX = 12
# Number of projects whose resources the home page counts.
COUNTED_MAX = 24
# Searched resources of a project: collection, detail page, label and icon.
SOUGHT = (
    ("instances", "instance", gettext_lazy("Instance"), "server"),
    ("volumes", "volume", gettext_lazy("Volume"), "hard-drive"),
    ("snapshots", "snapshot", gettext_lazy("Snapshot"), "history"),
    ("snapshot-schedules", "snapshot-schedule", gettext_lazy("Snapshot schedule"), "clock"),
    ("networks", "network", gettext_lazy("Network"), "network"),
    ("public-addresses", "public-address", gettext_lazy("Public address"), "earth"),
    ("security-groups", "security-group", gettext_lazy("Security group"), "shield"),
    ("address-sets", "address-set", gettext_lazy("Address set"), "list-checks"),
    ("images", "image", gettext_lazy("Image"), "disc"),
    ("ssh-keys", "ssh-key", gettext_lazy("SSH key"), "key-round"),
    ("affinity-groups", "affinity-group", gettext_lazy("Affinity group"), "boxes"),
    ("webhooks", "webhook", gettext_lazy("Webhook"), "webhook"),
)


class Home(Page):
    template = "dashboard/home.html"
    title = gettext_lazy("Projects")

    def context(self) -> dict[str, Any]:
        counted = [project | {"counts": self.counts(project["id"])} for project in self.projects[:COUNTED_MAX]]
        return {"tiles": [*counted, *self.projects[COUNTED_MAX:]]}

    def counts(self, project: str) -> dict[str, int]:
        """Return the resource counts of a project that the user may see."""
        try:
            limits = self.api.get("projects", project, "limits")["items"]
        except ApiError as exc:
            if exc.status != 403:
                raise
            return {}
        return {limit["dimension"]: limit["used"] for limit in limits}


class Search(Page):
    """Search pages by title, and resources by name, address or id in the user's first projects."""

    template = "dashboard/search.html"
    title = gettext_lazy("Go to…")

    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        results = list(islice(self.found(self.query("q").strip().lower()), FOUND_MAX))
        if self.query("palette"):
            return render(request, "dashboard/shared/search_options.html", {"found": results})
        left_out = self.projects[SEARCHED_MAX:] if len(results) < FOUND_MAX else []
        return self.page({"found": results, "searched": SEARCHED_MAX if left_out else None})

    def found(self, query: str) -> Iterator[dict[str, Any]]:
        """Yield what is found, and ask for no more once the reader has enough."""
        for result in chain(self.pages(), self.search_results()):
            if not query or query in result["text"]:
                yield result

    def pages(self) -> list[dict[str, Any]]:
        project = self.projects[0] if self.projects else None
        pages = []
        for group in navigation.menu(self.me, project):
            for entry in group["entries"]:
                pages.append(_place(str(entry["words"]), _("page"), entry["icon"], entry["url"]))
        for item in self.projects:
            url = reverse("overview", kwargs={"project": item["id"]})
            pages.append(_place(item["name"], _("project"), "folder", url))
        return pages

    def search_results(self) -> Iterator[dict[str, Any]]:
        for project in self.projects[:SEARCHED_MAX]:
            for collection, page, words, icon in SOUGHT:
                for item in self.api.get("projects", project["id"], collection, limit=200)["items"]:
                    url = reverse(page, args=[project["id"], item["id"]])
                    also = " ".join(address["ip"] for address in item.get("addresses", []))
                    yield _place(item["name"], str(words), icon, url, also=f"{item['id']} {also}")


def _place(words: str, kind: str, icon: str, url: str, *, also: str = "") -> dict[str, Any]:
    return {"words": words, "kind": kind, "icon": icon, "url": url, "text": f"{words} {also}".lower()}
