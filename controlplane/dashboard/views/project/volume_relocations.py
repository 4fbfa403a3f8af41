"""Relocation of a volume to another zone."""

from functools import cached_property
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import FormPage
from controlplane.dashboard.forms import ApiForm
from controlplane.dashboard.views.project.instance_relocations import RelocateForm, choices_of, context_of
from controlplane.dashboard.views.project.volumes import VolumePage


class VolumeRelocateForm(RelocateForm):
    max_mb_per_s = forms.IntegerField(
        label=_("Limit of the copy, in MB/s"), required=False, min_value=1, help_text=_("Without it there is no limit.")
    )


class VolumeRelocate(FormPage, VolumePage):
    """Offer the zones that admit the volume, and say why others do not."""

    template = "dashboard/project/volumes/relocate.html"
    tab = "volume-settings"
    form_class = VolumeRelocateForm
    submit = _("Relocate")
    right = "volume_relocate"

    @cached_property
    def plan(self) -> dict[str, Any]:
        plan: dict[str, Any] = self.get_in_project("volumes", self.volume["id"], "relocation-plan")
        return plan

    def choices(self) -> dict[str, Any]:
        return choices_of(self.plan)

    def context(self) -> dict[str, Any]:
        why, none_admits = self.problem_of("relocate").get("detail", ""), _("No other zone admits the volume now.")
        return context_of(self.plan, why=why, none_admits=none_admits) | {"back": self.page_of("volume-settings")}

    def send(self, form: ApiForm) -> str:
        path = ("projects", self.project["id"], "volumes", self.volume["id"], "actions", "relocate")
        self.api.post(*path, body=form.body(), key=self.key)
        self.notify(_("Relocation started."))
        return self.page_of("volume")
