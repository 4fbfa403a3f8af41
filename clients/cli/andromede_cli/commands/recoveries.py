"""Recovery of a dead node. The commands of drains show and control a running recovery."""

from __future__ import annotations

from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated

import typer

from andromede_cli.command import DRY_RUN, SURE, WAIT, command
from andromede_cli.commands.drains import PLANNED, AtOnce, Node, ended, watch
from andromede_cli.session import Session
from andromede_cli.terminal import print_note

if TYPE_CHECKING:
    from andromede_sdk.models import RecoveryPlan

PlanOption = Annotated[bool, typer.Option("--plan", help=_("Show the plan only."))]
Reason = Annotated[
    str | None, typer.Option("--reason", help=_("Reason, for other operators and the tenants."), show_default=False)
]


def register(nodes: typer.Typer) -> None:
    help = _("Evacuate the guests of a fenced node to others. The plan is shown first.")
    command(nodes, "recover", help, WAIT, SURE, DRY_RUN)(recover)


def recover(me: Session, node: Node, plan: PlanOption = False, at_once: AtOnce = None, reason: Reason = None) -> None:
    planned = me.client.nodes.recover_plan(node)
    if plan or me.is_dry_run:
        _show_plan(me, planned)
        return
    _print_outcome(planned)
    me.confirm(_("Recover {node}?").format(node=planned.node.name))
    begun = me.client.nodes.recover_begin(node, plan=planned.digest, at_once=at_once, reason=reason)
    if not me.is_waiting:
        print_note(_("The recovery has begun: andromede node drain-wait {node}").format(node=node))
        me.show(begun)
        return
    ended(me, watch(me, begun, timeout_s=me.timeout_s))


def _show_plan(me: Session, plan: RecoveryPlan) -> None:
    if me.form in ("table", "wide"):
        me.list(plan.guests, PLANNED)
        _print_outcome(plan)
    else:
        me.show(plan)


def _print_outcome(plan: RecoveryPlan) -> None:
    """Print the expected outcome and the obstacles."""
    blocked = sum(guest.action == "evacuate" and guest.target is None for guest in plan.guests)
    counts = {**plan.counts, "evacuate": plan.counts.get("evacuate", 0) - blocked, "blocked": blocked}
    options = {
        "evacuate": _("{count} are evacuated"),
        "blocked": _("{count} have no suitable node now, and wait for one"),
        "stay": _("{count} come back with the node"),
        "wait": _("{count} are being changed, and planned when that has ended"),
    }
    parts = [options[action].format(count=counts[action]) for action in options if counts.get(action)]
    print_note("; ".join(parts) + "." if parts else _("The node had no guests."))
    for guest in plan.guests:
        for reason in guest.reasons:
            line = f"  {guest.instance.name}: {reason.detail}"
            print_note(line)
