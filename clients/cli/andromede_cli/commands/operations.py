"""Operations: changes that take longer than a request."""

from __future__ import annotations

from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated

import typer

from andromede_cli import progress
from andromede_cli.columns import STATE
from andromede_cli.command import TimeoutOption, command, group
from andromede_cli.declared_commands import PROJECT, call_command, given, list_command, option, show_command
from andromede_cli.output import Column
from andromede_cli.session import Session

if TYPE_CHECKING:
    from andromede_sdk.models import Operation, PlatformOperation

COLUMNS = [
    Column("id", "id"),
    Column(_("kind"), "kind"),
    Column(_("name"), "resource_name"),
    STATE,
    Column("%", "progress"),
    Column(_("created"), "created_at"),
    Column(_("finished"), "finished_at"),
    Column(_("error"), "error.code", is_wide=True),
    Column(_("resources"), "resources", is_wide=True),
    Column(_("project"), "project.name", is_wide=True),
]
RULES = [
    Column("id", "id"),
    Column(_("kind"), "kind"),
    Column(_("action"), "action"),
    STATE,
    Column(_("zone"), "zone"),
    Column(_("begins"), "begins_at"),
    Column(_("ends"), "ends_at"),
    Column(_("reason"), "reason"),
]
Platform = Annotated[
    bool, typer.Option("--platform", help=_("Address the operation by id in any project or in none; for operators."))
]
Subject = Annotated[
    str,
    typer.Argument(
        metavar="OPERATION|RESOURCE", help=_("Id of an operation, or of a resource for its last operation.")
    ),
]


def register(app: typer.Typer) -> None:
    operations = group(_("Operations: changes that take time."))
    filters = ("state", "kind", "resource", "created_after", "stuck")
    levels = {PROJECT: "operations.list", "platform": "platform.operation_list"}
    list_command(operations, _("The operations of the project, or of all."), levels, COLUMNS, *filters)
    command(operations, "show", _("An operation, with its steps."))(show)
    command(operations, "wait", _("Wait until an operation has ended, and watch it."))(wait)
    subject = given("operation", "OPERATION", completes="operations.list")
    call_command(operations, "cancel", _("Cancel an operation and undo its steps."), "operations.cancel", subject)
    retry_help = _("Retry a failed or cancelled operation, or run a waiting one now.")
    call_command(operations, "retry", retry_help, "operations.retry", subject)
    stuck = given("operation", "OPERATION")
    reason = option(
        "reason", "--reason", _("Proof that the node does not come back, in your words; recorded in the evidence.")
    )
    give_up = _("Force a stuck operation to end without its node, which is lost for good; for operators.")
    call_command(operations, "resolve", give_up, "operations.resolve", stuck, reason)
    app.add_typer(operations, name="operation")
    app.add_typer(_maintenance(), name="maintenance")


def _maintenance() -> typer.Typer:
    rules = group(_("Maintenance rules: classes of operations to reject, pause or accept."))
    list_command(rules, _("List the maintenance rules."), "maintenance.list", RULES, "state", "created_after")
    show_command(rules, _("A rule."), "maintenance.get", "RULE")
    work = _("A kind such as instance.create, all of a noun (volume.*), or *.")
    call_command(
        rules,
        "create",
        _("Accept, pause or reject a class of operations; for operators."),
        "maintenance.create",
        option("kind", "--kind", work),
        option("action", "--action", _("accept, pause or reject.")),
        option("reason", "--reason", _("Reason shown to tenants.")),
        option("zone", "--zone", _("Filter by zone."), default=None),
        option("node", "--node", _("Filter by node."), default=None),
        option("begins_at", "--from", _("From this moment on (RFC 3339)."), default=None),
        option("ends_at", "--until", _("Until this moment (RFC 3339)."), default=None),
    )
    ended = given("maintenance", "RULE", completes="maintenance.list")
    call_command(rules, "end", _("End a rule: paused operations start."), "maintenance.end", ended)
    return rules


def show(me: Session, subject: Subject, platform: Platform = False) -> None:
    me.show(_found(me, subject, platform=platform))


def wait(me: Session, subject: Subject, timeout: TimeoutOption = 600.0, platform: Platform = False) -> None:
    me.show(progress.wait(_found(me, subject, platform=platform), timeout_s=timeout))


def _found(me: Session, subject: str, *, platform: bool) -> Operation | PlatformOperation:
    return me.client.platform.operation(subject) if platform else me.operation(subject)
