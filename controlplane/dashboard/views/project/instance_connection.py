"""Commands that connect a user's own computer to an instance."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from controlplane.dashboard.rights import Rights

OPEN_TUNNEL = "instance_tunnel_open"
RUNS = ("running", "paused")


@dataclass(frozen=True)
class Connection:
    """Commands. `why_not`: why no tunnel can be opened now; empty if one can. `public`: by the public address, empty
    without one that is in use."""

    why_not: str
    public: str
    ssh: str
    ssh_config: str
    tunnel: str


def connection_to(
    instance: Mapping[str, Any], public_addresses: Sequence[Mapping[str, Any]], project: str, rights: Rights
) -> Connection:
    """Return the commands, and why they would fail now."""
    target = shlex.join([instance["name"], "--project", project])
    is_public = any(each["state"] == "applied" for each in public_addresses) and instance["power_state"] in RUNS
    return Connection(
        why_not=_why_not(instance, rights),
        public=f"andromede instance ssh {target} --public" if is_public else "",
        ssh=f"andromede instance ssh {target}" + (" --relay" if is_public else ""),
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
