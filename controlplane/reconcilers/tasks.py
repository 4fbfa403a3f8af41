"""The Celery tasks of the reconcilers; config/settings.py says how often they run."""

from celery import shared_task

from controlplane.reconcilers import capacity_drift as capacity
from controlplane.reconcilers import guest_power as power
from controlplane.reconcilers import image_files as images
from controlplane.reconcilers import node_liveness as liveness
from controlplane.reconcilers import node_removals as removals


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
