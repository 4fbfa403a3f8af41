"""Routes of public addresses: of a project, and for operators of all projects."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from django.db.models import Q
from rest_framework.request import Request
from rest_framework.response import Response

from andromede_core.documents.messages import Message
from controlplane.api.base_views import ActorView, ProjectView
from controlplane.api.v1.public_addresses.schemas import (
    HeldPublicAddressOut,
    PublicAddressActionOut,
    PublicAddressAttachIn,
    PublicAddressIn,
    PublicAddressOut,
    PublicAddressPatch,
    PublicAddressSuspendIn,
    PublicAddressUseOut,
    PublicAddressWithActionsOut,
)
from controlplane.compute.egress_attachments import egress_attach
from controlplane.compute.models import Instance
from controlplane.compute.public_address_attachments import (
    AttachRequest,
    allowed,
    public_address_attach,
    public_address_details,
)
from controlplane.kernel.errors import InvalidRequest
from controlplane.kernel.fields import merge_labels
from controlplane.kernel.listing import Filter, Listing, at_moment, created_after, exactly, has_id, labelled, referring
from controlplane.kernel.names import as_uuid
from controlplane.kernel.views import Body, created, route
from controlplane.network import public_addresses as services
from controlplane.network import selectors
from controlplane.network.models import PublicAddress


def _of_instance(text: str) -> Q:
    if as_uuid(text):
        return Q(port__instance_id=as_uuid(text))
    return Q(port__instance_id__in=Instance.objects.filter(name=text).exclude(state="deleted").values("pk"))


def _with_ip(text: str) -> Q:
    try:
        return Q(ip=str(ip_address(text)))
    except ValueError as exc:
        raise ValueError(Message("it must be an IP address.")) from exc


FILTERS: Mapping[str, Filter] = {
    "name": exactly("name", "The address of this name."),
    "ip": Filter(_with_ip, "This address."),
    "pool": referring("pool", "The addresses of this pool, by id or name."),
    "port": referring("port", "The addresses of this port, by id or name."),
    "network": referring("egress__network", "The egress addresses of this network, by id or name."),
    "instance": Filter(_of_instance, "The addresses of this instance's ports, by id or name."),
    "created_after": created_after(),
    "labels": labelled(),
}
ADDRESSES = Listing(FILTERS)
HELD_ADDRESSES = Listing({**FILTERS, "project": has_id("project", "The addresses of this project, by id.")})
USE_FILTERS: Mapping[str, Filter] = {
    "ip": Filter(_with_ip, "This address."),
    "instance": has_id("instance_id", "The addresses of this instance, by id."),
    "at": at_moment(
        lambda at: Q(began_at__lte=at) & (Q(ended_at=None) | Q(ended_at__gt=at)), "In use at this time (RFC 3339)."
    ),
    "created_after": created_after(),
}
USES = Listing(USE_FILTERS, ("-created_at", "created_at"))
ALL_USES = Listing({**USE_FILTERS, "project": has_id("project", "The uses of this project, by id.")}, USES.sorts)


class PublicAddressList(ProjectView):
    @route("public_address_list", PublicAddressOut, listing=ADDRESSES)
    def get(self, request: Request) -> Response:
        page = ADDRESSES.page(request, selectors.public_addresses(self.actor, self.project))
        return page.answer(PublicAddressOut, context=public_address_details(page.rows))

    @route("public_address_create", PublicAddressOut, body=PublicAddressIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        new = services.NewAddress(
            pool=self.named(selectors.usable_address_pool_get, body["pool"], at="pool"),
            name=body.get("name", ""),
            ip=ip_address(body["ip"]) if "ip" in body else None,
            ptr=body["ptr"],
            labels=body["labels"],
        )
        address = services.public_address_create(self.actor, self.project, new)
        return created(_document(address), request=request)


class PublicAddressView(ProjectView):
    def address(self) -> PublicAddress:
        return selectors.public_address_get(self.actor, self.project, self.kwargs["public_address"])

    def versioned(self) -> PublicAddress:
        return self.address()


class PublicAddressDetail(PublicAddressView):
    @route("public_address_get", PublicAddressWithActionsOut)
    def get(self, request: Request) -> Response:
        address = self.address()
        actions = PublicAddressActionOut(allowed(address), many=True).data
        return Response({**_document(address), "allowed_actions": actions})

    @route("public_address_update", PublicAddressOut, body=PublicAddressPatch)
    def patch(self, request: Request, body: Body) -> Response:
        address = self.address()
        address = services.public_address_update(
            self.actor,
            address,
            name=body.get("name", address.name),
            labels=merge_labels(address.labels, body.get("labels", {})),
            ptr=body.get("ptr", address.ptr),
        )
        return Response(_document(address))

    @route("public_address_delete", status=204)
    def delete(self, request: Request) -> Response:
        services.public_address_delete(self.actor, self.address())
        return Response(status=204)


class PublicAddressAttach(PublicAddressView):
    @route("public_address_attach", PublicAddressOut, body=PublicAddressAttachIn)
    def post(self, request: Request, body: Body) -> Response:
        address = self.address()
        if ("port" in body) == ("network" in body):
            raise InvalidRequest(field="port", reason=Message("Give a port or a network, and not both."))
        if "network" in body:
            return Response(_document(self._attach_to_network(address, body)))
        attachment = AttachRequest(
            port=self.named(selectors.port_get, body["port"], at="port"),
            fixed_ip=body.get("fixed_ip"),
            mode=body.get("mode"),
            is_move=body["move"],
        )
        return Response(_document(public_address_attach(self.actor, address, attachment)))

    def _attach_to_network(self, address: PublicAddress, body: Body) -> PublicAddress:
        for field in ("mode", "fixed_ip"):
            if field in body:
                raise InvalidRequest(field=field, reason=Message("It is of an attachment to a port. Leave it out."))
        network = self.named(selectors.network_get, body["network"], at="network")
        return egress_attach(self.actor, address, network, is_move=body["move"])


class PublicAddressDetach(PublicAddressView):
    @route("public_address_detach", PublicAddressOut)
    def post(self, request: Request) -> Response:
        return Response(_document(services.public_address_detach(self.actor, self.address())))


class PublicAddressUses(ProjectView):
    """List which port, instance or network had which public address when."""

    @route("public_address_use_list", PublicAddressUseOut, listing=USES)
    def get(self, request: Request) -> Response:
        rows = selectors.public_address_uses(self.actor, self.project)
        return USES.page(request, rows).answer(PublicAddressUseOut)


class PlatformPublicAddresses(ActorView):
    """List the public addresses of all projects."""

    @route("platform_public_address_list", HeldPublicAddressOut, listing=HELD_ADDRESSES)
    def get(self, request: Request) -> Response:
        page = HELD_ADDRESSES.page(request, selectors.all_public_addresses(self.actor))
        return page.answer(HeldPublicAddressOut, context=public_address_details(page.rows))


class PlatformPublicAddressView(ActorView):
    def address(self) -> PublicAddress:
        return selectors.any_public_address_get(self.actor, self.kwargs["public_address"])


class PublicAddressSuspend(PlatformPublicAddressView):
    @route("public_address_suspend", HeldPublicAddressOut, body=PublicAddressSuspendIn)
    def post(self, request: Request, body: Body) -> Response:
        return _held(services.public_address_suspend(self.actor, self.address(), **body))


class PublicAddressResume(PlatformPublicAddressView):
    @route("public_address_resume", HeldPublicAddressOut)
    def post(self, request: Request) -> Response:
        return _held(services.public_address_resume(self.actor, self.address()))


class PlatformPublicAddressUses(ActorView):
    """List which project, port, instance or network had which public address when."""

    @route("platform_public_address_use_list", PublicAddressUseOut, listing=ALL_USES)
    def get(self, request: Request) -> Response:
        rows = selectors.public_address_uses(self.actor, None)
        return ALL_USES.page(request, rows).answer(PublicAddressUseOut)


def _document(address: PublicAddress) -> dict[str, Any]:
    document: dict[str, Any] = PublicAddressOut(address, context=public_address_details([address])).data
    return document


def _held(address: PublicAddress) -> Response:
    return Response(HeldPublicAddressOut(address, context=public_address_details([address])).data)
