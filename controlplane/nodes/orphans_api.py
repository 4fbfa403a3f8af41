"""What is on nodes, or in the database, and nobody means to be there; for operators."""

from django.db.models import Q
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.identity.api import ActorView
from controlplane.kernel.fields import In, NamedOut, Out, Text
from controlplane.kernel.listing import Listing, among, chosen, created_after, exactly
from controlplane.kernel.rest import Body, route
from controlplane.nodes import orphans
from controlplane.nodes.models import ORPHAN, ORPHAN_KINDS, WISHES, Orphan

OPEN = Q(state__in=("found", "quarantined"))
ORPHANS = Listing(
    {
        "state": among("state", ORPHAN.moves),
        "kind": among("kind", ORPHAN_KINDS),
        "node": exactly("node__name", "What is on the node of this name."),
        "zone": exactly("node__zone_id", "What is on nodes of this zone."),
        "open": chosen({"true": OPEN, "false": ~OPEN}),
        "created_after": created_after(),
    },
    sorts=("-created_at", "created_at"),
)


class DiscardIn(In):
    """`name`: what is destroyed, once more. `reason`: kept in the evidence."""

    example = {"name": "volumes/left-behind.raw", "reason": "left behind by a test of the old cloud"}

    name = Text(max_length=300)
    reason = Text(max_length=200)


class ReleaseIn(In):
    example = {"reason": "it is the backup that we made by hand"}

    reason = Text(max_length=200)


class OrphanOut(Out):
    """`name`: what its node calls it; of what is in the database alone, its id. `resource`: the id that it would have,
    if it were meant. `wished`: what was decided and is not done yet, since the node is away or `problem` is in the way.
    `evidence`: of what was discarded, by whom, why, and what the node said."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(ORPHAN_KINDS)
    name = serializers.CharField()
    node = NamedOut(allow_null=True)
    zone = serializers.CharField(source="node.zone_id", default=None, allow_null=True)
    resource = serializers.UUIDField(source="resource_id", allow_null=True)
    state = serializers.ChoiceField(list(ORPHAN.moves))
    wished = serializers.ChoiceField(WISHES)
    reason = serializers.CharField()
    problem = serializers.CharField()
    size_bytes = serializers.IntegerField(allow_null=True)
    facts = serializers.DictField()
    evidence = serializers.DictField()
    created_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField()
    quarantined_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class OrphanView(ActorView):
    def orphan(self) -> Orphan:
        return orphans.orphan_get(self.actor, self.kwargs["orphan"])


class OrphanList(OrphanView):
    """What was ever found; `open=true`: what waits for a person."""

    @route("orphan_list", OrphanOut, listing=ORPHANS)
    def get(self, request: Request) -> Response:
        return ORPHANS.page(request, orphans.orphans(self.actor)).answer(OrphanOut)


class OrphanDetail(OrphanView):
    @route("orphan_get", OrphanOut)
    def get(self, request: Request) -> Response:
        return Response(OrphanOut(self.orphan()).data)


class OrphanDiscard(OrphanView):
    """Destroy it for good, as soon as its node is there."""

    @route("orphan_discard", OrphanOut, body=DiscardIn, status=202)
    def post(self, request: Request, body: Body) -> Response:
        found = orphans.orphan_discard(self.actor, self.orphan(), name=body["name"], reason=body["reason"])
        return Response(OrphanOut(found).data, status=202)


class OrphanRelease(OrphanView):
    """Put it back as it was. It stays, and nothing warns of it any more."""

    @route("orphan_release", OrphanOut, body=ReleaseIn, status=202)
    def post(self, request: Request, body: Body) -> Response:
        found = orphans.orphan_release(self.actor, self.orphan(), reason=body["reason"])
        return Response(OrphanOut(found).data, status=202)
