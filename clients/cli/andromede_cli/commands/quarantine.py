"""Orphans on nodes and in storage clusters: list them, destroy them, or release them."""

from __future__ import annotations

import sys
from gettext import gettext as _
from typing import Annotated

import typer

from andromede_cli.columns import NAME, STATE
from andromede_cli.command import DRY_RUN, command, group
from andromede_cli.declared_commands import call_command, filters, given, option, rows, show_command
from andromede_cli.error_reports import Misuse
from andromede_cli.output import Column
from andromede_cli.session import Session
from andromede_cli.terminal import print_note

ORPHANS = [
    Column(_("kind"), "kind"),
    Column(_("node"), "node.name"),
    Column(_("storage cluster"), "storage_cluster.name"),
    NAME,
    STATE,
    Column(_("requested"), "wished"),
    Column(_("blocked by"), "problem"),
    Column(_("bytes"), "size_bytes", is_wide=True),
    Column(_("found"), "created_at", is_wide=True),
    Column(_("last seen"), "seen_at", is_wide=True),
    Column("id", "id"),
]
OPEN = option("open", "--open", _("true: what waits for a decision; false: the rest."), default=None)
OrphanId = Annotated[str, typer.Argument(metavar="ORPHAN", show_default=False)]
Typed = Annotated[
    str | None, typer.Option("--name", help=_("Name of the resource, as confirmation; prompted for if absent."))
]
Why = Annotated[str, typer.Option("--reason", help=_("Reason; recorded in the evidence."))]


def register(nodes: typer.Typer) -> None:
    orphans = group(_("Orphaned resources on nodes, in storage clusters or in the database."))
    help = _("List orphans; nothing is deleted before you discard it.")
    of_node = option("node", "--node", _("Filter by node name."), default=None)
    of_cluster = option("storage_cluster", "--storage-cluster", _("Filter by storage cluster name."), default=None)
    more = (*filters("state", "kind", "zone"), of_node, of_cluster, OPEN)
    call_command(orphans, "list", help, "orphans.list", *more, show=rows(ORPHANS))
    show_command(orphans, _("Show an orphan, its observations and obstacles."), "orphans.get", "ORPHAN")
    help = _("Delete an orphan permanently. Its name is typed again; deleted when its node or cluster is reachable.")
    command(orphans, "discard", help, DRY_RUN)(discard)
    reason = option("reason", "--reason", _("Reason, for other operators."))
    help = _("Release an orphan from quarantine. It is kept, without further warnings.")
    call_command(orphans, "release", help, "orphans.release", given("orphan", "ORPHAN"), reason)
    nodes.add_typer(orphans, name="quarantine")


def discard(me: Session, orphan: OrphanId, reason: Why, name: Typed = None) -> None:
    found = me.client.orphans.get(orphan)
    typed = found.name if me.is_dry_run else name or _typed(found.name)
    me.show(me.client.orphans.discard(orphan, name=typed, reason=reason, dry_run=me.is_dry_run))
    if not me.is_dry_run:
        print_note(_("It is deleted when its node or cluster is reachable."))


def _typed(name: str) -> str:
    """Ask for a confirmation by typing. Raises Misuse without a terminal."""
    if not sys.stdin.isatty():
        raise Misuse(_("Standard input is not a terminal. Confirm with --name {name}").format(name=name))
    question = _("This cannot be undone. Type the name to confirm: {name}")
    sys.stderr.write(f"{question.format(name=name)}\n> ")
    sys.stderr.flush()
    return sys.stdin.readline().rstrip("\n")
