"""Networks between nodes: which nodes get which peers, and when."""

from datetime import timedelta
from ipaddress import IPv4Address

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from agents.node.errors import AdapterError
from controlplane.compute.models import Instance
from controlplane.compute.services import instance_delete
from controlplane.kernel import clock, wakeups
from controlplane.network import segments
from controlplane.network.models import Network, Port, PortBinding, Segment, SegmentCopy
from controlplane.network.services import network_create, network_delete
from controlplane.nodes.models import Incident, Node, NodeRemoval
from controlplane.operations.models import Operation
from controlplane.placement.errors import SignerSilent
from controlplane.reconcilers import network_peers, node_removals
from controlplane.signer import segments as signer
from tests.workflows.helpers import ask_instance, done, make_instance
from tests.world import Cloud, FakeMachine, Signer, make_tenant, run, run_next_attempt


@pytest.fixture
def machines(cloud: Cloud) -> list[FakeMachine]:
    """Two nodes of one zone and one of another, each with an underlay address of its own."""
    created = [cloud.machine, cloud.world.add_machine("fr-idf-1"), cloud.world.add_machine("de-fra-1")]
    for number, machine in enumerate(created, start=1):
        Node.objects.filter(pk=machine.row.pk).update(underlay_ip=f"10.0.7.{number}")
        machine.row.refresh_from_db()
    return created


def on(cloud: Cloud, machine: FakeMachine, name: str, **more: object) -> Port:
    """The port of an instance that is made on this machine: the others take nothing new."""
    Node.objects.exclude(pk=machine.row.pk).update(admin_state="cordoned")
    Node.objects.filter(pk=machine.row.pk).update(admin_state="in-service")
    instance = make_instance(cloud, name, **more)
    assert instance.node_id == machine.row.pk
    return Port.objects.get(instance_id=instance.pk)


def peers(machine: FakeMachine, network: Network) -> set[int] | None:
    """The last bytes of their underlay addresses."""
    found = machine.fake.segments.get(network.pk)
    return None if found is None else {int(peer.packed[-1]) for peer in found.peers}


def delete(cloud: Cloud, port: Port) -> Operation:
    return instance_delete(cloud.tenant.actor, Instance.objects.get(pk=port.instance_id))


def test_each_network_has_its_own_vni(cloud: Cloud) -> None:
    other = make_tenant("beta")
    networks = [network_create(other.actor, other.project, name=f"n{n}", cidr="10.10.0.0/24", dns_servers=[], labels={})
                for n in range(3)]  # fmt: skip
    numbers = {network.vni for network in (cloud.network, *networks)}
    assert len(numbers) == 4 and all(65536 <= number < 2**24 for number in numbers)
    assert Network.objects.get(pk=networks[0].pk).vni == networks[0].vni


def test_used_vni_is_skipped_when_the_sequence_wraps(cloud: Cloud) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('network_vni', %s, false)", [cloud.network.vni])
    tenant = make_tenant("beta")
    network = network_create(tenant.actor, tenant.project, name="n", cidr="10.0.0.0/24", dns_servers=[], labels={})
    assert network.vni == cloud.network.vni + 1


def test_second_node_gets_peers_at_once_and_the_first_is_updated(cloud: Cloud, machines: list[FakeMachine]) -> None:
    on(cloud, machines[0], "one")
    assert peers(machines[0], cloud.network) == set()
    on(cloud, machines[1], "two")
    assert peers(machines[1], cloud.network) == {1}
    network_peers.reconcile()
    assert peers(machines[0], cloud.network) == {2}
    spec = machines[0].fake.segments[cloud.network.pk]
    assert (spec.vni, spec.local) == (cloud.network.vni, IPv4Address("10.0.7.1"))
    assert network_peers.reconcile() == 0


def test_peers_are_limited_to_the_zone(cloud: Cloud, machines: list[FakeMachine]) -> None:
    for number, machine in enumerate(machines):
        on(cloud, machine, f"i{number}")
    network_peers.reconcile()
    assert [peers(machine, cloud.network) for machine in machines] == [{2}, {1}, set()]
    assert {segment.zone_id: set(segment.members.values()) for segment in Segment.objects.all()} == {
        "fr-idf-1": {"10.0.7.1", "10.0.7.2"},
        "de-fra-1": {"10.0.7.3"},
    }


def test_networks_have_separate_peers(cloud: Cloud, machines: list[FakeMachine]) -> None:
    actor, project = cloud.tenant.actor, cloud.tenant.project
    other = network_create(actor, project, name="other", cidr="10.10.0.0/24", dns_servers=[], labels={})
    on(cloud, machines[0], "one")
    on(cloud, machines[1], "two", networks=(other,))
    network_peers.reconcile()
    assert (peers(machines[0], cloud.network), peers(machines[1], other)) == (set(), set())
    assert peers(machines[1], cloud.network) is None


def test_a_second_port_on_a_node_changes_nothing(cloud: Cloud, machines: list[FakeMachine]) -> None:
    on(cloud, machines[0], "one")
    on(cloud, machines[0], "two")
    first = Segment.objects.get().version
    on(cloud, machines[0], "three")
    assert Segment.objects.get().version == first


def test_node_leaves_the_segment_with_its_last_port(cloud: Cloud, machines: list[FakeMachine]) -> None:
    port = on(cloud, machines[0], "one")
    on(cloud, machines[1], "two")
    done(delete(cloud, port))
    assert not PortBinding.objects.filter(node=machines[0].row).exists()
    assert signer.sign_all() == 1
    assert network_peers.reconcile() == 1
    assert peers(machines[1], cloud.network) == set()
    assert peers(machines[0], cloud.network) is None


def test_segment_version_continues_after_the_last_port(cloud: Cloud, machines: list[FakeMachine]) -> None:
    done(delete(cloud, on(cloud, machines[0], "one")))
    first = Segment.objects.get().version
    signer.sign_all()
    on(cloud, machines[0], "again")
    assert Segment.objects.get().version >= first + 2
    assert peers(machines[0], cloud.network) == set()


def test_unreachable_peer_delays_no_other_node(cloud: Cloud, machines: list[FakeMachine]) -> None:
    on(cloud, machines[0], "one")
    machines[0].stop_agent()
    on(cloud, machines[1], "two")
    assert peers(machines[1], cloud.network) == {1}
    assert network_peers.reconcile() == 1  # the second one, which says what it has
    machines[0].start_agent()
    assert network_peers.reconcile() == 1
    assert peers(machines[0], cloud.network) == {2}


def test_port_deleted_on_an_unreachable_node_is_no_peer(cloud: Cloud, machines: list[FakeMachine]) -> None:
    port = on(cloud, machines[0], "one")
    on(cloud, machines[1], "two")
    machines[0].become_unreachable()
    done(delete(cloud, port))
    signer.sign_all()
    network_peers.reconcile()
    assert peers(machines[1], cloud.network) == set()
    machines[0].come_back()
    node_removals.reconcile()
    assert not NodeRemoval.objects.exists()
    assert peers(machines[0], cloud.network) is None


def test_failed_port_leaves_no_binding(cloud: Cloud, machines: list[FakeMachine]) -> None:
    _, operation = ask_instance(cloud)
    Node.objects.exclude(pk=machines[0].row.pk).update(admin_state="cordoned")
    machines[0].fake.fail_next("ensure_port", AdapterError("broken", retryable=False))
    assert run(operation).state == "failed"
    assert not PortBinding.objects.exists()
    assert peers(machines[0], cloud.network) is None


def test_port_waits_for_an_unresponsive_signer(
    cloud: Cloud, machines: list[FakeMachine], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, operation = ask_instance(cloud)
    with monkeypatch.context() as patched:
        patched.setattr(segments, "PATIENCE_S", 0.01)
        patched.setattr(wakeups, "current_app", Signer(segments.SIGN, segments.UPDATE_PEERS))
        assert run(operation).state == "running"
    assert run_next_attempt(operation).state == "succeeded"


def test_member_of_the_segment_does_not_wait_for_the_signer(
    cloud: Cloud, machines: list[FakeMachine], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = on(cloud, machines[0], "one")
    segments.record_binding(port, machines[1].row)
    monkeypatch.setattr(wakeups, "current_app", Signer(segments.SIGN, segments.UPDATE_PEERS))
    monkeypatch.setattr(segments, "PATIENCE_S", 0.01)
    assert segments.segment_document(port, machines[0].row)
    with pytest.raises(SignerSilent):
        segments.segment_document(port, machines[1].row)


def test_node_without_an_underlay_address_has_no_peers(cloud: Cloud, machines: list[FakeMachine]) -> None:
    port = on(cloud, machines[0], "one")
    node = machines[1].row
    node.underlay_ip, node.address = None, node.address.replace("127.0.0.1", "localhost")
    node.save(update_fields=["underlay_ip", "address"])
    on(cloud, machines[1], "two")
    network_peers.reconcile()
    assert (peers(machines[0], cloud.network), peers(machines[1], cloud.network)) == (set(), None)
    assert PortBinding.objects.filter(port=port).count() == 1


def test_new_underlay_address_reaches_the_peers(cloud: Cloud, machines: list[FakeMachine]) -> None:
    on(cloud, machines[0], "one")
    on(cloud, machines[1], "two")
    call_command("set_underlay", machines[0].row.name, "10.0.8.1")
    assert signer.sign_all() == 1
    network_peers.reconcile()
    assert machines[0].fake.segments[cloud.network.pk].local == IPv4Address("10.0.8.1")
    assert machines[1].fake.segments[cloud.network.pk].peers == (IPv4Address("10.0.8.1"),)
    call_command("set_underlay", machines[0].row.name)
    assert Node.objects.get(pk=machines[0].row.pk).underlay == "127.0.0.1"
    with pytest.raises(CommandError):
        call_command("set_underlay", machines[0].row.name, "10.0.8.0.1")


def test_segment_signed_by_an_untrusted_key_is_re_signed(cloud: Cloud, machines: list[FakeMachine]) -> None:
    on(cloud, machines[0], "one")
    Segment.objects.update(key_id="signer-of-before")
    assert signer.sign_all() == 1
    assert signer.sign_all() == 0
    assert Segment.objects.get().key_id == cloud.world.signer.id


def test_underlay_problem_is_an_incident_until_repaired(cloud: Cloud, machines: list[FakeMachine]) -> None:
    machines[0].fake.underlay_problem = "eth1 of the underlay has an MTU of 1500, and needs 1550."
    on(cloud, machines[0], "one")
    network_peers.reconcile()
    incident = Incident.objects.get(kind="underlay")
    assert (incident.node, incident.name, incident.ended_at) == (
        machines[0].row,
        machines[0].fake.underlay_problem,
        None,
    )
    machines[0].fake.underlay_problem = ""
    network_peers.reconcile()
    incident.refresh_from_db()
    assert incident.ended_at is not None


def test_a_port_may_be_on_two_nodes_while_its_guest_moves(cloud: Cloud, machines: list[FakeMachine]) -> None:
    port = on(cloud, machines[0], "one")
    segments.record_binding(port, machines[1].row)
    segments.record_binding(port, machines[1].row)
    segments.segment_document(port, machines[1].row)
    assert set(Segment.objects.get().members.values()) == {"10.0.7.1", "10.0.7.2"}
    segments.delete_binding(port.pk, machines[0].row)
    signer.sign_all()
    assert set(Segment.objects.get().members.values()) == {"10.0.7.2"}


def test_signed_segments_are_deleted_with_their_network(cloud: Cloud, machines: list[FakeMachine]) -> None:
    port = on(cloud, machines[0], "one")
    network_peers.reconcile()
    assert SegmentCopy.objects.count() == 1
    done(delete(cloud, port))
    network_delete(cloud.tenant.actor, cloud.network)
    assert not SegmentCopy.objects.exists()
    assert signer.sign_all() == 0


def test_nodes_and_database_agree_after_a_restored_backup(
    cloud: Cloud, machines: list[FakeMachine], monkeypatch: pytest.MonkeyPatch
) -> None:
    on(cloud, machines[0], "one")
    network_peers.reconcile()
    backup = Segment.objects.get()
    on(cloud, machines[1], "two")
    network_peers.reconcile()
    PortBinding.objects.filter(node=machines[1].row).delete()
    for field in ("version", "members", "key_id", "document"):
        Segment.objects.update(**{field: getattr(backup, field)})
    SegmentCopy.objects.all().delete()
    network_peers.reconcile()
    later = clock.now() + timedelta(hours=1)
    with monkeypatch.context() as patched:
        patched.setattr(clock, "now", lambda: later)
        assert signer.sign_all() == 1
    network_peers.reconcile()
    assert peers(machines[0], cloud.network) == set()
