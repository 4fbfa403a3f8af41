"""Compliance: drift, exemptions, and evidence."""

from __future__ import annotations

import sys
from base64 import b64decode
from datetime import datetime
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from andromede_cli import output
from andromede_cli.columns import ID, NAME, STATE
from andromede_cli.command import DRY_RUN, Id, OrganizationOption, command, group
from andromede_cli.completion import names
from andromede_cli.declared_commands import call_command, download, given, list_command, option, rows
from andromede_cli.moments import parse_moment
from andromede_cli.output import Column, Format
from andromede_cli.session import Session
from andromede_cli.terminal import print_note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from andromede_sdk.models import Exemption, Plan, Residency

DRIFT = [
    NAME,
    Column(_("resource"), "resource_id"),
    Column(_("kind"), "kind"),
    Column(_("zone"), "zone"),
    STATE,
    Column(_("since"), "since"),
    Column(_("fails at"), "fails_at"),
    Column(_("noticed at"), "noticed_at", is_wide=True),
    Column(_("action"), "action"),
    Column(_("failing"), "failing.*.atom", is_wide=True),
]
PLANS = [
    Column("id", "id"),
    STATE,
    Column(_("execution"), "execution"),
    Column(_("resources"), "items.*.resource_id"),
    Column(_("items"), "items.*.state", is_wide=True),
    Column(_("deadline"), "deadline_at"),
]
PLAN_ITEMS = [
    Column(_("order"), "order"),
    Column(_("kind"), "kind"),
    Column(_("resource"), "resource_id"),
    Column(_("zone"), "zone"),
    STATE,
    Column(_("reason"), "reason.detail"),
    Column(_("operation"), "operation"),
    Column(_("next try"), "next_try_at", is_wide=True),
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
    Column(_("disk"), "disk", is_wide=True),
    Column(_("instance"), "instance", is_wide=True),
    Column(_("zone"), "zone"),
    Column(_("node"), "node"),
    Column(_("from"), "start"),
    Column(_("until"), "end"),
    STATE,
    Column(_("compliant"), "is_compliant"),
]
LINEAGE = [
    Column(_("made from"), "source_id"),
    Column(_("classifications"), "classifications"),
    Column(_("created"), "created_at"),
    ID,
]
Begin = Annotated[
    str,
    typer.Argument(
        metavar="FROM",
        help=_("A day such as 2026-12-31, in UTC, or a moment such as 2026-12-31T12:00:00Z."),
        show_default=False,
    ),
]
End = Annotated[
    str, typer.Argument(metavar="TO", help=_("The same; it is not within, and has passed."), show_default=False)
]
ResourceId = Annotated[str, typer.Argument(metavar="RESOURCE", help=_("Id of the resource."), show_default=False)]
ExemptionId = Annotated[
    str, typer.Argument(metavar="EXEMPTION", show_default=False, autocompletion=names("exemptions.list"))
]
Duty = Annotated[str, typer.Option("--duty", help=_("sovereignty_officer or duty_operator."))]


def register(app: typer.Typer) -> None:
    drift = group(_("Compliance drift: data in zones that its policies no longer admit, or soon will not."))
    list_command(drift, _("List the compliance drift that you may see."), "drift.list", DRIFT, "state", "zone", "kind")
    help = _("The same of images in the caches of nodes.")
    list_command(drift, help, "images.drift_list", DRIFT, "state", "zone", name="images")
    app.add_typer(drift, name="drift")
    app.add_typer(_plans(), name="plan")
    exemptions = group(_("Exemptions from policies, for emergencies."))
    list_command(exemptions, _("List exemptions."), "exemptions.list", EXEMPTIONS, "zone")
    subject = given("exemption", "EXEMPTION", completes="exemptions.list")
    call_command(exemptions, "show", _("An exemption."), "exemptions.get", subject, show=_exemption)
    help = _("Request an exemption for a refused decision.")
    command(exemptions, "request", help, DRY_RUN)(exemption_request)
    help = _("Print the document to sign to approve an exemption: read it, then pass it to your signing tool.")
    command(exemptions, "terms", help)(exemption_terms)
    call_command(
        exemptions,
        "approve",
        _("Approve an exemption with a signature; two people of different duties must."),
        "exemptions.approve",
        subject,
        option("duty", "--duty", _("sovereignty_officer or duty_operator.")),
        option("key_id", "--key-id", _("The key that has signed: one in the keyset for this duty.")),
        option("signature", "--signature", _("The signature under what `exemption terms` prints, in base64.")),
        show=_exemption,
    )
    quarter = option("quarter", "--quarter", _("Quarter, such as 2026-Q4; the current one by default."), default=None)
    help = _("Exemptions requested and used in a quarter.")
    call_command(exemptions, "report", help, "exemptions.report", quarter)
    app.add_typer(exemptions, name="exemption")
    app.add_typer(_evidence(), name="evidence")


def _plans() -> typer.Typer:
    plans = group(_("Plans to remedy drift."))
    list_command(plans, _("The plans of the project."), "remediation_plans.list", PLANS, "state")
    help = _("Approve a plan.")
    plan = given("plan", "PLAN")
    call_command(plans, "approve", help, "remediation_plans.approve", plan)
    help = _("Show a plan: its items in order, and why some stay.")
    call_command(plans, "show", help, "remediation_plans.get", plan, show=_plan)
    help = _("Carry out an approved plan, or resume it: its stopped instances and detached volumes are relocated.")
    call_command(plans, "execute", help, "remediation_plans.execute", plan, show=_plan)
    help = _("Pause the execution of a plan; operations that began go on.")
    call_command(plans, "pause", help, "remediation_plans.pause", plan, show=_plan)
    return plans


def _evidence() -> typer.Typer:
    evidence = group(_("Evidence log of decisions and actions."))
    list_command(evidence, _("The records of the log."), "evidence.list", RECORDS, "kind", "resource", "created_after")
    record = given("record", "RECORD", completes="evidence.list")
    call_command(evidence, "proof", _("Proof that a record is in the log."), "evidence.proof", record)
    call_command(evidence, "checkpoint", _("Latest log checkpoint."), "evidence.checkpoint")
    command(evidence, "residency", _("Show the residency of a resource: the zones of its data over time."))(residency)
    call_command(
        evidence,
        "lineage",
        _("Show the lineage of a resource: its sources and their classifications."),
        "resources.lineage_list",
        given("resource", "RESOURCE", _("Id of the resource.")),
        show=rows(LINEAGE),
    )
    help = _("Create an evidence export of an organization.")
    command(evidence, "export", help, DRY_RUN)(export_create)
    export = given("export", "EXPORT")
    call_command(evidence, "export-show", _("State of an export."), "evidence_exports.get", export)
    command(evidence, "export-download", _("Download an export that is ready."))(export_download)
    old = option("old", "--old", _("Tree size of the last checkpoint that the witness signed."), int, None)
    help = _("Print the request for a witness signature.")
    call_command(evidence, "witness-request", help, "evidence.witness_request", old)
    call_command(
        evidence,
        "cosign",
        _("Submit the signature of a witness."),
        "evidence.cosign",
        option("tree_size", "--size", _("The size of the log that is signed."), int),
        option("line", "--line", _("The line of the signature.")),
    )
    return evidence


def exemption_request(
    me: Session,
    decision: Annotated[str, typer.Argument(metavar="DECISION", show_default=False)],
    zone: Annotated[str, typer.Option(help=_("Zone where the exemption allows the resource."))],
    reason: Annotated[str, typer.Option(help=_("Reason for the exemption."))],
    hours: Annotated[int | None, typer.Option(help=_("Duration in hours; default 4, maximum 72."))] = None,
    max_uses: Annotated[int | None, typer.Option(help=_("Maximum number of uses; default 1."))] = None,
) -> None:
    exemption = me.client.exemptions.request(
        decision=decision, zone=zone, reason=reason, hours=hours, max_uses=max_uses, dry_run=me.is_dry_run
    )
    _exemption(me, exemption)
    if not me.is_dry_run:
        waiting = _(
            "Two people of different duties sign it, neither of them you: andromede exemption terms {id} --duty DUTY"
        )
        print_note(waiting.format(id=exemption.id))


def exemption_terms(me: Session, exemption: ExemptionId, duty: Duty) -> None:
    """Print the terms to the byte, unless the output is a terminal."""
    to_sign = me.client.exemptions.get(exemption).to_sign
    if duty not in to_sign:
        raise typer.BadParameter(
            _("{text!r} is not a duty. Use one of {known}.").format(text=duty, known=", ".join(to_sign))
        )
    text = b64decode(to_sign[duty]).decode()
    if sys.stdout.isatty():
        output.plain(text)
    else:
        sys.stdout.write(text)


def _plan(me: Session, plan: Plan) -> None:
    """Show the items of the plan; in formats for programs, the plan."""
    if me.form not in (Format.TABLE, Format.WIDE):
        me.show(plan)
        return
    me.list(plan.items, PLAN_ITEMS)
    state = _("The plan is {state}; its execution is {execution}.").format(state=plan.state, execution=plan.execution)
    print_note(state)
    if plan.pause_reason is not None:
        print_note(plan.pause_reason.detail)


def _exemption(me: Session, exemption: Exemption) -> None:
    """Print the exemption; a person reads the signed terms with `terms`, not in base64."""
    for_people = {name: value for name, value in exemption.raw.items() if name != "to_sign"}
    me.show(for_people if me.form in (Format.TABLE, Format.WIDE) else exemption)


def residency(me: Session, resource: ResourceId) -> None:
    pages = list(_residency_pages(me, resource))[::-1]
    intervals = [each for page in pages for each in page.intervals]
    problems = [each for page in pages for each in page.problems]
    if me.form in (Format.JSON, Format.YAML):
        me.show({"intervals": [each.raw for each in intervals], "problems": [each.raw for each in problems]})
        return
    me.list(intervals, INTERVALS)
    for problem in problems:
        print_note(_("{code} of {role} from {start}").format(code=problem.code, role=problem.role, start=problem.start))


def _residency_pages(me: Session, resource: str) -> Iterator[Residency]:
    """Yield the answers about the resource, the newest first: an address that was moved often has several."""
    to = None
    while True:
        page = me.client.resources.residency(resource, to=to)
        yield page
        to = page.next_to
        if to is None:
            return


def export_create(me: Session, begin: Begin, end: End, organization: OrganizationOption = None) -> None:
    first, last = _moment(begin), _moment(end)
    export = me.client.evidence_exports.create(
        me.organization(organization), from_=first, to=last, dry_run=me.is_dry_run
    )
    me.show(export)
    if not me.is_dry_run:
        print_note(_("Fetch it when it is ready: andromede evidence export-download {id} FILE").format(id=export.id))


def _moment(text: str) -> datetime:
    return parse_moment(text, _("{text!r} is not a date or time. Write 2026-12-31 or 2026-12-31T12:00:00Z."))


def export_download(
    me: Session,
    id: Id,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_("It must not be there yet."), show_default=False)],
) -> None:
    download(lambda to: me.client.evidence_exports.file(id, to), file)
    print_note(_("Check it with the verifier, which needs no control plane: docs/how-to/verify-an-export.md"))
