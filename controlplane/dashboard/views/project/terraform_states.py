"""Stored states of Terraform and OpenTofu, and their locks."""

from functools import cached_property

from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.api_client import ApiError
from controlplane.dashboard.base_views import Context, FormPage, ProjectPage, Text
from controlplane.dashboard.views.project.instances import NameForm


class StateList(ProjectPage):
    template = "dashboard/project/terraform_states/list.html"
    title = _("Terraform states")
    section = "terraform-states"

    def context(self) -> Context:
        page = self.get_in_project("terraform-states", page_token=self.query("page_token"))
        address = f"/v1/projects/{self.project['name']}/terraform-states/prod"
        return {
            "states": page["items"],
            "next_page_token": page["next_page_token"],
            "address": self.request.build_absolute_uri(address),
        }


class StatePage(ProjectPage):
    section = "terraform-states"

    @cached_property
    def state(self) -> Context:
        """Return the state's entry of the list: the API's single representation is the state itself, with its
        secrets."""
        name = self.kwargs["state"]
        token = ""
        while True:
            page = self.get_in_project("terraform-states", limit=200, page_token=token)
            for item in page["items"]:
                if name in (item["name"], item["id"]):
                    state: Context = item
                    return state
            token = page["next_page_token"]
            if not token:
                raise ApiError(404, {})

    def path(self) -> tuple[str, ...]:
        return ("projects", self.kwargs["project"], "terraform-states", self.kwargs["state"])

    def here(self) -> str:
        return self.url("terraform-state", state=self.kwargs["state"])

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Terraform states"), self.url("terraform-states"))]


class StateDetail(StatePage):
    template = "dashboard/project/terraform_states/detail.html"

    def context(self) -> Context:
        versions = self.api.get(*self.path(), "versions", page_token=self.query("page_token"))
        return {
            "state": self.state,
            "title": self.state["name"],
            "versions": versions["items"],
            "next_page_token": versions["next_page_token"],
        }


class StateUnlock(FormPage, StatePage):
    template = "dashboard/forms/page.html"
    title = _("Force unlock")
    submit = _("Unlock")
    right = "terraform_state_unlock"

    def context(self) -> Context:
        lead = _(
            "Unlock only if the process that holds the lock has stopped: two concurrent writers corrupt the state."
        )
        return {"lead": lead, "back": self.here()}

    def send(self, form: object) -> str:
        self.api.post(*self.path(), "actions", "unlock")
        self.notify(_("State unlocked."))
        return self.here()


class StateDelete(FormPage, StatePage):
    template = "dashboard/shared/confirm.html"
    form_class = NameForm
    submit = _("Delete")
    right = "terraform_state_delete"

    def choices(self) -> Context:
        return {"expected_name": self.state["name"]}

    def context(self) -> Context:
        return {
            "title": _("Delete {name}").format(name=self.state["name"]),
            "lost": _("All versions are permanently deleted, and Terraform no longer manages its resources."),
            "kept": _("The resources themselves are kept."),
            "back": self.here(),
        }

    def send(self, form: object) -> str:
        self.api.delete(*self.path())
        self.notify(_("State deleted."))
        return self.url("terraform-states")
