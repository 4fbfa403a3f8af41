"""Residency, placement decisions and drift."""

import json
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import clause_labels, labels
from controlplane.dashboard.api_client import ApiError
from controlplane.dashboard.base_views import Action, Page, ProjectPage, Text
from controlplane.dashboard.charts import Span, bars, moment
from controlplane.dashboard.zone_verdicts import is_admitted

MANY, RECORDS = 200, 50
STATES = ("compliant", "at-risk", "drifted", "remediating", "exempted")
KINDS = {"instance": _("Instances"), "volume": _("Volumes")}
FILTERS = ("state", "zone")
MORE_FILTERS = ("kind", "resource")
# Resources that hold data, by their part of a project's paths.
RESOURCES = ("instances", "volumes", "snapshots", "images")
OFFICER = "sovereignty_officer"


class Residencies(Page):
    """Monitored resources, and a form to open the residency of any id."""

    template = "dashboard/compliance/placement_evidence/residency_list.html"
    title = _("Residency")
    section = "residencies"
    live = "drift"

    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        if resource := self.query("resource").strip():
            return redirect("residency", resource=resource)
        return super().get(request, **path)

    def context(self) -> dict[str, Any]:
        page = self.api.get("drift", page_token=self.query("page_token"))
        return {"watched": page["items"], "next_page_token": page["next_page_token"]}


class ResourcePage(Page):
    """A page about a resource of the evidence log."""

    section = "residencies"

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Residency"), reverse("residencies"))]

    @property
    def url(self) -> str:
        return reverse("residency", kwargs={"resource": self.kwargs["resource"]})

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        page = self.api.get("evidence", "records", resource=self.kwargs["resource"], limit=RECORDS)
        return [each | {"about": _about(each["document"])} for each in page["items"]]

    @cached_property
    def owners(self) -> dict[str, str]:
        """Return organization and project from the resource's records; empty if unknown."""
        names = ("organization", "project")
        return {name: next(filter(None, (each["about"].get(name) for each in self.records)), "") for name in names}

    @cached_property
    def thing(self) -> dict[str, Any]:
        """Return the resource from the API; None if it is deleted or not visible."""
        for kind in RESOURCES if self.owners["project"] else ():
            try:
                thing: dict[str, Any] = self.api.get("projects", self.owners["project"], kind, self.kwargs["resource"])
            except ApiError as exc:
                if exc.status not in (403, 404):
                    raise
            else:
                return thing
        return {}

    def lineage(self) -> list[dict[str, Any]]:
        """Return the lineage of the resource's data."""
        if not self.owners["organization"]:
            return []
        try:
            page = self.api.get(
                "organizations", self.owners["organization"], "resources", self.kwargs["resource"], "lineage"
            )
        except ApiError as exc:
            if exc.status in (403, 404):
                return []
            raise
        items: list[dict[str, Any]] = page["items"]
        return items


class Residency(ResourcePage):
    template = "dashboard/compliance/placement_evidence/residency.html"
    title = _("Residency")
    live = "drift operation"

    def context(self) -> dict[str, Any]:
        query = {name: self.query(name) for name in ("from", "to", "role")}
        residency = self.api.get("resources", self.kwargs["resource"], "residency", **query)
        return {
            "resource": self.kwargs["resource"],
            "name": self.thing.get("name", ""),
            "intervals": residency["intervals"],
            "problems": residency["problems"],
            "earlier": urlencode(query | {"to": residency["next_to"]}) if residency["next_to"] else "",
            "chart": bars(_bar(each) for each in residency["intervals"]),
            "records": self.records,
            "of_project": self.owners["project"],
            "lineage": self.lineage(),
            "may_declassify": self.is_officer(),
        }

    def is_officer(self) -> bool:
        """Return whether the user is a sovereignty officer of the resource's organization."""
        places = [item["organization"]["id"] for item in self.me["memberships"] if item["role"] == OFFICER]
        return self.owners["organization"] in places


class Decision(ProjectPage):
    template = "dashboard/compliance/placement_evidence/decision.html"
    section = "residencies"
    title = _("Decision")

    def context(self) -> dict[str, Any]:
        decision = self.get_in_project("decisions", self.kwargs["decision"])
        document = decision["document"]
        zones = [
            zone
            | {
                "is_admitted": is_admitted(zone),
                "refusing": [each for each in zone["results"] if each["result"] != "T"],
            }
            for zone in document.get("zones", [])
        ]
        return {
            "decision": decision,
            "zones": zones,
            "eliminated": [each for each in document.get("eliminated", []) if each["count"]],
            "may_exempt": not decision["is_admitted"],
        }

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Residency"), reverse("residencies"))]


class DriftList(Page):
    """Drifted resources. `of_images`: image copies in the caches of nodes."""

    template = "dashboard/compliance/placement_evidence/drift.html"
    title = _("Drift")
    section = "drift"
    live = "drift remediation"
    of_images = False

    def context(self) -> dict[str, Any]:
        path = ("drift", "images") if self.of_images else ("drift",)
        filters = {name: self.query(name) for name in (FILTERS if self.of_images else FILTERS + MORE_FILTERS)}
        page = self.api.get(*path, **filters, page_token=self.query("page_token"))
        return {
            "items": page["items"],
            "next_page_token": page["next_page_token"],
            "is_filtered": any(filters.values()),
            "states": [(state, labels.state_badge(state, "compliance").words) for state in STATES],
            "kinds": () if self.of_images else list(KINDS.items()),
            "zones": self.api.get("zones", limit=MANY)["items"],
            "of_images": self.of_images,
        }


class PlanList(ProjectPage):
    template = "dashboard/compliance/placement_evidence/remediation_plans.html"
    title = _("Remediation plans")
    section = "plans"
    live = "remediation drift operation"

    def context(self) -> dict[str, Any]:
        page = self.get_in_project("remediation-plans", sort="-created_at", page_token=self.query("page_token"))
        plans = [each | {"may": _allowed(each)} for each in page["items"]]
        return {"plans": plans, "next_page_token": page["next_page_token"]}


def _allowed(plan: dict[str, Any]) -> dict[str, bool]:
    """Return whether each action can succeed now, by its name."""
    return {each["name"]: each["is_allowed"] for each in plan["allowed_actions"]}


class PlanAction(Action):
    """An action of the plan. `verb`: its name in the API."""

    verb = ""

    def perform(self) -> None:
        plan = self.kwargs["plan"]
        self.api.post("projects", self.kwargs["project"], "remediation-plans", plan, "actions", self.verb)


class PlanApprove(PlanAction):
    done = _("Plan approved.")
    right = "remediation_plan_approve"
    verb = "approve"


class PlanExecute(PlanAction):
    done = _("Plan is being carried out.")
    right = "remediation_plan_execute"
    verb = "execute"


class PlanPause(PlanAction):
    done = _("Plan paused.")
    right = "remediation_plan_pause"
    verb = "pause"


def _about(document: str | None) -> dict[str, Any]:
    """Return a record's own fields; empty after erasure."""
    evidence = json.loads(document) if document else {}
    return evidence if isinstance(evidence, dict) else {}


def _bar(interval: dict[str, Any]) -> Span:
    start = moment(interval["start"])
    assert start is not None
    tone = labels.BAD if not interval["is_compliant"] else labels.GOOD if interval["state"] == "proven" else labels.WARN
    name = f"{clause_labels.vocabulary_label('role', interval['role'])} · {interval['zone']}"
    return Span(name, start, moment(interval["end"]), tone)
