"""Networks and the addresses on them."""

from uuid import UUID

import pytest
from django.db import IntegrityError, transaction

from agents.node.rpc.decoding import MAC
from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.kernel.errors import StateConflict
from controlplane.kernel.ids import new_id
from controlplane.kernel.names import InvalidName
from controlplane.network.errors import (
    AddressesExhausted,
    NetworkInUse,
    NetworkNameTaken,
    NetworkNotFound,
    SubnetInvalid,
)
from controlplane.network.models import Network, Port, PortAddress
from controlplane.network.ports import instance_port_create as port_create
from controlplane.network.ports import ports_release
from controlplane.network.selectors import network_get, networks
from controlplane.network.services import network_create, network_delete, network_update
from controlplane.quotas.errors import QuotaExceeded
from controlplane.quotas.models import Quota, QuotaUse
from tests.cases import in_one_cloud
from tests.world import Tenant, make_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Tenant:
    return make_tenant()


def make(tenant: Tenant, cidr: str = "10.0.0.0/24", name: str = "lan") -> Network:
    return network_create(tenant.actor, tenant.project, name=name, cidr=cidr, dns_servers=["9.9.9.9"], labels={})


def plug(network: Network) -> str:
    return port_create(network, port_id=new_id(), instance_id=new_id()).ip


def test_gateway_has_the_first_address(tenant: Tenant) -> None:
    network = make(tenant)
    subnet = network.subnets.get()
    assert (subnet.name, subnet.gateway_ip, subnet.dns_servers) == ("default", "10.0.0.1", ["9.9.9.9"])
    assert [plug(network) for _ in range(3)] == ["10.0.0.2", "10.0.0.3", "10.0.0.4"]


def test_released_addresses_are_reused_at_the_end_of_the_range(tenant: Tenant) -> None:
    network = make(tenant, "10.0.0.0/28")
    for _ in range(5):
        plug(network)
    for ip in ("10.0.0.2", "10.0.0.4", "10.0.0.5"):
        Port.objects.get(network=network, ip=ip).delete()
    fresh = [f"10.0.0.{n}" for n in range(7, 15)]
    assert [plug(network) for _ in range(11)] == [*fresh, "10.0.0.2", "10.0.0.4", "10.0.0.5"]
    with pytest.raises(AddressesExhausted):
        plug(network)


def test_a_small_network_is_used_to_its_last_address(tenant: Tenant) -> None:
    network = make(tenant, "192.168.7.8/29")
    assert [plug(network) for _ in range(5)] == [f"192.168.7.{n}" for n in range(10, 15)]
    with pytest.raises(AddressesExhausted) as caught:
        plug(network)
    assert caught.value.facts == {"cidr": "192.168.7.8/29"}
    Port.objects.get(ip="192.168.7.14").delete()
    assert plug(network) == "192.168.7.14"


def test_networks_have_independent_addresses(tenant: Tenant) -> None:
    one, other = make(tenant, name="one"), make(tenant, name="other")
    assert plug(one) == plug(other) == "10.0.0.2"


def test_addresses_continue_across_a_byte_boundary(tenant: Tenant) -> None:
    network = make(tenant, "10.0.0.0/23")
    Port.objects.bulk_create(
        Port(network=network, instance_id=new_id(), ip=f"10.0.0.{n}", mac=f"52:54:00:00:00:{n:02x}")
        for n in range(2, 256)
    )
    assert plug(network) == "10.0.1.0"


def test_macs_are_local_unicast_and_differ_in_networks_that_overlap(tenant: Tenant) -> None:
    """The cards of one guest too: it finds the configuration of each by its MAC."""
    networks = [make(tenant, cidr, name=f"net-{cidr[:2]}") for cidr in ("10.20.0.0/24", "172.20.0.0/24")]
    networks.append(make(tenant, "10.20.0.0/24", name="same"))
    guest = new_id()
    ports = [port_create(network, port_id=new_id(), instance_id=guest) for network in networks for _ in range(5)]
    assert len({port.mac for port in ports}) == 15
    assert {int(port.mac[:2], 16) & 0b11 for port in ports} == {0b10}
    assert all(MAC.fullmatch(port.mac) for port in ports), "as agents want them"


def test_two_ports_never_have_the_same_mac(tenant: Tenant) -> None:
    one, other = make(tenant, name="one"), make(tenant, name="other")
    first = new_id()
    twin = UUID(int=first.int ^ 1 << 100)  # the same random bits at another time
    port_create(one, port_id=first, instance_id=new_id())
    with pytest.raises(StateConflict), transaction.atomic():
        port_create(other, port_id=twin, instance_id=new_id())
    assert Port.objects.count() == 1


def test_old_ports_may_have_equal_macs_in_two_networks(tenant: Tenant) -> None:
    for name in ("one", "other"):
        network = make(tenant, name=name)
        Port.objects.create(network=network, instance_id=new_id(), ip="10.0.0.9", mac="52:54:00:00:00:09")
    assert Port.objects.count() == 2


def test_a_port_of_the_previous_release_gets_what_it_does_not_write(tenant: Tenant) -> None:
    network, instance_id = make(tenant), new_id()
    for ip in ("10.0.0.9", "10.0.0.10"):
        Port.objects.create(
            network=network, instance_id=instance_id, ip=ip, mac=f"52:54:00:00:00:{ip[-2:]}".replace(".", "0")
        )
    first, second = Port.objects.order_by("pk")
    assert (first.project, first.name, first.is_own) == (tenant.project, f"port-{str(first.pk)[-12:]}", False)
    address = PortAddress.objects.get(port=first)
    assert (address.ip, address.network, address.subnet) == ("10.0.0.9", network, network.subnets.get())
    assert QuotaUse.objects.get(resource_id=instance_id, dimension="ports").amount == 2
    Port.objects.filter(pk=second.pk)._raw_delete(using="default")
    assert list(PortAddress.objects.all()) == [address], "the database deletes them with their port"


def test_ports_of_an_instance_are_deleted_together(tenant: Tenant) -> None:
    network, instance_id = make(tenant), new_id()
    mine = [port_create(network, port_id=new_id(), instance_id=instance_id) for _ in range(2)]
    plug(network)
    assert list(Port.objects.filter(instance_id=instance_id).order_by("id")) == mine
    ports_release(instance_id)
    ports_release(instance_id)
    assert Port.objects.count() == 1


@in_one_cloud(
    "cidr",
    [
        "",
        "lan",
        "10.0.0.0",
        "10.0.0.1/24",
        "10.0.0.0/30",
        "10.0.0.0/7",
        "8.8.8.0/24",
        "127.0.0.0/24",
        "fd00::/64",
        "\n",
    ],
)
def test_a_range_that_cannot_be_used_is_refused(tenant: Tenant, cidr: str) -> None:
    with pytest.raises(SubnetInvalid) as caught:
        make(tenant, cidr)
    assert caught.value.field == "cidr"
    assert not Network.objects.exists()


def test_names_are_unique_in_a_project_only(tenant: Tenant) -> None:
    network = make(tenant)
    make(make_tenant("beta"))
    with pytest.raises(NetworkNameTaken):
        make(tenant)
    with pytest.raises(InvalidName):
        make(tenant, name="<lan>")
    other = make(tenant, name="other")
    with pytest.raises(NetworkNameTaken):
        network_update(tenant.actor, other, name="lan", labels={})
    assert network_update(tenant.actor, network, name="lan2", labels={"a": "b"}).labels == {"a": "b"}


def test_another_projects_network_is_not_found(tenant: Tenant) -> None:
    network, other = make(tenant), make_tenant("beta")
    for ref in (str(network.pk), "lan"):
        assert network_get(tenant.actor, tenant.project, ref) == network
        with pytest.raises(NetworkNotFound):
            network_get(other.actor, other.project, ref)
    assert not networks(other.actor, other.project).exists()


def test_deletion_of_a_network_in_use_names_its_ports(tenant: Tenant) -> None:
    network = make(tenant)
    port = port_create(network, port_id=new_id(), instance_id=new_id())
    with pytest.raises(NetworkInUse) as caught:
        network_delete(tenant.actor, network)
    assert caught.value.facts == {"count": 1, "ports": port.name}
    assert port.instance_id is not None
    ports_release(port.instance_id)
    network_delete(tenant.actor, network)
    assert not QuotaUse.objects.exists()


def test_change_of_a_deleted_network_is_refused(tenant: Tenant) -> None:
    network, same = make(tenant), Network.objects.get()
    network_delete(tenant.actor, network)
    for change in (lambda: network_delete(tenant.actor, same), lambda: plug(same)):
        with pytest.raises(NetworkNotFound):
            change()


def test_network_creation_needs_quota_and_role(tenant: Tenant) -> None:
    Quota.objects.create(project=tenant.project, dimension="networks", limit=1)
    make(tenant)
    with pytest.raises(QuotaExceeded):
        make(tenant, name="other")
    viewer = Actor(user_id=None, credential_id=None, project_id=tenant.project.pk, role="viewer")
    with pytest.raises(RoleNeeded):
        network_delete(viewer, Network.objects.get())


def test_the_database_refuses_an_address_twice(tenant: Tenant) -> None:
    network = make(tenant)
    port = port_create(network, port_id=new_id(), instance_id=new_id())
    with pytest.raises(IntegrityError, match="network_port_ip_taken"), transaction.atomic():
        Port.objects.create(network=network, instance_id=new_id(), ip=port.ip, mac="52:54:00:11:22:33")
