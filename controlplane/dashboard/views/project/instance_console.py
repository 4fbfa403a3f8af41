"""An instance's console, in a tab of its own."""

from typing import Any

from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import method_decorator

from controlplane.dashboard.api_client import ApiError
from controlplane.dashboard.base_views import ProjectPage, PublicPage

SERIAL, VNC = "serial", "vnc"


# The terminal writes colours as inline styles; no other page allows them.
@method_decorator(csp_update({"style-src": [SELF, UNSAFE_INLINE]}), name="dispatch")
class Console(ProjectPage):
    template = "dashboard/project/instances/console.html"

    def layout_context(self) -> dict[str, Any]:
        """The console has the whole tab."""
        return PublicPage.layout_context(self) | {"project": self.project}

    def context(self) -> dict[str, Any]:
        kind = VNC if self.query("kind") == VNC else SERIAL
        return {"instance": self.get_in_project("instances", self.kwargs["instance"]), "kind": kind}


class ConsoleTicket(ProjectPage):
    """Return a single-use console URL to the page's script, or the API's problem."""

    http_method_names = ["post"]
    right = "instance_console_open"

    def post(self, request: HttpRequest, **path: str) -> HttpResponse:
        body = {"kind": VNC if request.POST.get("kind") == VNC else SERIAL}
        consoles = ("projects", self.kwargs["project"], "instances", self.kwargs["instance"], "consoles")
        try:
            return JsonResponse(self.api.post(*consoles, body=body), status=201)
        except ApiError as exc:
            return self.error_json(exc)
