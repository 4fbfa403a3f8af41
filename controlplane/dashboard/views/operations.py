"""What is under way in a project, and what has been."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import words
from controlplane.dashboard.page import Action, ProjectPage, Text

OPEN = ("pending", "running", "undoing")


class OperationList(ProjectPage):
    template = "dashboard/operations/list.html"
    title = _("Activity")
    section = "operations"
    live = "operation"

    def context(self) -> dict[str, Any]:
        page = self.of_project("operations", sort="-created_at", page_token=self.query("page_token"))
        return {"operations": page["items"], "next_page_token": page["next_page_token"]}


class Operation(ProjectPage):
    template = "dashboard/operations/detail.html"
    section = "operations"
    live = "operation"

    def context(self) -> dict[str, Any]:
        operation = self.of_project("operations", self.kwargs["operation"])
        is_open = operation["state"] in OPEN
        return {"operation": operation | {"is_open": is_open}, "title": words.told(operation)}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Activity"), self.url("operations"))]


class OperationCancel(Action):
    done = _("It will be cancelled, and what it did be undone.")
    right = "operation_cancel"

    def act(self) -> None:
        operation = self.kwargs["operation"]
        self.api.post("projects", self.kwargs["project"], "operations", operation, "actions", "cancel")
