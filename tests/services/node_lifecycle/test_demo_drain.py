"""Drains in the demo's own topology: fake nodes in its zones."""

from controlplane.identity.actor import SYSTEM
from controlplane.node_lifecycle.drain.drains import drain_plan
from controlplane.nodes.models import Node
from controlplane.placement import policies
from scripts import demo
from tests.workflows.helpers import make_instance, make_volume
from tests.world import Cloud


def test_drain_of_the_demo_node_has_a_target(cloud: Cloud) -> None:
    """With its volume, between the two nodes of its zone, under the demo's policy."""
    zones = list(demo.ZONES.values())
    zones.remove(demo.HOME)  # where the cloud's own node is
    for zone in zones:
        cloud.world.add_machine(zone)
    admitted = [{"id": "eu", "attr": "zone.id", "op": "in", "value": demo.ADMITTED}]
    policies.policy_set(cloud.tenant.actor, project=cloud.tenant.project, clauses=admitted)
    volume = make_volume(cloud, zones=(demo.HOME,))
    web = make_instance(cloud, "web", zones=(demo.HOME,), networks=(cloud.network,), volumes=(volume,))
    assert web.node is not None
    (entry,) = drain_plan(SYSTEM, web.node, fallback="leave").entries
    assert entry.action == "migrate"
    assert entry.target is not None
    other = Node.objects.get(pk=entry.target)
    assert (other.zone_id, other.pk == web.node_id) == (demo.HOME, False)
