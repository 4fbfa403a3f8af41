"""Commands that connect a user's own computer to an instance."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from controlplane.dashboard.rights import Rights

OPEN_TUNNEL = "instance_tunnel_open"
RUNS = ("running", "paused")


@dataclass(frozen=True)
class Connection:
    """`why_not`: why the instance cannot be reached now; empty if it can."""

    why_not: str
    ssh: str
    ssh_config: str
    tunnel: str


def connection_to(instance: Mapping[str, Any], project: str, rights: Rights) -> Connection:
    """Return the commands, and why they would fail now."""
    target = shlex.join([instance["name"], "--project", project])
    return Connection(
        why_not=_why_not(instance, rights),
        ssh=f"andromede instance ssh {target}",
        ssh_config=f"andromede instance ssh-config {target} >> ~/.ssh/config",
        tunnel=f"andromede instance tunnel {target} --port 80 --listen 127.0.0.1:8080",
    )


def _why_not(instance: Mapping[str, Any], rights: Rights) -> str:
    if refusal := rights.denial_reason(OPEN_TUNNEL):
        return str(refusal)
    if not instance["addresses"]:
        return _("The instance has no network card. Use its console.")
    if instance["power_state"] not in RUNS:
        return _("The guest is not running. Start the instance.")
    return ""
