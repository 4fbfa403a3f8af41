"""Networks with ports on the nodes of a fleet (bench/fleet_rows.py), without any signed document."""

from bench import fleet_rows
from controlplane.identity.models import Project
from controlplane.network.models import (
    Network,
    Port,
    PortAddress,
    PortBinding,
    PortSecurityGroup,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
)
from controlplane.nodes.models import Node

PORTS_OF_NETWORK, GROUPS_OF_NETWORK = 10, 2


def build(count: int) -> None:
    """Make networks of ten ports each, on nodes of one zone, every port in two groups."""
    project = fleet_rows.make_tenant()
    by_zone: dict[str, list[Node]] = {}
    for node in Node.objects.order_by("name"):
        by_zone.setdefault(node.zone_id, []).append(node)
    zones = sorted(by_zone)
    for number in range(count):
        network = Network.objects.create(project=project, name=f"net-{number}")
        subnet = Subnet.objects.create(network=network, cidr="10.0.0.0/24", gateway_ip="10.0.0.1")
        groups = [
            SecurityGroup.objects.create(project=project, name=f"group-{number}-{each}")
            for each in range(GROUPS_OF_NETWORK)
        ]
        SecurityGroupRule.objects.bulk_create(
            SecurityGroupRule(group=group, direction=direction, family="ipv4", protocol="any", fingerprint=direction)
            for group in groups
            for direction in ("in", "out")
        )
        members = by_zone[zones[number % len(zones)]]
        ports = [_port(project, network, number, each) for each in range(PORTS_OF_NETWORK)]
        Port.objects.bulk_create(ports)
        PortAddress.objects.bulk_create(
            PortAddress(port=port, network=network, subnet=subnet, ip=_address(each)) for each, port in enumerate(ports)
        )
        PortBinding.objects.bulk_create(
            PortBinding(port=port, node=members[(number + each) % len(members)]) for each, port in enumerate(ports)
        )
        PortSecurityGroup.objects.bulk_create(
            PortSecurityGroup(port=port, group=group) for port in ports for group in groups
        )


def _port(project: Project, network: Network, number: int, each: int) -> Port:
    mac = f"56:00:{number >> 8:02x}:{number & 255:02x}:00:{each:02x}"
    return Port(
        project=project,
        network=network,
        name=f"port-{number}-{each}",
        ip=_address(each),
        mac=mac,
        is_own=True,
        is_filtered=True,
    )


def _address(each: int) -> str:
    return f"10.0.0.{10 + each}"
