"""Examples of records: events, audit, evidence."""

from datetime import timedelta

from django.conf import settings

from andromede_core.evidence import witness
from andromede_core.evidence.checkpoints import parse_request
from controlplane.audit import evidence_log, exports, log_key
from controlplane.audit.models import EvidenceExport
from controlplane.audit.witnesses import witness_add
from controlplane.kernel import clock
from tests.api.examples.sample_cloud import SampleCloud
from tests.services.audit.receipts import record_receipts

EXPORT_BYTES = 1_361_920


def events(story: SampleCloud) -> None:
    book, ada = story.book, story.ada
    listed = {"kind": "instance.*", "project": "web"}
    cursor = book.show(ada, "event_list", query=listed).body["items"][0]["cursor"]
    book.show(ada, "event_stream", query={"after": cursor, "kind": "instance.*"})


def audits(story: SampleCloud) -> None:
    """Show the audit of the project, of the organization, and of the platform."""
    book, ada, olga, oscar = story.book, story.ada, story.olga, story.oscar
    by_request, by_entry = {"verb": "instance_create"}, {"verb": "instance.create"}
    for caller, prefix in ((ada, ""), (olga, "organization_"), (oscar, "platform_")):
        book.show(caller, f"{prefix}audit_list", query=by_request)
        book.show(caller, f"{prefix}audit_deed_list", query=by_entry)
        book.show(caller, f"{prefix}audit_export", query=by_request | {"format": "jsonl"})


def evidences(story: SampleCloud) -> None:
    book, ada = story.book, story.ada
    record_receipts(story.machine)
    log_key.create_log_key(settings.PKI_DIR)
    evidence_log.sequence()
    created = evidence_log.checkpoint()
    assert created is not None
    instance = book.do(ada, "instance_get").body["id"]
    book.show(ada, "resource_residency", resource=instance, query={"role": "compute"})
    record = book.show(ada, "evidence_list", query={"kind": "permit", "resource": instance}).body["items"][0]
    book.show(ada, "evidence_proof", record=record["id"])
    book.show(ada, "evidence_checkpoint")
    request = book.show(ada, "evidence_witness_request", query={"old": 0})
    auditor = witness.create(story.folder / "witness", "witness.auditor.example")
    witness_add(str(auditor.key))
    line = auditor.sign(parse_request(request.text), log_key.load().public, now=int(clock.now().timestamp()))
    book.show(ada, "evidence_cosign", {"tree_size": created.tree_size, "line": str(line)})


def evidence_exports(story: SampleCloud) -> None:
    book, olga, now = story.book, story.olga, clock.now()
    window = {"from": (now - timedelta(hours=1)).isoformat(), "to": now.isoformat()}
    export = book.show(olga, "evidence_export_create", window).body["id"]
    exports.make_all()
    EvidenceExport.objects.update(size_bytes=EXPORT_BYTES)  # the real size changes with the lengths of random numbers
    book.show(olga, "evidence_export_get", export=export)
    book.show(olga, "evidence_export_file", export=export)
    earlier = {"from": (now - timedelta(hours=2)).isoformat(), "to": (now - timedelta(hours=1)).isoformat()}
    book.show(olga, "evidence_export", query={"organization": "acme", **earlier})
