"""Names of the agent's own: volumes and snapshots are named by their ids."""

import struct
from typing import Any
from uuid import UUID

import rbd


def is_id(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False


def is_of_user(snapshot: dict[str, Any]) -> bool:
    """Return whether the snapshot is an ordinary one, and not removed already, waiting for its clones to go."""
    return bool(snapshot["namespace"] == rbd.RBD_SNAP_NAMESPACE_TYPE_USER)


def unprotect(ioctx: Any, image_id: str, snapshot: dict[str, Any]) -> None:
    """Let the snapshot be removed. Clones of format 2 need no protection, but a node can give it to a snapshot.

    librbd's own function for it first looks for clones of format 1, in all pools of the cluster.
    """
    ioctx.execute(f"rbd_header.{image_id}", "rbd", "set_protection_status", struct.pack("<QB", snapshot["id"], 0))
