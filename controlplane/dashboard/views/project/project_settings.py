"""Project settings: name, labels, quota and deletion."""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import Context, FormPage, ProjectPage, Text
from controlplane.dashboard.forms import ApiForm, NamedForm, initial_values
from controlplane.dashboard.views.organization.quotas import QuotaEdit
from controlplane.dashboard.views.project.instances import NameForm
from controlplane.dashboard.views.project.overview import DIMENSIONS


class Settings(ProjectPage):
    template = "dashboard/project/settings.html"
    title = _("Settings")
    section = "settings"

    def context(self) -> Context:
        limits = self.get_in_project("limits")["items"]
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
        return initial_values(self.project)

    def context(self) -> Context:
        return {"back": self.url("settings")}

    def send(self, form: ApiForm) -> str:
        self.save(self.project, form, "projects", self.kwargs["project"])
        return self.url("settings")


class ProjectQuota(QuotaEdit, SettingsPage):
    title = _("Project quota")
    right = "quotas_set"
    lead = _("Limits within the quota of the organization. Leave a field empty for no project limit.")

    def path(self) -> tuple[str, ...]:
        return ("projects", self.kwargs["project"], "quotas")

    def back(self) -> str:
        return self.url("settings")


class ProjectDelete(FormPage, SettingsPage):
    template = "dashboard/shared/confirm.html"
    form_class = NameForm
    submit = _("Delete")
    right = "project_delete"

    def choices(self) -> Context:
        return {"expected_name": self.project["name"]}

    def context(self) -> Context:
        return {
            "title": _("Delete {name}").format(name=self.project["name"]),
            "lost": _("The project, its tokens and its policy are permanently deleted."),
            "kept": _("Only an empty project can be deleted. Its audit log is kept."),
            "back": self.url("settings"),
        }

    def send(self, form: ApiForm) -> str:
        self.api.delete("projects", self.kwargs["project"])
        self.notify(_("Project deleted."))
        return reverse("home")
