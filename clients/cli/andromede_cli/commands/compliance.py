"""What is not where it may be, exemptions, and evidence of all that."""

from __future__ import annotations

from datetime import UTC, date, datetime
from gettext import gettext as _
from pathlib import Path
from typing import Annotated

import typer

from andromede_cli import output
from andromede_cli.command import Id, command, group, list_command, show_command
from andromede_cli.output import Column, Format
from andromede_cli.session import Session
from andromede_cli.terminal import say

DRIFT = [
    Column(_("resource"), "resource_id"),
    Column(_("kind"), "kind"),
    Column(_("zone"), "zone"),
    Column(_("state"), "state"),
    Column(_("fails at"), "fails_at"),
    Column(_("action"), "action"),
    Column(_("failing"), "failing.*.atom", is_wide=True),
]
PLANS = [
    Column("id", "id"),
    Column(_("state"), "state"),
    Column(_("resources"), "items.*.resource_id"),
    Column(_("deadline"), "deadline_at"),
]
EXEMPTIONS = [
    Column("id", "id"),
    Column(_("operation"), "operation"),
    Column(_("zone"), "zone"),
    Column(_("waived"), "waived"),
    Column(_("used"), "use_count"),
    Column(_("of"), "max_uses"),
    Column(_("expires"), "expires_at"),
]
RECORDS = [
    Column("id", "id"),
    Column(_("kind"), "kind"),
    Column(_("resource"), "resource"),
    Column(_("created"), "created_at"),
    Column(_("place"), "leaf_index"),
]
INTERVALS = [
    Column(_("role"), "role"),
    Column(_("zone"), "zone"),
    Column(_("node"), "node"),
    Column(_("from"), "start"),
    Column(_("until"), "end"),
    Column(_("state"), "state"),
    Column(_("compliant"), "is_compliant"),
]
Day = Annotated[str, typer.Argument(metavar="DAY", help=_("As 2026-12-31."), show_default=False)]
Organization = Annotated[str, typer.Argument(metavar="ORGANIZATION", show_default=False)]


def register(app: typer.Typer) -> None:
    drift = group(_("What may not be where it is, or soon may not."))
    list_command(drift, _("All of it that you see."), "drift", DRIFT, "state", "zone", "kind")
    app.add_typer(drift, name="drift")
    plans = group(_("Plans to remedy drift."))
    list_command(plans, _("The plans of the project."), "remediation_plans", PLANS, "state")
    command(plans, "approve", _("Approve a plan."))(plan_approve)
    app.add_typer(plans, name="plan")
    exemptions = group(_("Exemptions from policies, for emergencies."))
    list_command(exemptions, _("All exemptions that you see."), "exemptions", EXEMPTIONS, "zone")
    show_command(exemptions, _("An exemption."), "exemptions", "EXEMPTION")
    command(exemptions, "request", _("Ask for one, for a decision that has refused."))(exemption_request)
    app.add_typer(exemptions, name="exemption")
    evidence = group(_("Evidence of what was decided and done."))
    list_command(evidence, _("The records of the log."), "evidence", RECORDS, "kind", "resource", "created_after")
    command(evidence, "proof", _("That a record is in the log."))(evidence_proof)
    command(evidence, "checkpoint", _("The signed state of the log."))(evidence_checkpoint)
    command(evidence, "residency", _("Where the data of a resource was, and when."))(residency)
    command(evidence, "export", _("Have the evidence of an organization put into a file."))(export_create)
    command(evidence, "export-show", _("How an export stands."))(export_show)
    command(evidence, "export-download", _("Fetch an export that is ready."))(export_download)
    app.add_typer(evidence, name="evidence")


def plan_approve(me: Session, id: Id) -> None:
    me.show(me.client.remediation_plans.approve(id))


def exemption_request(
    me: Session,
    decision: Annotated[str, typer.Argument(metavar="DECISION", show_default=False)],
    zone: Annotated[str, typer.Option(help=_("Where it is to be allowed."))],
    reason: Annotated[str, typer.Option(help=_("Why it must be."))],
    hours: Annotated[int | None, typer.Option(help=_("For how long."))] = None,
    max_uses: Annotated[int | None, typer.Option(help=_("How often it may be used."))] = None,
) -> None:
    me.show(me.client.exemptions.request(decision=decision, zone=zone, reason=reason, hours=hours, max_uses=max_uses))


def evidence_proof(me: Session, id: Id) -> None:
    me.show(me.client.evidence.proof(id))


def evidence_checkpoint(me: Session) -> None:
    output.plain(me.client.evidence.checkpoint().rstrip("\n"))


def residency(me: Session, resource: Annotated[str, typer.Argument(metavar="RESOURCE", show_default=False)]) -> None:
    found = me.client.resources.residency(resource)
    if me.form in (Format.JSON, Format.YAML):
        me.show(found)
        return
    me.list(found.intervals, INTERVALS)
    for problem in found.problems:
        say(_("{code} of {role} from {start}").format(code=problem.code, role=problem.role, start=problem.start))


def export_create(me: Session, organization: Organization, first: Day, end: Day) -> None:
    me.show(me.client.evidence_exports.create(organization, from_=_begin(first), to=_begin(end)))


def _begin(day: str) -> datetime:
    """Of the day, in UTC."""
    try:
        return datetime.combine(date.fromisoformat(day), datetime.min.time(), tzinfo=UTC)
    except ValueError as exc:
        raise typer.BadParameter(_("{day!r} is no day; days are like 2026-12-31.").format(day=day)) from exc


def export_show(me: Session, id: Id) -> None:
    me.show(me.client.evidence_exports.get(id))


def export_download(
    me: Session,
    id: Id,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_("It must not be there yet."), show_default=False)],
) -> None:
    with file.open("xb") as out:
        count = me.client.evidence_exports.file(id, out)
    say(_("{count} bytes in {file}").format(count=count, file=file))
