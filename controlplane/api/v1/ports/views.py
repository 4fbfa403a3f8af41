"""Routes of the ports of a project."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from django.db.models import Q
from rest_framework.request import Request
from rest_framework.response import Response

from andromede_core.documents.messages import Message
from andromede_core.permits.network_ports import Bandwidth
from controlplane.api.base_views import ProjectView
from controlplane.api.v1.operations.schemas import add_operation, with_operation
from controlplane.api.v1.ports.schemas import (
    PortActionOut,
    PortAttachIn,
    PortIn,
    PortOut,
    PortPatch,
    PortWithActionsOut,
)
from controlplane.compute import port_attachments
from controlplane.compute.models import Instance
from controlplane.compute.port_details import allowed, port_details
from controlplane.compute.selectors import instance_get
from controlplane.kernel.fields import merge_labels
from controlplane.kernel.listing import Filter, Listing, created_after, exactly, labelled, referring
from controlplane.kernel.names import as_uuid
from controlplane.kernel.views import Body, created, route
from controlplane.network import ports as services
from controlplane.network.addresses import ANY, AddressRequest
from controlplane.network.allowed_addresses import AllowedRequest
from controlplane.network.models import Port, SecurityGroup
from controlplane.network.selectors import network_get, port_get, ports, security_group_get
from controlplane.operations.models import Operation


def _of_instance(text: str) -> Q:
    if as_uuid(text):
        return Q(instance_id=as_uuid(text))
    return Q(instance_id__in=Instance.objects.filter(name=text).exclude(state="deleted").values("pk"))


def _with_address(text: str) -> Q:
    try:
        ip_address(text)
    except ValueError as exc:
        raise ValueError(Message("it must be an IP address.")) from exc
    return Q(addresses__ip=text)


PORTS = Listing(
    {
        "name": exactly("name", "The port of this name."),
        "network": referring("network", "The ports on this network, by id or name."),
        "instance": Filter(_of_instance, "The ports of this instance, by id or name."),
        "address": Filter(_with_address, "The ports with this address."),
        "created_after": created_after(),
        "labels": labelled(),
    }
)
PortWithOperation = with_operation(PortOut)


class PortsView(ProjectView):
    def security_groups(self, body: Body) -> tuple[SecurityGroup, ...] | None:
        """Return the groups that the body names; None: it names none."""
        if "security_groups" not in body:
            return None
        return self.all_named(security_group_get, body["security_groups"], at="security_groups")


class PortList(PortsView):
    @route("port_list", PortOut, listing=PORTS)
    def get(self, request: Request) -> Response:
        page = PORTS.page(request, ports(self.actor, self.project))
        return page.answer(PortOut, context=port_details(page.rows))

    @route("port_create", PortOut, body=PortIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        new = services.NewPort(
            network=self.named(network_get, body["network"], at="network"),
            name=body.get("name", ""),
            addresses=_addresses(body["addresses"]) if "addresses" in body else ANY,
            allowed=_allowed(body["allowed_addresses"]),
            labels=body["labels"],
            security_groups=self.security_groups(body),
            bandwidth=_bandwidth(body.get("bandwidth", {}), Bandwidth()),
        )
        return created(port_document(services.port_create(self.actor, new)), request=request)


class PortView(PortsView):
    def port(self) -> Port:
        return port_get(self.actor, self.project, self.kwargs["port"])

    def versioned(self) -> Port:
        return self.port()


class PortDetail(PortView):
    @route("port_get", PortWithActionsOut)
    def get(self, request: Request) -> Response:
        port = self.port()
        document = port_document(port)
        actions = allowed(port, document["current_operation"])
        return Response({**document, "allowed_actions": PortActionOut(actions, many=True).data})

    @route("port_update", PortOut, body=PortPatch)
    def patch(self, request: Request, body: Body) -> Response:
        port = self.port()
        port = port_attachments.port_change(
            self.actor,
            port,
            services.PortChange(
                name=body.get("name", port.name),
                labels=merge_labels(port.labels, body.get("labels", {})),
                addresses=_addresses(body["addresses"]) if "addresses" in body else None,
                allowed=_allowed(body["allowed_addresses"]) if "allowed_addresses" in body else None,
                security_groups=self.security_groups(body),
                bandwidth=_bandwidth(body.get("bandwidth", {}), Bandwidth(port.to_guest_mbit, port.from_guest_mbit)),
            ),
        )
        return Response(port_document(port))

    @route("port_delete", status=204)
    def delete(self, request: Request) -> Response:
        services.port_delete(self.actor, self.port())
        return Response(status=204)


class PortAttach(PortView):
    @route("port_attach", PortWithOperation, body=PortAttachIn, status=202)
    def post(self, request: Request, body: Body) -> Response:
        port, instance = self.port(), self.named(instance_get, body["instance"], at="instance")
        return _changed(port, port_attachments.port_attach(self.actor, port, instance=instance))


class PortDetach(PortView):
    @route("port_detach", PortWithOperation, status=202)
    def post(self, request: Request) -> Response:
        port = self.port()
        return _changed(port, port_attachments.port_detach(self.actor, port))


def port_document(port: Port, operation: Operation | None = None) -> dict[str, Any]:
    """Return one port, with the operation that the request has begun on it."""
    document: dict[str, Any] = PortOut(port, context=port_details([port], begun=operation)).data
    return document if operation is None else add_operation(document, operation)


def _changed(port: Port, operation: Operation) -> Response:
    port.refresh_from_db(fields=["instance_id", "generation", "last_error", "updated_at"])
    return Response(port_document(port, operation), status=202)


def _addresses(items: Sequence[Mapping[str, Any]]) -> list[AddressRequest]:
    return [
        AddressRequest(each.get("subnet"), ip_address(each["ip"]) if "ip" in each else None, number, each.get("family"))
        for number, each in enumerate(items)
    ]


def _allowed(items: Sequence[Mapping[str, Any]]) -> list[AllowedRequest]:
    return [AllowedRequest(each["cidr"], each["mac"] or "") for each in items]


def _bandwidth(given: Mapping[str, int | None], former: Bandwidth) -> Bandwidth:
    """Return the limits: those that are given, and the others as before."""
    to_guest = given.get("to_guest_mbit", former.to_guest)
    return Bandwidth(to_guest, given.get("from_guest_mbit", former.from_guest))
