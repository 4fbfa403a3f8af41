"""A project with a given number of instances, and a fleet with room for more.

The rows that requests read are those of real requests and workers; the nodes exist as rows only.
"""

import json
from datetime import timedelta
from ipaddress import IPv4Address
from uuid import UUID

from django.db import connection

from bench import fleet_rows
from controlplane.catalog.models import Image
from controlplane.compute.models import Attachment, Instance
from controlplane.identity.models import Project
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.network.models import Network, Port, PortAddress
from controlplane.network.ports import default_name
from controlplane.network.services import network_create
from controlplane.nodes.models import Node
from controlplane.operations.models import Operation
from controlplane.placement.models import Binding, PolicyVersion
from controlplane.quotas.models import QuotaUse
from controlplane.storage.models import Volume
from scripts.control_plane import ROOT
from tests.world import Tenant, make_flavor, make_image, make_tenant, make_volume_type

TOKEN = "bench"
NODES = 100
WITH_VOLUME = 10  # every tenth has one
VOLUME_GIB = 10
IN_A_NETWORK = 250


def body(name: str) -> bytes:
    """Return the body of a typical POST."""
    body = {"name": name, "flavor": "tiny", "image": "tiny", "networks": ["lan"], "labels": {"env": "prod"}}
    return json.dumps(body).encode()


def fill(count: int) -> UUID:
    """Make the project, whose secret is TOKEN, and the fleet.

    Returns the id of an instance in the middle, one with a volume.
    """
    fleet_rows.state_facts()
    fleet_rows.build(NODES)
    tenant = make_tenant(TOKEN)
    PolicyVersion.objects.create(
        level="organization", organization=tenant.project.organization, version=1, clauses=fleet_rows.RESIDENCY
    )
    make_volume_type()
    make_flavor()
    image = make_image(ROOT / "var" / "bench-api" / "images")
    _network(tenant, "lan", "10.0.0.0/16")
    nodes = list(Node.objects.filter(state="ready"))
    instances: list[Instance] = []
    for first in range(0, count, IN_A_NETWORK):
        number = first // IN_A_NETWORK + 1
        rows = [
            _instance(tenant.project, image, nodes[each % len(nodes)], each)
            for each in range(first, min(first + IN_A_NETWORK, count))
        ]
        Instance.objects.bulk_create(rows)
        _surroundings(tenant.project, _network(tenant, f"lan-{number}", f"10.{number}.0.0/24"), rows)
        instances += rows
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return instances[count // 2 // WITH_VOLUME * WITH_VOLUME].pk


def _network(tenant: Tenant, name: str, cidr: str) -> Network:
    return network_create(tenant.actor, tenant.project, name=name, cidr=cidr, dns_servers=[], labels={})


def _instance(project: Project, image: Image, node: Node, number: int) -> Instance:
    return Instance(
        project=project,
        name=f"vm-{number}",
        labels={"env": "prod", "number": str(number)},
        state="active",
        power_state="running",
        power_state_at=clock.now(),
        generation=2,
        flavor="tiny",
        vcpus=1,
        memory_mib=128,
        disk_gib=1,
        image=image,
        node=node,
        root_volume_id=new_id(),
        ssh_public_keys=["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43],
    )


def _ports(project: Project, network: Network, instances: list[Instance]) -> None:
    """Make a port with an address for each instance."""
    subnet = network.subnets.get()
    ports, addresses = list[Port](), list[PortAddress]()
    for number, row in enumerate(instances):
        ip, port_id = IPv4Address(subnet.gateway_ip) + 1 + number, new_id()
        own = {"id": port_id, "name": default_name(port_id), "mac": "52:54:00:" + ip.packed[1:].hex(":")}
        ports.append(Port(project=project, network=network, instance_id=row.pk, ip=str(ip), **own))
        addresses.append(PortAddress(port_id=port_id, network=network, subnet=subnet, ip=str(ip)))
    Port.objects.bulk_create(ports)
    PortAddress.objects.bulk_create(addresses)


def _surroundings(project: Project, network: Network, instances: list[Instance]) -> None:
    """Make the other rows of each instance."""
    now = clock.now()
    Binding.objects.bulk_create(Binding(resource_id=row.pk, kind="instance", project=project) for row in instances)
    _ports(project, network, instances)
    uses = {"instances": 1, "vcpus": 1, "memory_mib": 128, "ports": 1, "addresses": 1}
    QuotaUse.objects.bulk_create(
        QuotaUse(project=project, resource_id=row.pk, dimension=dimension, amount=amount)
        for row in instances
        for dimension, amount in uses.items()
    )
    Operation.objects.bulk_create(
        Operation(
            kind="instance.create",
            project=project,
            resource_id=row.pk,
            resource_ids=[row.pk],
            state="succeeded",
            due_at=now,
            deadline_at=now + timedelta(minutes=10),
            finished_at=now,
        )
        for row in instances
    )
    volumes = [
        Volume(
            project=project,
            name=f"data-{row.name}",
            state="in-use",
            size_gib=VOLUME_GIB,
            volume_type_id="local",
            node=row.node,
        )
        for row in instances[::WITH_VOLUME]
    ]
    Volume.objects.bulk_create(volumes)
    Attachment.objects.bulk_create(
        Attachment(instance=row, volume=volume, is_plugged=True)
        for row, volume in zip(instances[::WITH_VOLUME], volumes, strict=True)
    )
