"""What there is in a project, at a glance."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.page import ProjectPage

LATEST = 8
DIMENSIONS = {
    "instances": _("Instances"),
    "vcpus": _("vCPUs"),
    "memory_mib": _("Memory"),
    "volumes": _("Volumes"),
    "storage_gib": _("Storage"),
    "networks": _("Networks"),
    "addresses": _("Addresses"),
    "images": _("Images"),
    "webhooks": _("Webhooks"),
}


class Overview(ProjectPage):
    template = "dashboard/project/overview.html"
    title = _("Overview")
    section = "overview"
    live = "operation"

    def context(self) -> dict[str, Any]:
        limits = self.of_project("limits")["items"]
        return {
            "limits": [limit | {"words": DIMENSIONS.get(limit["dimension"], limit["dimension"])} for limit in limits],
            "operations": self.of_project("operations", limit=LATEST, sort="-created_at")["items"],
        }
