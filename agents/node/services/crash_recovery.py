"""Crash recovery: receipts for actions that were in progress when the agent was killed."""

import logging
from typing import Any
from uuid import UUID

from agents.node.adapters.interfaces import Power
from agents.node.context import Node
from agents.node.errors import AdapterError
from agents.node.services import migration_state, volumes
from agents.node.state_store import Table
from agents.node.trust.receipts import Opening

log = logging.getLogger(__name__)


def write_missing_receipts(node: Node) -> None:
    """Write the missing receipts at the agent's start, before it accepts calls."""
    for intent in node.permits.receipts.intents():
        is_there = _is_there(node, intent)
        log.warning(
            "operation interrupted", extra={"facts": {"kind": intent.kind, "id": intent.id, "is_there": is_there}}
        )
        node.permits.receipts.resolve_intent(intent.kind, intent.id, is_there=is_there)


def _is_there(node: Node, intent: Opening) -> bool:
    """Return whether the resource exists. A guest whose state is unknown counts as running: its end will be noticed."""
    if intent.kind == "image":
        return node.adapters.disks.image_size_bytes(intent.id) is not None
    if intent.kind == "volume":
        return _is_volume_there(node, UUID(intent.id))
    if intent.kind == "arrival":
        return migration_state.expected_guest(node, UUID(intent.id)) is not None
    if intent.kind == "departure":
        return migration_state.is_moving(node, UUID(intent.id))
    if intent.kind == "instance":
        try:
            state = node.adapters.hypervisor.state(UUID(intent.id))
        except AdapterError:
            return True
        return state is not None and state.power in (Power.RUNNING, Power.PAUSED)
    shelves: dict[str, Table[Any]] = {
        "port": node.state_store.ports,
        "volume-copy": node.state_store.copies,
        "volume-departure": node.state_store.copies,
    }
    entry = shelves.get(intent.kind, node.state_store.attachments).get(intent.id)
    return entry is not None and entry.is_wanted


def _is_volume_there(node: Node, volume_id: UUID) -> bool:
    """Return whether the volume exists. A volume in a pool that does not answer counts as existing."""
    try:
        return volumes.has_data(node, volume_id)
    except AdapterError:
        return True
