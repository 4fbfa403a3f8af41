from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from controlplane.catalog.services import FIRMWARES, FORMATS, NewImage, image_import_file
from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand
from controlplane.identity.management.lookups import project_named


class Command(OperatorCommand):
    help = "Create an image from a file, with the usual inspection, and print its id. A repetition changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("file", type=Path)
        parser.add_argument("--format", choices=FORMATS, default="qcow2")
        parser.add_argument("--firmware", choices=FIRMWARES, default="bios")
        parser.add_argument("--min-memory-mib", type=int, default=0)
        parser.add_argument("--sha256", default="", help="expected SHA-256 of the file")
        parser.add_argument("--project", help="[ORGANIZATION/]PROJECT that owns the image; default: a public image")
        parser.add_argument(
            "--replace", action="store_true", help="replace an image of the same name with other content"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"]) if options["project"] else None
        keys = ("name", "format", "firmware", "min_memory_mib", "sha256")
        new = NewImage(**{key: options[key] for key in keys})
        try:
            image = image_import_file(SYSTEM, project, new, path=options["file"], replace=options["replace"])
        except OSError as exc:
            raise CommandError(f"{exc.filename}: {exc.strerror}") from exc
        self.print_message(f"The image {image.name} is {image.state}; SHA-256 {image.sha256}.")
        self.stdout.write(str(image.pk))
