"""Routes of compliance drift: resources and image copies in zones that their policies exclude, or soon will."""

from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ActorView
from controlplane.api.v1.drift.schemas import ComplianceOut
from controlplane.compliance.models import COMPLIANCE, LocationCompliance
from controlplane.compliance.selectors import drift, image_drift
from controlplane.compute.selectors import names_of
from controlplane.kernel.listing import Listing, among, exactly, has_id
from controlplane.kernel.views import route

DRIFT = Listing(
    {
        "state": among("state", COMPLIANCE.moves),
        "zone": exactly("zone", "Resources in this zone."),
        "kind": among("kind", ("instance", "volume", "snapshot")),
        "project": has_id("project_id", "Resources of the project with this id."),
        "resource": has_id("resource_id", "The resource with this id."),
    },
    sorts=("resource_id", "-resource_id"),
)
IMAGE_DRIFT = Listing(
    {"state": among("state", COMPLIANCE.moves), "zone": exactly("zone", "Resources in this zone.")}, sorts=("id", "-id")
)


class Drift(ActorView):
    @route("drift_list", ComplianceOut, listing=DRIFT)
    def get(self, request: Request) -> Response:
        page = DRIFT.page(request, drift(self.actor))
        return page.answer(ComplianceOut, context=_names(page.rows))


class ImageDrift(ActorView):
    """List the copies of private images in the caches of nodes; an image has one row per copy."""

    @route("image_drift_list", ComplianceOut, listing=IMAGE_DRIFT)
    def get(self, request: Request) -> Response:
        page = IMAGE_DRIFT.page(request, image_drift(self.actor))
        return page.answer(ComplianceOut, context=_names(page.rows))


def _names(rows: Sequence[LocationCompliance]) -> dict[str, Any]:
    return {"names": names_of([row.resource_id for row in rows])}
