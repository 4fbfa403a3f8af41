"""What is on a node, for operators."""

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.compute import selectors
from controlplane.compute.models import INSTANCE
from controlplane.compute.serializers import POWER_STATES
from controlplane.identity.api import ActorView
from controlplane.kernel.fields import NamedOut, Out
from controlplane.kernel.listing import Listing, created_after, exactly, in_state
from controlplane.kernel.rest import route
from controlplane.nodes.selectors import node_get

GUESTS = Listing(
    {
        "state": in_state(INSTANCE),
        "project": exactly("project__name", "The instances of projects of this name."),
        "created_after": created_after(),
    }
)


class GuestOut(Out):
    """An instance as its node has it: whose it is and how large. What else there is to know of it is the project's."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    project = NamedOut()
    organization = NamedOut(source="project.organization")
    state = serializers.ChoiceField(list(INSTANCE.moves))
    power_state = serializers.ChoiceField(POWER_STATES)
    power_state_at = serializers.DateTimeField(allow_null=True)
    flavor = serializers.CharField()
    vcpus = serializers.IntegerField()
    memory_mib = serializers.IntegerField()
    disk_gib = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class NodeInstances(ActorView):
    @route("node_instance_list", GuestOut, listing=GUESTS)
    def get(self, request: Request) -> Response:
        node = node_get(self.actor, self.kwargs["node"])
        return GUESTS.page(request, selectors.instances_on(node)).answer(GuestOut)
