"""Representations of ports beyond their rows, read for many at once; and their allowed actions."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from controlplane.compute.actions import require_instance_state
from controlplane.compute.errors import PortNotAttached
from controlplane.compute.models import Instance
from controlplane.kernel.errors import CloudError
from controlplane.kernel.prepared_queries import preparing_cursor
from controlplane.network.errors import PortAttached
from controlplane.network.models import Port
from controlplane.operations.errors import Busy
from controlplane.operations.models import Operation

ACTIONS = ("attach", "detach", "delete")
# One row for each port; lists are JSON.
PORT_DETAILS_SQL = """
SELECT port.id,
    (SELECT operation_id FROM operations_operationhold WHERE resource_id = port.id),
    (
        SELECT json_build_object('id', instance.id, 'name', instance.name)
        FROM compute_instance AS instance WHERE instance.id = port.instance_id
    ),
    (
        SELECT json_agg(
            json_build_object(
                'subnet', json_build_object('id', subnet.id, 'name', subnet.name), 'ip', host(address.ip)
            ) ORDER BY address.id
        )
        FROM network_portaddress AS address JOIN network_subnet AS subnet ON subnet.id = address.subnet_id
        WHERE address.port_id = port.id
    ),
    (
        SELECT json_agg(json_build_object('cidr', allowed.cidr, 'mac', nullif(allowed.mac, '')) ORDER BY allowed.id)
        FROM network_allowedaddress AS allowed WHERE allowed.port_id = port.id
    ),
    (
        SELECT json_agg(
            json_build_object('id', of_group.id, 'name', of_group.name, 'is_selected', pair.is_selected)
            ORDER BY of_group.name
        )
        FROM (
            SELECT group_id, bool_and(is_selected) AS is_selected
            FROM network_portsecuritygroup WHERE port_id = port.id GROUP BY group_id
        ) AS pair JOIN network_securitygroup AS of_group ON of_group.id = pair.group_id
    )
FROM network_port AS port WHERE port.id = ANY(%s::uuid[])
"""


def port_details(rows: Sequence[Port], *, begun: Operation | None = None) -> dict[str, Any]:
    """Return current operations, instances, addresses, allowed addresses and security groups, by port.

    `begun`: the operation that the request has just begun on the only one of them.
    """
    with preparing_cursor() as cursor:
        cursor.execute(PORT_DETAILS_SQL, [[row.pk for row in rows]])
        records = cursor.fetchall()
    operations = {port_id: operation_id for port_id, operation_id, *_ in records if operation_id is not None}
    return {
        "current_operations": operations if begun is None else {rows[0].pk: begun.pk},
        "instances": {port_id: instance for port_id, _, instance, *_ in records},
        "addresses": {port_id: addresses or [] for port_id, *_, addresses, _, _ in records},
        "allowed_addresses": {port_id: allowed or [] for port_id, *_, allowed, _ in records},
        "security_groups": {port_id: groups or [] for port_id, *_, groups in records},
    }


def allowed(port: Port, held_by: UUID | str | None) -> list[dict[str, Any]]:
    """Return each action with the error that it would give now. `held_by`: the operation that works on the port."""
    operation = None if held_by is None else Operation.objects.only("kind").filter(pk=held_by).first()
    busy = None if operation is None else Busy(kind=operation.kind, blocking_operation=str(operation.pk))
    actions = []
    for name, refusal in zip(ACTIONS, _refusals(port), strict=True):
        problem = busy or refusal
        document = None if problem is None else problem.as_document()
        actions.append({"name": name, "is_allowed": problem is None, "problem": document})
    return actions


def _refusals(port: Port) -> tuple[CloudError | None, CloudError | None, CloudError | None]:
    if port.instance_id is None:
        return None, PortNotAttached(name=port.name), None
    attached = PortAttached(name=port.name)
    instance = Instance.objects.filter(pk=port.instance_id).first()
    return attached, None if instance is None else _wrong_state(instance), attached


def _wrong_state(instance: Instance) -> CloudError | None:
    try:
        require_instance_state(instance, "detach-port")
    except CloudError as exc:
        return exc
    return None
