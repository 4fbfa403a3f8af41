"""IPv6 addresses on their way to nodes, and the zone that those of a pool are routed to."""

from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

import pytest

from agents.node import cloud_init
from andromede_core.documents.signed import read
from andromede_core.permits import network_ports
from controlplane.compute.models import Instance
from controlplane.compute.port_attachments import port_attach, port_change
from controlplane.compute.services import instance_reboot
from controlplane.network.addresses import AddressRequest
from controlplane.network.dhcp_options import DHCP_OPTIONS
from controlplane.network.errors import AddressesInUse, AddressesUnsupported, RoutedElsewhere
from controlplane.network.ipv6_subnets import Ipv6Choice
from controlplane.network.models import Network, Port, PortAddress, PortRulesDocument, Subnet
from controlplane.network.new_subnets import NewSubnet
from controlplane.network.port_rules_content import LISTED_SUBNETS
from controlplane.network.ports import NewPort, PortChange, port_create
from controlplane.network.services import network_create
from controlplane.network.subnets import SubnetChange, subnet_create, subnet_update
from controlplane.nodes.models import Node
from controlplane.operations.errors import Busy
from controlplane.placement.errors import NoPlace
from controlplane.reconcilers import port_rules as reconciler
from controlplane.reconcilers import quota_drift
from controlplane.signer import port_rules as signer
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


def test_change_of_a_subnet_reaches_the_node_and_its_guests(
    cloud: Cloud, django_capture_on_commit_callbacks: Any
) -> None:
    port = Port.objects.get(instance_id=make_instance(cloud).pk)
    subnet = cloud.network.subnets.get()
    with django_capture_on_commit_callbacks(execute=True):
        ipv6 = Ipv6Choice("fd00:7::/64")
        change = SubnetChange(subnet.name, {}, dns_servers=["10.0.0.53"], ipv6=ipv6)
        subnet_update(cloud.tenant.actor, subnet, change)
    reconciler.reconcile()
    found = cloud.fake.ports[port.pk].network.subnets
    assert [(str(each.cidr), list(map(str, each.dns_servers))) for each in found] == [
        (subnet.cidr, ["10.0.0.53"]),
        ("fd00:7::/64", ["10.0.0.53"]),
    ]


@pytest.mark.parametrize("is_own", [True, False])
def test_attached_port_gets_ipv6_and_keeps_what_it_has(
    cloud: Cloud, django_capture_on_commit_callbacks: Any, is_own: bool
) -> None:
    actor = cloud.tenant.actor
    more: dict[str, Any] = {"networks": (), "ports": (own_port(cloud, cloud.network),)} if is_own else {}
    instance = make_instance(cloud, **more)
    port, subnet = Port.objects.get(instance_id=instance.pk), cloud.network.subnets.get()
    subnet_update(actor, subnet, SubnetChange(subnet.name, {}, ipv6=Ipv6Choice("fd00:7::/64")))
    assert port.ip is not None
    kept, added = AddressRequest(ip=IPv4Address(port.ip)), AddressRequest(family="ipv6")
    with django_capture_on_commit_callbacks(execute=True):
        port_change(actor, port, PortChange(port.name, {}, addresses=[kept, added, AddressRequest(family="ipv4")]))
    reconciler.reconcile()
    addresses = cloud.fake.ports[port.pk].addresses
    assert [str(each) for each in addresses] == [port.ip, "fd00:7::2", str(IPv4Address(port.ip) + 1)]
    assert quota_drift.reconcile() == []
    with pytest.raises(AddressesInUse) as caught:
        port_change(actor, port, PortChange(port.name, {}, addresses=[kept]))
    assert "fd00:7::2" in str(caught.value)
    done(instance_reboot(actor, instance))  # the next permit has the addresses
    assert cloud.fake.ports[port.pk].addresses == addresses


def test_attached_port_gets_no_address_that_its_node_cannot_serve(cloud: Cloud) -> None:
    actor, elsewhere = cloud.tenant.actor, Ipv6Choice(pool=make_address_pool("2001:db8::/48", zone=ELSEWHERE))
    port, subnet = Port.objects.get(instance_id=make_instance(cloud).pk), cloud.network.subnets.get()
    subnet_update(actor, subnet, SubnetChange(subnet.name, {}, ipv6=elsewhere))
    assert port.ip is not None
    wanted = [AddressRequest(ip=IPv4Address(port.ip)), AddressRequest(family="ipv6")]
    with pytest.raises(RoutedElsewhere):
        port_change(actor, port, PortChange(port.name, {}, addresses=wanted))
    traits = [trait for trait in cloud.machine.row.traits if trait != LISTED_SUBNETS]
    Node.objects.filter(pk=cloud.machine.row.pk).update(traits=traits)
    with pytest.raises(AddressesUnsupported):
        port_change(actor, port, PortChange(port.name, {}, addresses=wanted))
    assert PortAddress.objects.get(port=port).ip == port.ip


def test_list_for_a_node_of_an_earlier_release_has_no_subnets(cloud: Cloud) -> None:
    make_instance(cloud)
    row = PortRulesDocument.objects.get(network=cloud.network)
    assert "subnets" in read(bytes(row.document)).payload
    traits = [trait for trait in cloud.machine.row.traits if trait != LISTED_SUBNETS]
    Node.objects.filter(pk=cloud.machine.row.pk).update(traits=traits)
    assert signer.sign_all() == 1
    assert "subnets" not in read(bytes(fresh(row).document)).payload


def test_dhcp_options_reach_the_node_and_its_guests(cloud: Cloud, django_capture_on_commit_callbacks: Any) -> None:
    port = Port.objects.get(instance_id=make_instance(cloud).pk)
    subnet = cloud.network.subnets.get()
    ntp, next_hop = ["192.0.2.5", "fd00:7::5"], str(ip_network(subnet.cidr)[4])
    routes = [{"destination": "172.16.9.0/24", "next_hop": next_hop}]
    with django_capture_on_commit_callbacks(execute=True):
        options: dict[str, Any] = {"ntp_servers": ntp, "domain_search": ["a.example"], "static_routes": routes}
        change = SubnetChange(subnet.name, {}, ipv6=Ipv6Choice("fd00:7::/64"), **options)
        subnet_update(cloud.tenant.actor, subnet, change)
    reconciler.reconcile()
    of_ipv4, of_ipv6 = cloud.fake.ports[port.pk].network.subnets
    assert of_ipv4.options.payload() == options
    assert of_ipv6.options.payload() == {"ntp_servers": ntp, "domain_search": ["a.example"]}
    row = PortRulesDocument.objects.get(network=cloud.network)
    traits = [trait for trait in cloud.machine.row.traits if trait != DHCP_OPTIONS]
    Node.objects.filter(pk=cloud.machine.row.pk).update(traits=traits)
    assert signer.sign_all() == 1
    listed = network_ports.parse(read(bytes(fresh(row).document)).payload).subnets
    assert listed is not None and [each.options.payload() for each in listed] == [{}, {}]


def test_busy_instance_gets_no_address(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    port = Port.objects.get(instance_id=instance.pk)
    instance_reboot(cloud.tenant.actor, instance)
    assert port.ip is not None
    wanted = [AddressRequest(ip=IPv4Address(port.ip)), AddressRequest(family="ipv4")]
    with pytest.raises(Busy):
        port_change(cloud.tenant.actor, port, PortChange(port.name, {}, addresses=wanted))


def test_instance_is_placed_where_its_addresses_are_routed(cloud: Cloud) -> None:
    other = cloud.world.add_machine(ELSEWHERE)
    network = routed_to(cloud, ELSEWHERE)
    assert make_instance(cloud, "one", networks=(network,)).node == other.row
    instance = make_instance(cloud, "two", networks=(), ports=(own_port(cloud, network),))
    assert instance.node == other.row
    assert PortAddress.objects.get(port__instance_id=instance.pk, ip__contains=":").ip == "2001:db8::3"


def test_refusal_names_a_zone_without_nodes(cloud: Cloud) -> None:
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
    with pytest.raises(RoutedElsewhere) as caught:
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
