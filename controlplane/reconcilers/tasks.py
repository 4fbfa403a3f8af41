"""The Celery tasks of the reconcilers; config/settings.py says how often they run."""

from celery import shared_task

from controlplane.audit import retention as contents
from controlplane.reconcilers import audit as trail
from controlplane.reconcilers import capacity_drift as capacity
from controlplane.reconcilers import drift as places
from controlplane.reconcilers import evidence_log as evidence
from controlplane.reconcilers import guest_power as power
from controlplane.reconcilers import idempotency_records as answers
from controlplane.reconcilers import image_files as images
from controlplane.reconcilers import node_liveness as liveness
from controlplane.reconcilers import node_removals as removals
from controlplane.reconcilers import policy_proposals as proposals
from controlplane.reconcilers import quota_drift as quotas


@shared_task(name="controlplane.reconcilers.tasks.node_liveness")
def node_liveness() -> None:
    liveness.reconcile()


@shared_task(name="controlplane.reconcilers.tasks.node_removals")
def node_removals() -> None:
    removals.reconcile()


@shared_task(name="controlplane.reconcilers.tasks.guest_power")
def guest_power() -> None:
    power.reconcile()


@shared_task(name="controlplane.reconcilers.tasks.image_files")
def image_files() -> None:
    images.reconcile()


@shared_task(name="controlplane.reconcilers.tasks.capacity_drift")
def capacity_drift() -> None:
    capacity.reconcile()


@shared_task(name="controlplane.reconcilers.tasks.quota_drift")
def quota_drift() -> None:
    quotas.reconcile()


@shared_task(name="controlplane.reconcilers.tasks.drift")
def drift() -> None:
    places.reconcile()


@shared_task(name="controlplane.reconcilers.tasks.policy_proposals")
def policy_proposals() -> None:
    proposals.reconcile()


@shared_task(name="controlplane.reconcilers.tasks.evidence_sequence")
def evidence_sequence() -> None:
    evidence.sequence()


@shared_task(name="controlplane.reconcilers.tasks.evidence_checkpoint")
def evidence_checkpoint() -> None:
    evidence.checkpoint()


@shared_task(name="controlplane.reconcilers.tasks.audit")
def audit() -> None:
    trail.reconcile()


@shared_task(name="controlplane.reconcilers.tasks.idempotency_records")
def idempotency_records() -> None:
    answers.reconcile()


@shared_task(name="controlplane.reconcilers.tasks.retention")
def retention() -> None:
    contents.erase_old()
