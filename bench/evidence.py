"""Benchmark of a month of evidence: record, export and verify 5 000 decisions, permits and receipts.

The stand-alone verifier checks the export; then one decision is falsified, and has to be found. It uses a PostgreSQL of
its own, without agents.

`ARGS="--instances 500"` takes fewer.
"""

import argparse
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from bench.common import bench_database, print_progress, report
from scripts.control_plane import ROOT, Stack

INSTANCES = 5_000
KINDS = ("decision", "permit", "receipt")
T = TypeVar("T")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=INSTANCES)
    arguments = parser.parse_args()
    stack = Stack(ROOT / "var" / "bench-evidence")
    with bench_database(stack):
        report(measure(arguments.instances, stack.var))


def measure(instances: int, folder: Path) -> dict[str, Any]:
    from controlplane.audit import evidence_log, log_key
    from controlplane.identity.models import Organization
    from tests.services.audit.sample_evidence import make_sample_evidence

    log_key.create_log_key(folder / "pki")
    organization = Organization.objects.create(name="bench")
    story = make_sample_evidence(organization.pk, instances=0)
    recorded = record(instances, story)
    print_progress("assigning log positions")
    places, place_s = timed(evidence_log.sequence)
    print_progress("exporting")
    _, export_s = timed(lambda: export(organization, folder / "month.tar"))
    verdict = verified(folder / "month.tar")
    if verdict["status"] != 0 or any(verdict["checked"].get(kind, 0) < instances for kind in KINDS):
        raise SystemExit(f"The export has faults: {verdict}")
    return {
        "record": recorded,
        "sequence": rate(places, place_s),
        "export": {**rate(places, export_s), "mib": round((folder / "month.tar").stat().st_size / 2**20, 1)},
        "verify": {**verdict, **compare_with_baseline(verdict["seconds"], folder / "month.tar")},
        "false_decision": injected(story, organization, folder / "false.tar"),
    }


def timed(do: Callable[[], T]) -> tuple[T, float]:
    begun = time.monotonic()
    result = do()
    return result, time.monotonic() - begun


def rate(records: int, seconds: float) -> dict[str, float]:
    return {"records": records, "seconds": round(seconds, 2), "per_s": round(records / seconds)}


def record(instances: int, story: Any) -> dict[str, float]:
    """Each record in a transaction of its own, with the evaluation and the signatures that it takes."""
    print_progress(f"creating {instances} decisions, permits and receipts")

    def create() -> None:
        for _ in range(instances):
            story.create()

    return rate(instances * len(KINDS), timed(create)[1])


def export(organization: Any, path: Path) -> None:
    from controlplane.audit.export_archive import ExportWindow, write_export
    from controlplane.kernel import clock

    now = clock.now()
    write_export(ExportWindow(organization, now - timedelta(days=1), now), path)


def verified(path: Path) -> dict[str, Any]:
    """Verify with the verifier of the export, in a Python without other packages."""
    print_progress(f"verifying {path.name}")
    alone = path.with_suffix(".py")
    with tarfile.open(path) as tar:
        alone.write_bytes(tar.extractfile("verify.py").read())  # type: ignore[union-attr]
    command = [sys.executable, "-I", "-S", str(alone), str(path)]
    done, seconds = timed(lambda: subprocess.run(command, check=False, capture_output=True, text=True))
    checked = re.search(r"^checked: (.*)$", done.stdout, re.MULTILINE)
    counts = {kind: int(count) for count, kind in re.findall(r"(\d+) (\w+)", checked[1] if checked else "")}
    return {
        "status": done.returncode,
        "checked": counts,
        "faults": [line for line in done.stdout.splitlines() if line.startswith("FAULT")],
        "seconds": round(seconds, 2),
        "per_s": round(sum(counts.values()) / seconds),
    }


def compare_with_baseline(seconds: float, path: Path) -> dict[str, float]:
    """Measure the floor: the hashes and signatures of the export's records alone, by the same code."""
    from andromede_core.evidence import archive, export_format
    from andromede_core.evidence.checkpoints import parse_head
    from andromede_core.evidence.signed_notes import parse_note

    print_progress("baseline")
    with path.open("rb") as file:
        opened = archive.Archive(file)
        manifest, _ = export_format.read_manifest(opened.manifest)
        opened.locate(manifest.files)
        names = (export_format.PLATFORM_RECORDS, export_format.OWN_RECORDS)
        lines = [export_format.read_line(raw) for name in names for raw in opened.lines(name)]
        *_, newest = opened.lines(export_format.CHECKPOINTS)
    head = parse_head(parse_note(export_format.read_checkpoint_line(newest)[0]).text)
    hashing = timed(lambda: hash_all(lines, head))[1]
    signatures = timed(signature_checks(lines))[1]
    floor = hashing + signatures
    return {
        "floor_hashes_s": round(hashing, 2),
        "floor_signatures_s": round(signatures, 2),
        "ratio_to_floor": round(seconds / floor, 2),
    }


def hash_all(lines: list[Any], head: Any) -> None:
    from andromede_core.evidence import merkle
    from andromede_core.evidence.records import content_hash

    for exported in lines:
        assert content_hash(exported.salt, exported.document) == exported.entry.content
        position = {"index": exported.index, "size": head.size, "root": head.root}
        assert merkle.is_included(exported.entry.leaf, proof=exported.proof, **position)


def signature_checks(lines: list[Any]) -> Callable[[], None]:
    """Return the signature checks of facts, permits and receipts, parsed and with keys."""
    from andromede_core.documents.signed import from_envelope, message
    from andromede_core.evidence import export_format
    from andromede_core.evidence.keys import verifier, verifier_of
    from andromede_core.permits.trust_documents import read_keyset

    bodies = [
        (envelope.kind, envelope.body)
        for envelope in (export_format.read_envelope(exported.document) for exported in lines)
    ]
    keys: dict[str, Any] = {}
    for kind, body in bodies:
        if kind == "trust" and body["trust"] == "keyset":
            keyset = read_keyset(from_envelope(body["signed"]).payload)
            keys |= {name: verifier(key) for name, key in keyset.keys.items()}
    (machine,) = [verifier_of(str(body["public_key"])) for kind, body in bodies if body.get("event") == "enrolled"]
    checks = []
    for kind, body in bodies:
        if kind in ("fact", "permit", "receipt"):
            signed = from_envelope(body["signed"] if kind == "fact" else body)
            checks.append((keys.get(signed.key_id, machine), message(kind, signed.payload), signed.signature))

    def check() -> None:
        assert all(verify(text, signature) for verify, text, signature in checks)

    return check


def injected(story: Any, organization: Any, path: Path) -> dict[str, Any]:
    """Falsify one decision: it admits a zone that violates the policy."""
    from controlplane.audit.models import EvidenceRecord

    def lie(document: dict[str, Any]) -> None:
        document["zones"]["us-va-1"] = []
        document["admitted_zones"] = [*document["admitted_zones"], "us-va-1"]

    story.decide(change=lie)
    false = EvidenceRecord.objects.filter(kind="decision").order_by("-pk")[0]
    for _ in range(10):
        story.create()
    export(organization, path)
    verdict = verified(path)
    if verdict["status"] != 1 or len(verdict["faults"]) != 1 or str(false.pk) not in verdict["faults"][0]:
        raise SystemExit(f"The verifier did not report the false decision {false.pk}: {verdict['faults']}")
    return {"record": str(false.pk), "fault": verdict["faults"][0], "seconds": verdict["seconds"]}


if __name__ == "__main__":
    main()
