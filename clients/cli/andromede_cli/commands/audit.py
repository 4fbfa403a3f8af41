"""Audit: request records and audit entries."""

from __future__ import annotations

from gettext import gettext as _

import typer

from andromede_cli.columns import ID
from andromede_cli.command import group
from andromede_cli.declared_commands import PROJECT, call_command, filters, list_command, option
from andromede_cli.output import Column

REQUESTS = [
    Column(_("when"), "completed_at"),
    Column(_("who"), "actor"),
    Column(_("verb"), "verb"),
    Column(_("outcome"), "outcome"),
    Column(_("resources"), "resources"),
    Column(_("from"), "address", is_wide=True),
    Column(_("credential"), "credential", is_wide=True),
    Column(_("error"), "error_code", is_wide=True),
    Column(_("request"), "request_id", is_wide=True),
    ID,
]
DEEDS = [
    Column(_("when"), "created_at"),
    Column(_("who"), "actor"),
    Column(_("verb"), "verb"),
    Column(_("resource"), "resource"),
    Column(_("facts"), "facts", is_wide=True),
    Column(_("request"), "request_id", is_wide=True),
]
FILTERS = (
    "actor",
    "credential",
    "verb",
    "resource",
    "operation",
    "request_id",
    "outcome",
    "completed_after",
    "completed_before",
)
LIST = {PROJECT: "audit.list", "organization": "organizations.audit_list", "platform": "platform.audit_list"}
ENTRY_LIST = {
    PROJECT: "audit.deed_list",
    "organization": "organizations.audit_deed_list",
    "platform": "platform.audit_deed_list",
}
EXPORT = {PROJECT: "audit.export", "organization": "organizations.audit_export", "platform": "platform.audit_export"}


def register(app: typer.Typer) -> None:
    audit = group(_("The audit of the project, of an organization or of the platform."))
    list_command(audit, _("Requests that changed something or tried to, the newest first."), LIST, REQUESTS, *FILTERS)
    entry_filters = ("actor", "verb", "resource", "created_after")
    help = _("Show the audit trail, including the platform's own actions and its operators' commands.")
    list_command(audit, help, ENTRY_LIST, DEEDS, *entry_filters, name="deeds")
    form = option("format", "--format", _("jsonl, which the verifier reads, or csv."), default="jsonl")
    help = _("Export the requests to a file, oldest first.")
    call_command(audit, "export", help, EXPORT, form, *filters(*FILTERS))
    app.add_typer(audit, name="audit")
