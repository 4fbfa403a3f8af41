"""Route of a placement decision and its explanation."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ProjectView
from controlplane.api.v1.decisions.schemas import DecisionOut
from controlplane.identity.actor import Actor
from controlplane.kernel.db import by_id
from controlplane.kernel.views import route
from controlplane.placement import selectors
from controlplane.placement.errors import DecisionNotFound
from controlplane.placement.models import Decision


def decision_document(actor: Actor, decision: Decision) -> dict[str, Any]:
    document: dict[str, Any] = DecisionOut(decision, context={"sees_all": actor.sees_all}).data
    return document


class DecisionDetail(ProjectView):
    @route("decision_get", DecisionOut)
    def get(self, request: Request) -> Response:
        ref = self.kwargs["decision"]
        decision = by_id(selectors.decisions(self.actor, self.project), ref)
        if decision is None:
            raise DecisionNotFound(name=ref)
        return Response(decision_document(self.actor, decision))
