"""What a project is called, how much it may use, and its end."""

from functools import cached_property
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.asking import Answer, Sent
from controlplane.dashboard.forms import ApiForm, NamedForm, named_as
from controlplane.dashboard.page import Context, FormPage, ProjectPage, Text
from controlplane.dashboard.views.instances import NameForm
from controlplane.dashboard.views.overview import DIMENSIONS


class Settings(ProjectPage):
    template = "dashboard/settings/project.html"
    title = _("Settings")
    section = "settings"

    def context(self) -> Context:
        limits = self.of_project("limits")["items"]
        return {
            "limits": [limit | {"words": DIMENSIONS.get(limit["dimension"], limit["dimension"])} for limit in limits]
        }


class SettingsPage(ProjectPage):
    section = "settings"

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Settings"), self.url("settings"))]


class ProjectEdit(FormPage, SettingsPage):
    template = "dashboard/forms/page.html"
    title = _("Name and labels")
    form_class = NamedForm
    submit = _("Save")
    right = "project_update"

    def initial(self) -> Context:
        return named_as(self.project)

    def context(self) -> Context:
        return {"back": self.url("settings")}

    def send(self, form: ApiForm) -> str:
        self.save(self.project, form, "projects", self.kwargs["project"])
        return self.url("settings")


class QuotaForm(ApiForm):
    """A limit of the project's own for each dimension; where there is none, the organization's counts alone. `version`:
    of what the form was made from, so that nobody undoes what another has set meanwhile."""

    version = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, limits: Context, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for dimension, words in DIMENSIONS.items():
            self.fields[dimension] = forms.IntegerField(
                label=words, min_value=0, required=False, initial=limits.get(dimension)
            )

    def body(self) -> Context:
        limits = super().body()
        del limits["version"]
        return {"limits": limits}

    def take(self, problem: Any) -> None:
        """Its fields stand below `limits` in the API's document."""
        errors = [
            {**error, "pointer": str(error.get("pointer", "")).removeprefix("/limits")}
            for error in problem.get("errors") or []
        ]
        super().take({**problem, "errors": errors})


class ProjectQuota(FormPage, SettingsPage):
    template = "dashboard/forms/page.html"
    title = _("Quota of the project")
    form_class = QuotaForm
    submit = _("Save")
    right = "quotas_set"

    @cached_property
    def quotas(self) -> Answer:
        return self.api.ask("GET", self.path(), Sent())

    def path(self) -> tuple[str, ...]:
        return ("projects", self.kwargs["project"], "quotas")

    def choices(self) -> Context:
        return {"limits": self.quotas.data["limits"]}

    def initial(self) -> Context:
        return {"version": self.quotas.etag}

    def context(self) -> Context:
        lead = _("At most so much of what the organization has. An empty field: no limit of its own.")
        return {"lead": lead, "back": self.url("settings")}

    def send(self, form: ApiForm) -> str:
        self.api.ask("PUT", self.path(), Sent(form.body(), version=form.cleaned_data["version"]))
        self.say(_("The quota is set."))
        return self.url("settings")


class ProjectDelete(FormPage, SettingsPage):
    template = "dashboard/confirm.html"
    form_class = NameForm
    submit = _("Delete")
    right = "project_delete"

    def choices(self) -> Context:
        return {"wanted": self.project["name"]}

    def context(self) -> Context:
        return {
            "title": _("Delete {name}").format(name=self.project["name"]),
            "lost": _("The project, its tokens and its policy are gone for good."),
            "kept": _("It can be deleted when nothing is in it any more. What was done in it stays in the audit."),
            "back": self.url("settings"),
        }

    def send(self, form: ApiForm) -> str:
        self.api.delete("projects", self.kwargs["project"])
        self.say(_("The project is deleted."))
        return reverse("home")
