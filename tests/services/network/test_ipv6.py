"""IPv6 ranges of subnets, and IPv6 addresses of ports."""

from ipaddress import ip_address

import pytest

from controlplane.kernel.errors import CloudError
from controlplane.kernel.ids import new_id
from controlplane.network.addresses import AddressRequest, Family
from controlplane.network.allowed_addresses import AllowedRequest
from controlplane.network.errors import (
    AddressesInUse,
    AddressesMissing,
    AddressNotUsable,
    AddressPoolHasNoSubnets,
    AddressPoolNotFound,
    AddressPoolOutOfSubnets,
    AddressTaken,
    AllowedAddressInvalid,
    Ipv4AddressMissing,
    Ipv6Missing,
    ReservedRangeInvalid,
    SubnetInUse,
    SubnetInvalid,
    SubnetOverlaps,
)
from controlplane.network.ipv6_subnets import NO_IPV6, Ipv6Choice
from controlplane.network.models import AddressPool, Network, Port, PortAddress, Subnet
from controlplane.network.new_subnets import NewSubnet
from controlplane.network.ports import NewPort, PortChange, instance_port_create, port_create, port_delete, port_update
from controlplane.network.selectors import usable_address_pool_get
from controlplane.network.services import network_create
from controlplane.network.subnets import SubnetChange, subnet_create, subnet_delete, subnet_update
from controlplane.quotas.models import QuotaUse
from controlplane.reconcilers import quota_drift
from tests.cases import in_one_cloud
from tests.world import Tenant, make_address_pool, make_tenant

pytestmark = pytest.mark.django_db

LOCAL = "fd00:10::/64"


@pytest.fixture
def tenant() -> Tenant:
    return make_tenant()


@pytest.fixture
def network(tenant: Tenant) -> Network:
    """Return a network with a subnet of both families, and one of IPv4."""
    created = network_of(tenant, "lan", Ipv6Choice(LOCAL))
    subnet_create(tenant.actor, created, NewSubnet("old", "10.1.0.0/24"))
    return created


def network_of(tenant: Tenant, name: str, ipv6: Ipv6Choice) -> Network:
    return network_create(
        tenant.actor, tenant.project, name=name, cidr="10.0.0.0/24", dns_servers=[], labels={}, ipv6=ipv6
    )


def change(tenant: Tenant, network: Network, ipv6: Ipv6Choice, reserved: list[str] | None = None) -> Subnet:
    subnet = network.subnets.select_related("network").get(name="default")
    return subnet_update(
        tenant.actor, subnet, SubnetChange(name="default", labels={}, reserved_ranges=reserved, ipv6=ipv6)
    )


def ask(*addresses: str) -> list[AddressRequest]:
    """Requests by `ip`, by `ipv4` or `ipv6`, by `subnet`, by `subnet/family`, or for any."""
    return [_ask(each, number) for number, each in enumerate(addresses)]


def _ask(text: str, number: int) -> AddressRequest:
    if "." in text or ":" in text:
        return AddressRequest(ip=ip_address(text), number=number)
    subnet, _, family = text.partition("/")
    families: dict[str, Family] = {"ipv4": "ipv4", "ipv6": "ipv6"}
    return AddressRequest(None if subnet == "any" else subnet, number=number, family=families.get(family))


def make(tenant: Tenant, network: Network, *addresses: str, name: str = "own") -> Port:
    return port_create(tenant.actor, NewPort(network, name, ask(*addresses or ("any",))))


def addresses_of(port: Port) -> list[str]:
    return list(PortAddress.objects.filter(port=port).order_by("pk").values_list("ip", flat=True))


def test_port_gets_an_address_of_each_family(tenant: Tenant, network: Network) -> None:
    port = make(tenant, network)
    assert addresses_of(port) == ["10.0.0.2", "fd00:10::2"]
    assert port.ip == "10.0.0.2"
    of_instance = instance_port_create(network, port_id=new_id(), instance_id=new_id())
    assert addresses_of(of_instance) == ["10.0.0.3", "fd00:10::3"]
    port_delete(tenant.actor, port)
    assert addresses_of(make(tenant, network, "any/ipv4", "any/ipv6")) == ["10.0.0.4", "fd00:10::4"]


def test_requested_addresses_are_exactly_the_port_s(tenant: Tenant, network: Network) -> None:
    port = make(tenant, network, "fd00:10::9", "10.0.0.9", "any/ipv6", "old", "any/ipv4")
    assert addresses_of(port) == ["fd00:10::9", "10.0.0.9", "fd00:10::2", "10.1.0.2", "10.0.0.2"]
    assert port.ip == "10.0.0.9"
    assert addresses_of(make(tenant, network, "10.0.0.20", name="other")) == ["10.0.0.20"]


def test_ipv6_addresses_are_free_of_quota(tenant: Tenant, network: Network) -> None:
    port = make(tenant, network, "any", "any/ipv6")
    use = dict(QuotaUse.objects.filter(resource_id=port.pk).values_list("dimension", "amount"))
    assert use == {"ports": 1, "addresses": 1}
    assert quota_drift.reconcile() == []


@in_one_cloud(
    ("addresses", "error", "field"),
    [
        (["any", "fd00:10::"], AddressNotUsable, "addresses/1/ip"),
        (["any", "fd00:10::1"], AddressNotUsable, "addresses/1/ip"),
        (["any", "fd00:10::ffff:ffff:ffff:ff80"], AddressNotUsable, "addresses/1/ip"),
        (["any", "fd00:11::5"], AddressNotUsable, "addresses/1/ip"),
        (["any", "fd00:10::5", "fd00:10::5"], AddressNotUsable, "addresses/2/ip"),
        (["fd00:10::5"], Ipv4AddressMissing, "addresses"),
        (["any/ipv6"], Ipv4AddressMissing, "addresses"),
        (["any", "old/ipv6"], Ipv6Missing, "addresses/1/family"),
        (["any"] * 17, AddressesMissing, "addresses"),
    ],
)
def test_impossible_address_is_refused(
    tenant: Tenant, network: Network, addresses: list[str], error: type[CloudError], field: str
) -> None:
    with pytest.raises(error) as caught:
        make(tenant, network, *addresses)
    assert caught.value.field == field
    assert not Port.objects.exists()


def test_taken_address_is_refused(tenant: Tenant, network: Network) -> None:
    make(tenant, network, "any", "fd00:10::9")
    with pytest.raises(AddressTaken):
        make(tenant, network, "any", "fd00:10::9", name="other")


def test_last_address_is_followed_by_the_lowest_free_one(tenant: Tenant, network: Network) -> None:
    make(tenant, network, "10.0.0.9", "fd00:10::ffff:ffff:ffff:ff7f")
    assert addresses_of(make(tenant, network, "any/ipv4", "any/ipv6", name="other"))[1] == "fd00:10::2"


def test_free_port_gets_ipv6_by_a_change_and_an_attached_one_keeps_its_addresses(tenant: Tenant) -> None:
    lan = network_of(tenant, "later", NO_IPV6)
    port = make(tenant, lan)
    attached = instance_port_create(lan, port_id=new_id(), instance_id=new_id())
    assert addresses_of(port) == ["10.0.0.2"]
    change(tenant, lan, Ipv6Choice(LOCAL))
    assert addresses_of(port) == ["10.0.0.2"]
    both = PortChange(port.name, {}, addresses=ask("10.0.0.2", "any/ipv6"))
    changed = port_update(tenant.actor, port, both)
    assert (changed.ip, addresses_of(port)) == ("10.0.0.2", ["10.0.0.2", "fd00:10::2"])
    with pytest.raises(AddressesInUse):
        port_update(tenant.actor, attached, PortChange(attached.name, {}, addresses=ask("10.0.0.9", "any/ipv6")))
    port_update(tenant.actor, port, PortChange(port.name, {}, addresses=ask("10.0.0.2")))
    assert addresses_of(port) == ["10.0.0.2"]


@pytest.mark.parametrize(
    "cidr",
    [
        "2001:db8::/64",
        "fc00::/64",
        "fe80::/64",
        "fd00::/48",
        "fd00::1/64",
        "fd00::/65",
        "10.2.0.0/24",
        "x",
    ],
)
def test_chosen_range_is_a_unique_local_64(tenant: Tenant, network: Network, cidr: str) -> None:
    with pytest.raises(SubnetInvalid) as caught:
        change(tenant, network, Ipv6Choice(cidr))
    assert caught.value.field == "ipv6_cidr"


def test_overlapping_range_is_refused_with_the_other_subnet(tenant: Tenant, network: Network) -> None:
    with pytest.raises(SubnetOverlaps) as caught:
        subnet_create(tenant.actor, network, NewSubnet("more", "10.2.0.0/24", ipv6=Ipv6Choice(LOCAL)))
    assert (caught.value.field, caught.value.facts) == (
        "ipv6_cidr",
        {"cidr": LOCAL, "name": "default", "other": LOCAL},
    )
    assert network_of(tenant, "other", Ipv6Choice(LOCAL)).subnets.get().ipv6_cidr == LOCAL


def test_range_is_removed_and_changed_while_no_port_uses_it(tenant: Tenant, network: Network) -> None:
    port = make(tenant, network)
    for other in (NO_IPV6, Ipv6Choice("fd00:20::/64")):
        with pytest.raises(SubnetInUse) as caught:
            change(tenant, network, other)
        assert (caught.value.field, caught.value.facts) == ("ipv6_cidr", {"count": 1, "ports": "own"})
    assert change(tenant, network, Ipv6Choice(LOCAL)).ipv6_cidr == LOCAL, "the same one changes nothing"
    port_update(tenant.actor, port, PortChange("own", {}, addresses=ask("10.0.0.2")))
    assert change(tenant, network, Ipv6Choice("fd00:20::/64")).ipv6_cidr == "fd00:20::/64"
    assert change(tenant, network, NO_IPV6).ipv6_cidr == ""


def test_reserved_ranges_of_both_families_are_removed_with_their_subnet(tenant: Tenant, network: Network) -> None:
    reserved = ["10.0.0.2-10.0.0.4", "fd00:10::2-fd00:10::f"]
    assert change(tenant, network, Ipv6Choice(LOCAL), reserved).reserved_ranges == reserved
    port = make(tenant, network)
    assert addresses_of(port) == ["10.0.0.5", "fd00:10::10"]
    for value in ("fd00:11::2", "fd00:10::9-fd00:10::2", "fd00:10::2-10.0.0.9", "fd00:10::2%lo", "fd00:10::/80"):
        with pytest.raises(ReservedRangeInvalid):
            change(tenant, network, Ipv6Choice(LOCAL), [value])
    port_delete(tenant.actor, port)
    assert change(tenant, network, NO_IPV6).reserved_ranges == reserved[:1]


def test_allowed_address_is_no_gateway(tenant: Tenant, network: Network) -> None:
    for cidr in ("fd00:10::1", LOCAL, "fe80::1"):
        with pytest.raises(AllowedAddressInvalid):
            port_create(tenant.actor, NewPort(network, "own", allowed=[AllowedRequest(cidr)]))
    port_create(tenant.actor, NewPort(network, "own", allowed=[AllowedRequest("fd00:10::8/125")]))


def test_pool_gives_its_lowest_free_range(tenant: Tenant) -> None:
    pool = make_address_pool("2001:db8:5::/62", "2001:db8:4::/64", reserved=["2001:db8:5::-2001:db8:5::ffff"])
    created = [network_of(tenant, f"n{number}", Ipv6Choice(pool=pool)).subnets.get() for number in range(4)]
    ranges = ["2001:db8:4::/64", "2001:db8:5:1::/64", "2001:db8:5:2::/64", "2001:db8:5:3::/64"]
    assert [each.ipv6_cidr for each in created] == ranges
    with pytest.raises(AddressPoolOutOfSubnets) as caught:
        network_of(tenant, "n4", Ipv6Choice(pool=pool))
    assert (caught.value.field, caught.value.facts) == ("ipv6_pool", {"name": "public"})
    assert change(tenant, created[2].network, Ipv6Choice(pool=pool)).ipv6_cidr == ranges[2], "it has one of this pool"
    subnet_delete(tenant.actor, created[2])
    assert network_of(tenant, "n4", Ipv6Choice(pool=pool)).subnets.get().ipv6_cidr == ranges[2]


def test_pool_of_single_addresses_or_of_another_organization_is_refused(tenant: Tenant) -> None:
    single = make_address_pool("2001:db8::/64", name="single", purpose="addresses")
    with pytest.raises(AddressPoolHasNoSubnets):
        network_of(tenant, "lan", Ipv6Choice(pool=single))
    other = make_tenant("beta")
    theirs = make_address_pool("2001:db8:9::/48", name="theirs", organization=other.project.organization)
    with pytest.raises(AddressPoolNotFound):
        usable_address_pool_get(tenant.actor, tenant.project, "theirs")
    assert usable_address_pool_get(other.actor, other.project, "theirs") == theirs
    assert AddressPool.objects.count() == 2
