"""Quarantine: list, discard and release orphaned resources."""

from functools import cached_property
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import labels
from controlplane.dashboard.base_views import Context, FormPage, Page, Text
from controlplane.dashboard.forms import ApiForm
from controlplane.dashboard.navigation import OPERATOR
from controlplane.dashboard.views.project.instances import NameForm

MANY = 200
STATES = ("found", "quarantined", "released", "discarded", "gone")
OPEN = ("found", "quarantined")
FILTERS = ("state", "kind", "zone", "node", "storage_cluster")
ANY = "any"


class Quarantine(Page):
    """Orphaned resources; by default those waiting for a decision."""

    template = "dashboard/platform/quarantine/list.html"
    title = _("Quarantine")
    section = "quarantine"
    live = "orphan"

    def context(self) -> Context:
        filters = {name: self.query(name) for name in FILTERS}
        query = {**filters, "state": "" if filters["state"] == ANY else filters["state"]}
        if not filters["state"]:
            query["open"] = "true"
        page = self.api.get("orphans", **query, page_token=self.query("page_token"))
        return {
            "orphans": page["items"],
            "next_page_token": page["next_page_token"],
            "is_filtered": any(filters.values()),
            "states": [
                ("", _("waiting for a decision")),
                (ANY, _("any")),
                *((state, labels.state_badge(state, "orphan").words) for state in STATES),
            ],
            "kinds": list(labels.ORPHANS.items()),
            "zones": [each["id"] for each in self.api.get("zones", limit=MANY)["items"]],
            "clusters": [each["name"] for each in self.api.get("storage-clusters", sort="name", limit=MANY)["items"]],
        }


class OrphanPage(Page):
    section = "quarantine"

    @cached_property
    def orphan(self) -> dict[str, Any]:
        orphan: dict[str, Any] = self.api.get("orphans", self.kwargs["orphan"])
        return orphan

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Quarantine"), reverse("quarantine"))]

    @property
    def url(self) -> str:
        return reverse("orphan", kwargs=self.kwargs)


class Orphan(OrphanPage):
    template = "dashboard/platform/quarantine/orphan.html"
    live = "orphan"

    def layout_context(self) -> Context:
        return super().layout_context() | {"title": self.orphan["name"]}

    def context(self) -> Context:
        return {
            "orphan": self.orphan,
            "may_release": self.me["duty"] == OPERATOR and self.orphan["state"] in OPEN,
            "may_discard": self.me["duty"] == OPERATOR and self.orphan["state"] in (*OPEN, "released"),
            "why_no_discard": self.why_no_discard(),
        }

    def why_no_discard(self) -> Text:
        if self.orphan["storage_cluster"] is None or self.orphan["resource"] is not None:
            return ""
        return _("the platform did not make this image; remove it with the command rbd, or release the orphan")


class DiscardForm(NameForm):
    reason = forms.CharField(label=_("Reason"), help_text=_("Recorded in the evidence log."), max_length=200)


class OrphanForm(FormPage, OrphanPage):
    def crumbs(self) -> list[tuple[Text, str]]:
        return [*super().crumbs(), (self.orphan["name"], self.url)]


class OrphanDiscard(OrphanForm):
    template = "dashboard/shared/confirm.html"
    form_class = DiscardForm
    submit = _("Discard")
    right = "orphan_discard"

    def choices(self) -> Context:
        return {"expected_name": self.orphan["name"]}

    def layout_context(self) -> Context:
        return super().layout_context() | {"title": _("Discard {name}").format(name=self.orphan["name"])}

    def context(self) -> Context:
        return {
            "lost": _(
                "The resource is permanently deleted once its node or cluster is reachable. This cannot be undone."
            ),
            "kept": _("The evidence log keeps the resource, the operator and the reason."),
            "back": self.url,
        }

    def send(self, form: ApiForm) -> str:
        self.api.post("orphans", self.kwargs["orphan"], "actions", "discard", body=form.body(), key=self.key)
        self.notify(_("Deletion is pending until the node or storage cluster is reachable."))
        return self.url


class ReleaseForm(ApiForm):
    reason = forms.CharField(label=_("Reason"), help_text=_("Visible to other operators."), max_length=200)


class OrphanRelease(OrphanForm):
    template = "dashboard/forms/page.html"
    form_class = ReleaseForm
    submit = _("Release")
    right = "orphan_release"

    def layout_context(self) -> Context:
        return super().layout_context() | {"title": _("Release {name}").format(name=self.orphan["name"])}

    def context(self) -> Context:
        return {
            "lead": _("The resource is restored and kept. Alerts about it end."),
            "back": self.url,
        }

    def send(self, form: ApiForm) -> str:
        self.api.post("orphans", self.kwargs["orphan"], "actions", "release", body=form.body(), key=self.key)
        self.notify(_("Release is pending until the node or storage cluster is reachable."))
        return self.url
