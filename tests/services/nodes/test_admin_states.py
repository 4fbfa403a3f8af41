"""Admin states of a node: required roles, preconditions, and effects on guests."""

import pytest

from controlplane.audit.models import AuditEntry
from controlplane.compute.errors import NodeNotEmpty
from controlplane.compute.services import instance_power_off, instance_start
from controlplane.events.models import Event
from controlplane.identity.actor import SYSTEM
from controlplane.identity.errors import RoleNeeded
from controlplane.kernel import clock
from controlplane.kernel.errors import IllegalTransition
from controlplane.node_lifecycle.drain.drains import node_maintain
from controlplane.nodes import selectors, trust_documents
from controlplane.nodes.admin_state import admin_state_change, mark_fenced, node_retire, node_return
from controlplane.nodes.display_state import DISPLAY_STATES, display_state
from controlplane.nodes.errors import (
    HeartbeatMissing,
    NodeNotFenceable,
    NodeNotFound,
    NodeNotRetirable,
    NodeOutOfService,
    NodeWrongAdminState,
)
from controlplane.nodes.models import ADMIN_STATE, NODE, Node, NodeRemoval
from controlplane.nodes.services import node_cordon, node_uncordon, record_removal
from controlplane.placement.errors import NoPlace
from controlplane.placement.fleet_cache import FLEET
from controlplane.signer import revoke_retired
from controlplane.watcher.streams import nodes_to_watch
from tests.workflows.helpers import done, fresh, make_instance, make_stopped_instance, run_next_attempt
from tests.world import Cloud


def with_admin_state(node: Node, admin_state: str) -> Node:
    """Move the node to the admin state along the allowed transitions."""
    for step in {"maintenance": ["maintenance"], "draining": ["draining"]}.get(admin_state, [admin_state]):
        admin_state_change(SYSTEM, node, step, verb="node.maintain", reason="test")
    return node


def test_display_state_combines_state_and_admin_state() -> None:
    assert [display_state(state, "in-service") for state in NODE.moves] == list(NODE.moves)
    assert [display_state("ready", admin_state) for admin_state in ADMIN_STATE.moves] == [
        "ready",
        *list(ADMIN_STATE.moves)[1:],
    ]
    assert display_state("unreachable", "draining") == "unreachable"
    assert display_state("unreachable", "cordoned") == "unreachable"
    assert display_state("unreachable", "maintenance") == "maintenance", "it may be switched off"
    assert display_state("ready", "fenced") == "fenced", "being heard is no return"
    assert {display_state(state, admin_state) for state in NODE.moves for admin_state in ADMIN_STATE.moves} == set(
        DISPLAY_STATES
    )


def test_cordon_sets_the_admin_state_and_stops_placement(cloud: Cloud) -> None:
    node = cloud.machine.row
    node_cordon(SYSTEM, node, reason="fan")
    assert (fresh(node).admin_state, fresh(node).is_cordoned, fresh(node).admin_state_reason) == (
        "cordoned",
        True,
        "fan",
    )
    since = fresh(node).admin_state_since
    node_cordon(SYSTEM, node, reason="both fans")
    assert (fresh(node).admin_state_since, fresh(node).admin_state_reason) == (since, "both fans")
    with pytest.raises(NoPlace):
        make_instance(cloud)
    node_uncordon(SYSTEM, node)
    assert (fresh(node).admin_state, fresh(node).is_cordoned, fresh(node).admin_state_reason) == (
        "in-service",
        False,
        "",
    )
    make_instance(cloud)


@pytest.mark.parametrize("admin_state", ["draining", "maintenance"])
def test_uncordon_refuses_stronger_admin_states(cloud: Cloud, admin_state: str) -> None:
    node = with_admin_state(cloud.machine.row, admin_state)
    for change in (lambda: node_cordon(SYSTEM, node, reason=""), lambda: node_uncordon(SYSTEM, node)):
        with pytest.raises(NodeWrongAdminState) as caught:
            change()
        assert caught.value.facts["duty"] == admin_state
    assert fresh(node).is_cordoned


def test_admin_state_changes_only_along_its_table(cloud: Cloud) -> None:
    node = with_admin_state(cloud.machine.row, "draining")
    with pytest.raises(IllegalTransition):
        admin_state_change(SYSTEM, node, "in-service", verb="node.return")


def test_maintenance_needs_a_node_on_which_nothing_runs(cloud: Cloud) -> None:
    node, instance = cloud.machine.row, make_instance(cloud)
    with pytest.raises(NodeNotEmpty) as caught:
        node_maintain(SYSTEM, node, reason="")
    assert (caught.value.facts["count"], caught.value.facts["names"]) == (1, "web")
    assert fresh(node).admin_state == "in-service"
    done(instance_power_off(cloud.tenant.actor, instance))
    node_maintain(SYSTEM, node, reason="memory")
    assert (fresh(node).admin_state, fresh(node).admin_state_reason) == ("maintenance", "memory")


def test_node_in_maintenance_refuses_starts_and_allows_deletions(cloud: Cloud) -> None:
    instance = make_stopped_instance(cloud)
    accepted = instance_start(cloud.tenant.actor, instance)
    node_maintain(SYSTEM, cloud.machine.row, reason="")
    assert run_next_attempt(accepted).state == "failed", "not even what was accepted before"
    assert accepted.error is not None
    assert accepted.error["code"] == "node.away"
    with pytest.raises(NodeOutOfService):
        instance_start(cloud.tenant.actor, fresh(instance))
    assert "node-1" not in str(NodeOutOfService(duty="maintenance")), "which node it is, tenants do not learn"
    node_return(SYSTEM, cloud.machine.row)
    done(instance_start(cloud.tenant.actor, fresh(instance)))


def test_node_returns_on_request_and_with_a_heartbeat_only(cloud: Cloud) -> None:
    node = cloud.machine.row
    node_maintain(SYSTEM, node, reason="memory")
    cloud.machine.become_unreachable()
    assert display_state(fresh(node).state, fresh(node).admin_state) == "maintenance"
    with pytest.raises(HeartbeatMissing):
        node_return(SYSTEM, node)
    cloud.machine.come_back()
    cloud.machine.heartbeat()
    assert (fresh(node).state, fresh(node).admin_state) == ("ready", "maintenance"), "however long it is heard"
    node_return(SYSTEM, node)
    assert (fresh(node).admin_state, fresh(node).admin_state_reason) == ("in-service", "")
    with pytest.raises(NodeWrongAdminState):
        node_return(SYSTEM, node)


def test_lost_and_restored_hook_does_not_end_a_drain(cloud: Cloud) -> None:
    node = with_admin_state(cloud.machine.row, "draining")
    Node.objects.filter(pk=node.pk).update(
        admin_state_reason="libvirt would start guests on it without asking its agent"
    )
    cloud.machine.heartbeat()
    assert fresh(node).admin_state == "draining"


# ---- retired


def test_only_an_empty_node_is_retired(cloud: Cloud) -> None:
    make_stopped_instance(cloud)
    with pytest.raises(NodeNotRetirable):
        node_retire(SYSTEM, cloud.machine.row, reason="sold")
    assert fresh(cloud.machine.row).admin_state == "in-service"


def test_retired_node_leaves_the_fleet_and_keeps_its_history(cloud: Cloud) -> None:
    node = cloud.world.add_machine("fr-idf-1").row
    record_removal(node, kind="volume", resource_id=node.pk, generation=1)
    assert str(node.pk) in FLEET.current().positions
    node_retire(SYSTEM, node, reason="sold")
    assert str(node.pk) not in FLEET.current().positions
    assert not NodeRemoval.objects.filter(node=node).exists()
    assert (node.pk, node.address) not in nodes_to_watch()
    assert selectors.node_get(SYSTEM, str(node.pk)).admin_state == "retired"
    assert selectors.node_get(SYSTEM, node.name).pk == node.pk
    assert revoke_retired.deny_all() == 1
    assert trust_documents.deny_list().nodes == {str(node.pk)}
    assert revoke_retired.deny_all() == 0
    with pytest.raises(NodeWrongAdminState):
        node_retire(SYSTEM, node, reason="again")


def test_the_name_of_a_retired_node_is_free(cloud: Cloud) -> None:
    old = cloud.world.add_machine("fr-idf-1", name="rack-7").row
    node_retire(SYSTEM, old, reason="sold")
    Node.objects.create(
        name="rack-7", zone=old.zone, address="x:1", certificate_sha256="", certificate_expires_at=clock.now()
    )
    assert selectors.node_get(SYSTEM, "rack-7").pk != old.pk


# ---- fenced


def test_node_is_fenced_with_evidence_and_while_unreachable_only(cloud: Cloud) -> None:
    node = cloud.machine.row
    with pytest.raises(NodeNotFenceable):
        mark_fenced(SYSTEM, node, proof={"power": "off"})
    cloud.machine.become_unreachable()
    with pytest.raises(NodeNotFenceable):
        mark_fenced(SYSTEM, node, proof={})
    mark_fenced(SYSTEM, node, proof={"power": "off"})
    assert (fresh(node).admin_state, fresh(node).fenced_by) == ("fenced", {"power": "off"})
    cloud.machine.come_back()
    assert display_state(fresh(node).state, fresh(node).admin_state) == "fenced"
    with pytest.raises(NodeWrongAdminState):
        node_return(SYSTEM, node)
    node_maintain(SYSTEM, node, reason="looked at")
    node_return(SYSTEM, node)


def test_admin_states_need_an_operator_and_are_audited(cloud: Cloud) -> None:
    node, tenant = cloud.machine.row, cloud.tenant.actor
    for change in (
        lambda actor: node_maintain(actor, node, reason="memory"),
        lambda actor: node_return(actor, node),
        lambda actor: node_retire(actor, node, reason="sold"),
    ):
        with pytest.raises(RoleNeeded):
            change(tenant)
        change(SYSTEM)
    with pytest.raises(RoleNeeded):
        mark_fenced(tenant, node, proof={"power": "off"})
    verbs = AuditEntry.objects.filter(resource_id=node.pk).order_by("pk").values_list("verb", flat=True)
    assert [verb for verb in verbs if verb != "node.enrol" and not verb.startswith("trust")] == [
        "node.maintain",
        "node.return",
        "node.retire",
    ]
    kinds = set(Event.objects.filter(resource_id=node.pk).values_list("kind", flat=True))
    assert {"node.maintenance", "node.returned", "node.retired"} <= kinds


def test_unknown_node_is_not_found(cloud: Cloud) -> None:
    with pytest.raises(NodeNotFound):
        selectors.node_get(SYSTEM, "nowhere")
