"""Celery tasks that run a reconciler at once; config/periodic.py has the periodic runs."""

from celery import shared_task

from controlplane.kernel import periodic
from controlplane.reconcilers import announcements as announcers
from controlplane.reconcilers import instance_metadata as metadata
from controlplane.reconcilers import network_peers as peers
from controlplane.reconcilers import orphans as orphan_reconciler
from controlplane.reconcilers import port_rules as rules


@shared_task(name="controlplane.reconcilers.tasks.network_peers")
def network_peers() -> None:
    if not periodic.run_now("network_peers"):
        peers.reconcile()


@shared_task(name="controlplane.reconcilers.tasks.port_rules")
def port_rules() -> None:
    if not periodic.run_now("port_rules"):
        rules.reconcile()


@shared_task(name="controlplane.reconcilers.tasks.instance_metadata")
def instance_metadata() -> None:
    if not periodic.run_now("instance_metadata"):
        metadata.reconcile()


@shared_task(name="controlplane.reconcilers.tasks.announcements")
def announcements() -> None:
    if not periodic.run_now("announcements"):
        announcers.reconcile()


@shared_task(name="controlplane.reconcilers.tasks.orphans")
def orphans() -> None:
    if not periodic.run_now("orphans"):
        orphan_reconciler.reconcile()
