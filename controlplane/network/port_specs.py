"""Ports as nodes get them: with the subnets of their network and all of their addresses, in one query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import CharField, F, Func, OuterRef, QuerySet
from django.db.models.functions import JSONObject

from controlplane.kernel.prepared_queries import Prepared
from controlplane.network.models import Port, PortAddress, Subnet


@dataclass(frozen=True)
class PortSpec:
    """A port and the parts of its network. `subnets`: all of the network, the oldest first; `addresses`: as texts."""

    port: Port
    subnets: Sequence[Mapping[str, Any]]
    addresses: Sequence[str]


def with_addresses(rows: QuerySet[Port]) -> QuerySet[Port]:
    """Add `address_texts` to the ports: their addresses, the oldest first."""
    addresses = PortAddress.objects.filter(port=OuterRef("pk")).order_by("pk")
    texts = addresses.values(text=Func(F("ip"), function="host", output_field=CharField()))
    return rows.annotate(address_texts=ArraySubquery(texts))


def addresses_of(port: Port) -> Sequence[str]:
    """Return the addresses of a port that was read with them."""
    return cast(Sequence[str], vars(port)["address_texts"])


def _with_subnets(port: Any) -> QuerySet[Port]:
    subnets = Subnet.objects.filter(network=OuterRef("network")).order_by("pk")
    documents = subnets.values(
        document=JSONObject(
            id="id", cidr="cidr", gateway_ip=Func(F("gateway_ip"), function="host"), dns_servers="dns_servers"
        )
    )
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
