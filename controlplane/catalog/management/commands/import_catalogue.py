from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from controlplane.catalog.catalogue_import import Signing, catalogue_import
from controlplane.catalog.management.officers import add_key_arguments, moment, registered_officer
from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand, read_json


class Command(OperatorCommand):
    help = (
        "Import regions, zones, parties, named sets and their facts, each signed with the key of the officer who runs "
        "the command. A repetition changes only facts that are due for review."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="path of the catalogue, JSON, schema andromede.sovereignty.catalogue/1")
        add_key_arguments(parser)
        parser.add_argument(
            "--attested-at",
            type=moment,
            help="time of the officer's verification: `now` or an RFC 3339 time; usually the file's generated_for",
        )
        parser.add_argument("--restate", action="store_true", help="sign every fact again, not only the changed facts")

    def handle(self, *args: Any, **options: Any) -> None:
        key: Path = options["key"]
        attested_at: datetime | None = options["attested_at"]
        signing = Signing(registered_officer(key, options["key_id"]), attested_at, options["restate"])
        done = catalogue_import(SYSTEM, read_json(options["file"]), signing)
        self.stdout.write(
            f"{done.regions} regions, {done.parties} parties, {done.zones} zones; facts: {done.stated} stated, "
            f"{done.superseded} superseded, {done.unchanged} unchanged; epoch {done.epoch}"
        )
