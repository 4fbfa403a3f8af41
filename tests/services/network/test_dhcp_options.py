"""DHCP options of subnets: what is accepted, and who gets it."""

from typing import Any

import pytest

from controlplane.audit.models import AuditEntry
from controlplane.kernel.ids import new_id
from controlplane.network.dhcp_options import DHCP_OPTIONS
from controlplane.network.errors import DhcpOptionInvalid, DhcpOptionsUnsupported
from controlplane.network.models import PortBinding, Subnet
from controlplane.network.new_subnets import NewSubnet
from controlplane.network.node_needs import node_needs
from controlplane.network.ports import instance_port_create
from controlplane.network.services import network_create
from controlplane.network.subnets import SubnetChange, subnet_create, subnet_update
from controlplane.nodes.models import Node
from tests.cases import in_one_cloud
from tests.world import Cloud, Tenant, make_tenant

pytestmark = pytest.mark.django_db
ROUTE = {"destination": "10.40.0.0/16", "next_hop": "10.0.0.4"}
HOSTILE = [
    "a\n--dhcp-script=/bin/sh",
    "a,b",
    "a b",
    "tag:x",
    "[fd00::1]",
    "a..b",
    ".a",
    "a.",
    "-a",
    "a-",
    "é",
    "a" * 64,
]


@pytest.fixture
def tenant() -> Tenant:
    return make_tenant()


@pytest.fixture
def subnet(tenant: Tenant) -> Subnet:
    network = network_create(tenant.actor, tenant.project, name="lan", cidr="10.0.0.0/24", dns_servers=[], labels={})
    return network.subnets.get()


def change(tenant: Tenant, subnet: Subnet, **options: Any) -> Subnet:
    return subnet_update(tenant.actor, subnet, SubnetChange(subnet.name, subnet.labels, **options))


def test_options_are_set_changed_alone_and_emptied(tenant: Tenant, subnet: Subnet) -> None:
    options: dict[str, Any] = {
        "ntp_servers": ["10.0.0.5", "FD00::5"],
        "domain_search": ["A.Example"],
        "static_routes": [ROUTE],
    }
    made = subnet_create(tenant.actor, subnet.network, NewSubnet("more", "10.1.0.0/24", ntp_servers=["192.0.2.1"]))
    assert (made.ntp_servers, made.domain_search, made.static_routes) == (["192.0.2.1"], [], [])
    change(tenant, subnet, **options)
    subnet.refresh_from_db()
    assert (subnet.ntp_servers, subnet.domain_search) == (["10.0.0.5", "fd00::5"], ["a.example"])
    change(tenant, subnet, domain_search=[])
    subnet.refresh_from_db()
    assert (subnet.domain_search, subnet.static_routes, len(subnet.ntp_servers)) == ([], [ROUTE], 2)
    facts = AuditEntry.objects.filter(verb="subnet.update").order_by("created_at").values_list("facts", flat=True)
    assert [each.get("domain_search") for each in facts] == [["a.example"], []]


def test_options_of_a_first_subnet_are_in_the_audit_log(tenant: Tenant) -> None:
    options: Any = {"ntp_servers": ["FD00::5"], "domain_search": ["A.Example"], "static_routes": [ROUTE]}
    network = network_create(tenant.actor, tenant.project, name="lan", cidr="10.0.0.0/24", labels={}, **options)
    subnet = network.subnets.get()
    assert (subnet.ntp_servers, subnet.domain_search, subnet.static_routes) == (["fd00::5"], ["a.example"], [ROUTE])
    facts = AuditEntry.objects.get(verb="network.create").facts
    assert {name: facts[name] for name in options} == options | {
        "ntp_servers": ["fd00::5"],
        "domain_search": ["a.example"],
    }


@in_one_cloud("name", HOSTILE)
def test_name_that_dnsmasq_could_read_otherwise_is_refused(tenant: Tenant, subnet: Subnet, name: str) -> None:
    with pytest.raises(DhcpOptionInvalid) as caught:
        change(tenant, subnet, domain_search=["a.example", name])
    assert caught.value.field == "domain_search/1"


@in_one_cloud(
    ("options", "field"),
    [
        ({"ntp_servers": ["10.0.0.5"] * 2}, "ntp_servers"),
        ({"ntp_servers": ["10.0.0.5,10.0.0.6"]}, "ntp_servers/0"),
        ({"ntp_servers": ["224.0.1.1"]}, "ntp_servers/0"),
        ({"ntp_servers": ["fe80::1%eth0"]}, "ntp_servers/0"),
        ({"ntp_servers": [f"10.0.0.{number}" for number in range(9)]}, "ntp_servers"),
        ({"domain_search": ["a.example", "A.EXAMPLE"]}, "domain_search"),
        ({"domain_search": [f"{number}{'x' * 40}.example" for number in range(5)]}, "domain_search"),
        ({"static_routes": [ROUTE, ROUTE | {"next_hop": "10.0.0.9"}]}, "static_routes"),
        ({"static_routes": [ROUTE | {"next_hop": "10.0.1.4"}]}, "static_routes/0/next_hop"),
        ({"static_routes": [ROUTE | {"next_hop": "10.0.0.255"}]}, "static_routes/0/next_hop"),
        ({"static_routes": [ROUTE | {"next_hop": "fd00::4"}]}, "static_routes/0/next_hop"),
        ({"static_routes": [ROUTE | {"destination": "10.0.0.128/25"}]}, "static_routes/0/destination"),
        ({"static_routes": [ROUTE | {"destination": "0.0.0.0/0"}]}, "static_routes/0/destination"),
        ({"static_routes": [ROUTE | {"destination": "169.254.169.254/32"}]}, "static_routes/0/destination"),
        ({"static_routes": [ROUTE | {"destination": "fd00::/64"}]}, "static_routes/0/destination"),
        ({"static_routes": [ROUTE | {"destination": "10.40.0.1/16"}]}, "static_routes/0/destination"),
        (
            {"static_routes": [{"destination": f"10.9.{n}.0/24", "next_hop": "10.0.0.4"} for n in range(25)]},
            "static_routes",
        ),
    ],
)
def test_impossible_option_is_refused_with_its_place(
    tenant: Tenant, subnet: Subnet, options: dict[str, Any], field: str
) -> None:
    with pytest.raises(DhcpOptionInvalid) as caught:
        change(tenant, subnet, **options)
    assert caught.value.field == field


def test_range_around_the_subnet_may_be_routed(tenant: Tenant, subnet: Subnet) -> None:
    change(tenant, subnet, static_routes=[ROUTE | {"destination": "10.0.0.0/8"}])


def test_options_need_nodes_that_give_them(cloud: Cloud) -> None:
    network, node = cloud.network, cloud.machine.row
    subnet, tenant = network.subnets.get(), cloud.tenant
    port = instance_port_create(network, port_id=new_id(), instance_id=new_id())
    PortBinding.objects.create(port=port, node=node)
    Node.objects.filter(pk=node.pk).update(traits=[trait for trait in node.traits if trait != DHCP_OPTIONS])
    assert node_needs([network.pk]).traits == frozenset()
    with pytest.raises(DhcpOptionsUnsupported) as caught:
        change(tenant, subnet, domain_search=["a.example"])
    assert caught.value.field == "domain_search"
    change(tenant, subnet, domain_search=[])
    Node.objects.filter(pk=node.pk).update(traits=node.traits)
    change(tenant, subnet, domain_search=["a.example"])
    assert node_needs([network.pk]).traits == {DHCP_OPTIONS}
