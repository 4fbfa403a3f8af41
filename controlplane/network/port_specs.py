"""Ports as nodes get them: with the subnets of their network and all of their addresses, in one query."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import CharField, F, Func, OuterRef, QuerySet
from django.db.models.functions import JSONObject

from controlplane.kernel.prepared_queries import Prepared
from controlplane.network.addresses import is_ipv4
from controlplane.network.models import Port, PortAddress, Subnet
from controlplane.network.ranges import ipv6_gateway


@dataclass(frozen=True)
class PortSpec:
    """A port and the parts of its network. `subnets`: all of the network, the oldest first; `addresses`: as texts."""

    port: Port
    subnets: Sequence[Mapping[str, Any]]
    addresses: Sequence[str]

    @property
    def ip(self) -> str:
        """Return the first IPv4 address, which each port has."""
        return next(each for each in self.addresses if is_ipv4(each))

    def subnets_in(self, zone_id: str) -> list[dict[str, Any]]:
        """Return the ranges for a node of the zone, those of IPv4 first. A range of a pool is in the pool's zone only.

        Each is a message Subnet of the agent protocol.
        """
        return [{name: each[name] for name in SENT} for each in ranges_in(self.subnets, zone_id)]


SENT = ("id", "cidr", "gateway_ip", "dns_servers")
OF_BOTH_FAMILIES = ("id", "dns_servers", "ntp_servers", "domain_search")


def ranges_in(subnets: Sequence[Mapping[str, Any]], zone_id: str) -> list[dict[str, Any]]:
    """Return the ranges of these subnets in the zone, those of IPv4 first. Static routes are of IPv4."""
    routed = [each for each in subnets if each["ipv6_cidr"] and each["ipv6_zone"] in (None, zone_id)]
    return [*map(dict, subnets), *map(_ipv6_range, routed)]


def _ipv6_range(subnet: Mapping[str, Any]) -> dict[str, Any]:
    cidr = subnet["ipv6_cidr"]
    same = {name: subnet[name] for name in OF_BOTH_FAMILIES}
    return {**same, "cidr": cidr, "gateway_ip": str(ipv6_gateway(cidr)), "static_routes": []}


def with_addresses(rows: QuerySet[Port]) -> QuerySet[Port]:
    """Add `address_texts` to the ports: their addresses, the oldest first."""
    addresses = PortAddress.objects.filter(port=OuterRef("pk")).order_by("pk")
    texts = addresses.values(text=Func(F("ip"), function="host", output_field=CharField()))
    return rows.annotate(address_texts=ArraySubquery(texts))


def addresses_of(port: Port) -> Sequence[str]:
    """Return the addresses of a port that was read with them."""
    return cast(Sequence[str], vars(port)["address_texts"])


DOCUMENT = JSONObject(
    id="id",
    cidr="cidr",
    gateway_ip=Func(F("gateway_ip"), function="host"),
    dns_servers="dns_servers",
    ntp_servers="ntp_servers",
    domain_search="domain_search",
    static_routes="static_routes",
    ipv6_cidr="ipv6_cidr",
    ipv6_zone="ipv6_pool__zone",
)


def subnets_of(network_ids: Iterable[UUID]) -> dict[UUID, list[Mapping[str, Any]]]:
    """Return the subnets of each network, the oldest first."""
    subnets: dict[UUID, list[Mapping[str, Any]]] = {network_id: [] for network_id in network_ids}
    rows = Subnet.objects.filter(network__in=subnets).order_by("pk")
    for network_id, document in rows.values_list("network", DOCUMENT):
        subnets[network_id].append(document)
    return subnets


def _with_subnets(port: Any) -> QuerySet[Port]:
    documents = Subnet.objects.filter(network=OuterRef("network")).order_by("pk").values(document=DOCUMENT)
    rows = with_addresses(Port.objects.filter(pk=port).select_related("network"))
    return rows.annotate(subnet_documents=ArraySubquery(documents))


PORTS = Prepared(_with_subnets)
OF_INSTANCE = Prepared(
    lambda instance: with_addresses(Port.objects.filter(instance_id=instance).order_by("position", "pk"))
)


def port_spec(port_id: UUID, *, generation: int | None = None) -> PortSpec:
    """Return the port to send. `generation`: in place of its own.

    Raises:
        ObjectDoesNotExist
    """
    port = PORTS.get(port_id)
    if generation is not None:
        port.generation = generation
    return PortSpec(port, vars(port)["subnet_documents"], addresses_of(port))
