"""Policies of projects, organizations, the platform and classifications, and the editor with its preview."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import clause_labels
from controlplane.dashboard.api_client import ApiError, ApiRequest, ApiResponse
from controlplane.dashboard.base_views import Action, Page, Text, is_correctable
from controlplane.dashboard.clause_forms import TEXT, ClauseRows, Clauses, parse_clauses
from controlplane.dashboard.compliance_drift import read_resource_names

CREATE = "instance.create"
OUTDATED = 412
IMMEDIATE_CHANGES = ("same", "tighter")
MANY = 200


class PolicyOwnerView:
    """A policy's owner. `shown`, `edited` and `undone` are its pages; `sets`: the API operation that changes it,
    with the permissions of `place`."""

    level, section = "", "policies"
    shown, edited, undone = "", "", ""
    sets = ""

    def __init__(self, page: Page) -> None:
        self.api = page.api
        self.page = page
        self.kwargs = page.kwargs

    def path(self) -> tuple[str, ...]:
        """Return the path of the policy in the API."""
        raise NotImplementedError

    def url(self, page: str) -> str:
        return reverse(page, kwargs=self.kwargs)

    def title(self) -> Text:
        raise NotImplementedError

    def lead(self) -> Text:
        raise NotImplementedError

    def project(self) -> dict[str, Any] | None:
        """Return the project of the page, if any."""
        return None

    def place(self) -> dict[str, Any] | None:
        """Return the project or the organization of the policy."""
        return self.project()

    def owns_proposal(self, proposal: Mapping[str, Any]) -> bool:
        raise NotImplementedError

    def simulation_subject(self) -> dict[str, Any] | None:
        """Return a project under the policy, with classifications, for simulations."""
        return {"project": self.page.projects[0]["id"]} if self.page.projects else None

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Policies"), reverse("policies"))]

    def about(self) -> dict[str, Any]:
        """Return additional template context of the policy's page."""
        return {}


class PolicyPage(Page):
    template = "dashboard/compliance/policies/policy.html"
    live = "policy"
    whose_class: type[PolicyOwnerView] = PolicyOwnerView

    @cached_property
    def whose(self) -> PolicyOwnerView:
        return self.whose_class(self)

    @cached_property
    def answer(self) -> ApiResponse:
        return self.api.send("GET", self.whose.path(), ApiRequest())

    @property
    def policy(self) -> dict[str, Any]:
        policy: dict[str, Any] = self.answer.data
        return policy

    def project_of_page(self) -> dict[str, Any] | None:
        return self.whose.project()

    def own_right(self) -> str:
        return self.whose.sets

    def place(self) -> dict[str, Any] | None:
        return self.whose.place()

    def layout_context(self) -> dict[str, Any]:
        return super().layout_context() | {"title": self.whose.title(), "section": self.whose.section}

    def crumbs(self) -> list[tuple[Text, str]]:
        return self.whose.crumbs()

    def context(self) -> dict[str, Any]:
        return {
            "policy": self.policy,
            "levels": levels_of(self.policy),
            "proposals": self.proposals(),
            "edit": self.whose.url(self.whose.edited),
            "undo": {"url": self.whose.url(self.whose.undone), "until": undo_until(self.policy)},
            "lead": self.whose.lead(),
            **self.whose.about(),
        }

    def proposals(self) -> list[dict[str, Any]]:
        """Return proposals that wait for approval or for their delay."""
        proposals = []
        for state in ("proposed", "approved"):
            page = self.api.get("policy-proposals", state=state, level=self.whose.level, limit=MANY)
            proposals += [each for each in page["items"] if self.whose.owns_proposal(each)]
        return proposals


class PolicyUndo(Action):
    done = _("Change undone. The previous policy is in force again.")
    whose_class: type[PolicyOwnerView] = PolicyOwnerView

    def perform(self) -> None:
        self.api.post(*self.whose_class(self).path(), "actions", "undo")


class PolicyEditor(PolicyPage):
    template = "dashboard/compliance/policies/edit.html"
    live = ""

    def layout_context(self) -> dict[str, Any]:
        return super().layout_context() | {"title": _("Edit policy")}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [*super().crumbs(), (self.whose.title(), self.whose.url(self.whose.shown))]

    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        return self.editor(ClauseRows.from_clauses(self.policy["atoms"]))

    def post(self, request: HttpRequest, **path: str) -> HttpResponse:
        """Process a button of the form; the entered clauses are kept."""
        button, _sep, what = request.POST.get("do", "try").partition(":")
        rows = ClauseRows.from_request(request.POST)
        if button in ("add", "remove"):
            rows = rows.without_validation()
            rows.add(request.POST.get("subject", "")) if button == "add" else rows.remove(what)
            return self.editor(rows)
        if button == "read":
            return self.read(rows.without_validation(), request.POST.get(TEXT, ""))
        if not rows.are_valid():
            return self.editor(
                rows, errors=[gettext("Some clauses are incomplete. Errors are shown next to their fields.")]
            )
        return self.put(rows, is_trial=button != "save")

    def lacks_reason(self, body: dict[str, Any]) -> bool:
        """Return whether the reason is missing: a less strict policy needs one, a stricter one does not."""
        if body["reason"]:
            return False
        change = self.api.send(
            "PUT", self.whose.path(), ApiRequest(body, {"dry_run": "true"}, version=self.version)
        ).data
        return change["change"] not in IMMEDIATE_CHANGES

    def read(self, rows: ClauseRows, text: str) -> HttpResponse:
        try:
            return self.editor(ClauseRows.from_clauses(parse_clauses(text)))
        except ValueError as exc:
            return self.editor(rows, errors=[str(exc)], text=text)

    def put(self, rows: ClauseRows, *, is_trial: bool) -> HttpResponse:
        """Save only previewed clauses over the same version; otherwise show the preview."""
        clauses = rows.clauses()
        body = {"atoms": clauses, "reason": self.request.POST.get("reason", "").strip()}
        try:
            if is_trial:
                return self.render_preview(rows, body)
            if self.request.POST.get("shown") != self.digest(clauses):
                return self.render_preview(rows, body, gettext("Not saved yet. Preview the changes, then save."))
            if self.lacks_reason(body):
                return self.render_preview(
                    rows, body, gettext("The policy becomes less strict: enter a reason for the approver.")
                )
            outcome = self.api.send("PUT", self.whose.path(), ApiRequest(body, version=self.version)).data
        except ApiError as exc:
            if not is_correctable(exc):
                raise
            if exc.status == OUTDATED:
                return self.editor(rows, is_outdated=True)
            errors = rows.show_problem(exc.problem) or [
                gettext("Some clauses have errors, shown next to their fields.")
            ]
            return self.editor(rows, errors=errors, problem=exc.problem)
        return redirect(self.announce_outcome(outcome))

    def render_preview(self, rows: ClauseRows, body: dict[str, Any], *errors: str) -> HttpResponse:
        """Render the editor with the preview. Raises ApiError."""
        clauses = body["atoms"]
        outcome = self.api.send(
            "PUT", self.whose.path(), ApiRequest(body, {"dry_run": "true"}, version=self.version)
        ).data
        names = read_resource_names(self.api, [each["resource_id"] for each in outcome["drifted"]])
        drifted = [each | {"name": names.get(each["resource_id"])} for each in outcome["drifted"]]
        return self.editor(
            rows,
            errors=errors,
            outcome={**outcome, **lint_by_kind(outcome), "drifted": drifted},
            verdicts=self.verdicts(clauses),
            shown=self.digest(clauses),
        )

    def digest(self, clauses: Clauses) -> str:
        """Return the digest of the clauses and the version that they replace."""
        return hashlib.sha256(json.dumps([self.version, clauses], sort_keys=True).encode()).hexdigest()

    def announce_outcome(self, outcome: Mapping[str, Any]) -> str:
        """Show the outcome as a message; return the URL of its page."""
        if outcome["proposal"]:
            text = gettext(
                "Proposal created. A less strict policy requires approval by a second person and applies after a delay."
            )
            messages.success(self.request, text)
            return reverse("proposal", kwargs={"proposal": outcome["proposal"]["id"]})
        messages.success(self.request, gettext("Policy version {n} is in force.").format(n=outcome["version"]))
        return self.whose.url(self.whose.shown)

    @property
    def version(self) -> str:
        """Return the ETag of the policy when editing started."""
        return self.request.POST.get("version") or self.answer.etag

    def verdicts(self, clauses: Clauses) -> list[dict[str, Any]]:
        """Return for each zone the admission before and after, and the refusing clauses."""
        subject = self.whose.simulation_subject()
        if subject is None:
            return []
        body = {"operation": CREATE, "policy_atoms": clauses, **subject}
        zones = self.api.preview("placement", "simulations", body=body)["document"]["zones"]
        return [verdict_of(zone, self.whose.level) for zone in zones]

    def editor(
        self, rows: ClauseRows, *, is_outdated: bool = False, text: str | None = None, **more: Any
    ) -> HttpResponse:
        """Render the editor. `is_outdated`: the clauses are rebased on the version in force."""
        context = {
            "rows": rows,
            "version": self.answer.etag if is_outdated else self.version,
            "is_outdated": is_outdated,
            "in_force": self.policy,
            "inherited": levels_of({**self.policy, "atoms": []}),
            "subjects": _grouped(),
            "text": rows.text if text is None else text,
            "reason": self.request.POST.get("reason", ""),
            "back": self.whose.url(self.whose.shown),
        }
        return self.page(context | more)


def levels_of(policy: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the policies in force, from the top level down to this one."""
    above = [{**each, "words": clause_labels.vocabulary_label("level", each["level"])} for each in policy["inherited"]]
    own = {"level": policy["level"], "words": clause_labels.vocabulary_label("level", policy["level"]), "is_own": True}
    return [*above, {**own, "atoms": policy["atoms"]}] if policy["atoms"] else above


def undo_until(policy: Mapping[str, Any]) -> str | None:
    """Return until when the user may undo the last change, or None."""
    return next((each["until"] for each in policy["allowed_actions"] if each["name"] == "undo"), None)


def verdict_of(zone: Mapping[str, Any], level: str) -> dict[str, Any]:
    """Return the verdict on a zone. Clauses of `level` are in force; those of the request have the level `resource`."""
    refusing = [each for each in zone["results"] if each["result"] != "T"]
    now = [each for each in refusing if each["level"] != "resource"]
    then = [each for each in refusing if each["level"] != level]
    is_open = zone["status"] == "open"
    return {"zone": zone["zone"], "is_open": is_open, "now": is_open and not now, "then": is_open and not then,
            "refusing": then}  # fmt: skip


def _grouped() -> Iterable[tuple[Text, list[tuple[str, Text]]]]:
    groups: dict[Text, list[tuple[str, Text]]] = defaultdict(list)
    for name, subject in clause_labels.SUBJECTS.items():
        groups[subject.group].append((name, subject.words))
    return groups.items()


class ProjectPolicy(PolicyOwnerView):
    level, section = "project", "policy"
    shown, edited, undone = "policy", "policy-edit", "policy-undo"
    sets = "policy_set"

    def path(self) -> tuple[str, ...]:
        return ("projects", self.kwargs["project"], "policy")

    def title(self) -> Text:
        return _("Policy")

    def lead(self) -> Text:
        return _("Requirements for zones that hold the project’s data, in addition to the policies of higher levels.")

    @cached_property
    def _project(self) -> dict[str, Any]:
        project: dict[str, Any] = self.api.get("projects", self.kwargs["project"])
        return project

    def project(self) -> dict[str, Any] | None:
        return self._project

    def owns_proposal(self, proposal: Mapping[str, Any]) -> bool:
        return proposal["project"] is not None and proposal["project"]["id"] == self._project["id"]

    def simulation_subject(self) -> dict[str, Any] | None:
        return {"project": self._project["id"]}

    def crumbs(self) -> list[tuple[Text, str]]:
        return []


class OrganizationPolicy(PolicyOwnerView):
    level = "organization"
    shown, edited, undone = "organization-policy", "organization-policy-edit", "organization-policy-undo"
    sets = "organization_policy_set"

    def path(self) -> tuple[str, ...]:
        return ("organizations", self.kwargs["organization"], "policy")

    @cached_property
    def organization(self) -> dict[str, Any]:
        organization: dict[str, Any] = self.api.get("organizations", self.kwargs["organization"])
        return organization

    def place(self) -> dict[str, Any]:
        return self.organization

    def title(self) -> Text:
        return gettext("Policy of {name}").format(name=self.organization["name"])

    def lead(self) -> Text:
        return _("Applies to all projects of the organization, in addition to their own policies.")

    def owns_proposal(self, proposal: Mapping[str, Any]) -> bool:
        owner = proposal["organization"]
        return proposal["project"] is None and owner is not None and owner["id"] == self.organization["id"]

    def simulation_subject(self) -> dict[str, Any] | None:
        projects = self.api.get("projects", organization=self.organization["name"], limit=1)["items"]
        return {"project": projects[0]["id"]} if projects else None


class PlatformPolicy(PolicyOwnerView):
    level = "platform"
    shown, edited, undone = "platform-policy", "platform-policy-edit", "platform-policy-undo"

    def path(self) -> tuple[str, ...]:
        return ("platform", "policy")

    def title(self) -> Text:
        return _("Platform policy")

    def lead(self) -> Text:
        return _("Applies to all organizations. Their policies can only be stricter.")

    def owns_proposal(self, proposal: Mapping[str, Any]) -> bool:
        return True


class ClassificationPolicy(PolicyOwnerView):
    level, section = "classification", "classifications"
    shown, edited, undone = "classification", "classification-policy-edit", "classification-policy-undo"

    def path(self) -> tuple[str, ...]:
        return ("classifications", self.kwargs["classification"], "policy")

    @cached_property
    def classification(self) -> dict[str, Any]:
        classification: dict[str, Any] = self.api.get("classifications", self.kwargs["classification"])
        return classification

    def title(self) -> Text:
        return str(self.classification["title"] or self.classification["id"])

    def lead(self) -> Text:
        return str(self.classification["description"])

    def owns_proposal(self, proposal: Mapping[str, Any]) -> bool:
        return bool(proposal["classification"] == self.classification["id"])

    def simulation_subject(self) -> dict[str, Any] | None:
        subject = super().simulation_subject()
        return subject and {**subject, "classifications": [self.classification["id"]]}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Classifications"), reverse("classifications"))]

    def about(self) -> dict[str, Any]:
        return {"classification": self.classification}


class PolicyList(Page):
    """The policies that the user can read, by level."""

    template = "dashboard/compliance/policies/list.html"
    title = _("Policies")
    section = "policies"

    def context(self) -> dict[str, Any]:
        organizations = self.api.get("organizations", limit=MANY)["items"]
        return {"organizations": organizations}


def lint_by_kind(outcome: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the clauses with lint findings, by finding."""
    names = {"NO_EFFECT": "without_effect", "NOT_ASKED": "not_asked", "CLAIMED": "claimed"}
    return {name: [each["atom"] for each in outcome["lint"] if each["code"] == code] for code, name in names.items()}
