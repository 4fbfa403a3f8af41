"""Storage clusters of zones."""

from __future__ import annotations

from gettext import gettext as _

import typer

from andromede_cli.columns import ID, NAME
from andromede_cli.command import group
from andromede_cli.declared_commands import (
    call_command,
    delete_command,
    given,
    list_command,
    option,
    rows,
    show_command,
)
from andromede_cli.output import Column

COLUMNS = [
    NAME,
    Column(_("zone"), "zone"),
    Column(_("health"), "health"),
    Column(_("problem"), "problem"),
    Column(_("pools"), "pools.*.name"),
    Column(_("nodes"), "nodes.*.name", is_wide=True),
    Column(_("address"), "address"),
    Column("Ceph", "ceph_version", is_wide=True),
    Column(_("last seen"), "last_seen_at", is_wide=True),
    ID,
]
INCIDENTS = [
    Column(_("kind"), "kind"),
    NAME,
    Column(_("last seen"), "seen_at"),
    Column(_("ended"), "ended_at"),
]


def register(app: typer.Typer) -> None:
    clusters = group(_("Storage clusters: Ceph clusters of zones; for operators."))
    list_command(clusters, _("List storage clusters."), "storage_clusters.list", COLUMNS, "name", "zone")
    help = _("A storage cluster, with the last report of its agent.")
    show_command(clusters, help, "storage_clusters.get", "CLUSTER")
    name = given("name", "NAME")
    zone = option("zone", "--zone", _("Its zone."))
    address = option("address", "--address", _("HOST:PORT of its storage agent."))
    help = _("Add a storage cluster. Its agent is called once it has a certificate.")
    call_command(clusters, "create", help, "storage_clusters.create", name, zone, address)
    question = _("Delete the storage clusters {names}?")
    help = _("Delete storage clusters. Nothing changes in Ceph.")
    delete_command(clusters, help, "storage_clusters.delete", "CLUSTER", question)
    cluster = given("cluster", "CLUSTER", completes="storage_clusters.list")
    help = _("List the incidents of a storage cluster.")
    call_command(clusters, "incidents", help, "storage_clusters.incident_list", cluster, show=rows(INCIDENTS))
    app.add_typer(clusters, name="storage-cluster")
