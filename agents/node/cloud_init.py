"""NoCloud files that give a guest its name, keys and addresses. Pure.

Every scalar in the two YAML files is written as JSON, which is YAML: no name or key can break out of its string. The
lines around them are plain block style, which a guest without a YAML parser can read too. User data is the tenant's own
and passed on byte for byte.
"""

import json
from collections.abc import Sequence
from uuid import UUID

from agents.node.adapters.network_specs import PortSpec
from agents.node.specs import GuestData

DEFAULT_ROUTES = {4: "default", 6: "::/0"}  # of IP version 4 the shorter name, as ever


def files(instance_id: UUID, guest_data: GuestData, ports: Sequence[PortSpec]) -> dict[str, bytes]:
    return {
        "meta-data": _yaml(
            {
                "instance-id": str(instance_id),
                "local-hostname": guest_data.hostname,
                "public-keys": list(guest_data.ssh_public_keys),
            }
        ),
        "network-config": _yaml(network_config(ports)),
        "user-data": guest_data.user_data or b"#cloud-config\n{}\n",
    }


def network_config(ports: Sequence[PortSpec]) -> dict[str, object]:
    """Return the network configuration, version 2.

    Only the first card has default routes, one of each family: with two, answers would leave by either. NTP servers are
    no part of a network configuration: guests learn of them by DHCP.
    """
    return {
        "version": 2,
        "ethernets": {
            f"net{number}": _card(port, number, has_default_route=number == 0) for number, port in enumerate(ports)
        },
    }


def _card(port: PortSpec, number: int, *, has_default_route: bool) -> dict[str, object]:
    network = port.network
    addresses = [*port.of_family(4), *port.of_family(6)]
    pairs = [(address, subnet) for address in addresses if (subnet := network.subnet_of(address)) is not None]
    servers = dict.fromkeys(str(server) for _, subnet in pairs for server in subnet.name_servers)
    search = list(dict.fromkeys(domain for _, subnet in pairs for domain in subnet.search_domains))
    card: dict[str, object] = {
        "match": {"macaddress": port.mac},
        "set-name": f"eth{number}",
        "mtu": network.mtu,
        "addresses": [f"{address}/{subnet.cidr.prefixlen}" for address, subnet in pairs],
        "nameservers": {"addresses": list(servers), **({"search": search} if search else {})},
    }
    gateways: dict[int, str] = {}
    for address, subnet in pairs if has_default_route else ():
        gateways.setdefault(address.version, str(subnet.gateway_ip))
    routes = {DEFAULT_ROUTES[version]: gateway for version, gateway in gateways.items()}
    for static in (route for _, subnet in pairs for route in subnet.options.static_routes):
        routes.setdefault(str(static.destination), str(static.next_hop))
    if routes:
        card["routes"] = [{"to": destination, "via": next_hop} for destination, next_hop in routes.items()]
    return card


def _yaml(value: dict[str, object]) -> bytes:
    return ("\n".join(_block(value)) + "\n").encode()


def _block(value: object) -> list[str]:
    if isinstance(value, dict) and value:
        return [line for key, item in value.items() for line in _under(f"{key}:", "  ", item)]
    if isinstance(value, list) and value:
        return [line for item in value for line in _item(item)]
    return [json.dumps(value)]


def _under(head: str, indent: str, item: object) -> list[str]:
    lines = _block(item)
    if isinstance(item, dict | list) and item:
        return [head, *(indent + line for line in lines)]
    return [f"{head} {lines[0]}"]


def _item(item: object) -> list[str]:
    first, *rest = _block(item)
    return [f"- {first}", *(f"  {line}" for line in rest)]
