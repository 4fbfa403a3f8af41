"""Regions, zones and nodes."""

from __future__ import annotations

from gettext import gettext as _
from typing import Annotated

import typer

from andromede_cli.command import Name, command, group, list_command, show_command
from andromede_cli.output import Column
from andromede_cli.session import Session

NODES = [
    Column(_("name"), "name"),
    Column(_("zone"), "zone"),
    Column(_("state"), "state"),
    Column(_("cordoned"), "is_cordoned"),
    Column(_("vCPUs used"), "inventory.vcpus.used"),
    Column(_("of"), "inventory.vcpus.capacity"),
    Column(_("MiB used"), "inventory.memory_mib.used"),
    Column(_("of"), "inventory.memory_mib.capacity"),
    Column(_("GiB used"), "inventory.disk_gib.used", is_wide=True),
    Column(_("of"), "inventory.disk_gib.capacity", is_wide=True),
    Column(_("agent"), "agent_version", is_wide=True),
    Column(_("heard of"), "last_heartbeat_at", is_wide=True),
    Column("id", "id", is_wide=True),
]
INCIDENTS = [
    Column(_("kind"), "kind"),
    Column(_("name"), "name"),
    Column(_("facts"), "facts"),
    Column(_("seen"), "seen_at"),
    Column(_("ended"), "ended_at"),
]
FlavorOption = Annotated[str, typer.Option("--flavor", help=_("The flavor to count with."))]
RegionOption = Annotated[str | None, typer.Option("--region", help=_("Those in this region."))]
Admissible = Annotated[
    str | None, typer.Option("--admissible-for", help=_("Those that admit data of this classification."))
]


def register(app: typer.Typer) -> None:
    regions = group(_("Regions."))
    columns = [Column("id", "id"), Column(_("name"), "name"), Column(_("kind"), "kind")]
    list_command(regions, _("All regions."), "regions", columns)
    app.add_typer(regions, name="region")
    zones = group(_("Zones: places where nodes fail together."))
    command(zones, "list", _("All zones."))(zone_list)
    show_command(zones, _("A zone, with the facts that are known of it."), "zones", "ZONE")
    command(zones, "capacity", _("How many more instances of a flavor fit in a zone now."))(zone_capacity)
    app.add_typer(zones, name="zone")
    nodes = group(_("Nodes, for operators."))
    list_command(nodes, _("All nodes."), "nodes", NODES, "name", "state", "zone")
    show_command(nodes, _("A node."), "nodes", "NODE")
    command(nodes, "cordon", _("Place nothing more on it."))(node_cordon)
    command(nodes, "uncordon", _("Place things on it again."))(node_uncordon)
    command(nodes, "incidents", _("What is on a node and should not be."))(node_incidents)
    app.add_typer(nodes, name="node")


def zone_list(
    me: Session,
    region: RegionOption = None,
    admissible_for: Admissible = None,
) -> None:
    columns = [Column("id", "id"), Column(_("region"), "region"), Column(_("status"), "status")]
    me.list(me.client.zones.list(region=region, admissible_for=admissible_for), columns)


def zone_capacity(me: Session, name: Name, flavor: FlavorOption) -> None:
    me.show(me.client.zones.capacity(name, flavor=flavor))


def node_cordon(
    me: Session, name: Name, reason: Annotated[str | None, typer.Option(help=_("Why, for other operators."))] = None
) -> None:
    me.show(me.client.nodes.cordon(name, reason=reason))


def node_uncordon(me: Session, name: Name) -> None:
    me.show(me.client.nodes.uncordon(name))


def node_incidents(me: Session, name: Name) -> None:
    me.list(me.client.nodes.incident_list(name), INCIDENTS)
