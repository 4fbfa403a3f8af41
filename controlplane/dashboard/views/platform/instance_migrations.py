"""Instance migration for operators: blockers, possible nodes and progress."""

from functools import cached_property
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import Action, Context, FormPage, Text
from controlplane.dashboard.forms import ApiForm

LATEST = 10
UNDER_WAY = ("placing", "preparing", "moving", "arrived")


class MigrationOptionsForm(ApiForm):
    """Options of one migration, or of each migration of a drain."""

    deadline_s = forms.IntegerField(
        label=_("Timeout (seconds)"),
        help_text=_("Default: 30 minutes plus 30 seconds per GiB. After the timeout the instance stays on its node."),
        min_value=60,
        max_value=7 * 24 * 3600,
        required=False,
    )
    convergence = forms.ChoiceField(
        label=_("If memory changes faster than it is copied"),
        choices=[("auto_converge", _("slow the instance down")), ("none", _("do not slow the instance down"))],
        required=False,
    )


class MigrationForm(MigrationOptionsForm):
    field_order = ("node", "reason")
    node = forms.ChoiceField(label=_("To"), required=False)
    reason = forms.CharField(
        label=_("Reason"), help_text=_("Visible to the owner of the instance."), max_length=200, required=False
    )

    def __init__(self, *args: Any, nodes: list[str], is_off: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if is_off:
            del self.fields["convergence"]
        best = ("", _("automatic placement"))
        self.fields["node"].choices = [best, *((node, node) for node in nodes)]  # type: ignore[attr-defined]


class InstanceMigration(FormPage):
    template = "dashboard/platform/instance_migration.html"
    section = "fleet"
    live = "instance operation"
    form_class = MigrationForm
    submit = _("Migrate")

    @cached_property
    def plan(self) -> dict[str, Any]:
        plan: dict[str, Any] = self.api.get("instances", self.kwargs["instance"], "migration-plan")
        return plan

    def choices(self) -> Context:
        return {"nodes": [node["name"] for node in self.plan["nodes"]], "is_off": self.plan["is_off"]}

    def context(self) -> Context:
        path = ("instances", self.kwargs["instance"], "migrations")
        moves = self.api.get(*path, sort="-created_at", limit=LATEST)["items"]
        for each in moves:
            each["percent"] = 100 * each["moved_bytes"] // (each["total_bytes"] or 1)
        return {
            "title": _("Migrate {name}").format(name=self.plan["instance"]["name"]),
            "plan": self.plan,
            "moves": moves,
            "current": next((each for each in moves if each["state"] in UNDER_WAY), None),
            "may_operate": self.me["duty"] == "operator",
        }

    def crumbs(self) -> list[tuple[Text, str]]:
        node = self.plan["node"]
        here = [(node["name"], reverse("node", kwargs={"node": node["name"]}))] if node else []
        return [(_("Fleet"), reverse("fleet")), *here]

    def send(self, form: ApiForm) -> str:
        body = {name: value for name, value in form.body().items() if value}
        self.api.post("instances", self.kwargs["instance"], "actions", "migrate", body=body, key=self.key)
        self.notify(_("Migration started."))
        return reverse("instance-move", kwargs={"instance": self.kwargs["instance"]})


class InstanceMigrationCancel(Action):
    done = _("Migration cancelled, unless the instance has already moved.")

    def perform(self) -> None:
        self.api.post("instances", self.kwargs["instance"], "actions", "cancel-migrate")

    def back(self) -> str:
        return reverse("instance-move", kwargs={"instance": self.kwargs["instance"]})
