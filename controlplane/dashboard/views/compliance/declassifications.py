"""Declassification: two officers approve it, and it applies after the delay of a less strict policy."""

from typing import Any, cast

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import FormPage, Text
from controlplane.dashboard.forms import ApiForm, Choices
from controlplane.dashboard.views.compliance.placement_evidence import ResourcePage
from controlplane.dashboard.widgets import multiple_choice


class DeclassifyForm(ApiForm):
    classifications = multiple_choice(_("Classifications to remove"))
    lineage = multiple_choice(
        _("Lineage entries to remove"), _("The policies inherited through an entry are removed with it.")
    )
    reason = forms.CharField(label=_("Reason"), help_text=_("The approver and auditors read it."), max_length=500)

    def __init__(self, *args: Any, classifications: Choices, lineage: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.MultipleChoiceField, self.fields["classifications"]).choices = classifications
        cast(forms.MultipleChoiceField, self.fields["lineage"]).choices = lineage


class Declassify(FormPage, ResourcePage):
    template = "dashboard/forms/page.html"
    title = _("Declassify")
    form_class = DeclassifyForm
    submit = _("Propose")

    def crumbs(self) -> list[tuple[Text, str]]:
        return [*super().crumbs(), (self.thing.get("name") or self.kwargs["resource"], self.url)]

    def choices(self) -> dict[str, Any]:
        return {
            "classifications": [(name, name) for name in self.thing.get("classifications", ())],
            "lineage": [(each["id"], _origin(each)) for each in self.lineage()],
        }

    def context(self) -> dict[str, Any]:
        lead = _(
            "The selection is removed from this resource only: its copies keep their classifications, and "
            "policies do not change. Another officer has to approve the proposal; it applies after a delay."
        )
        return {"lead": lead, "back": self.url}

    def send(self, form: ApiForm) -> str:
        body = form.body() | {"resource": self.kwargs["resource"]}
        proposal = self.api.post(
            "organizations", self.owners["organization"], "declassifications", body=body, key=self.key
        )
        self.notify(_("Proposal created. Another officer has to approve it."))
        return reverse("proposal", kwargs={"proposal": proposal["id"]})


def _origin(entry: dict[str, Any]) -> str:
    """Return the label of a lineage entry: its id and what was inherited."""
    return " · ".join((entry["source_id"], *entry["classifications"]))
