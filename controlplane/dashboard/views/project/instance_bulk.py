"""Bulk actions on instances: a confirmation, then the result for each."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.api_client import ApiError
from controlplane.dashboard.base_views import CORRECTABLE_STATUSES, FormPage, ProjectPage, Text
from controlplane.dashboard.views.project.instances import BUTTONS, InstanceAction, NameForm

DELETE = "delete"
BULK_ACTIONS: dict[str, Text] = {button.name: button.words for button in BUTTONS} | {DELETE: _("Delete")}
MAX = 100


class InstanceBulk(FormPage, ProjectPage):
    """Perform `action` on each `instance`; `sure`: the user has confirmed."""

    template = "dashboard/project/instances/bulk.html"
    title = _("Several instances")
    section = "instances"
    form_class = NameForm

    def choices(self) -> dict[str, Any]:
        return {"expected_name": self.project["name"]}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Instances"), self.url("instances"))]

    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        return self.to_list()

    def to_list(self) -> HttpResponse:
        return redirect("instances", project=self.project["id"])

    def post(self, request: HttpRequest, **path: str) -> HttpResponse:
        action = request.POST.get("action", "")
        instances = [self.get_in_project("instances", each) for each in request.POST.getlist("instance")[:MAX]]
        if action not in BULK_ACTIONS or not instances:
            return self.to_list()
        context: dict[str, Any] = {
            "instances": instances,
            "action": action,
            "deed": BULK_ACTIONS[action],
            "right": InstanceAction.right_at({"action": action}),
            "is_delete": action == DELETE,
            "back": self.url("instances"),
        }
        if "sure" not in request.POST:
            return self.page(context | {"form": self.form()})
        form = self.form(request.POST)
        if action == DELETE and not form.is_valid():
            return self.page(context | {"form": form})
        return self.page(context | {"results": [self.result(instance, action) for instance in instances]})

    def result(self, instance: Mapping[str, Any], action: str) -> dict[str, Any]:
        """Perform the action and return the API's result."""
        path = ("projects", self.project["id"], "instances", instance["id"])
        try:
            answer = self.api.delete(*path) if action == DELETE else self.api.post(*path, "actions", action)
        except ApiError as exc:
            if exc.status not in CORRECTABLE_STATUSES:
                raise
            return {"instance": instance, "problem": exc.problem}
        operation = (answer or {}).get("operation")
        return {"instance": instance, "operation": operation["id"] if operation else ""}
