"""Operations of a project."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import labels
from controlplane.dashboard.base_views import Action, ProjectPage, Text

OPEN = ("pending", "running", "undoing")
ENDED_BADLY = ("failed", "cancelled")
WAITING = ("retrying", "waiting")


class OperationList(ProjectPage):
    template = "dashboard/project/operations/list.html"
    title = _("Activity")
    section = "operations"
    live = "operation"

    def context(self) -> dict[str, Any]:
        page = self.get_in_project("operations", sort="-created_at", page_token=self.query("page_token"))
        return {"operations": page["items"], "next_page_token": page["next_page_token"]}


class Operation(ProjectPage):
    template = "dashboard/project/operations/detail.html"
    section = "operations"
    live = "operation"

    def context(self) -> dict[str, Any]:
        operation = self.get_in_project("operations", self.kwargs["operation"])
        state = operation["state"]
        waits = any(step["state"] in WAITING for step in operation["steps"])
        more = {"is_open": state in OPEN, "waits": waits, "ended_badly": state in ENDED_BADLY}
        return {"operation": operation | more, "title": labels.operation_title(operation)}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Activity"), self.url("operations"))]


class OperationCancel(Action):
    done = _("Cancellation requested. Completed steps are undone.")
    right = "operation_cancel"

    def perform(self) -> None:
        operation = self.kwargs["operation"]
        self.api.post("projects", self.kwargs["project"], "operations", operation, "actions", "cancel")


class OperationRetry(Action):
    """Retry the operation and show the new one, or the same one if it runs now."""

    right = "operation_retry"

    def perform(self) -> None:
        operation = self.kwargs["operation"]
        answer = self.api.post("projects", self.kwargs["project"], "operations", operation, "actions", "retry")
        self.then = answer["id"]
        self.done = _("Operation scheduled to run now.") if self.then == operation else _("Retry started.")

    def back(self) -> str:
        operation = getattr(self, "then", self.kwargs["operation"])
        return reverse("operation", kwargs={"project": self.kwargs["project"], "operation": operation})
