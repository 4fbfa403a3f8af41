"""`python -m scripts.chaos.judge FOLDER`: check a cloud until there is no finding or the time is over.

It runs in the environment of the cloud's processes and prints figures and findings as JSON. FOLDER/told.json: the
answers that users received (RequestOutcome).
"""

import argparse
import json
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import django

django.setup()

from django.db import connection  # noqa: E402
from django.db.models import F, Max  # noqa: E402

from agents.lab.ceph import CephCluster  # noqa: E402
from andromede_core.evidence import verify  # noqa: E402
from andromede_core.evidence.archive import Archive  # noqa: E402
from controlplane.audit import export_archive  # noqa: E402
from controlplane.audit.models import EvidenceRecord  # noqa: E402
from controlplane.catalog.models import Image  # noqa: E402
from controlplane.compliance.models import RemediationItem, RemediationPlan  # noqa: E402
from controlplane.compute.models import Migration  # noqa: E402
from controlplane.events.models import Event  # noqa: E402
from controlplane.identity.models import Organization  # noqa: E402
from controlplane.kernel import clock  # noqa: E402
from controlplane.kernel.errors import CloudError  # noqa: E402
from controlplane.nodes.models import DrainGuest, FenceEvidence, Incident, Receipt  # noqa: E402
from controlplane.operations.models import Operation  # noqa: E402
from controlplane.storage.models import VolumeMove  # noqa: E402
from scripts.chaos import checks, cluster_checks, plan_checks  # noqa: E402
from scripts.chaos.world import CLUSTER, PROJECT  # noqa: E402

LOOK_EVERY_S = 3.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument(
        "--empty", action="store_true", help="check that nothing is left after all resources were deleted"
    )
    parser.add_argument("--evidence", action="store_true", help="export the evidence and verify the export")
    options = parser.parse_args()
    deadline = time.monotonic() + options.seconds
    while findings := look(options):
        if time.monotonic() > deadline:
            break
        time.sleep(LOOK_EVERY_S)
    print(json.dumps({"figures": figures(), "findings": findings}))
    return 1 if findings else 0


def look(options: argparse.Namespace) -> list[str]:
    findings = [f"{name}: {line}" for name, check in checks.CHECKS.items() for line in _looked(check)]
    outcomes = json.loads((options.folder / "told.json").read_text())
    findings += [f"cluster records: {line}" for line in cluster_checks.records(CephCluster(options.folder / CLUSTER))]
    findings += [f"answers: {line}" for line in checks.answers(outcomes)]
    if options.empty:
        findings += [f"emptiness: {line}" for line in checks.emptiness()]
    if options.evidence and not findings:
        findings += [f"evidence: {line}" for line in evidence(options.folder)]
    connection.close()
    return findings


def _looked(check: Any) -> list[str]:
    try:
        return list(check())
    except CloudError as exc:
        return [f"could not be seen: {exc}"]


def evidence(folder: Path) -> list[str]:
    """Export the evidence of the whole time and verify it against the root key of this cloud."""
    organization = Organization.objects.get(name=PROJECT)
    now = clock.now()
    path = folder / "evidence.tar"
    path.unlink(missing_ok=True)
    try:
        export_archive.write_export(
            export_archive.ExportWindow(organization, now - timedelta(hours=6), now), path.absolute()
        )
    except CloudError as exc:
        return [f"cannot be exported: {exc}"]
    with path.open("rb") as file:
        return list(verify.verify(Archive(file), verify.Pins()).faults)


def figures() -> dict[str, Any]:
    rows = Operation.objects.all()
    ended = rows.filter(finished_at__isnull=False).annotate(took=F("finished_at") - F("created_at"))
    longest = ended.aggregate(Max("took"))["took__max"]
    errors = rows.exclude(error=None).values_list("error", flat=True)
    codes = Counter(str(error["code"]) for error in errors if error)
    return {
        "operations": rows.count(),
        "by_state": _counted(rows, "state"),
        "by_kind": _counted(rows, "kind"),
        "moves": _counted(Migration.objects.filter(kind="migrate"), "state"),
        "relocations": _counted(Migration.objects.filter(kind="relocate"), "state"),
        "volume_moves": _counted(VolumeMove.objects.filter(is_online=False, requested_zone=None), "state"),
        "volume_relocations": _counted(VolumeMove.objects.exclude(requested_zone=None), "state"),
        "relocations_with_errors": _with_errors(rows.filter(kind__endswith=".relocate")),
        "plans": _counted(RemediationPlan.objects.all(), "state"),
        "plan_items": _counted(RemediationItem.objects.all(), "state"),
        "plan_reasons": _counted(RemediationItem.objects.exclude(reason=None), "reason__code"),
        "plan_operations": _counted(rows.filter(pk__in=plan_checks.begun_by_plans()), "state"),
        "online_volume_moves": _counted(VolumeMove.objects.filter(is_online=True), "state"),
        "images": _counted(Image.objects.exclude(project=None), "state"),
        "errors": dict(sorted(codes.items())),
        "longest_s": round(longest.total_seconds(), 1) if longest else 0.0,
        "events": Event.objects.count(),
        "receipts": Receipt.objects.count(),
        "fences": FenceEvidence.objects.count(),
        "recovered_guests": _counted(DrainGuest.objects.filter(drain__kind="recover"), "state"),
        "evidence_records": EvidenceRecord.objects.count(),
        "incidents": _counted(Incident.objects.all(), "kind"),
    }


def _with_errors(rows: Any) -> dict[str, int]:
    """Return, for each step, how many of these operations had an error there, after which it was tried again."""
    steps = (step for row in rows for step in row.steps if step.get("tries"))
    return dict(sorted(Counter(str(step["name"]) for step in steps).items()))


def _counted(rows: Any, name: str) -> dict[str, int]:
    return dict(sorted(Counter(rows.values_list(name, flat=True)).items()))


if __name__ == "__main__":
    sys.exit(main())
