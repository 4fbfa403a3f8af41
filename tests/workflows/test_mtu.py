"""MTU of networks: what nodes get, and the zones whose underlay carries it."""

import pytest
from django.core.management import CommandError, call_command

from controlplane.compute.port_attachments import port_attach
from controlplane.network.errors import MtuNotCarried, MtuTooLarge
from controlplane.network.models import Network, Port
from controlplane.network.ports import NewPort, port_create
from controlplane.network.services import network_create
from controlplane.nodes.models import Node
from controlplane.placement.errors import NoPlace
from tests.workflows.helpers import ask_instance, done, fresh, make_instance
from tests.world import Cloud

ELSEWHERE = "de-fra-1"
JUMBO = 8950


def jumbo_network(cloud: Cloud, mtu: int = JUMBO) -> Network:
    return network_create(
        cloud.tenant.actor, cloud.tenant.project, name="jumbo", cidr="10.9.0.0/24", dns_servers=[], labels={}, mtu=mtu
    )


def carry(node: Node, mtu: int) -> None:
    call_command("set_underlay", node.name, "--mtu", str(mtu))


def test_instances_are_placed_where_the_underlay_carries_their_packets(cloud: Cloud) -> None:
    other = cloud.world.add_machine(ELSEWHERE)
    carry(other.row, JUMBO)
    network = jumbo_network(cloud)
    instance = make_instance(cloud, "one", networks=(cloud.network, network))
    assert instance.node == other.row
    own = port_create(cloud.tenant.actor, NewPort(network, "own"))
    assert make_instance(cloud, "two", networks=(), ports=(own,)).node == other.row
    sent = {port.network.mtu for port in other.fake.ports.values()}
    assert sent == {1500, JUMBO}


def test_least_node_decides_for_its_zone(cloud: Cloud) -> None:
    first, second = cloud.machine.row, cloud.world.add_machine(cloud.machine.row.zone_id).row
    carry(first, JUMBO)
    carry(second, 4000)
    with pytest.raises(MtuNotCarried) as caught:
        jumbo_network(cloud, 4001)
    assert caught.value.facts["largest"] == 4000
    network = jumbo_network(cloud, 4000)
    carry(second, 1500)
    with pytest.raises(NoPlace) as refused:
        ask_instance(cloud, networks=(network,))
    assert f"no packets as large as the MTU of its networks in: {first.zone_id}" in str(refused.value)
    Node.objects.filter(pk=second.pk).update(admin_state="retired")
    assert make_instance(cloud, networks=(network,)).node == first


def test_worker_decides_by_the_underlay_of_its_time(cloud: Cloud) -> None:
    other = cloud.world.add_machine(ELSEWHERE)
    carry(cloud.machine.row, JUMBO)
    instance, operation = ask_instance(cloud, networks=(jumbo_network(cloud),))
    carry(cloud.machine.row, 1500)
    carry(other.row, JUMBO)
    done(operation)
    assert fresh(instance).node == other.row


def test_port_is_not_attached_where_its_packets_are_not_carried(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    carry(cloud.world.add_machine(ELSEWHERE).row, JUMBO)
    port = port_create(cloud.tenant.actor, NewPort(jumbo_network(cloud), "own"))
    with pytest.raises(MtuTooLarge) as caught:
        port_attach(cloud.tenant.actor, port, instance=instance)
    assert caught.value.facts == {"name": "own", "mtu": JUMBO, "zone": instance.node.zone_id, "largest": 1500}
    assert Port.objects.get(pk=port.pk).instance_id is None
    carry(cloud.machine.row, JUMBO)
    done(port_attach(cloud.tenant.actor, port, instance=instance))
    assert cloud.fake.ports[port.pk].network.mtu == JUMBO


@pytest.mark.parametrize("mtu", [1499, 8951])
def test_underlay_has_a_size_that_networks_can_use(cloud: Cloud, mtu: int) -> None:
    with pytest.raises(CommandError):
        call_command("set_underlay", cloud.machine.row.name, "--mtu", str(mtu))
    assert Node.objects.get(pk=cloud.machine.row.pk).max_mtu == 1500
