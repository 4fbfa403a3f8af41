"""Subnets of a network."""

import pytest
from django.conf import settings

from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.kernel.ids import new_id
from controlplane.network import subnets
from controlplane.network.errors import (
    AddressesExhausted,
    GatewayInvalid,
    NetworkNotFound,
    ReservedRangeInvalid,
    SubnetInUse,
    SubnetInvalid,
    SubnetMissing,
    SubnetNameTaken,
    SubnetNotFound,
    SubnetOverlaps,
    TooManySubnets,
)
from controlplane.network.models import Network, PortAddress, Subnet
from controlplane.network.new_subnets import NewSubnet
from controlplane.network.ports import instance_port_create, ports_release
from controlplane.network.selectors import subnet_get
from controlplane.network.services import network_create, network_delete
from controlplane.network.subnets import SubnetChange, subnet_create, subnet_delete, subnet_update
from tests.cases import in_one_cloud
from tests.world import Tenant, make_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Tenant:
    return make_tenant()


@pytest.fixture
def network(tenant: Tenant) -> Network:
    return network_create(tenant.actor, tenant.project, name="lan", cidr="10.0.0.0/24", dns_servers=[], labels={})


def make(tenant: Tenant, network: Network, cidr: str = "10.1.0.0/24", name: str = "more", **more: object) -> Subnet:
    return subnet_create(tenant.actor, network, NewSubnet(name, cidr, **more))  # type: ignore[arg-type]


def plug(network: Network) -> str:
    port = instance_port_create(network, port_id=new_id(), instance_id=new_id())
    return PortAddress.objects.get(port=port).ip


@in_one_cloud("cidr", ["10.0.0.0/24", "10.0.0.128/25", "10.0.0.0/16", "10.0.0.8/29"])
def test_overlapping_ranges_are_refused_with_the_other_subnet(tenant: Tenant, network: Network, cidr: str) -> None:
    with pytest.raises(SubnetOverlaps) as caught:
        make(tenant, network, cidr)
    assert caught.value.facts == {"cidr": cidr, "name": "default", "other": "10.0.0.0/24"}
    assert caught.value.field == "cidr"


def test_same_range_in_another_network_is_accepted(tenant: Tenant, network: Network) -> None:
    other = network_create(tenant.actor, tenant.project, name="other", cidr=None, dns_servers=[], labels={})
    assert make(tenant, other, "10.0.0.0/24").cidr == "10.0.0.0/24"


@in_one_cloud("gateway", ["10.1.1.1", "10.1.0.0", "10.1.0.255", "9.9.9.9"])
def test_gateway_outside_the_range_is_refused(tenant: Tenant, network: Network, gateway: str) -> None:
    with pytest.raises(GatewayInvalid) as caught:
        make(tenant, network, gateway_ip=gateway)
    assert caught.value.field == "gateway_ip"


@in_one_cloud("value", ["10.1.0.9-10.1.0.2", "10.1.0.9-10.1.1.0", "9.9.9.9", "x", "", "10.1.0.2-x", "10.1.0.0/30"])
def test_reserved_range_outside_the_subnet_is_refused(tenant: Tenant, network: Network, value: str) -> None:
    with pytest.raises(ReservedRangeInvalid) as caught:
        make(tenant, network, reserved_ranges=["10.1.0.2-10.1.0.3", value])
    assert caught.value.field == "reserved_ranges/1"


def test_range_and_name_are_checked(tenant: Tenant, network: Network) -> None:
    with pytest.raises(SubnetInvalid):
        make(tenant, network, "8.8.8.0/24")
    with pytest.raises(SubnetNameTaken):
        make(tenant, network, name="default")
    other = make(tenant, network)
    with pytest.raises(SubnetNameTaken):
        subnet_update(tenant.actor, other, SubnetChange(name="default", labels={}, reserved_ranges=None))


def test_number_of_subnets_is_limited(tenant: Tenant, network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subnets, "SUBNETS_MAX", 2)
    make(tenant, network)
    with pytest.raises(TooManySubnets):
        make(tenant, network, "10.2.0.0/24", "third")


def test_ports_get_addresses_outside_gateway_and_reserved_ranges(tenant: Tenant, network: Network) -> None:
    lan = network_create(tenant.actor, tenant.project, name="small", cidr=None, dns_servers=[], labels={})
    make(tenant, lan, "10.1.0.0/28", gateway_ip="10.1.0.5", reserved_ranges=["10.1.0.2-10.1.0.3", "10.1.0.9-10.1.0.14"])
    assert [plug(lan) for _ in range(5)] == [f"10.1.0.{n}" for n in (1, 4, 6, 7, 8)]
    with pytest.raises(AddressesExhausted):
        plug(lan)


def test_addresses_come_from_the_next_subnet_when_the_first_is_full(tenant: Tenant) -> None:
    lan = network_create(tenant.actor, tenant.project, name="small", cidr="10.0.0.0/29", dns_servers=[], labels={})
    make(tenant, lan)
    assert [plug(lan) for _ in range(6)] == [*(f"10.0.0.{n}" for n in range(2, 7)), "10.1.0.2"]


def test_network_without_a_subnet_gives_no_address(tenant: Tenant) -> None:
    lan = network_create(tenant.actor, tenant.project, name="bare", cidr=None, dns_servers=[], labels={})
    with pytest.raises(SubnetMissing):
        plug(lan)
    network_delete(tenant.actor, lan)
    with pytest.raises(NetworkNotFound):
        plug(lan)
    with pytest.raises(NetworkNotFound):
        make(tenant, lan)


def test_subnet_in_use_is_not_deleted(tenant: Tenant, network: Network) -> None:
    instance_id = new_id()
    port = instance_port_create(network, port_id=new_id(), instance_id=instance_id)
    subnet = network.subnets.get()
    with pytest.raises(SubnetInUse) as caught:
        subnet_delete(tenant.actor, subnet)
    assert caught.value.facts == {"count": 1, "ports": port.name}
    ports_release(instance_id)
    same = subnet_get(tenant.actor, network, "default")
    subnet_delete(tenant.actor, subnet)
    with pytest.raises(SubnetNotFound):
        subnet_delete(tenant.actor, same)
    with pytest.raises(SubnetNotFound):
        subnet_get(tenant.actor, network, "default")


def test_change_of_a_subnet_is_a_new_version(tenant: Tenant, network: Network) -> None:
    subnet = network.subnets.get()
    changed = subnet_update(
        tenant.actor,
        subnet,
        SubnetChange(name="front", labels={"a": "b"}, reserved_ranges=["10.0.0.2", "10.0.0.4-10.0.0.6"]),
    )
    assert (changed.name, changed.labels, changed.generation) == ("front", {"a": "b"}, 2)
    assert changed.reserved_ranges == ["10.0.0.2-10.0.0.2", "10.0.0.4-10.0.0.6"]
    assert [plug(network) for _ in range(2)] == ["10.0.0.3", "10.0.0.7"]


def test_dns_servers_are_replaced_and_stay_without_a_change(tenant: Tenant, network: Network) -> None:
    subnet = network.subnets.get()
    same = {"name": "default", "labels": {}, "reserved_ranges": None}
    assert subnet_update(tenant.actor, subnet, SubnetChange(**same, dns_servers=["9.9.9.9"])).dns_servers == ["9.9.9.9"]  # type: ignore[arg-type]
    assert subnet_update(tenant.actor, subnet, SubnetChange(**same)).dns_servers == ["9.9.9.9"]  # type: ignore[arg-type]
    assert (
        subnet_update(tenant.actor, subnet, SubnetChange(**same, dns_servers=[])).dns_servers
        == settings.DEFAULT_DNS_SERVERS
    )  # type: ignore[arg-type]


def test_viewers_change_no_subnet(tenant: Tenant, network: Network) -> None:
    viewer = Actor(user_id=None, credential_id=None, project_id=tenant.project.pk, role="viewer")
    with pytest.raises(RoleNeeded):
        subnet_create(viewer, network, NewSubnet("more", "10.1.0.0/24"))
    with pytest.raises(RoleNeeded):
        subnet_delete(viewer, network.subnets.get())
