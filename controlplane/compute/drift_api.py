"""What is where it may not be, or soon may not, with what each is called."""

from collections.abc import Sequence
from typing import Any, cast

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.compliance.models import COMPLIANCE, Watched
from controlplane.compliance.selectors import drift, image_drift
from controlplane.compute.selectors import names_of
from controlplane.identity.api import ActorView
from controlplane.kernel.fields import Out
from controlplane.kernel.listing import Listing, among, exactly, has_id
from controlplane.kernel.rest import route
from controlplane.placement.models import DRIFT_ACTIONS
from controlplane.placement.serializers import ClauseOut

DRIFT = Listing(
    {
        "state": among("state", COMPLIANCE.moves),
        "zone": exactly("zone", "What is in this zone."),
        "kind": among("kind", ("instance", "volume")),
        "project": has_id("project_id", "What is of the project with this id."),
        "resource": has_id("resource_id", "The resource with this id."),
    },
    sorts=("resource_id", "-resource_id"),
)
IMAGE_DRIFT = Listing(
    {"state": among("state", COMPLIANCE.moves), "zone": exactly("zone", "What is in this zone.")}, sorts=("id", "-id")
)


class ComplianceOut(Out):
    """`since`: when the state began, as when a fact ended or a policy changed. `noticed_at`: when the platform saw it;
    null: before this was recorded. `fails_at`: from when it is not admissible any more. `failing`: the clauses, as of
    then. `warned_days`: the shortest of 180, 90, 30 and 7 days before that has begun. `name`: what the resource is
    called; null: it is gone."""

    resource_id = serializers.UUIDField()
    name = serializers.SerializerMethodField()
    kind = serializers.CharField()
    project = serializers.UUIDField(source="project_id")
    zone = serializers.CharField()
    state = serializers.ChoiceField(list(COMPLIANCE.moves))
    since = serializers.DateTimeField()
    noticed_at = serializers.DateTimeField(allow_null=True)
    fails_at = serializers.DateTimeField(allow_null=True)
    failing = ClauseOut(many=True)
    warned_days = serializers.IntegerField(allow_null=True)
    action = serializers.ChoiceField(DRIFT_ACTIONS)
    checked_at = serializers.DateTimeField()

    def get_name(self, row: Watched) -> str | None:
        return cast(str | None, self.context["names"].get(row.resource_id))


class Drift(ActorView):
    @route("drift_list", ComplianceOut, listing=DRIFT)
    def get(self, request: Request) -> Response:
        page = DRIFT.page(request, drift(self.actor))
        return page.answer(ComplianceOut, context=_names(page.rows))


class ImageDrift(ActorView):
    """The copies of private images in the caches of nodes; one image has a row for each."""

    @route("image_drift_list", ComplianceOut, listing=IMAGE_DRIFT)
    def get(self, request: Request) -> Response:
        page = IMAGE_DRIFT.page(request, image_drift(self.actor))
        return page.answer(ComplianceOut, context=_names(page.rows))


def _names(rows: Sequence[Watched]) -> dict[str, Any]:
    return {"names": names_of([row.resource_id for row in rows])}
