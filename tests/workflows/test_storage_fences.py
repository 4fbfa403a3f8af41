"""A dead node's addresses are fenced in the storage clusters before a disk there is opened elsewhere."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from agents.storage.errors import ClusterSilent
from controlplane.audit.models import AuditEntry, EvidenceRecord
from controlplane.compute.errors import InstanceNotEvacuable
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.node_lifecycle.fencing import storage_fences
from controlplane.node_lifecycle.fencing.fencing import latest_evidence
from controlplane.node_lifecycle.fencing.storage_fences import LASTS
from controlplane.node_lifecycle.recovery.evacuation import instance_evacuate
from controlplane.nodes.admin_state import admin_state_change
from controlplane.nodes.models import FenceEvidence, Node
from controlplane.nodes.storage_addresses import known_to_storage
from controlplane.reconcilers import node_removals
from controlplane.storage_clusters.models import NodeFence, StorageCluster
from tests.storage_agent import FakeStorageAgent
from tests.workflows.helpers import die_with_guests, fresh
from tests.workflows.shared_pool import Shared
from tests.world import follow, run

ADDRESSES = ["10.0.8.2", "2001:db8::2"]
SECONDS = int(LASTS.total_seconds())


@pytest.fixture
def shared(shared: Shared) -> Shared:
    """Nodes of a test share 127.0.0.1; the one that dies reaches the cluster from addresses of its own."""
    call_command("set_storage_addresses", "other", *ADDRESSES)
    return shared


def fence(shared: Shared) -> NodeFence:
    return NodeFence.objects.get(node=shared.other.row)


def unfenced(agent: FakeStorageAgent) -> list[str]:
    rows = agent.row.incidents.filter(kind="node-not-fenced", ended_at=None)
    return list(rows.values_list("name", flat=True))


def bring_back(shared: Shared) -> None:
    shared.other.come_back()
    admin_state_change(SYSTEM, fresh(shared.other.row), "maintenance", verb="node.maintenance")


def test_addresses_are_fenced_before_a_disk_is_opened_elsewhere(shared: Shared, agent: FakeStorageAgent) -> None:
    instance = shared.instance(host="other")
    die_with_guests(shared.other)
    del agent.calls[:]
    assert follow(instance_evacuate(SYSTEM, fresh(instance))).state == "succeeded"
    assert agent.calls == ["fence-node", "fence", "ensure", "open"], "volumes are fenced one by one too"
    assert agent.fenced == dict.fromkeys(ADDRESSES, SECONDS)
    evidence = FenceEvidence.objects.get(kind="storage")
    assert (evidence.node, evidence.detail["addresses"]) == (shared.other.row, ADDRESSES)
    assert latest_evidence(shared.other.row) != evidence, "by itself it fences no node"
    assert EvidenceRecord.objects.filter(document__contains="node-fenced-in-storage").count() == 1
    assert AuditEntry.objects.filter(verb="node.fence-storage").count() == 1


def test_fenced_node_is_fenced_once_and_renewed(shared: Shared, agent: FakeStorageAgent) -> None:
    die_with_guests(shared.other)
    assert storage_fences.reconcile() == 1
    assert storage_fences.reconcile() == 0
    assert agent.calls.count("fence-node") == 1
    NodeFence.objects.update(expires_at=clock.now() + LASTS / 3)
    assert storage_fences.reconcile() == 1
    assert fence(shared).expires_at - clock.now() > LASTS - timedelta(days=1)  # type: ignore[operator]
    assert FenceEvidence.objects.filter(kind="storage").count() == 1
    instance = shared.instance(host=shared.here.row.name)
    assert agent.calls.count("fence-node") == 2 and instance.state == "active"


def test_node_that_is_back_has_its_addresses_when_its_guests_are_removed(
    shared: Shared, agent: FakeStorageAgent
) -> None:
    instance = shared.instance(host="other")
    die_with_guests(shared.other)
    follow(instance_evacuate(SYSTEM, fresh(instance)))
    bring_back(shared)
    storage_fences.reconcile()
    assert agent.fenced, "its former guest may still run there"
    node_removals.reconcile()
    assert storage_fences.reconcile() == 1
    assert (agent.fenced, NodeFence.objects.count()) == ({}, 0)
    assert storage_fences.reconcile() == 0


def test_node_that_is_fenced_once_more_is_fenced_anew(shared: Shared, agent: FakeStorageAgent) -> None:
    die_with_guests(shared.other)
    storage_fences.reconcile()
    admin_state_change(SYSTEM, fresh(shared.other.row), "maintenance", verb="node.maintenance")
    storage_fences.reconcile()
    assert agent.fenced, "its heartbeats do not arrive"
    Node.objects.filter(pk=shared.other.row.pk).update(admin_state="fenced", admin_state_since=clock.now())
    storage_fences.reconcile()
    assert agent.calls.count("fence-node") == 2
    assert FenceEvidence.objects.filter(kind="storage").count() == 2


def test_silent_cluster_lets_no_instance_start_elsewhere(shared: Shared, agent: FakeStorageAgent) -> None:
    instance = shared.instance(host="other")
    die_with_guests(shared.other)
    agent.failures["fence-node"] = ClusterSilent("The cluster does not answer.")
    operation = run(instance_evacuate(SYSTEM, fresh(instance)))
    assert (operation.state, operation.steps[-1]["name"]) == ("running", "fence-storage")
    assert instance.pk not in shared.here.fake.guests
    StorageCluster.objects.update(problem="silent")
    assert follow(operation).state == "failed", "it holds up no other evacuation"
    with pytest.raises(InstanceNotEvacuable, match="does not answer"):
        instance_evacuate(SYSTEM, fresh(instance))
    StorageCluster.objects.update(problem="")
    agent.failures.clear()
    assert follow(instance_evacuate(SYSTEM, fresh(instance))).state == "succeeded"


def test_fence_that_is_made_lets_instances_go_while_the_cluster_is_unheard(
    shared: Shared, agent: FakeStorageAgent
) -> None:
    instance = shared.instance(host="other")
    die_with_guests(shared.other)
    storage_fences.reconcile()
    StorageCluster.objects.update(problem="silent")
    assert follow(instance_evacuate(SYSTEM, fresh(instance))).state == "succeeded"


def test_fence_whose_answer_is_lost_is_taken_away(shared: Shared, agent: FakeStorageAgent) -> None:
    """The row is there before the cluster is asked: the fence is never forgotten."""
    die_with_guests(shared.other)
    agent.loses_answers = True
    assert storage_fences.reconcile() == 0
    assert agent.fenced and fence(shared).fenced_at is None
    bring_back(shared)
    for _ in range(2):
        storage_fences.reconcile()
    assert (agent.fenced, NodeFence.objects.count()) == ({}, 0)


def test_address_of_the_agent_is_an_incident_and_no_obstacle(shared: Shared, agent: FakeStorageAgent) -> None:
    instance = shared.instance(host="other")
    agent.own_address = ADDRESSES[0]
    die_with_guests(shared.other)
    assert follow(instance_evacuate(SYSTEM, fresh(instance))).state == "succeeded"
    assert (agent.fenced, fence(shared).problem) == ({}, "agent-address")
    assert agent.keys[instance.root_id] == {shared.here.row.pk}
    assert unfenced(agent) == ["other"]
    assert not FenceEvidence.objects.filter(kind="storage").exists()
    asked = agent.calls.count("fence-node")
    storage_fences.reconcile()
    assert agent.calls.count("fence-node") == asked
    call_command("set_storage_addresses", "other", ADDRESSES[1])
    storage_fences.reconcile()
    assert (list(agent.fenced), unfenced(agent)) == ([ADDRESSES[1]], [])


def test_address_of_another_node_is_not_fenced(shared: Shared, agent: FakeStorageAgent) -> None:
    call_command("set_storage_addresses", shared.here.row.name, ADDRESSES[0])
    die_with_guests(shared.other)
    storage_fences.reconcile()
    assert (list(agent.fenced), fence(shared).problem) == ([ADDRESSES[1]], "shared-address")
    assert unfenced(agent) == ["other"]
    call_command("set_storage_addresses", shared.here.row.name)
    storage_fences.reconcile()
    assert (sorted(agent.fenced), unfenced(agent)) == (ADDRESSES, [])


def test_address_that_another_node_gets_is_given_back(shared: Shared, agent: FakeStorageAgent) -> None:
    die_with_guests(shared.other)
    storage_fences.reconcile()
    call_command("set_storage_addresses", "alone", ADDRESSES[0])
    storage_fences.reconcile()
    assert list(agent.fenced) == [ADDRESSES[1]]


def test_address_that_another_fenced_node_gets_stays_fenced(shared: Shared, agent: FakeStorageAgent) -> None:
    die_with_guests(shared.other)
    storage_fences.reconcile()
    call_command("set_storage_addresses", "other", ADDRESSES[1])
    call_command("set_storage_addresses", "alone", ADDRESSES[0])
    die_with_guests(shared.alone)
    for _ in range(2):
        storage_fences.reconcile()
        assert sorted(agent.fenced) == ADDRESSES
    NodeFence.objects.filter(node=shared.other.row).update(addresses=ADDRESSES)  # as before its change
    bring_back(shared)
    storage_fences.reconcile()
    assert list(agent.fenced) == [ADDRESSES[0]]


def test_addresses_of_nodes_are_read_once_in_a_run(
    shared: Shared, agent: FakeStorageAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    for machine in (shared.other, shared.alone):
        die_with_guests(machine)
    read, owners = [], storage_fences.owners_of_addresses
    monkeypatch.setattr(storage_fences, "owners_of_addresses", lambda: read.append(1) or owners())
    storage_fences.reconcile()
    assert (len(read), NodeFence.objects.count()) == (1, 2)


def test_machine_that_replaces_a_retired_one_reaches_the_cluster(shared: Shared, agent: FakeStorageAgent) -> None:
    die_with_guests(shared.other)
    storage_fences.reconcile()
    Node.objects.filter(pk=shared.other.row.pk).update(admin_state="retired")
    assert storage_fences.reconcile() == 0 and agent.fenced
    call_command("set_storage_addresses", "alone", ADDRESSES[0])
    assert storage_fences.reconcile() == 1
    assert (agent.fenced, NodeFence.objects.count()) == ({}, 0)


def test_addresses_are_those_of_the_agent_and_the_underlay_unless_set(shared: Shared) -> None:
    node = Node(address="10.0.0.7:7443", underlay_ip="10.1.7.7")
    assert known_to_storage(node) == ["10.0.0.7", "10.1.7.7"]
    assert known_to_storage(Node(address="[2001:db8::7]:7443")) == ["2001:db8::7"]
    assert known_to_storage(Node(address="node-7.example:7443")) == []
    assert known_to_storage(Node(address="10.0.0.7:7443", storage_addresses=["10.2.0.7"])) == ["10.2.0.7"]
    for wrong in ("10.0.0.0/24", "node-7", "0.0.0.0", "ff02::1"):
        with pytest.raises(CommandError):
            call_command("set_storage_addresses", "other", wrong)
    assert fresh(shared.other.row).storage_addresses == ADDRESSES
