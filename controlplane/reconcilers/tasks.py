"""The Celery tasks of the reconcilers; config/settings.py says how often they run. What they find is counted."""

from celery import shared_task
from prometheus_client import Counter

from controlplane.audit import retention as contents
from controlplane.reconcilers import audit as trail
from controlplane.reconcilers import capacity_drift as capacity
from controlplane.reconcilers import drain_returns as returning
from controlplane.reconcilers import drains as leaving
from controlplane.reconcilers import drift as places
from controlplane.reconcilers import evidence_log as evidence
from controlplane.reconcilers import guest_power as power
from controlplane.reconcilers import guest_restart as restarts
from controlplane.reconcilers import idempotency_records as answers
from controlplane.reconcilers import image_files as images
from controlplane.reconcilers import lost_nodes as dead
from controlplane.reconcilers import network_peers as peers
from controlplane.reconcilers import node_liveness as liveness
from controlplane.reconcilers import node_removals as removals
from controlplane.reconcilers import orphans as strays
from controlplane.reconcilers import policy_proposals as proposals
from controlplane.reconcilers import quota_drift as quotas
from controlplane.reconcilers import recoveries as lost

FOUND = Counter("andromede_reconciler_findings_total", "What reconcilers found to do, or to be wrong.", ["reconciler"])


@shared_task(name="controlplane.reconcilers.tasks.node_liveness")
def node_liveness() -> None:
    FOUND.labels("node_liveness").inc(liveness.reconcile())


@shared_task(name="controlplane.reconcilers.tasks.node_removals")
def node_removals() -> None:
    FOUND.labels("node_removals").inc(removals.reconcile())


@shared_task(name="controlplane.reconcilers.tasks.network_peers")
def network_peers() -> None:
    FOUND.labels("network_peers").inc(peers.reconcile())


@shared_task(name="controlplane.reconcilers.tasks.guest_power")
def guest_power() -> None:
    FOUND.labels("guest_power").inc(power.reconcile())


@shared_task(name="controlplane.reconcilers.tasks.guest_restart")
def guest_restart() -> None:
    FOUND.labels("guest_restart").inc(restarts.reconcile())


@shared_task(name="controlplane.reconcilers.tasks.image_files")
def image_files() -> None:
    FOUND.labels("image_files").inc(images.reconcile())


@shared_task(name="controlplane.reconcilers.tasks.capacity_drift")
def capacity_drift() -> None:
    FOUND.labels("capacity_drift").inc(len(capacity.reconcile()))


@shared_task(name="controlplane.reconcilers.tasks.quota_drift")
def quota_drift() -> None:
    FOUND.labels("quota_drift").inc(len(quotas.reconcile()))


@shared_task(name="controlplane.reconcilers.tasks.drift")
def drift() -> None:
    FOUND.labels("drift").inc(places.reconcile())


@shared_task(name="controlplane.reconcilers.tasks.drains")
def drains() -> None:
    FOUND.labels("drains").inc(leaving.reconcile() + returning.reconcile())


@shared_task(name="controlplane.reconcilers.tasks.lost_nodes")
def lost_nodes() -> None:
    FOUND.labels("lost_nodes").inc(dead.reconcile())


@shared_task(name="controlplane.reconcilers.tasks.recoveries")
def recoveries() -> None:
    FOUND.labels("recoveries").inc(lost.reconcile())


@shared_task(name="controlplane.reconcilers.tasks.orphans")
def orphans() -> None:
    FOUND.labels("orphans").inc(strays.reconcile())


@shared_task(name="controlplane.reconcilers.tasks.policy_proposals")
def policy_proposals() -> None:
    FOUND.labels("policy_proposals").inc(proposals.reconcile())


@shared_task(name="controlplane.reconcilers.tasks.evidence_sequence")
def evidence_sequence() -> None:
    evidence.sequence()


@shared_task(name="controlplane.reconcilers.tasks.evidence_checkpoint")
def evidence_checkpoint() -> None:
    evidence.checkpoint()


@shared_task(name="controlplane.reconcilers.tasks.audit")
def audit() -> None:
    FOUND.labels("audit").inc(trail.reconcile())


@shared_task(name="controlplane.reconcilers.tasks.idempotency_records")
def idempotency_records() -> None:
    FOUND.labels("idempotency_records").inc(answers.reconcile())


@shared_task(name="controlplane.reconcilers.tasks.retention")
def retention() -> None:
    contents.erase_old()
