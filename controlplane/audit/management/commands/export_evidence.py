from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from andromede_core.documents.parsing import instant
from controlplane.audit import export_archive
from controlplane.audit.services import record_of_organization
from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand
from controlplane.identity.management.lookups import organization_named
from controlplane.kernel import clock


class Command(OperatorCommand):
    help = "Write an organization's evidence of a period to one file, for an auditor to verify."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", required=True, metavar="NAME")
        parser.add_argument(
            "--from", dest="start", required=True, help="start of the period, such as 2026-11-01T00:00:00Z"
        )
        parser.add_argument(
            "--to", dest="end", required=True, help="end of the period, exclusive, such as 2026-12-01T00:00:00Z"
        )
        parser.add_argument(
            "--out", type=Path, help="path of a file or of an existing folder; default: the current folder"
        )

    def handle(self, *args: Any, **options: Any) -> str:
        window = export_archive.ExportWindow(
            organization_named(options["organization"]), _moment(options["start"]), _moment(options["end"])
        )
        if window.start >= window.end:
            raise CommandError("--from must be before --to.")
        if window.end > clock.now():
            raise CommandError("--to is in the future: pass a past time.")
        out = options["out"] or Path()
        path = out / window.file_name if out.is_dir() else out
        manifest = export_archive.write_export(window, path.absolute())
        organization_id, facts = window.organization.pk, {"from": options["start"], "to": options["end"]}
        record_of_organization(SYSTEM, "evidence_export.write", organization_id, organization_id, **facts)
        count = manifest.own.last - manifest.own.first + 1
        self.print_message(
            f"{count} records of {window.organization.name}, up to a checkpoint of size {manifest.size}."
        )
        return str(path)


def _moment(text: str) -> datetime:
    moment = instant(text)
    if moment is None:
        raise CommandError(f"{text!r} is not a time with its time zone, such as 2026-11-01T00:00:00Z.")
    return moment
