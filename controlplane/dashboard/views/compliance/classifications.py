"""Classifications of data. Their policies are in policies.py."""

from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import clause_labels
from controlplane.dashboard.base_views import FormPage, Page, Text
from controlplane.dashboard.forms import ApiForm, id_choices

MANY = 200


class ClassificationList(Page):
    template = "dashboard/compliance/classifications/list.html"
    title = _("Classifications")
    section = "classifications"

    def context(self) -> dict[str, Any]:
        page = self.api.get("classifications", page_token=self.query("page_token"))
        return {"classifications": page["items"], "next_page_token": page["next_page_token"]}


def _lines() -> forms.Textarea:
    return forms.Textarea(attrs={"rows": 3})


class ClassificationForm(ApiForm):
    organization = forms.ChoiceField(label=_("Organization"))
    name = forms.CharField(
        label=_("Name"),
        help_text=_("Lowercase letters, digits and hyphens. The ID is the organization’s name, a dot and this name."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    title = forms.CharField(label=_("Title in English"), max_length=200)
    title_fr = forms.CharField(label=_("Title in French"), max_length=200)
    description = forms.CharField(label=_("Description in English"), required=False, widget=_lines())
    description_fr = forms.CharField(label=_("Description in French"), required=False, widget=_lines())
    drift_action = forms.ChoiceField(label=_("Reaction to drift"), choices=list(clause_labels.DRIFT_ACTIONS.items()))

    def __init__(self, *args: Any, organizations: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["organization"].choices = organizations  # type: ignore[attr-defined]


class ClassificationCreate(FormPage):
    template = "dashboard/forms/page.html"
    title = _("New classification")
    section = "classifications"
    form_class = ClassificationForm
    submit = _("Create")

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Classifications"), reverse("classifications"))]

    def choices(self) -> dict[str, Any]:
        return {"organizations": id_choices(self.api.get("organizations", limit=MANY)["items"])}

    def context(self) -> dict[str, Any]:
        return {
            "lead": _("The classification has no restrictions until you edit its policy."),
            "back": reverse("classifications"),
        }

    def send(self, form: ApiForm) -> str:
        body: dict[str, Any] = {"atoms": [], **form.body()}
        organization = body.pop("organization")
        classification = self.api.post("organizations", organization, "classifications", body=body, key=self.key)
        self.notify(_("Classification created. Edit its policy."))
        return reverse("classification-policy-edit", kwargs={"classification": classification["id"]})
