"""Regions, zones and nodes."""

from __future__ import annotations

from gettext import gettext as _

import typer

from andromede_cli.columns import ID, NAME, STATE
from andromede_cli.command import group
from andromede_cli.commands import drains, fencing, metrics, quarantine, recoveries
from andromede_cli.declared_commands import call_command, filters, given, list_command, option, rows, show_command
from andromede_cli.output import Column

NODES = [
    NAME,
    Column(_("zone"), "zone"),
    Column(_("life"), "life"),
    Column(_("state"), "state", is_wide=True),
    Column(_("duty"), "duty", is_wide=True),
    Column(_("since"), "duty_since", is_wide=True),
    Column(_("vCPUs used"), "inventory.vcpus.used"),
    Column(_("of"), "inventory.vcpus.capacity"),
    Column(_("MiB used"), "inventory.memory_mib.used"),
    Column(_("of"), "inventory.memory_mib.capacity"),
    Column(_("GiB used"), "inventory.disk_gib.used", is_wide=True),
    Column(_("of"), "inventory.disk_gib.capacity", is_wide=True),
    Column(_("agent"), "agent_version", is_wide=True),
    Column(_("last heartbeat"), "last_heartbeat_at", is_wide=True),
    ID,
]
INCIDENTS = [
    Column(_("kind"), "kind"),
    NAME,
    Column(_("facts"), "facts"),
    Column(_("last seen"), "seen_at"),
    Column(_("ended"), "ended_at"),
]
POOLS = [
    NAME,
    Column(_("zone"), "zone"),
    Column(_("engine"), "engine"),
    Column(_("GiB used"), "used_gib"),
    Column(_("of"), "capacity_gib"),
    Column(_("nearly full"), "is_nearly_full", is_wide=True),
    Column(_("in the trash"), "trash_count", is_wide=True),
    Column(_("instances"), "instance_count"),
    Column(_("volumes"), "volume_count"),
    Column(_("nodes without it"), "missing.*.name", is_wide=True),
    Column(_("path"), "path"),
    Column(_("UUID"), "uuid", is_wide=True),
    Column("id", "id"),
]
GUESTS = [
    NAME,
    Column(_("project"), "project.name"),
    STATE,
    Column(_("flavor"), "flavor"),
    Column(_("organization"), "organization.name", is_wide=True),
    ID,
]
KEPT = [
    NAME,
    Column(_("project"), "project.name"),
    STATE,
    Column("GiB", "size_gib"),
    Column(_("node"), "node.name"),
    Column(_("organization"), "organization.name", is_wide=True),
    ID,
]
ZONES = [Column("id", "id"), Column(_("region"), "region"), Column(_("status"), "status")]


def register(app: typer.Typer) -> None:
    regions = group(_("Regions."))
    columns = [Column("id", "id"), NAME, Column(_("kind"), "kind")]
    list_command(regions, _("List regions."), "regions.list", columns)
    app.add_typer(regions, name="region")
    zones = group(_("Zones: places where nodes fail together."))
    admissible = option(
        "admissible_for", "--admissible-for", _("Filter by zones that admit this classification."), default=None
    )
    call_command(zones, "list", _("List zones."), "zones.list", *filters("region"), admissible, show=rows(ZONES))
    show_command(zones, _("Show a zone with its facts."), "zones.get", "ZONE")
    zone = given("zone", "ZONE", completes="zones.list")
    flavor = option("flavor", "--flavor", _("The flavor to count with."))
    help = _("Free capacity of a zone, in instances of a flavor.")
    call_command(zones, "capacity", help, "zones.capacity", zone, flavor)
    app.add_typer(zones, name="zone")
    app.add_typer(_nodes(), name="node")
    incidents = group(_("Incidents of nodes and resources; for operators."))
    columns = [Column(_("node"), "node.name"), *INCIDENTS]
    list_command(incidents, _("List the incidents of all nodes."), "incidents.list", columns, "kind", "state", "zone")
    app.add_typer(incidents, name="incident")
    pools = group(_("Storage pools shared by nodes; for operators."))
    list_command(pools, _("List pools."), "pools.list", POOLS, "name", "zone", "engine")
    show_command(pools, _("A pool, with the nodes that have it and those that should."), "pools.get", "POOL")
    pool = given("pool", "POOL")
    help = _("List the instances with their root disk in a pool, of all projects.")
    call_command(pools, "instances", help, "pools.instance_list", pool, show=rows(GUESTS))
    help = _("List the volumes in a pool, of all projects.")
    call_command(pools, "volumes", help, "pools.volume_list", pool, show=rows(KEPT))
    app.add_typer(pools, name="pool")


def _nodes() -> typer.Typer:
    nodes = group(_("Nodes, for operators."))
    list_command(nodes, _("List nodes."), "nodes.list", NODES, "name", "state", "duty", "zone")
    show_command(nodes, _("A node."), "nodes.get", "NODE")
    node = given("node", "NODE", completes="nodes.list")
    reason = option("reason", "--reason", _("Reason, for other operators."), default=None)
    call_command(nodes, "cordon", _("Cordon a node: no new allocations."), "nodes.cordon", node, reason)
    call_command(nodes, "uncordon", _("Uncordon a node: allow new allocations."), "nodes.uncordon", node)
    help = _("List the incidents of a node.")
    call_command(nodes, "incidents", help, "nodes.incident_list", node, show=rows(INCIDENTS))
    drains.register(nodes)
    fencing.register(nodes)
    recoveries.register(nodes)
    quarantine.register(nodes)
    metrics.register_node(nodes)
    help = _("List the instances on a node, of all projects.")
    call_command(nodes, "instances", help, "nodes.instance_list", node, show=rows(GUESTS))
    return nodes
