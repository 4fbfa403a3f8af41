"""NoCloud files that give a guest its name, keys and addresses. Pure.

Every scalar in the two YAML files is written as JSON, which is YAML: no name or key can break out of its string. The
lines around them are plain block style, which a guest without a YAML parser can read too. User data is the tenant's own
and passed on byte for byte.
"""

import json
from collections.abc import Sequence
from uuid import UUID

from agents.node.adapters.interfaces import PortSpec
from agents.node.specs import GuestData


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

    Only the first card has the default route: with two, answers would leave by either.
    """
    return {
        "version": 2,
        "ethernets": {
            f"net{number}": _card(port, number, has_default_route=number == 0) for number, port in enumerate(ports)
        },
    }


def _card(port: PortSpec, number: int, *, has_default_route: bool) -> dict[str, object]:
    network = port.network
    card: dict[str, object] = {
        "match": {"macaddress": port.mac},
        "set-name": f"eth{number}",
        "mtu": network.mtu,
        "addresses": [f"{port.ip}/{network.cidr.prefixlen}"],
        "nameservers": {"addresses": [str(server) for server in network.dns_servers]},
    }
    if has_default_route:
        card["routes"] = [{"to": "default", "via": str(network.gateway_ip)}]
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
