"""Guest agents in the control plane: freezes by a node, each failure with its code, and the state that nodes report."""

import pytest

from agents.node.adapters.fake_guest_agent import Behaviour
from agents.node.adapters.interfaces import Power
from agents.protocol import agent_pb2 as pb
from controlplane.compute.models import Instance
from controlplane.kernel.ids import new_id
from controlplane.nodes import agent_client
from controlplane.nodes.errors import NodeOutdated, NodeRefused
from controlplane.watcher import report_handlers
from tests.agents.released import released_agent
from tests.workflows.helpers import fresh, make_instance
from tests.world import Cloud

pytestmark = pytest.mark.django_db


@pytest.fixture
def instance(cloud: Cloud) -> Instance:
    return make_instance(cloud)


def reported(cloud: Cloud, instance: Instance) -> Instance:
    cloud.machine.report_power()
    return fresh(instance)


def test_guest_is_frozen_and_thawed_by_its_node(cloud: Cloud, instance: Instance) -> None:
    node = cloud.machine.row
    for _ in range(2):
        assert agent_client.freeze_instance(node, instance_id=instance.pk, limit_ms=5000) == 2
    thawed = agent_client.thaw_instance(node, instance_id=instance.pk)
    assert (thawed.file_systems, thawed.was_frozen) == (2, True)
    assert not agent_client.thaw_instance(node, instance_id=instance.pk).was_frozen


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (Behaviour.MISSING, "agent.guest_agent_missing"),
        (Behaviour.SILENT, "agent.guest_agent_silent"),
        (Behaviour.REFUSING, "agent.guest_agent_refused"),
    ],
)
def test_failure_of_a_guest_agent_has_its_code(
    cloud: Cloud, instance: Instance, behaviour: Behaviour, code: str
) -> None:
    cloud.fake.guests[instance.pk].agent.behaviour = behaviour
    with pytest.raises(NodeRefused) as caught:
        agent_client.freeze_instance(cloud.machine.row, instance_id=instance.pk)
    assert caught.value.facts["agent_code"] == code


def test_unknown_guest_is_refused(cloud: Cloud) -> None:
    with pytest.raises(NodeRefused) as caught:
        agent_client.freeze_instance(cloud.machine.row, instance_id=new_id())
    assert caught.value.facts["agent_code"] == "agent.not_found"


def test_agent_of_the_release_before_is_outdated(cloud: Cloud, instance: Instance) -> None:
    node = cloud.machine.row
    with released_agent(cloud.machine, unknown=["FreezeInstance", "ThawInstance"]):
        with pytest.raises(NodeOutdated):
            agent_client.freeze_instance(node, instance_id=instance.pk)
        with pytest.raises(NodeOutdated):
            agent_client.thaw_instance(node, instance_id=instance.pk)


def test_reported_state_of_the_guest_agent_changes_nothing_else(cloud: Cloud, instance: Instance) -> None:
    connected = reported(cloud, instance)
    assert connected.present_guest_agent == "connected"
    cloud.fake.guests[instance.pk].agent.behaviour = Behaviour.MISSING
    missing = reported(cloud, instance)
    assert missing.present_guest_agent == "disconnected"
    assert (missing.power_state, missing.power_state_at) == ("running", connected.power_state_at)
    assert missing.power_reason == connected.power_reason


def test_guest_agent_of_a_stopped_guest_or_an_old_node_is_unknown(cloud: Cloud, instance: Instance) -> None:
    assert reported(cloud, instance).present_guest_agent == "connected"
    old = pb.InstanceState(subject=pb.Subject(id=str(instance.pk), generation=99), power=pb.POWER_RUNNING)
    report_handlers.write(cloud.machine.row.pk, pb.NodeEvent(instance=old))
    assert fresh(instance).guest_agent == "unknown"
    Instance.objects.update(guest_agent="connected", power_state="crashed")
    assert fresh(instance).present_guest_agent == "unknown"
    cloud.fake.guests[instance.pk].power = Power.PAUSED
    assert reported(cloud, instance).guest_agent == "unknown"
