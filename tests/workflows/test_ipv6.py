"""IPv6 addresses on their way to nodes, and the zone that those of a pool are routed to."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest

from agents.node import cloud_init
from andromede_core.documents.signed import read
from andromede_core.permits import network_ports
from controlplane.compute.models import Instance
from controlplane.compute.port_attachments import port_attach
from controlplane.network.addresses import AddressRequest
from controlplane.network.errors import PortRoutedElsewhere
from controlplane.network.ipv6_subnets import Ipv6Choice
from controlplane.network.models import Network, Port, PortAddress, PortRulesDocument, Subnet
from controlplane.network.ports import NewPort, port_create
from controlplane.network.services import network_create
from controlplane.network.subnets import NewSubnet, subnet_create
from controlplane.placement.errors import NoPlace
from tests.workflows.helpers import ask_instance, done, fresh, make_instance
from tests.world import Cloud, make_address_pool

ELSEWHERE = "de-fra-1"


def network_of(cloud: Cloud, ipv6: Ipv6Choice, name: str = "dual") -> Network:
    return network_create(
        cloud.tenant.actor,
        cloud.tenant.project,
        name=name,
        cidr="10.20.0.0/24",
        dns_servers=["9.9.9.9", "2620:fe::9"],
        labels={},
        ipv6=ipv6,
    )


def routed_to(cloud: Cloud, zone: str) -> Network:
    return network_of(cloud, Ipv6Choice(pool=make_address_pool("2001:db8::/48", zone=zone)))


def own_port(cloud: Cloud, network: Network) -> Port:
    return port_create(cloud.tenant.actor, NewPort(network, "own"))


def test_guest_gets_both_families(cloud: Cloud) -> None:
    instance = make_instance(cloud, networks=(network_of(cloud, Ipv6Choice("fd00:20::/64")),))
    row = Port.objects.get(instance_id=instance.pk)
    port = cloud.fake.ports[row.pk]
    assert port.addresses == (IPv4Address("10.20.0.2"), IPv6Address("fd00:20::2"))
    assert [(str(each.cidr), str(each.gateway_ip)) for each in port.network.subnets] == [
        ("10.20.0.0/24", "10.20.0.1"),
        ("fd00:20::/64", "fd00:20::1"),
    ]
    listed = network_ports.parse(read(bytes(PortRulesDocument.objects.get(network=row.network).document)).payload)
    assert listed.ports[str(row.pk)].addresses == port.addresses
    (card,) = cloud_init.network_config([port])["ethernets"].values()  # type: ignore[attr-defined]
    assert card["addresses"] == ["10.20.0.2/24", "fd00:20::2/64"]
    assert [route["via"] for route in card["routes"]] == ["10.20.0.1", "fd00:20::1"]
    assert card["nameservers"]["addresses"] == ["9.9.9.9", "2620:fe::9"]


def test_range_that_is_added_later_reaches_the_node_with_the_next_port(cloud: Cloud) -> None:
    first = make_instance(cloud)
    subnet_create(cloud.tenant.actor, cloud.network, NewSubnet("more", "10.30.0.0/24", ipv6=Ipv6Choice("fd00:30::/64")))
    make_instance(cloud, "second")
    port = cloud.fake.ports[Port.objects.get(instance_id=first.pk).pk]
    assert ip_network("fd00:30::/64") in [each.cidr for each in port.network.subnets]


def test_instance_is_placed_where_its_addresses_are_routed(cloud: Cloud) -> None:
    other = cloud.world.add_machine(ELSEWHERE)
    network = routed_to(cloud, ELSEWHERE)
    assert make_instance(cloud, "one", networks=(network,)).node == other.row
    instance = make_instance(cloud, "two", networks=(), ports=(own_port(cloud, network),))
    assert instance.node == other.row
    assert PortAddress.objects.get(port__instance_id=instance.pk, ip__contains=":").ip == "2001:db8::3"


def test_where_no_node_is_in_that_zone_the_refusal_says_so(cloud: Cloud) -> None:
    network = routed_to(cloud, ELSEWHERE)
    for more in ({"networks": (network,)}, {"networks": (), "ports": (own_port(cloud, network),)}):
        with pytest.raises(NoPlace) as caught:
            ask_instance(cloud, **more)
        assert "routed to another zone than: fr-idf-1" in str(caught.value)
    both = (network, network_of(cloud, Ipv6Choice(pool=make_address_pool("2001:db8:9::/48", name="here")), "here"))
    with pytest.raises(NoPlace):
        ask_instance(cloud, networks=both)
    assert not Instance.objects.exists()


def test_worker_decides_by_the_addresses_that_the_ports_have(cloud: Cloud) -> None:
    """The request was checked before the subnet had its range."""
    other, pool = cloud.world.add_machine(ELSEWHERE), make_address_pool("2001:db8::/48", zone=ELSEWHERE)
    instance, operation = ask_instance(cloud)
    subnet = cloud.network.subnets.get()
    Subnet.objects.update(ipv6_cidr="2001:db8::/64", ipv6_pool=pool)
    port = Port.objects.get(instance_id=instance.pk)
    PortAddress.objects.create(port=port, network=cloud.network, subnet=subnet, ip="2001:db8::9")
    done(operation)
    assert fresh(instance).node == other.row


def test_port_of_another_zone_is_not_attached(cloud: Cloud) -> None:
    instance, port = make_instance(cloud), own_port(cloud, routed_to(cloud, ELSEWHERE))
    with pytest.raises(PortRoutedElsewhere) as caught:
        port_attach(cloud.tenant.actor, port, instance=instance)
    assert (caught.value.facts["zone"], caught.value.facts["other"]) == (ELSEWHERE, "fr-idf-1")
    assert fresh(port).instance_id is None


def test_range_of_a_pool_is_not_sent_to_other_zones(cloud: Cloud) -> None:
    network = routed_to(cloud, ELSEWHERE)
    subnet_create(cloud.tenant.actor, network, NewSubnet("local", "10.30.0.0/24", ipv6=Ipv6Choice("fd00:30::/64")))
    only_ipv4 = port_create(cloud.tenant.actor, NewPort(network, "own", [AddressRequest(family="ipv4")]))
    make_instance(cloud, networks=(), ports=(only_ipv4,))
    sent = {str(each.cidr) for each in cloud.fake.ports[only_ipv4.pk].network.subnets}
    assert sent == {"10.20.0.0/24", "10.30.0.0/24", "fd00:30::/64"}
