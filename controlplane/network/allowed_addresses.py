"""Allowed addresses: those that a port may use beside its own. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_network
from uuid import UUID

from andromede_core.documents.messages import Message
from andromede_core.permits.network_values import MAC, SEGMENT_MAC
from controlplane.network.errors import AllowedAddressInvalid
from controlplane.network.models import AllowedAddress, Subnet
from controlplane.network.ranges import Address, ipv6_gateway


@dataclass(frozen=True)
class AllowedRequest:
    """A range that a port may use. `mac` empty: with the MAC address of the port."""

    cidr: str
    mac: str = ""


def parse_allowed(port_id: UUID, requests: Sequence[AllowedRequest], subnets: Sequence[Subnet]) -> list[AllowedAddress]:
    """Return the allowed addresses, not written. `subnets`: of the port's network, whose gateways no port may use.

    Raises:
        AllowedAddressInvalid: with the position in `allowed_addresses`.
    """
    gateways: list[Address] = [IPv4Address(each.gateway_ip) for each in subnets]
    gateways += [ipv6_gateway(each.ipv6_cidr) for each in subnets if each.ipv6_cidr]
    return [
        AllowedAddress(port_id=port_id, cidr=_cidr(request.cidr, gateways, number), mac=_mac(request.mac, number))
        for number, request in enumerate(requests)
    ]


def _cidr(text: str, gateways: Sequence[Address], number: int) -> str:
    field = f"allowed_addresses/{number}/cidr"
    try:
        cidr = ip_network(text)
    except ValueError as exc:
        reason = Message("write an address or a range with its first address, such as 10.0.0.9 or 10.0.0.8/30.")
        raise AllowedAddressInvalid(field=field, value=text[:43], reason=reason) from exc
    if cidr.is_multicast or cidr.is_loopback or cidr.is_link_local:
        raise AllowedAddressInvalid(
            field=field, value=text, reason=Message("it is not a unicast address of a network.")
        )
    for gateway in gateways:
        if gateway in cidr:
            reason = Message("it includes the gateway {gateway_ip}.", gateway_ip=str(gateway))
            raise AllowedAddressInvalid(field=field, value=text, reason=reason)
    return str(cidr)


def _mac(text: str, number: int) -> str:
    value = text.lower()
    if value and not MAC.fullmatch(value):
        reason = Message("write a unicast MAC address, such as 00:00:5e:00:01:01.")
        raise AllowedAddressInvalid(field=f"allowed_addresses/{number}/mac", value=text[:17], reason=reason)
    if value.startswith(f"{SEGMENT_MAC}:"):
        reason = Message("MAC addresses that begin with {first} are those of routers.", first=SEGMENT_MAC)
        raise AllowedAddressInvalid(field=f"allowed_addresses/{number}/mac", value=value, reason=reason)
    return value
