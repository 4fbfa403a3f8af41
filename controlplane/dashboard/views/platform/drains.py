"""Node life cycle for operators: drain plan, drain, maintenance and retirement."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import labels
from controlplane.dashboard.api_client import ApiError
from controlplane.dashboard.base_views import Action, Context, FormPage, Text, is_correctable
from controlplane.dashboard.forms import ApiForm
from controlplane.dashboard.views.platform.fleet import NodePage
from controlplane.dashboard.views.platform.instance_migrations import MigrationOptionsForm

NOT_FOUND = 404
FALLBACKS = ("leave", "stop")
LIVE = ("running", "paused", "blocked")
# Instances that need attention come first.
ORDER = ("failed", "left", "moving", "stopping", "waiting", "starting", "off", "started", "moved", "gone")


class DrainForm(MigrationOptionsForm):
    field_order = ("plan", "fallback", "at_once", "reason")
    plan = forms.CharField(widget=forms.HiddenInput)
    fallback = forms.CharField(widget=forms.HiddenInput)
    at_once = forms.IntegerField(label=_("Concurrent moves"), min_value=1, max_value=32, initial=2)
    reason = forms.CharField(
        label=_("Reason"), help_text=_("Visible to other operators."), max_length=200, required=False
    )


class DrainNew(FormPage, NodePage):
    """Show the current plan and the button that starts it."""

    template = "dashboard/platform/nodes/drain_plan.html"
    form_class = DrainForm
    submit = _("Drain node")

    def fallback(self) -> str:
        chosen = self.request.POST.get("fallback") or self.query("fallback")
        return chosen if chosen in FALLBACKS else FALLBACKS[0]

    def context(self) -> Context:
        frame: Context = {
            "title": _("Drain {name}").format(name=self.node["name"]),
            "node": self.node,
            "fallback": self.fallback(),
            "fallbacks": [(name, labels.FALLBACKS[name]) for name in FALLBACKS],
            "back": self.url,
            "may_operate": self.me["duty"] == "operator",
        }
        path = ("nodes", self.node["name"], "actions", "plan-drain")
        try:
            plan = self.api.post(*path, body={"fallback": self.fallback()})
        except ApiError as exc:
            if not is_correctable(exc):
                raise
            return frame | {"refusal": exc.problem}
        blocked = [guest for guest in plan["guests"] if guest["reasons"]]
        counts = Counter("stop-off" if guest["start_obstacles"] else guest["action"] for guest in plan["guests"])
        summary = {"plan": plan, "blocked": blocked, "stays_off": counts["stop-off"], "starts_again": counts["stop"]}
        return frame | summary | {"counted": counted(counts, labels.PLANNED)}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [*super().crumbs(), (self.node["name"], self.url)]

    def send(self, form: ApiForm) -> str:
        self.api.post("nodes", self.node["name"], "actions", "drain", body=form.body(), key=self.key)
        self.notify(_("Drain started."))
        return reverse("node-drain", kwargs={"node": self.node["name"]})


class Drain(NodePage):
    template = "dashboard/platform/nodes/drain.html"
    live = "node operation"

    def context(self) -> Context:
        frame: Context = {
            "title": _("Drain of {name}").format(name=self.node["name"]),
            "node": self.node,
            "may_operate": self.me["duty"] == "operator",
        }
        try:
            drain = self.api.get("nodes", self.node["name"], "drain")
        except ApiError as exc:
            if exc.status != NOT_FOUND:
                raise
            return frame
        is_recovery = drain["kind"] == "recover"
        if is_recovery:
            frame["title"] = _("Recovery of {name}").format(name=self.node["name"])
        guest_kind = "recovery-guest" if is_recovery else "drain-guest"
        return frame | {
            "drain": drain,
            "is_recovery": is_recovery,
            "guest_kind": guest_kind,
            "is_live": drain["state"] in LIVE,
            "counted": counted(drain["counts"], {name: labels.state_badge(name, guest_kind).words for name in ORDER}),
            "guests": sorted(drain["guests"], key=lambda guest: ORDER.index(guest["state"])),
        }

    def crumbs(self) -> list[tuple[Text, str]]:
        return [*super().crumbs(), (self.node["name"], self.url)]


def counted(counts: Mapping[str, int], named: Mapping[str, Any]) -> list[tuple[str, Any, int]]:
    """Return the non-zero counts in the order of the names."""
    return [(name, words_of, counts[name]) for name, words_of in named.items() if counts.get(name)]


class DrainAction(Action):
    verb = ""

    def perform(self) -> None:
        self.api.post("nodes", self.kwargs["node"], "drain", "actions", self.verb)

    def back(self) -> str:
        return reverse("node-drain", kwargs={"node": self.kwargs["node"]})


class DrainPause(DrainAction):
    verb = "pause"
    done = _("Paused. Moves in progress continue.")


class DrainResume(DrainAction):
    verb = "resume"
    done = _("Resumed.")


class DrainCancel(DrainAction):
    verb = "cancel"
    done = _("Cancelled. A node that was draining is now cordoned.")


class DrainRetry(DrainAction):
    """Retry the drain, with another fallback if the button has one."""

    done = _("Remaining instances are retried.")

    def perform(self) -> None:
        fallback = self.request.POST.get("fallback")
        body = {"fallback": fallback} if fallback in FALLBACKS else {}
        self.api.post("nodes", self.kwargs["node"], "drain", "actions", "retry", body=body)


class ReasonForm(ApiForm):
    reason = forms.CharField(
        label=_("Reason"), help_text=_("Visible to other operators."), max_length=200, required=False
    )


class Maintain(FormPage, NodePage):
    template = "dashboard/forms/page.html"
    form_class = ReasonForm
    submit = _("Start maintenance")

    def context(self) -> Context:
        return {
            "title": _("Maintenance of {name}").format(name=self.node["name"]),
            "lead": _(
                "No instance starts on the node until it returns to service. Running instances have to be moved first."
            ),
            "back": self.url,
        }

    def crumbs(self) -> list[tuple[Text, str]]:
        return [*super().crumbs(), (self.node["name"], self.url)]

    def send(self, form: ApiForm) -> str:
        self.api.post("nodes", self.node["name"], "actions", "maintain", body=form.body(), key=self.key)
        self.notify(_("Node in maintenance."))
        return self.url


class Return(Action):
    done = _("Node returned to service.")

    def perform(self) -> None:
        self.api.post("nodes", self.kwargs["node"], "actions", "return")


class RetireForm(ApiForm):
    reason = forms.CharField(label=_("Reason"), help_text=_("Recorded in the evidence log."), max_length=200)


class Retire(FormPage, NodePage):
    template = "dashboard/forms/page.html"
    form_class = RetireForm
    submit = _("Retire node")

    def context(self) -> Context:
        return {
            "title": _("Retire {name}").format(name=self.node["name"]),
            "lead": _(
                "The node is permanently removed from all lists, its permits and certificate are void, and its "
                "name can be reused. It has to be empty."
            ),
            "back": self.url,
        }

    def crumbs(self) -> list[tuple[Text, str]]:
        return [*super().crumbs(), (self.node["name"], self.url)]

    def send(self, form: ApiForm) -> str:
        self.api.post("nodes", self.node["name"], "actions", "retire", body=form.body(), key=self.key)
        self.notify(_("{name} is retired.").format(name=self.node["name"]))
        return reverse("fleet")
