"""A move as its rows see it: what the workflow of a migration leaves behind, without the nodes that carry it out."""

from django.db import transaction

from controlplane.compute.migrate import ask_for_move, migration_of
from controlplane.compute.models import Instance, Migration
from controlplane.kernel import clock
from controlplane.nodes.models import Node
from controlplane.operations import leases
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from tests.workflows.helpers import Broken

TRAIT = "live-migration"


def let_nodes_move_guests() -> None:
    for node in Node.objects.all():
        if TRAIT not in node.traits:
            Node.objects.filter(pk=node.pk).update(traits=[*node.traits, TRAIT])


def move(operation: Operation) -> Operation:
    """It succeeds: the guest is where placement wants it."""
    migration = migration_of(operation)
    place = placement.claim(ask_for_move(migration))
    leased = leases.take_lease(operation.pk)
    assert leased is not None
    with transaction.atomic():
        placement.arrive(migration.instance_id, move=migration.pk)
        Instance.objects.filter(pk=migration.instance_id).update(node=place.node)
        Migration.objects.filter(pk=migration.pk).update(
            state="done", destination=place.node, ended_at=clock.now(), arrived_at=clock.now()
        )
        leases.end(leased, "succeeded")
    operation.refresh_from_db()
    return operation


def fail(operation: Operation) -> Operation:
    """The guest runs on at its source."""
    leased = leases.take_lease(operation.pk)
    assert leased is not None
    error = Broken().as_document()
    leases.checkpoint(leased, state="undoing")
    Migration.objects.filter(operation_id=operation.pk).update(state="failed", ended_at=clock.now(), error=error)
    leases.end(leased, "failed", error=error)
    operation.refresh_from_db()
    return operation
