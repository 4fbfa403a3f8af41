"""What is not where it may be, exemptions, and evidence of all that."""

from __future__ import annotations

from datetime import UTC, date, datetime
from gettext import gettext as _
from pathlib import Path
from typing import Annotated

import typer

from andromede_cli.calls import call_command, download, given, list_command, option, rows, show_command
from andromede_cli.command import DRY_RUN, Id, OrganizationOption, command, group
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
LINEAGE = [
    Column(_("made from"), "source_id"),
    Column(_("classifications"), "classifications"),
    Column(_("created"), "created_at"),
    Column("id", "id", is_wide=True),
]
Day = Annotated[str, typer.Argument(metavar="DAY", help=_("As 2026-12-31."), show_default=False)]


def register(app: typer.Typer) -> None:
    drift = group(_("What may not be where it is, or soon may not."))
    list_command(drift, _("All of it that you see."), "drift.list", DRIFT, "state", "zone", "kind")
    help = _("The same of images in the caches of nodes.")
    list_command(drift, help, "images.drift_list", DRIFT, "state", "zone", name="images")
    app.add_typer(drift, name="drift")
    plans = group(_("Plans to remedy drift."))
    list_command(plans, _("The plans of the project."), "remediation_plans.list", PLANS, "state")
    help = _("Approve a plan.")
    call_command(plans, "approve", help, "remediation_plans.approve", given("plan", "PLAN"))
    app.add_typer(plans, name="plan")
    exemptions = group(_("Exemptions from policies, for emergencies."))
    list_command(exemptions, _("All exemptions that you see."), "exemptions.list", EXEMPTIONS, "zone")
    show_command(exemptions, _("An exemption."), "exemptions.get", "EXEMPTION")
    command(exemptions, "request", _("Ask for one, for a decision that has refused."))(exemption_request)
    call_command(
        exemptions,
        "approve",
        _("Approve an exemption with a signature; two people of different duties must."),
        "exemptions.approve",
        given("exemption", "EXEMPTION", completes="exemptions.list"),
        option("duty", "--duty", _("sovereignty_officer or duty_operator.")),
        option("key_id", "--key-id", _("The key that has signed.")),
        option("signature", "--signature", _("The signature, in base64.")),
    )
    quarter = option("quarter", "--quarter", _("Such as 2026Q3; else the one that is now."), default=None)
    help = _("How often exemptions were asked for and used in a quarter.")
    call_command(exemptions, "report", help, "exemptions.report", quarter)
    app.add_typer(exemptions, name="exemption")
    app.add_typer(_evidence(), name="evidence")


def _evidence() -> typer.Typer:
    evidence = group(_("Evidence of what was decided and done."))
    list_command(evidence, _("The records of the log."), "evidence.list", RECORDS, "kind", "resource", "created_after")
    record = given("record", "RECORD", completes="evidence.list")
    call_command(evidence, "proof", _("That a record is in the log."), "evidence.proof", record)
    call_command(evidence, "checkpoint", _("The signed state of the log."), "evidence.checkpoint")
    command(evidence, "residency", _("Where the data of a resource was, and when."))(residency)
    call_command(
        evidence,
        "lineage",
        _("What a resource was made from, with its classifications."),
        "resources.lineage_list",
        given("resource", "RESOURCE", _("By id.")),
        show=rows(LINEAGE),
    )
    help = _("Have the evidence of an organization put into a file.")
    command(evidence, "export", help, DRY_RUN)(export_create)
    export = given("export", "EXPORT")
    call_command(evidence, "export-show", _("How an export stands."), "evidence_exports.get", export)
    command(evidence, "export-download", _("Fetch an export that is ready."))(export_download)
    old = option("old", "--old", _("The size that the witness has seen."), int, None)
    help = _("What a witness is asked to sign.")
    call_command(evidence, "witness-request", help, "evidence.witness_request", old)
    call_command(
        evidence,
        "cosign",
        _("Bring the signature of a witness."),
        "evidence.cosign",
        option("tree_size", "--size", _("The size of the log that is signed."), int),
        option("line", "--line", _("The line of the signature.")),
    )
    return evidence


def exemption_request(
    me: Session,
    decision: Annotated[str, typer.Argument(metavar="DECISION", show_default=False)],
    zone: Annotated[str, typer.Option(help=_("Where it is to be allowed."))],
    reason: Annotated[str, typer.Option(help=_("Why it must be."))],
    hours: Annotated[int | None, typer.Option(help=_("For how long."))] = None,
    max_uses: Annotated[int | None, typer.Option(help=_("How often it may be used."))] = None,
) -> None:
    me.show(me.client.exemptions.request(decision=decision, zone=zone, reason=reason, hours=hours, max_uses=max_uses))


def residency(me: Session, resource: Annotated[str, typer.Argument(metavar="RESOURCE", show_default=False)]) -> None:
    found = me.client.resources.residency(resource)
    if me.form in (Format.JSON, Format.YAML):
        me.show(found)
        return
    me.list(found.intervals, INTERVALS)
    for problem in found.problems:
        say(_("{code} of {role} from {start}").format(code=problem.code, role=problem.role, start=problem.start))


def export_create(me: Session, first: Day, end: Day, organization: OrganizationOption = None) -> None:
    owner = me.organization(organization)
    exports = me.client.evidence_exports
    me.show(exports.create(owner, from_=_begin(first), to=_begin(end), dry_run=me.is_dry_run))


def _begin(day: str) -> datetime:
    """Of the day, in UTC."""
    try:
        return datetime.combine(date.fromisoformat(day), datetime.min.time(), tzinfo=UTC)
    except ValueError as exc:
        raise typer.BadParameter(_("{day!r} is no day; days are like 2026-12-31.").format(day=day)) from exc


def export_download(
    me: Session,
    id: Id,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_("It must not be there yet."), show_default=False)],
) -> None:
    download(lambda to: me.client.evidence_exports.file(id, to), file)
    say(_("Check it with the verifier, which needs no control plane: docs/how-to/verify-an-export.md"))
