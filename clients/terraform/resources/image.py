"""andromede_image: from a web server, a file on the machine that runs Terraform, a snapshot or a volume."""

import hashlib
from pathlib import Path

from clients.terraform.cloud import Document, project_path
from clients.terraform.resources.base import ApiResource
from clients.terraform.resources.common import CREATED_AT, ID, LABELS, PROJECT, name_attribute, one_of
from clients.terraform.runtime.diagnostics import DiagnosticReport
from clients.terraform.runtime.durations import Timeouts
from clients.terraform.runtime.provider import Plan, Work
from clients.terraform.runtime.schema import NUMBER, STRING, Attribute, Schema, set_of
from clients.terraform.runtime.values import Values, is_known

FILES = ("source_url", "source_file")
SOURCES = (*FILES, "snapshot", "volume")


class ImageResource(ApiResource):
    name, kind, noun = "image", "images", "image"
    sent = (
        *("name", "format", "firmware", "sha256", "min_memory_mib", "source_url", "snapshot", "volume"),
        *("classifications", "labels"),
    )
    unreadable = ("source_file", "snapshot", "volume", "classifications")
    timeouts = Timeouts(create=6 * 3600)  # the limit of the operation that makes one of a snapshot or a volume
    schema = Schema(
        {
            "id": ID,
            "project": PROJECT,
            "name": name_attribute(),
            "format": Attribute(
                type=STRING,
                description="`qcow2` or `raw`; required with `source_url` and `source_file`. Of a snapshot or a volume "
                "it is `qcow2`. A change makes a new image.",
                optional=True,
                computed=True,
                replace=True,
                checks=(one_of("qcow2", "raw"),),
            ),
            "firmware": Attribute(
                type=STRING,
                description="`bios` or `uefi`: how guests boot from it. When not given, that of the image that the "
                "source began as, of a file `bios`. A change makes a new image.",
                optional=True,
                computed=True,
                replace=True,
                checks=(one_of("bios", "uefi"),),
            ),
            "source_url": Attribute(
                type=STRING,
                description="Where Andromède fetches it, if there is no `source_file`. A change makes a new image.",
                optional=True,
                replace=True,
            ),
            "source_file": Attribute(
                type=STRING,
                description="A file here that is uploaded. Another path with the same content is no change.",
                optional=True,
            ),
            "snapshot": Attribute(
                type=STRING,
                description="The id or name of the snapshot that it is made of. A change makes a new image.",
                optional=True,
                replace=True,
            ),
            "volume": Attribute(
                type=STRING,
                description="The id or name of the volume that it is made of, as it is at that moment. "
                "A change makes a new image.",
                optional=True,
                replace=True,
            ),
            "sha256": Attribute(
                type=STRING,
                description="What the bytes have to be; of a `source_file` the provider computes it. "
                "A change makes a new image.",
                optional=True,
                computed=True,
                replace=True,
            ),
            "min_memory_mib": Attribute(
                type=NUMBER,
                description="The memory that a guest needs at least. When not given, that of the image that the source "
                "began as, of a file `0`. A change makes a new image.",
                optional=True,
                computed=True,
                replace=True,
            ),
            "classifications": Attribute(
                type=set_of(STRING),
                description="The ids of the classifications that whatever is made from it has. "
                "A change makes a new image.",
                optional=True,
                replace=True,
            ),
            "labels": LABELS,
            "size_bytes": Attribute(type=NUMBER, description="The size of the file.", computed=True),
            "min_disk_gib": Attribute(type=NUMBER, description="The disk that a guest needs at least.", computed=True),
            "created_at": CREATED_AT,
        },
        "An image of a disk, for the instances and volumes of a project. What was made from it stays.",
    )

    def validate(self, config: Values, report: DiagnosticReport) -> None:
        given = [name for name in SOURCES if config[name] is not None]
        if len(given) > 1:
            report.error("Two sources", f"Give one of {', '.join(given)}.", path=(given[-1],))
        if not given:
            report.error("No source", "Give source_url, source_file for a file on this machine, snapshot or volume.")
        if config["format"] is None and any(config[name] is not None for name in FILES):
            report.error("No format", "Give the format of the file, qcow2 or raw.", path=("format",))

    def refine(self, plan: Plan) -> None:
        """Refine the plan: a change of the file's content counts, not one of its name."""
        if plan.prior is not None:
            for name in ("snapshot", "volume"):
                self.keep_same(plan, name, project_path(self.parent_of(plan.prior), f"{name}s"))
        source = plan.planned["source_file"]
        if source is None or not is_known(source) or plan.config["sha256"] is not None:
            return
        if not Path(source).is_file():
            plan.report.error("There is no such file", f"{source} is no file here.", path=("source_file",))
            return
        digest = _sha256(Path(source))
        if plan.prior is not None and plan.prior["sha256"] not in ("", None, digest):
            plan.replace.append(("sha256",))
        plan.planned["sha256"] = digest

    def finish(self, answer: Document, work: Work) -> bool:
        source = work.planned["source_file"]
        if source is not None:
            answer = self.cloud.api.upload(self.path(work.state, "file"), Path(source), deadline=work.deadline)
        return self.wait(answer, work)

    def values(self, document: Document, like: Values) -> Values:
        values = super().values(document, like)
        del values["classifications"]  # they include inherited ones, which were not requested
        return values


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
