"""andromede_network: a private range of addresses."""

import ipaddress

from clients.terraform.resources.base import ApiResource
from clients.terraform.resources.common import CREATED_AT, ID, LABELS, PROJECT, name_attribute
from clients.terraform.runtime.schema import NUMBER, STRING, Attribute, Schema, list_of


def _range_complaint(text: str) -> str | None:
    try:
        ipaddress.IPv4Network(text)
    except ValueError as error:
        return f"This is no range of IPv4 addresses: {error}."
    return None


class NetworkResource(ApiResource):
    name, kind, noun = "network", "networks", "network"
    sent = ("name", "cidr", "dns_servers", "labels")
    schema = Schema(
        {
            "id": ID,
            "project": PROJECT,
            "name": name_attribute(),
            "cidr": Attribute(
                type=STRING,
                description="The range, such as `10.0.0.0/24`. A change makes a new network.",
                required=True,
                replace=True,
                checks=(_range_complaint,),
            ),
            "dns_servers": Attribute(
                type=list_of(STRING),
                description="Name servers of the guests. A change makes a new network.",
                optional=True,
                replace=True,
            ),
            "labels": LABELS,
            "gateway_ip": Attribute(type=STRING, description="The address of the gateway.", computed=True),
            "mtu": Attribute(type=NUMBER, description="The largest packet, in bytes.", computed=True),
            "created_at": CREATED_AT,
        },
        "A private network of a project. Instances are on it by naming it; it can be deleted once no instance is.",
    )
