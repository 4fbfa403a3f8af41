"""Maintenance rules for operators: operations that are accepted, paused or rejected."""

from datetime import timedelta
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import labels
from controlplane.dashboard.base_views import Action, FormPage, Page, Text, notices
from controlplane.dashboard.forms import ApiForm
from controlplane.kernel import clock

MANY = 200
HOURS_MAX = 24 * 30


class MaintenanceList(Page):
    template = "dashboard/platform/maintenance_rules.html"
    title = _("Maintenance")
    section = "maintenance"
    live = "maintenance"

    def context(self) -> dict[str, Any]:
        page = self.api.get("maintenance", page_token=self.query("page_token"))
        return {
            "rules": page["items"],
            "next_page_token": page["next_page_token"],
            "may_operate": self.me["duty"] == "operator",
        }


class MaintenanceForm(ApiForm):
    kind = forms.ChoiceField(
        label=_("Operations"),
        choices=[*labels.OPERATION_CLASS_LABELS.items(), *labels.OPERATION_LABELS.items()],
        help_text=_("Deletions, shutdowns and power-offs are affected only if selected explicitly."),
    )
    action = forms.ChoiceField(label=_("Action"), choices=list(labels.MAINTENANCE.items()))
    reason = forms.CharField(label=_("Reason"), help_text=_("Visible to tenants."), max_length=200)
    zone = forms.ChoiceField(label=_("Zone"), required=False)
    node = forms.CharField(label=_("Node"), required=False, help_text=_("Only operations on this node."))
    begins_in = forms.IntegerField(label=_("Starts in (hours)"), min_value=0, max_value=HOURS_MAX, initial=0)
    lasts = forms.IntegerField(
        label=_("Duration (hours)"),
        min_value=1,
        max_value=HOURS_MAX,
        required=False,
        help_text=_("Leave empty for no end."),
    )

    def __init__(self, *args: Any, zones: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["zone"].choices = [("", _("all")), *((zone, zone) for zone in zones)]  # type: ignore[attr-defined]

    def body(self) -> dict[str, Any]:
        body = super().body()
        begins_at = clock.now() + timedelta(hours=body.pop("begins_in", 0))
        lasts = body.pop("lasts", None)
        ends = {"ends_at": (begins_at + timedelta(hours=lasts)).isoformat()} if lasts else {}
        return body | {"begins_at": begins_at.isoformat()} | ends


class MaintenanceCreate(FormPage):
    template = "dashboard/forms/page.html"
    title = _("New maintenance rule")
    section = "maintenance"
    form_class = MaintenanceForm
    submit = _("Create rule")

    def choices(self) -> dict[str, Any]:
        return {"zones": [zone["id"] for zone in self.api.get("zones", limit=MANY)["items"]]}

    def context(self) -> dict[str, Any]:
        lead = _("Paused operations start when the rule ends. Running operations continue.")
        return {"lead": lead, "back": reverse("maintenance")}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Maintenance"), reverse("maintenance"))]

    def send(self, form: ApiForm) -> str:
        self.api.post("maintenance", body=form.body(), key=self.key)
        notices.clear()
        self.notify(_("Rule created."))
        return reverse("maintenance")


class MaintenanceEnd(Action):
    done = _("Rule ended. Paused operations start.")

    def perform(self) -> None:
        self.api.post("maintenance", self.kwargs["rule"], "actions", "end")
        notices.clear()
