"""The fleet for operators: nodes, their resources, incidents and operations."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import labels
from controlplane.dashboard.api_client import ApiError
from controlplane.dashboard.base_views import Action, FormPage, Page, Text, is_correctable
from controlplane.dashboard.forms import ApiForm
from controlplane.dashboard.views.platform.pools import pools_of
from controlplane.kernel import clock

MANY, PAGES = 200, 10
ZONES_READ = 30
EXPIRES_SOON = timedelta(days=30)
RESOURCES = ("vcpus", "memory_mib", "disk_gib")
STATES = ("enrolled", "ready", "unreachable")
DUTIES = ("in-service", "cordoned", "draining", "maintenance", "fenced", "retired")
OPERATION_STATES = ("pending", "running", "undoing", "succeeded", "failed", "cancelled")
LIVE = ("undoing", "running", "pending")
LATEST = 20
LONG = timedelta(minutes=15)


class Fleet(Page):
    template = "dashboard/platform/nodes/list.html"
    title = _("Fleet")
    section = "fleet"
    live = "node instance operation"

    def context(self) -> dict[str, Any]:
        filters = {name: self.query(name) for name in ("state", "duty", "zone")}
        nodes, is_whole = self.nodes(filters)
        flavor = self.query("flavor")
        sums = sums_of(nodes)
        if flavor:
            for each in sums[:ZONES_READ]:
                each["capacity"] = self.api.get("zones", each["zone"], "capacity", flavor=flavor)
        return {
            "nodes": nodes,
            "is_whole": is_whole,
            "sums": sums,
            "flavor": flavor,
            "is_filtered": any(filters.values()),
            "states": [(state, labels.state_badge(state, "node").words) for state in STATES],
            "duties": [(duty, labels.state_badge(duty, "node").words) for duty in DUTIES],
            "zones": sorted({each["id"] for each in self.api.get("zones", limit=MANY)["items"]}),
            "flavors": self.api.get("flavors", limit=MANY)["items"],
        }

    def nodes(self, filters: dict[str, str]) -> tuple[list[dict[str, Any]], bool]:
        """Return all nodes up to a limit, and whether the list is complete."""
        nodes: list[dict[str, Any]] = []
        token = ""
        for _page in range(PAGES):
            page = self.api.get("nodes", **filters, sort="name", limit=MANY, page_token=token)
            nodes += page["items"]
            token = page["next_page_token"]
            if not token:
                return nodes, True
        return nodes, False


class NodePage(Page):
    section = "fleet"

    @cached_property
    def node(self) -> dict[str, Any]:
        node: dict[str, Any] = self.api.get("nodes", self.kwargs["node"])
        return node

    def layout_context(self) -> dict[str, Any]:
        return super().layout_context() | {"title": self.node["name"]}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Fleet"), reverse("fleet"))]

    @property
    def url(self) -> str:
        return reverse("node", kwargs={"node": self.node["name"]})


class Node(NodePage):
    template = "dashboard/platform/nodes/detail.html"
    live = "node incident orphan instance operation"

    def context(self) -> dict[str, Any]:
        path = ("nodes", self.node["name"])
        guests = self.api.get(*path, "instances", sort="name", limit=MANY)
        left = datetime.fromisoformat(self.node["certificate_expires_at"]) - clock.now()
        return {
            "node": self.node,
            "guests": guests["items"],
            "has_more": bool(guests["next_page_token"]),
            "incidents": self.api.get(*path, "incidents", limit=LATEST)["items"],
            "orphans": len(self.api.get("orphans", node=self.node["name"], open="true", limit=MANY)["items"]),
            "pools": pools_of(self.api, self.node),
            "expires_soon": left < EXPIRES_SOON,
            "fencing": self.api.get(*path, "fencing"),
            "may_operate": self.me["duty"] == "operator",
        }


class CordonForm(ApiForm):
    reason = forms.CharField(
        label=_("Reason"), help_text=_("Visible to other operators."), max_length=200, required=False
    )


class Cordon(FormPage, NodePage):
    template = "dashboard/forms/page.html"
    form_class = CordonForm
    submit = _("Cordon node")

    def context(self) -> dict[str, Any]:
        return {
            "title": _("Cordon {name}").format(name=self.node["name"]),
            "lead": _("New placements on the node stop. Its instances continue to run."),
            "back": self.url,
        }

    def send(self, form: ApiForm) -> str:
        self.api.post("nodes", self.node["name"], "actions", "cordon", body=form.body(), key=self.key)
        self.notify(_("Node cordoned."))
        return self.url


class Uncordon(Action):
    done = _("Node uncordoned. New instances can be placed on it.")

    def perform(self) -> None:
        self.api.post("nodes", self.kwargs["node"], "actions", "uncordon")


class Incidents(Page):
    template = "dashboard/platform/incidents.html"
    title = _("Incidents")
    section = "incidents"
    live = "incident"

    def context(self) -> dict[str, Any]:
        filters = {name: self.query(name) for name in ("state", "zone", "kind")}
        page = self.api.get("incidents", **filters, page_token=self.query("page_token"))
        return {
            "incidents": page["items"],
            "next_page_token": page["next_page_token"],
            "is_filtered": any(filters.values()),
            "states": (("open", _("open")), ("ended", _("resolved"))),
            "zones": [each["id"] for each in self.api.get("zones", limit=MANY)["items"]],
        }


class Operations(Page):
    """Stuck, failed and long-running operations first, then all of them with filters."""

    template = "dashboard/platform/operations/list.html"
    title = _("Operations")
    section = "all-operations"
    live = "operation"

    def context(self) -> dict[str, Any]:
        filters = {name: self.query(name) for name in ("state", "kind", "project", "organization")}
        page = self.api.get("operations", **filters, page_token=self.query("page_token"))
        is_first = not any(filters.values()) and not self.query("page_token")
        return {
            "operations": page["items"],
            "next_page_token": page["next_page_token"],
            "is_filtered": any(filters.values()),
            "stuck": self.api.get("operations", stuck="true", limit=LATEST)["items"] if is_first else [],
            "may_operate": self.me["duty"] == "operator",
            "failed": self.api.get("operations", state="failed", limit=LATEST)["items"] if is_first else [],
            "long": self.long() if is_first else [],
            "long_min": LONG.seconds // 60,
            "states": [(state, labels.state_badge(state, "operation").words) for state in OPERATION_STATES],
            "kinds": list(labels.OPERATION_LABELS.items()),
        }

    def long(self) -> list[dict[str, Any]]:
        """Return long-running operations, oldest first."""
        operations = [
            each for state in LIVE for each in self.api.get("operations", state=state, sort="created_at")["items"]
        ]
        before = clock.now() - LONG
        return [each for each in operations if datetime.fromisoformat(each["created_at"]) < before]


class ResolveForm(ApiForm):
    reason = forms.CharField(
        label=_("Reason"),
        help_text=_("Proof that the node does not return. Recorded in the evidence log."),
        max_length=200,
    )


class Resolve(FormPage):
    """Preview by a dry run which node would be abandoned, or show why the operation cannot be force-finished."""

    template = "dashboard/platform/operations/force_finish.html"
    title = _("Force finish a stuck operation")
    section = "all-operations"
    form_class = ResolveForm
    submit = _("Force finish")

    def context(self) -> dict[str, Any]:
        path = ("operations", self.kwargs["operation"], "actions", "resolve")
        try:
            would = self.api.post(*path, body={"reason": "?"}, dry_run="true")
        except ApiError as exc:
            if not is_correctable(exc):
                raise
            return {"refusal": exc.problem, "back": reverse("all-operations")}
        return {"would": would, "back": reverse("all-operations")}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Operations"), reverse("all-operations"))]

    def send(self, form: ApiForm) -> str:
        path = ("operations", self.kwargs["operation"], "actions", "resolve")
        self.api.post(*path, body=form.body(), key=self.key)
        self.notify(_("Operation resumed. It ends without its node."))
        return reverse("all-operations")


def sums_of(nodes: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return for each zone the nodes, the nodes that accept instances, and total and used capacity."""
    zones: dict[str, dict[str, Any]] = defaultdict(_nothing)
    for node in nodes:
        zone = zones[node["zone"]]
        zone["nodes"] += 1
        zone["taking"] += node["state"] == "ready" and not node["is_cordoned"]
        for name in RESOURCES:
            for part in ("total", "reserved", "capacity", "used"):
                zone[name][part] += node["inventory"][name][part]
    return [{"zone": name, **zone} for name, zone in sorted(zones.items())]


def _nothing() -> dict[str, Any]:
    amounts = {name: {"total": 0, "reserved": 0, "capacity": 0, "used": 0} for name in RESOURCES}
    return {"nodes": 0, "taking": 0, **amounts}
