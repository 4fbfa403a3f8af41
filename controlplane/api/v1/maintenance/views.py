"""Routes of maintenance rules: all users read them, operators create and end them."""

from datetime import datetime
from typing import Any

from django.db.models import Q
from rest_framework.request import Request
from rest_framework.response import Response

from andromede_core.documents.messages import Message, message_of
from controlplane.api.base_views import ActorView
from controlplane.api.v1.maintenance.schemas import MaintenanceIn, MaintenanceOut
from controlplane.catalog.selectors import zone_get
from controlplane.kernel import clock
from controlplane.kernel.errors import InvalidRequest
from controlplane.kernel.listing import Filter, Listing, created_after, parse_timestamp
from controlplane.kernel.query_parameters import one_of
from controlplane.kernel.views import Body, created, resolve_reference, route
from controlplane.nodes.selectors import node_get
from controlplane.operations import maintenance
from controlplane.workflows.registry import WORKFLOWS

STATES = ("active", "coming", "ended")
PATTERNS = frozenset({"*", *WORKFLOWS, *(f"{kind.partition('.')[0]}.*" for kind in WORKFLOWS)})


def _in_state(text: str) -> Q:
    if text not in STATES:
        raise ValueError(Message("it must be one of {known}.", known=", ".join(STATES)))
    now = clock.now()
    over = Q(ends_at__lte=now)
    return {"active": maintenance.in_force(), "coming": Q(begins_at__gt=now) & ~over, "ended": over}[text]


RULES = Listing(
    {"state": Filter(_in_state, f"One of {', '.join(STATES)}.", one_of(STATES)), "created_after": created_after()},
    sorts=("-created_at", "created_at"),
)


class MaintenanceList(ActorView):
    @route("maintenance_list", MaintenanceOut, listing=RULES)
    def get(self, request: Request) -> Response:
        return RULES.page(request, maintenance.rules(self.actor)).answer(MaintenanceOut)

    @route("maintenance_create", MaintenanceOut, body=MaintenanceIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        rule = maintenance.rule_create(self.actor, self._new(body))
        return created(MaintenanceOut(rule).data, request=request)

    def _new(self, body: Body) -> maintenance.NewRule:
        if body["kind"] not in PATTERNS:
            hint = Message("Known values: {known}.", known=", ".join(sorted(PATTERNS)))
            raise InvalidRequest(field="kind", reason=hint)
        node = (
            resolve_reference(lambda ref: node_get(self.actor, ref), body["node"], at="node") if body["node"] else None
        )
        return maintenance.NewRule(
            pattern=body["kind"],
            action=body["action"],
            reason=body["reason"],
            zone=resolve_reference(zone_get, body["zone"], at="zone").pk if body["zone"] else "",
            node_id=node.pk if node else None,
            begins_at=_moment(body, "begins_at"),
            ends_at=_moment(body, "ends_at"),
        )


def _moment(body: dict[str, Any], name: str) -> datetime | None:
    try:
        return parse_timestamp(body[name]) if body[name] else None
    except ValueError as exc:
        raise InvalidRequest(field=name, reason=message_of(exc)) from exc


class MaintenanceDetail(ActorView):
    @route("maintenance_get", MaintenanceOut)
    def get(self, request: Request) -> Response:
        return Response(MaintenanceOut(maintenance.rule_get(self.actor, self.kwargs["maintenance"])).data)


class MaintenanceEnd(ActorView):
    @route("maintenance_end", MaintenanceOut)
    def post(self, request: Request) -> Response:
        rule = maintenance.rule_get(self.actor, self.kwargs["maintenance"])
        return Response(MaintenanceOut(maintenance.rule_end(self.actor, rule)).data)
