"""Routes of the networks of a project, and of their subnets."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from andromede_core.documents.messages import Message
from andromede_core.permits import dhcp_options
from controlplane.api.base_views import ProjectView
from controlplane.api.v1.networks.schemas import NetworkIn, NetworkOut, NetworkPatch, SubnetIn, SubnetOut, SubnetPatch
from controlplane.api.v1.networks.topology_schemas import TopologyOut
from controlplane.compute.topology import network_topology
from controlplane.kernel.errors import InvalidRequest
from controlplane.kernel.fields import merge_labels
from controlplane.kernel.listing import Listing, created_after, exactly, labelled
from controlplane.kernel.views import Body, created, route
from controlplane.network import selectors, services, subnets
from controlplane.network.ipv6_subnets import Ipv6Choice
from controlplane.network.models import Network, Subnet
from controlplane.network.new_subnets import NewSubnet

NETWORKS = Listing(
    {
        "name": exactly("name", "The network of this name."),
        "created_after": created_after(),
        "labels": labelled(),
    }
)
SUBNETS = Listing(
    {"name": exactly("name", "The subnet of this name."), "created_after": created_after(), "labels": labelled()}
)


class Ipv6View(ProjectView):
    def chosen_ipv6(self, body: Body) -> Ipv6Choice:
        """Take the IPv6 range out of the body."""
        cidr, ref = body.pop("ipv6_cidr", None), body.pop("ipv6_pool", None)
        if cidr is not None and ref is not None:
            raise InvalidRequest(field="ipv6_pool", reason=Message("Give a range or a pool, not both."))
        pool = None if ref is None else self.named(selectors.usable_address_pool_get, ref, at="ipv6_pool")
        return Ipv6Choice(cidr or None, pool)


class NetworkList(Ipv6View):
    @route("network_list", NetworkOut, listing=NETWORKS)
    def get(self, request: Request) -> Response:
        page = NETWORKS.page(request, selectors.networks(self.actor, self.project))
        return page.answer(NetworkOut, context=selectors.network_details(page.rows))

    @route("network_create", NetworkOut, body=NetworkIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        ipv6 = self.chosen_ipv6(body)
        network = services.network_create(self.actor, self.project, **body, ipv6=ipv6)
        return created(network_document(network), request=request)


class NetworkView(Ipv6View):
    def network(self) -> Network:
        return selectors.network_get(self.actor, self.project, self.kwargs["network"])


class NetworkDetail(NetworkView):
    def versioned(self) -> Network:
        return self.network()

    @route("network_get", NetworkOut)
    def get(self, request: Request) -> Response:
        return Response(network_document(self.network()))

    @route("network_update", NetworkOut, body=NetworkPatch)
    def patch(self, request: Request, body: Body) -> Response:
        network = self.network()
        labels = merge_labels(network.labels, body.get("labels", {}))
        network = services.network_update(self.actor, network, name=body.get("name", network.name), labels=labels)
        return Response(network_document(network))

    @route("network_delete", status=204)
    def delete(self, request: Request) -> Response:
        services.network_delete(self.actor, self.network())
        return Response(status=204)


class NetworkTopology(NetworkView):
    """Return a network with its subnets and ports, and what is at the ports: for a picture of the network."""

    @route("network_topology", TopologyOut, error_statuses=(422,))
    def get(self, request: Request) -> Response:
        topology = network_topology(self.network())
        return Response(TopologyOut(topology, context={"topology": topology}).data)


class SubnetList(NetworkView):
    @route("subnet_list", SubnetOut, listing=SUBNETS)
    def get(self, request: Request) -> Response:
        return SUBNETS.page(request, selectors.subnets(self.actor, self.network())).answer(SubnetOut)

    @route("subnet_create", SubnetOut, body=SubnetIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        ipv6 = self.chosen_ipv6(body)
        subnet = subnets.subnet_create(self.actor, self.network(), NewSubnet(**body, ipv6=ipv6))
        return created(SubnetOut(subnet).data, request=request)


class SubnetDetail(NetworkView):
    def subnet(self) -> Subnet:
        return selectors.subnet_get(self.actor, self.network(), self.kwargs["subnet"])

    def versioned(self) -> Subnet:
        return self.subnet()

    @route("subnet_get", SubnetOut)
    def get(self, request: Request) -> Response:
        return Response(SubnetOut(self.subnet()).data)

    @route("subnet_update", SubnetOut, body=SubnetPatch)
    def patch(self, request: Request, body: Body) -> Response:
        subnet = self.subnet()
        ipv6 = self.chosen_ipv6(body) if {"ipv6_cidr", "ipv6_pool"} & body.keys() else None
        subnet = subnets.subnet_update(
            self.actor,
            subnet,
            subnets.SubnetChange(
                name=body.get("name", subnet.name),
                labels=merge_labels(subnet.labels, body.get("labels", {})),
                reserved_ranges=body.get("reserved_ranges"),
                ipv6=ipv6,
                dns_servers=body.get("dns_servers"),
                **{name: body.get(name) for name in dhcp_options.FIELDS},
            ),
        )
        return Response(SubnetOut(subnet).data)

    @route("subnet_delete", status=204)
    def delete(self, request: Request) -> Response:
        subnets.subnet_delete(self.actor, self.subnet())
        return Response(status=204)


def network_document(network: Network) -> Any:
    return NetworkOut(network, context=selectors.network_details([network])).data
