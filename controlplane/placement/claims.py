"""The write of a claim: the decision with its policies and evidence, and the allocation that rests on it.

A trigger updates the node's free capacity. One statement in one round trip keeps the locks on contended rows short.
"""

from contextlib import nullcontext
from typing import Any
from uuid import UUID

from django.db import connection, models, transaction

from controlplane.nodes.models import Pool
from controlplane.operations import lease_guard
from controlplane.placement.decisions import PlacementRequest, PlacementResult, record_exemption_use, rows
from controlplane.placement.models import Allocation

# With the SHARE lock, a cordon or a lost node either waits for the claim or is visible to it. The allocation's row
# comes last, since its triggers read the decision.
CLAIM = """
WITH node AS (
    SELECT id FROM nodes_node WHERE id = %s AND state = 'ready' AND NOT is_cordoned AND {} FOR SHARE
), policies AS (
    INSERT INTO placement_policydocument (digest, document) SELECT %s, %s FROM node ON CONFLICT DO NOTHING
), decision AS (
    {} FROM node RETURNING id
), evidence AS (
    {} FROM node
)
{} FROM decision
"""


def is_placed(consumer_id: UUID) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM placement_allocation WHERE consumer_id = %s)", [consumer_id])
        return bool(cursor.fetchone()[0])


def insert_claim(request: PlacementRequest, taken: PlacementResult, node_id: UUID) -> Allocation | None:
    """Insert the allocation with its decision.

    Returns None, and writes nothing, when the node takes no new allocations, its zone has no such pool, or another
    worker has the operation by now.

    Raises:
        IntegrityError: the node or the pool has no capacity, or the consumer has an allocation already; nothing was
            written.
        DatabaseError: the decision is stale (decisions.is_stale_error); nothing was written.
    """
    pool_id = pool_at(request, node_id)
    if request.share is not None and pool_id is None:
        return None
    decision, evidence = rows(request, taken)
    allocation = Allocation(
        **fields(request),
        node_id=node_id,
        decision=decision,
        vcpus=request.vcpus,
        memory_mib=request.memory_mib,
        disk_gib=request.disk_gib,
        pool_id=pool_id,
        pool_gib=request.share.gib if request.share else 0,
    )
    lease_holds, lease = lease_guard.lease_condition()
    parameters: list[Any] = [node_id, *lease, taken.demand.digest, taken.demand.text]
    statement = CLAIM.format(lease_holds, *(_insertion(row, parameters) for row in (decision, evidence, allocation)))
    # A single statement is a transaction by itself; inside another transaction its failure must not abort that.
    is_guarded = connection.in_atomic_block or taken.exemption is not None
    with transaction.atomic() if is_guarded else nullcontext(), connection.cursor() as cursor:
        record_exemption_use(request, taken, decision)
        cursor.execute(statement, parameters)
        if cursor.rowcount:
            return allocation
        if is_guarded:
            transaction.set_rollback(True)  # the use of an exemption is rolled back too
        return None


def pool_at(request: PlacementRequest, node_id: UUID) -> UUID | None:
    """Return the pool of the node's zone from which space is taken."""
    if request.share is None:
        return None
    pool_ids = Pool.objects.filter(name=request.share.name, zone__node=node_id).values_list("pk", flat=True)
    return pool_ids.first()


def fields(request: PlacementRequest) -> dict[str, Any]:
    """Return the allocation's columns that name its consumer."""
    return {
        "consumer_id": request.holder,
        "moving_id": request.consumer_id if request.move is not None else None,
        "kind": request.kind,
        "project": request.project,
        "group_id": request.group.group_id if request.group else None,
    }


def _insertion(row: models.Model, parameters: list[Any]) -> str:
    """Build an INSERT … SELECT up to its FROM, which sets the number of rows; the values go to `parameters`."""
    fields = row._meta.concrete_fields
    parameters += [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]
    columns, places = ", ".join(str(field.column) for field in fields), ", ".join(["%s"] * len(fields))
    return f"INSERT INTO {row._meta.db_table} ({columns}) SELECT {places}"
