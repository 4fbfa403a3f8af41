"""Ports that are made by themselves."""

from collections.abc import Sequence
from ipaddress import IPv4Address

import pytest

from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.kernel.errors import CloudError
from controlplane.kernel.ids import new_id
from controlplane.network.addresses import AddressRequest
from controlplane.network.allowed_addresses import AllowedRequest
from controlplane.network.errors import (
    AddressesExhausted,
    AddressesInUse,
    AddressesMissing,
    AddressNotUsable,
    AddressTaken,
    AllowedAddressInvalid,
    PortAttached,
    PortNameTaken,
    PortNotFound,
    SubnetNotFound,
)
from controlplane.network.models import Network, Port, PortAddress, PortSecurityGroup, SecurityGroup, SecurityGroupRule
from controlplane.network.new_subnets import NewSubnet
from controlplane.network.ports import (
    NewPort,
    PortChange,
    instance_port_create,
    port_create,
    port_delete,
    port_update,
    ports_release,
)
from controlplane.network.security_groups import DEFAULT_RULES
from controlplane.network.selectors import port_get, ports
from controlplane.network.services import network_create
from controlplane.network.subnets import subnet_create
from controlplane.quotas.errors import QuotaExceeded
from controlplane.quotas.models import Quota, QuotaUse
from controlplane.reconcilers import quota_drift
from tests.cases import in_one_cloud
from tests.world import Tenant, make_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Tenant:
    return make_tenant()


@pytest.fixture
def network(tenant: Tenant) -> Network:
    created = network_create(tenant.actor, tenant.project, name="lan", cidr="10.0.0.0/28", dns_servers=[], labels={})
    reserved = NewSubnet("more", "10.1.0.0/28", gateway_ip="10.1.0.14", reserved_ranges=["10.1.0.1-10.1.0.3"])
    subnet_create(tenant.actor, created, reserved)
    return created


def asked(*addresses: str) -> list[AddressRequest]:
    """Requests by `ip`, by `subnet/`, or for any."""
    return [
        AddressRequest(each.removesuffix("/") if each.endswith("/") else None, _ip(each), number)
        for number, each in enumerate(addresses)
    ]


def _ip(text: str) -> IPv4Address | None:
    return None if text.endswith("/") or text == "any" else IPv4Address(text)


def make(tenant: Tenant, network: Network, *addresses: str, name: str = "own") -> Port:
    return port_create(tenant.actor, NewPort(network, name, asked(*addresses or ("any",))))


def addresses_of(port: Port) -> Sequence[str]:
    return list(PortAddress.objects.filter(port=port).order_by("pk").values_list("ip", flat=True))


def test_first_port_of_a_project_without_default_group_makes_it(tenant: Tenant, network: Network) -> None:
    SecurityGroupRule.objects.all().delete()
    SecurityGroup.objects.all().delete()  # its network is of a release without groups
    first, second = (port_create(tenant.actor, NewPort(network)) for _ in range(2))
    group = SecurityGroup.objects.get(project=tenant.project, is_default=True)
    assert group.rules.count() == len(DEFAULT_RULES)
    pairs = PortSecurityGroup.objects.values_list("port", "group", "is_selected")
    assert set(pairs) == {(port.pk, group.pk, False) for port in (first, second)}


def test_port_gets_the_requested_addresses(tenant: Tenant, network: Network) -> None:
    port = make(tenant, network, "10.0.0.9", "any", "more/", "10.1.0.9", "more/")
    assert addresses_of(port) == ["10.0.0.9", "10.0.0.2", "10.1.0.4", "10.1.0.9", "10.1.0.5"]
    assert (port.project, port.is_own, port.instance_id, port.ip) == (tenant.project, True, None, "10.0.0.9")
    use = dict(QuotaUse.objects.filter(resource_id=port.pk).values_list("dimension", "amount"))
    assert use == {"ports": 1, "addresses": 5}
    assert quota_drift.reconcile() == []
    port_delete(tenant.actor, port)
    assert not QuotaUse.objects.filter(resource_id=port.pk).exists()
    assert not PortAddress.objects.exists()


def test_free_address_is_none_that_is_requested_too(tenant: Tenant, network: Network) -> None:
    assert addresses_of(make(tenant, network, "any", "10.0.0.2")) == ["10.0.0.3", "10.0.0.2"]


def test_port_has_a_name_of_its_id_unless_it_is_given_one(tenant: Tenant, network: Network) -> None:
    port = make(tenant, network, name="")
    assert port.name == f"port-{str(port.pk)[-12:]}"
    assert port_get(tenant.actor, tenant.project, port.name) == port
    make(tenant, network, name="own")
    with pytest.raises(PortNameTaken):
        make(tenant, network, name="own")
    other = make_tenant("beta")
    with pytest.raises(PortNotFound):
        port_get(other.actor, other.project, str(port.pk))
    assert not ports(other.actor, other.project).exists()


@in_one_cloud(
    ("addresses", "error", "field"),
    [
        (["any", "10.0.1.9"], AddressNotUsable, "addresses/1/ip"),
        (["10.0.0.1"], AddressNotUsable, "addresses/0/ip"),
        (["10.0.0.0"], AddressNotUsable, "addresses/0/ip"),
        (["10.0.0.15"], AddressNotUsable, "addresses/0/ip"),
        (["10.1.0.14"], AddressNotUsable, "addresses/0/ip"),
        (["10.1.0.2"], AddressNotUsable, "addresses/0/ip"),
        (["10.0.0.9", "10.0.0.9"], AddressNotUsable, "addresses/1/ip"),
        (["any", "nothing/"], SubnetNotFound, "addresses/1/subnet"),
    ],
)
def test_impossible_address_is_refused(
    tenant: Tenant, network: Network, addresses: list[str], error: type[CloudError], field: str
) -> None:
    with pytest.raises(error) as caught:
        make(tenant, network, *addresses)
    assert caught.value.field == field
    assert not Port.objects.exists()


def test_taken_address_is_refused_with_its_holder(tenant: Tenant, network: Network) -> None:
    make(tenant, network, "10.0.0.9")
    of_instance = instance_port_create(network, port_id=new_id(), instance_id=new_id())
    theirs = (of_instance.ip, "a port of an instance,", of_instance.name)
    for ip, holder, name in (("10.0.0.9", "the port", "own"), theirs):
        with pytest.raises(AddressTaken) as caught:
            make(tenant, network, str(ip), name="other")
        assert (str(caught.value.facts["holder"]), caught.value.facts["name"]) == (holder, name)


def test_number_of_addresses_is_limited(tenant: Tenant, network: Network) -> None:
    for addresses in ([], asked(*["any"] * 33)):
        with pytest.raises(AddressesMissing):
            port_create(tenant.actor, NewPort(network, "own", addresses))
    with pytest.raises(AddressesExhausted):
        make(tenant, network, *["any"] * 32)


def test_ports_and_addresses_need_quota(tenant: Tenant, network: Network) -> None:
    for dimension, limit in (("ports", 1), ("addresses", 2)):
        Quota.objects.create(project=tenant.project, dimension=dimension, limit=limit)
    with pytest.raises(QuotaExceeded):
        make(tenant, network, "any", "any", "any")
    port = make(tenant, network, "any", "any")
    with pytest.raises(QuotaExceeded):
        make(tenant, network, name="other")
    change = PortChange("own", {}, addresses=asked(*addresses_of(port), "any"))
    with pytest.raises(QuotaExceeded):
        port_update(tenant.actor, port, change)
    assert len(addresses_of(port)) == 2


def test_addresses_of_a_free_port_are_replaced(tenant: Tenant, network: Network) -> None:
    port = make(tenant, network, "10.0.0.9", "10.0.0.10")
    change = PortChange("renamed", {"a": "b"}, addresses=asked("10.1.0.9", "10.0.0.10"))
    port = port_update(tenant.actor, port, change)
    assert (port.name, port.labels, port.generation, port.ip) == ("renamed", {"a": "b"}, 2, "10.0.0.10")
    assert addresses_of(port) == ["10.0.0.10", "10.1.0.9"]
    assert quota_drift.reconcile() == []
    with pytest.raises(AddressesMissing):
        port_update(tenant.actor, port, PortChange("renamed", {}, addresses=[]))


def test_attached_port_keeps_its_addresses_and_is_not_deleted(tenant: Tenant, network: Network) -> None:
    port, instance_id = make(tenant, network, "10.0.0.9"), new_id()
    Port.objects.filter(pk=port.pk).update(instance_id=instance_id)
    same = port_update(tenant.actor, port, PortChange("own", {}, addresses=asked("10.0.0.9")))
    assert addresses_of(same) == ["10.0.0.9"]
    with pytest.raises(AddressesInUse):
        port_update(tenant.actor, port, PortChange("own", {}, addresses=asked("10.0.0.10", "any")))
    with pytest.raises(PortAttached):
        port_delete(tenant.actor, port)
    ports_release(instance_id)
    port_delete(tenant.actor, port)
    with pytest.raises(PortNotFound):
        port_delete(tenant.actor, port)


def test_instance_frees_own_ports_and_deletes_the_others(tenant: Tenant, network: Network) -> None:
    own, instance_id = make(tenant, network), new_id()
    Port.objects.filter(pk=own.pk).update(instance_id=instance_id, position=1)
    instance_port_create(network, port_id=new_id(), instance_id=instance_id)
    ports_release(instance_id)
    remaining = Port.objects.get()
    assert (remaining.pk, remaining.instance_id, remaining.position) == (own.pk, None, 0)


def test_allowed_addresses_are_replaced(tenant: Tenant, network: Network) -> None:
    port = make(tenant, network)
    requests = [AllowedRequest("10.0.0.12"), AllowedRequest("10.9.0.0/24", "00:00:5E:00:01:01")]
    port_update(tenant.actor, port, PortChange("own", {}, allowed=requests))
    stored = port.allowed_addresses.order_by("pk").values_list("cidr", "mac")
    assert list(stored) == [("10.0.0.12/32", ""), ("10.9.0.0/24", "00:00:5e:00:01:01")]
    port_update(tenant.actor, port, PortChange("own", {}, allowed=[]))
    assert not port.allowed_addresses.exists()


@in_one_cloud(
    ("cidr", "mac", "field"),
    [
        ("10.0.0.9/24", "", "cidr"),
        ("lan", "", "cidr"),
        ("224.0.0.18", "", "cidr"),
        ("127.0.0.1", "", "cidr"),
        ("169.254.169.254", "", "cidr"),
        ("fe80::1", "", "cidr"),
        ("10.0.0.1", "", "cidr"),
        ("0.0.0.0/0", "", "cidr"),
        ("10.0.0.12", "01:00:5e:00:01:01", "mac"),
        ("10.0.0.12", "x", "mac"),
        ("10.0.0.12", "06:00:00:00:00:01", "mac"),
    ],
)
def test_impossible_allowed_address_is_refused(
    tenant: Tenant, network: Network, cidr: str, mac: str, field: str
) -> None:
    port = make(tenant, network)
    with pytest.raises(AllowedAddressInvalid) as caught:
        port_update(tenant.actor, port, PortChange("own", {}, allowed=[AllowedRequest(cidr, mac)]))
    assert caught.value.field == f"allowed_addresses/0/{field}"


def test_viewers_change_no_port(tenant: Tenant, network: Network) -> None:
    viewer = Actor(user_id=None, credential_id=None, project_id=tenant.project.pk, role="viewer")
    port = make(tenant, network)
    for change in (
        lambda: port_create(viewer, NewPort(network)),
        lambda: port_update(viewer, port, PortChange("own", {})),
        lambda: port_delete(viewer, port),
    ):
        with pytest.raises(RoleNeeded):
            change()
