"""NoCloud files that give a guest its name, keys and addresses. Pure.

Every scalar in the two YAML files is written as JSON, which is YAML: no name or key can break out of its string. The
lines around them are plain block style, which a guest without a YAML parser can read too. User data is the tenant's own
and passed on byte for byte.
"""

import json
from collections.abc import Sequence
from uuid import UUID

from agents.node.adapters.network_specs import DOMAIN, PortSpec
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

    Only the first card has default routes, one of each family: with two, answers would leave by either.
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
    search = [DOMAIN] if any(subnet.is_resolved for _, subnet in pairs) else []
    card: dict[str, object] = {
        "match": {"macaddress": port.mac},
        "set-name": f"eth{number}",
        "mtu": network.mtu,
        "addresses": [f"{address}/{subnet.cidr.prefixlen}" for address, subnet in pairs],
        "nameservers": {"addresses": list(servers), **({"search": search} if search else {})},
    }
    gateways: dict[int, str] = {}
    for address, subnet in pairs:
        gateways.setdefault(address.version, str(subnet.gateway_ip))
    if has_default_route and gateways:
        card["routes"] = [{"to": DEFAULT_ROUTES[version], "via": gateway} for version, gateway in gateways.items()]
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
