"""Relocation of an instance to another zone."""

from functools import cached_property
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import FormPage
from controlplane.dashboard.forms import ApiForm
from controlplane.dashboard.views.project.instances import InstancePage


class RelocateForm(ApiForm):
    zone = forms.ChoiceField(label=_("New zone"))

    def __init__(self, *args: Any, zones: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["zone"].choices = [(zone, zone) for zone in zones]  # type: ignore[attr-defined]


class InstanceRelocate(FormPage, InstancePage):
    """Offer the zones that admit the instance, and say why others do not."""

    template = "dashboard/project/instances/relocate.html"
    tab = "instance-settings"
    form_class = RelocateForm
    submit = _("Relocate")
    right = "instance_relocate"

    @cached_property
    def plan(self) -> dict[str, Any]:
        plan: dict[str, Any] = self.get_in_project("instances", self.instance["id"], "relocation-plan")
        return plan

    def choices(self) -> dict[str, Any]:
        return {"zones": [each["zone"] for each in self.plan["zones"] if each["is_admitted"]]}

    def context(self) -> dict[str, Any]:
        why = self.why_no("relocate")
        refused = [] if why else [each for each in self.plan["zones"] if not each["is_admitted"]]
        if not why and len(refused) == len(self.plan["zones"]):
            why = str(_("No other zone admits the instance now."))
        return {"plan": self.plan, "refused": refused, "why": why, "back": self.page_of("instance-settings")}

    def send(self, form: ApiForm) -> str:
        path = ("projects", self.project["id"], "instances", self.instance["id"], "actions", "relocate")
        self.api.post(*path, body=form.body(), key=self.key)
        self.notify(_("Relocation started."))
        return self.page_of("instance")
