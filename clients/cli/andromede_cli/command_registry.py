"""Registry of commands: each module of `commands` is loaded when one of its commands is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.main import get_group

# In the order of the help.
PARTS = {
    "account": ("login", "logout", "whoami", "profile"),
    "organizations": ("organization", "project", "member", "invitation", "service-account"),
    "tokens": ("token",),
    "security": ("session", "password", "totp", "passkey", "identity", "user", "password-reset"),
    "quotas": ("limits", "quota", "quota-request"),
    "instances": ("instance",),
    "storage": ("volume",),
    "snapshots": ("snapshot",),
    "snapshot_schedules": ("snapshot-schedule",),
    "networks": ("network", "subnet", "port"),
    "security_groups": ("security-group",),
    "public_addresses": ("public-address", "address-pool"),
    "address_sets": ("address-set",),
    "reachability": ("reachability",),
    "images": ("image",),
    "ssh_keys": ("ssh-key",),
    "affinity_groups": ("affinity-group",),
    "flavors": ("flavor", "volume-type"),
    "placement": ("placement",),
    "policies": ("policy", "proposal", "classification"),
    "compliance": ("drift", "plan", "exemption", "evidence"),
    "operations": ("operation", "maintenance"),
    "events": ("event",),
    "webhooks": ("webhook",),
    "audit": ("audit",),
    "announcers": ("announcer",),
    "storage_clusters": ("storage-cluster",),
    "sites": ("region", "zone", "node", "pool", "incident"),
    "catalogue": ("fact", "party", "set", "transparency", "officer-key"),
    "terraform_states": ("terraform-state",),
    "platform": ("health", "problem"),
    "doctor": ("doctor",),
}


class Commands(Mapping[str, Any]):
    """Commands of a Typer group, each made on access. Help accesses all of them."""

    def __init__(self) -> None:
        self._parts = {name: part for part, names in PARTS.items() for name in names}
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made |= load(self._parts[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)


def load(part: str) -> dict[str, Any]:
    """Return the commands of a module by name."""
    app = typer.Typer(rich_markup_mode=None)
    import_module(f"andromede_cli.commands.{part}").register(app)
    return dict(get_group(app).commands)
