"""Node lifecycle: drains, maintenance, and retirement."""

from __future__ import annotations

import time
from collections import Counter
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from andromede_cli.columns import ID, STATE
from andromede_cli.command import DRY_RUN, SURE, WAIT, TimeoutOption, command
from andromede_cli.completion import names
from andromede_cli.declared_commands import call_command, given, list_command, option
from andromede_cli.error_reports import DrainStopped, Interrupted
from andromede_cli.output import Column
from andromede_cli.session import Session
from andromede_cli.terminal import console, harmless, print_note

if TYPE_CHECKING:
    from andromede_sdk.models import Drain, DrainPlan

PLANNED = [
    Column(_("instance"), "instance.name"),
    Column(_("project"), "project.name"),
    Column(_("action"), "action"),
    Column(_("to"), "target.name"),
    Column(_("because"), "reasons.*.detail"),
    Column("id", "instance.id", is_wide=True),
]
STAYS_OFF = "stop-off"  # of those that are shut down: what would not be started again
GUESTS = [
    Column(_("instance"), "instance.name"),
    Column(_("project"), "project.name"),
    STATE,
    Column(_("action"), "action"),
    Column(_("because"), "reasons.*.detail"),
    Column(_("operation"), "operation", is_wide=True),
    Column(_("tries"), "tries", is_wide=True),
    Column("id", "instance.id", is_wide=True),
]
DRAINS = [
    Column(_("node"), "node.name"),
    Column(_("kind"), "kind"),
    STATE,
    Column("%", "progress"),
    Column(_("reason"), "reason"),
    Column(_("begun"), "created_at"),
    Column(_("finished"), "finished_at"),
    ID,
]
LOOK_S = 30
WATCHED_LOOK_S = 1
Node = Annotated[str, typer.Argument(metavar="NODE", show_default=False, autocompletion=names("nodes.list"))]
Fallback = Annotated[
    str, typer.Option("--fallback", help=_("For running guests that cannot be migrated: leave or stop."))
]
AtOnce = Annotated[int | None, typer.Option("--at-once", help=_("Maximum guests at a time."), show_default=False)]
Reason = Annotated[str | None, typer.Option("--reason", help=_("Reason, for other operators."), show_default=False)]

DEADLINE_HELP = _("Timeout of a migration, in seconds.")
Deadline = Annotated[int | None, typer.Option("--deadline", help=DEADLINE_HELP, show_default=False)]
CONVERGENCE_HELP = _("For guests that dirty memory faster than it is sent: auto_converge (throttles them) or none.")
Convergence = Annotated[str | None, typer.Option("--convergence", help=CONVERGENCE_HELP, show_default=False)]


def register(nodes: typer.Typer) -> None:
    help = _("Migrate the guests of a node away for maintenance. The plan is shown first.")
    command(nodes, "drain", help, WAIT, SURE, DRY_RUN)(drain)
    help = _("The drain or recovery of a node that is not over, or its last one, with its guests.")
    command(nodes, "drain-show", help)(show)
    help = _("Wait until a drain or recovery ends or needs an operator, and follow it.")
    command(nodes, "drain-wait", help)(wait)
    help = _("The drains and recoveries of all nodes.")
    list_command(nodes, help, "drains.list", DRAINS, "kind", "state", "zone", name="drains")
    node = given("node", "NODE", completes="nodes.list")
    for name, call, help in (
        ("drain-pause", "nodes.drain_pause", _("Pause a drain; running migrations continue.")),
        ("drain-resume", "nodes.drain_resume", _("Resume a paused drain.")),
        ("drain-cancel", "nodes.drain_cancel", _("Cancel a drain or recovery; a drained node stays cordoned.")),
    ):
        call_command(nodes, name, help, call, node)
    fallback = option("fallback", "--fallback", _("New fallback: leave or stop."), default=None)
    help = _("Plan and retry the guests that were not migrated.")
    call_command(nodes, "drain-retry", help, "nodes.drain_retry", node, fallback)
    reason = option("reason", "--reason", _("Reason, for other operators."), default=None)
    help = _("Put an empty node into maintenance.")
    call_command(nodes, "maintenance", help, "nodes.maintain", node, reason)
    call_command(nodes, "return", _("Return a node to service after maintenance."), "nodes.return_", node)
    why = option("reason", "--reason", _("Reason; recorded in the evidence."))
    help = _("Retire an empty node permanently.")
    question = _("Retire {node}? This cannot be undone: its certificate is revoked permanently.")
    call_command(nodes, "retire", help, "nodes.retire", node, why, question=question)


def drain(
    me: Session,
    node: Node,
    fallback: Fallback = "leave",
    at_once: AtOnce = None,
    reason: Reason = None,
    deadline: Deadline = None,
    convergence: Convergence = None,
) -> None:
    plan = me.client.nodes.drain_plan(node, fallback=fallback)
    if me.is_dry_run:
        _show_plan(me, plan)
        return
    _print_outcome(plan)
    me.confirm(_question(plan))
    begun = me.client.nodes.drain_begin(
        node,
        plan=plan.digest,
        fallback=fallback,
        at_once=at_once,
        reason=reason,
        deadline_s=deadline,
        convergence=convergence,
    )
    if not me.is_waiting:
        print_note(_("The drain has begun: andromede node drain-wait {node}").format(node=node))
        me.show(begun)
        return
    ended(me, watch(me, begun, timeout_s=me.timeout_s))


def show(me: Session, node: Node) -> None:
    state = me.client.nodes.drain(node)
    if me.form in ("table", "wide"):
        print_note(_head(state))
        me.list(state.guests, GUESTS)
    else:
        me.show(state)


def wait(me: Session, node: Node, timeout: TimeoutOption = 600.0) -> None:
    ended(me, watch(me, me.client.nodes.drain(node), timeout_s=timeout))


def _show_plan(me: Session, plan: DrainPlan) -> None:
    if me.form in ("table", "wide"):
        me.list(plan.guests, PLANNED)
        _print_outcome(plan)
    else:
        me.show(plan)


def _print_outcome(plan: DrainPlan) -> None:
    """Print the expected outcome and the obstacles."""
    options = {
        "migrate": _("{count} are migrated"),
        "stop": _("{count} are shut down, and started again when the node is returned"),
        STAYS_OFF: _("{count} are shut down, and stay off when the node is returned"),
        "stay": _("{count} are off, and stay on the node"),
        "wait": _("{count} are being changed, and planned when that has ended"),
        "leave": _("{count} cannot be migrated, and keep running"),
    }
    counts = Counter(STAYS_OFF if guest.start_obstacles else guest.action for guest in plan.guests)
    parts = [options[action].format(count=counts[action]) for action in options if action in counts]
    print_note("; ".join(parts) + "." if parts else _("The node has no guests."))
    for guest in plan.guests:
        for reason in (*guest.reasons, *guest.start_obstacles):
            line = f"  {guest.instance.name}: {reason.detail}"
            print_note(line)


def _question(plan: DrainPlan) -> str:
    if "leave" in plan.counts:
        return _("Drain {node}? It does not end while these guests run there.").format(node=plan.node.name)
    return _("Drain {node}?").format(node=plan.node.name)


def watch(me: Session, state: Drain, *, timeout_s: float) -> Drain:
    """Watch the drain until it ends, needs an operator, or the time is over. Raises Interrupted."""
    out = console(error=True)
    try:
        if not out.is_terminal:
            return _poll(me, state, timeout_s=timeout_s, look_s=LOOK_S, on_change=lambda drain: None)
        with Live(_picture(state), console=out, refresh_per_second=8, transient=True) as live:
            return _poll(
                me,
                state,
                timeout_s=timeout_s,
                look_s=WATCHED_LOOK_S,
                on_change=lambda drain: live.update(_picture(drain)),
            )
    except KeyboardInterrupt:
        continuing = _("The recovery continues. Wait for it with: andromede node drain-wait {node}")
        raise Interrupted(continuing.format(node=state.node.name)) from None


def _poll(me: Session, state: Drain, *, timeout_s: float, look_s: int, on_change: Any) -> Drain:
    deadline = time.monotonic() + timeout_s
    while state.state == "running" and (left_s := deadline - time.monotonic()) > 0:
        state = me.client.nodes.drain(state.node.name, wait=f"{max(1, min(look_s, int(left_s)))}s")
        on_change(state)
    return state


def ended(me: Session, state: Drain) -> None:
    """Print the ended drain. Raises DrainStopped if it did not empty the node."""
    if me.form in ("table", "wide"):
        me.list(state.guests, GUESTS)
    else:
        me.show(state)
    print_note(_head(state))
    if state.state != "done":
        raise DrainStopped(state)


def _head(state: Drain) -> str:
    waits = _(" The node is unreachable; nothing starts until it is reachable.") if state.is_waiting_for_node else ""
    line = _("The drain of {node} is {state}: {progress} % of its guests have left or are off.")
    if state.kind == "recover":
        line = _("The recovery of {node} is {state}: {progress} % of the guests that can be elsewhere are.")
    return line.format(node=state.node.name, state=state.state, progress=state.progress) + waits


def _picture(state: Drain) -> Group:
    head = Spinner("dots", Text(harmless(f"{state.node.name}  {state.progress} %")))
    busy = [guest for guest in state.guests if guest.state in ("moving", "stopping", "failed", "left")]
    return Group(head, *(Text(harmless(f"  {guest.state}  {guest.instance.name}")) for guest in busy))
