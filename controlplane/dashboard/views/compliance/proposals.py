"""Proposals of less strict policies, waiting for approval and delay."""

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import clause_labels, labels
from controlplane.dashboard.base_views import Action, Page, Text

STATES = ("proposed", "approved", "applied", "withdrawn")
FILTERS = ("state", "level")
DONE = {"approve": _("Proposal approved. It comes into force after the delay."), "withdraw": _("Proposal withdrawn.")}


class ProposalList(Page):
    template = "dashboard/compliance/proposals/list.html"
    title = _("Proposals")
    section = "proposals"
    live = "policy"

    def context(self) -> dict[str, Any]:
        filters = {name: self.query(name) for name in FILTERS}
        page = self.api.get("policy-proposals", **filters, page_token=self.query("page_token"))
        return {
            "proposals": [proposal | {"owner": owner_of(proposal)} for proposal in page["items"]],
            "next_page_token": page["next_page_token"],
            "is_filtered": any(filters.values()),
            "states": [(state, labels.state_badge(state, "proposal").words) for state in STATES],
            "levels": [each for each in clause_labels.LEVELS.items() if each[0] != "lineage"],
        }


class Proposal(Page):
    template = "dashboard/compliance/proposals/detail.html"
    section = "proposals"
    live = "policy"
    title = _("Proposal")

    @cached_property
    def proposal(self) -> dict[str, Any]:
        proposal: dict[str, Any] = self.api.get("policy-proposals", self.kwargs["proposal"])
        return proposal

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Proposals"), reverse("proposals"))]

    def context(self) -> dict[str, Any]:
        is_open = self.proposal["state"] in ("proposed", "approved")
        now = self.api.get(*path_of(self.proposal)) if is_open and not self.proposal["resource_id"] else None
        clauses = self.proposal["atoms"]
        return {
            "proposal": self.proposal | {"owner": owner_of(self.proposal)},
            "is_open": is_open,
            "in_force": now,
            "added": [clause for clause in clauses if now is None or clause not in now["atoms"]],
            "removed": [clause for clause in now["atoms"] if clause not in clauses] if now else [],
            "is_overtaken": now is not None and now["version"] != self.proposal["base_version"],
            "why_not_approve": self.why_not_approve(),
        }

    def why_not_approve(self) -> Text:
        if self.proposal["state"] == "approved":
            return _("already approved")
        own = self.me["user"] is not None and self.me["user"]["id"] == self.proposal["proposed_by"]
        return _("the proposer cannot approve it") if own else ""


class ProposalAction(Action):
    def perform(self) -> None:
        action = self.kwargs["action"]
        self.api.post("policy-proposals", self.kwargs["proposal"], "actions", action)
        messages.success(self.request, str(DONE.get(action, "")))


def owner_of(proposal: dict[str, Any]) -> str:
    """Return the name of the policy's owner."""
    for name in ("project", "organization"):
        if proposal[name] and not proposal["classification"]:
            return str(proposal[name]["name"])
    return proposal["classification"] or ""


def path_of(proposal: dict[str, Any]) -> tuple[str, ...]:
    """Return the path of the policy in the API."""
    if proposal["classification"]:
        return ("classifications", proposal["classification"], "policy")
    for name in ("project", "organization"):
        if proposal[name]:
            return (f"{name}s", proposal[name]["id"], "policy")
    return ("platform", "policy")
