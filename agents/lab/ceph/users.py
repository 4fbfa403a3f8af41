"""Users of a cluster, besides its administrator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agents.lab.ceph.cluster import CephCluster


def ensure_user(cluster: CephCluster, name: str, capabilities: Sequence[str], keyring: Path) -> None:
    """Make the user `client.NAME`, give it these capabilities, and write its keyring. `capabilities`: kind, what it
    may do there, kind, …

    Raises:
        LabError: the monitor refused.
    """
    entity = f"client.{name}"
    (made,) = cluster.command("auth get-or-create", entity=entity)
    cluster.command("auth caps", entity=entity, caps=list(capabilities))
    keyring.touch(mode=0o600)
    keyring.write_text(f"[{entity}]\nkey = {made['key']}\n")
