"""Relocation of an instance to another zone."""

from functools import cached_property
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import FormPage, Text
from controlplane.dashboard.forms import ApiForm
from controlplane.dashboard.views.project.instances import InstancePage


class RelocateForm(ApiForm):
    zone = forms.ChoiceField(label=_("New zone"))

    def __init__(self, *args: Any, zones: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["zone"].choices = [(zone, zone) for zone in zones]  # type: ignore[attr-defined]


def choices_of(plan: dict[str, Any]) -> dict[str, Any]:
    """Return the zones that admit the resource, for the form."""
    return {"zones": [each["zone"] for each in plan["zones"] if each["is_admitted"]]}


def context_of(plan: dict[str, Any], *, why: str, none_admits: Text) -> dict[str, Any]:
    """Return the plan, the zones that refuse, and why no relocation can begin.

    `why`: a reason that is the same for all zones; empty: there is none. `none_admits`: said when no zone admits it.
    """
    refused = [] if why else [each for each in plan["zones"] if not each["is_admitted"]]
    if not why and len(refused) == len(plan["zones"]):
        why = str(none_admits)
    return {"plan": plan, "refused": refused, "why": why}


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
        return choices_of(self.plan)

    def context(self) -> dict[str, Any]:
        none_admits = _("No other zone admits the instance now.")
        shown = context_of(self.plan, why=self.why_no("relocate"), none_admits=none_admits)
        return shown | {"back": self.page_of("instance-settings")}

    def send(self, form: ApiForm) -> str:
        path = ("projects", self.project["id"], "instances", self.instance["id"], "actions", "relocate")
        self.api.post(*path, body=form.body(), key=self.key)
        self.notify(_("Relocation started."))
        return self.page_of("instance")
