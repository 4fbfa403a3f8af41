"""Routes of instances. Attachments are in api/v1/volumes."""

import re
from collections.abc import Callable
from typing import Any

from django.db.models import Model
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from andromede_core.documents.messages import Message
from controlplane.api.base_views import ProjectView
from controlplane.api.v1.decisions.schemas import DecisionOut
from controlplane.api.v1.decisions.views import decision_document
from controlplane.api.v1.instances.schemas import (
    ActionOut,
    ConsoleIn,
    ConsoleOut,
    InstanceIn,
    InstanceOut,
    InstancePatch,
    InstanceWithActionsOut,
    RebuildIn,
    ResizeIn,
    TunnelIn,
    TunnelOut,
)
from controlplane.api.v1.operations.schemas import add_operation, with_operation
from controlplane.api.v1.zones.schemas import PlacementSimulationOut, simulation_document
from controlplane.catalog.models import Image
from controlplane.catalog.selectors import flavor_get, usable_image
from controlplane.catalog.volume_types import usable_root_type
from controlplane.compute import actions, guest_sessions, representations, selectors, services
from controlplane.compute.console_log import TAIL_MAX_BYTES, console_tail
from controlplane.compute.errors import BootVolumeEmpty
from controlplane.compute.models import INSTANCE, Instance
from controlplane.compute.rebuild import NewDisk, instance_rebuild
from controlplane.compute.resize import instance_resize
from controlplane.identity.actor import Actor
from controlplane.kernel.fields import merge_labels
from controlplane.kernel.listing import Listing, created_after, exactly, in_state, invalid, labelled
from controlplane.kernel.query_parameters import Parameter, whole
from controlplane.kernel.request_transaction import is_dry_run, is_preview
from controlplane.kernel.views import Body, created, is_deleted, route
from controlplane.network.models import SecurityGroup
from controlplane.network.selectors import network_get, port_get, security_group_get
from controlplane.operations.models import Operation
from controlplane.placement import classifications
from controlplane.placement.policies import own_policy
from controlplane.placement.selectors import exemption_of, latest_decision
from controlplane.storage.models import Volume
from controlplane.storage.selectors import image_of, volume_get

INSTANCES = Listing(
    {
        "name": exactly("name", "The instance of this name."),
        "state": in_state(INSTANCE),
        "zone": exactly("node__zone_id", "The instances in this zone."),
        "created_after": created_after(),
        "labels": labelled(),
    }
)
TAIL = {
    "max_bytes": Parameter(
        f"Number of bytes from the end; {TAIL_MAX_BYTES} at most and by default.", whole(1, 10**10 - 1)
    )
}
InstanceWithOperation = with_operation(InstanceOut)


class InstanceView(ProjectView):
    def instance(self) -> Instance:
        return selectors.instance_get(self.actor, self.project, self.kwargs["instance"])

    def versioned(self) -> Model:
        return self.instance()

    def changed(self, change: Callable[[Actor, Instance], Operation]) -> Response:
        """Return the instance after a service has begun an operation on it."""
        instance = self.instance()
        operation = change(self.actor, instance)
        instance.refresh_from_db(fields=["state", "generation", "is_deleting", "updated_at"])
        return Response(instance_document(instance, operation), status=202)


class InstanceList(ProjectView):
    @route("instance_list", InstanceOut, listing=INSTANCES)
    def get(self, request: Request) -> Response:
        page = INSTANCES.page(request, selectors.instances(self.actor, self.project))
        return page.answer(InstanceOut, context=representations.instance_details(page.rows))

    @route(
        "instance_create",
        InstanceWithOperation,
        body=InstanceIn,
        status=201,
        answers={200: PlacementSimulationOut},
    )
    def post(self, request: Request, body: Body) -> Response:
        new = self._new(body)
        if is_dry_run(request):
            taken = services.instance_dry_run(self.actor, self.project, new, is_preview=is_preview(request))
            return Response(simulation_document(taken, "instance.create", sees_all=self.actor.sees_all))
        instance, operation = services.instance_create(self.actor, self.project, new)
        return created(instance_document(instance, operation), request=request)

    def _new(self, body: Body) -> services.NewInstance:
        """Return the fields with the resources that the body names."""
        group, exempt = body.get("affinity_group"), body.get("exemption")
        image, boot_volume = self._root(body)
        chosen = self.all_named(classifications.usable_classification, body["classifications"], at="classifications")
        return services.NewInstance(
            name=body["name"],
            flavor=flavor_get(body["flavor"]),
            image=image,
            boot_volume=boot_volume,
            networks=self.all_named(network_get, body["networks"], at="networks"),
            ports=self.all_named(port_get, body["ports"], at="ports"),
            security_groups=self._security_groups(body),
            ssh_keys=self.all_named(selectors.ssh_key_get, body["ssh_keys"], at="ssh_keys"),
            volumes=self.all_named(volume_get, body["volumes"], at="volumes"),
            user_data=body.get("user_data", b""),
            zones=tuple(body["zones"]),
            affinity_group=self.named(selectors.affinity_group_get, group, at="affinity_group") if group else None,
            host=body.get("host"),
            classifications=tuple(classification.pk for classification in chosen),
            policy=own_policy(body["policy_atoms"], at="policy_atoms"),
            exemption=self.named(exemption_of, exempt, at="exemption") if exempt else None,
            restart_policy=body["restart_policy"],
            metadata=body["metadata"],
            keep_root_volume=body.get("keep_root_volume"),
            is_started=body["start"],
            root_volume_type=None if boot_volume else usable_root_type(self.project, body["root_volume_type"]),
            labels=body["labels"],
        )

    def _root(self, body: Body) -> tuple[Image, Volume | None]:
        """Return the image, and the volume to boot from in place of a copy of it."""
        if "boot_volume" not in body:
            return usable_image(self.actor, self.project, body["image"]), None
        volume = self.named(volume_get, body["boot_volume"], at="boot_volume")
        image = image_of(volume)
        if image is None:
            raise BootVolumeEmpty(field="boot_volume", volume=volume.name)
        return image, volume

    def _security_groups(self, body: Body) -> tuple[SecurityGroup, ...] | None:
        if "security_groups" not in body:
            return None
        return self.all_named(security_group_get, body["security_groups"], at="security_groups")


class InstanceDetail(InstanceView):
    @route("instance_get", InstanceWithActionsOut)
    def get(self, request: Request) -> Response:
        instance = self.instance()
        details = representations.instance_details([instance], with_disks=True)
        document = InstanceOut(instance, context=details).data
        disks = details["disks"].get(instance.pk, [])
        allowed = actions.allowed(instance, document["current_operation"], disks=disks)
        return Response({**document, "allowed_actions": ActionOut(allowed, many=True).data})

    @route("instance_update", InstanceOut, body=InstancePatch)
    def patch(self, request: Request, body: Body) -> Response:
        instance = self.instance()
        labels = merge_labels(instance.labels, body.get("labels", {}))
        present = {"name": instance.name, "restart_policy": instance.restart_policy}
        services.instance_update(self.actor, instance, **{**present, **body, "labels": labels})
        return Response(instance_document(instance))

    @route("instance_delete", InstanceWithOperation, status=202, empty_statuses=(204,))
    def delete(self, request: Request) -> Response:
        if is_deleted(Instance.objects.filter(project=self.project), self.kwargs["instance"]):
            return Response(status=204)
        return self.changed(services.instance_delete)


class InstanceStart(InstanceView):
    @route("instance_start", InstanceWithOperation, status=202)
    def post(self, request: Request) -> Response:
        return self.changed(services.instance_start)


class InstanceShutdown(InstanceView):
    @route("instance_shutdown", InstanceWithOperation, status=202)
    def post(self, request: Request) -> Response:
        return self.changed(services.instance_shutdown)


class InstancePowerOff(InstanceView):
    @route("instance_power_off", InstanceWithOperation, status=202)
    def post(self, request: Request) -> Response:
        return self.changed(services.instance_power_off)


class InstanceReboot(InstanceView):
    @route("instance_reboot", InstanceWithOperation, status=202)
    def post(self, request: Request) -> Response:
        return self.changed(services.instance_reboot)


class InstanceReset(InstanceView):
    @route("instance_reset", InstanceWithOperation, status=202)
    def post(self, request: Request) -> Response:
        return self.changed(services.instance_reset)


class InstanceResize(InstanceView):
    @route("instance_resize", InstanceWithOperation, body=ResizeIn, status=202)
    def post(self, request: Request, body: Body) -> Response:
        return self.changed(lambda actor, instance: instance_resize(actor, instance, flavor=flavor_get(body["flavor"])))


class InstanceRebuild(InstanceView):
    @route("instance_rebuild", InstanceWithOperation, body=RebuildIn, status=202)
    def post(self, request: Request, body: Body) -> Response:
        return self.changed(lambda actor, instance: instance_rebuild(actor, instance, self._new(body)))

    def _new(self, body: Body) -> NewDisk:
        """Return the fields with the resources that the body names."""
        keys = body.get("ssh_keys")
        return NewDisk(
            image=usable_image(self.actor, self.project, body["image"]),
            ssh_keys=None if keys is None else self.all_named(selectors.ssh_key_get, keys, at="ssh_keys"),
            user_data=body.get("user_data"),
        )


class InstanceConsole(InstanceView):
    @route(
        "instance_console_log",
        media_type="text/plain",
        is_sensitive=True,
        query=TAIL,
        error_statuses=(409,),
    )
    def get(self, request: Request) -> HttpResponse:
        self.actor.may_look_inside()
        limit = request.query_params.get("max_bytes", str(TAIL_MAX_BYTES))
        if not re.fullmatch(r"0*[1-9][0-9]{0,9}", limit):
            raise invalid("max_bytes", Message("it must be a whole number above 0."))
        text = console_tail(self.instance(), max_bytes=min(int(limit), TAIL_MAX_BYTES))
        return HttpResponse(text.decode(errors="replace"), content_type="text/plain; charset=utf-8")


class GuestSessionView(InstanceView):
    def ticket(self, request: Request, session: guest_sessions.GuestSession) -> guest_sessions.Ticket:
        """Return a ticket for the session; that of a dry run opens nothing."""
        ticket = guest_sessions.ticket_for(session)
        if not is_dry_run(request):
            guest_sessions.store_ticket(ticket)
        return ticket


class InstanceConsoles(GuestSessionView):
    @route(guest_sessions.OPEN_CONSOLE, ConsoleOut, body=ConsoleIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        self.actor.may_look_inside()
        kind = guest_sessions.Kind(body["kind"])
        session = guest_sessions.console_open(self.actor, self.project, self.instance(), kind=kind)
        return _secret(ConsoleOut(self.ticket(request, session)).data)


class InstanceTunnels(GuestSessionView):
    @route(guest_sessions.OPEN_TUNNEL, TunnelOut, body=TunnelIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        self.actor.may_look_inside()
        named = body.get("network")
        network = self.named(network_get, named, at="network") if named is not None else None
        session = guest_sessions.tunnel_open(
            self.actor, self.project, self.instance(), tcp_port=body["tcp_port"], network=network
        )
        return _secret(TunnelOut(self.ticket(request, session)).data)


class InstancePlacement(InstanceView):
    @route("instance_placement", DecisionOut)
    def get(self, request: Request) -> Response:
        decision = latest_decision(self.actor, self.project, self.instance().pk)
        return Response(decision_document(self.actor, decision))


def _secret(document: Any) -> Response:
    """Return the answer that no cache may keep."""
    return Response(document, status=201, headers={"Cache-Control": "no-store"})


def instance_document(instance: Instance, operation: Operation | None = None) -> dict[str, Any]:
    """Return one instance, with the operation that the request has begun on it."""
    document: dict[str, Any] = InstanceOut(
        instance, context=representations.instance_details([instance], begun=operation)
    ).data
    return document if operation is None else add_operation(document, operation)
