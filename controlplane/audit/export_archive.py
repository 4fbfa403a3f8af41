"""The auditor's export: an organization's evidence of a period, in one file that is verified offline.

It contains the log alone: only records are evidence.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from uuid import UUID

from django.db.models import Max, Min, Q, QuerySet

from andromede_core.documents.signed import sign
from andromede_core.evidence import archive, export_format
from andromede_core.evidence.archive import Listed
from andromede_core.evidence.export_format import ExportedRecord, Manifest, Span
from andromede_core.evidence.records import PLATFORM, Entry
from controlplane.audit import build_verifier, evidence_log, export_readme, log_key, proofs, selectors, witnesses
from controlplane.audit.errors import NotSequenced
from controlplane.audit.models import Checkpoint, EvidenceRecord, Kind, Witness
from controlplane.identity.models import Organization
from controlplane.kernel import clock
from controlplane.kernel.names import as_uuid

BATCH = 500  # records whose proofs are read with one query
UNFINISHED = "unfinished-"  # prefix of the folder of an unfinished export
Rows = QuerySet[EvidenceRecord]


@dataclass(frozen=True)
class ExportWindow:
    organization: Organization
    start: datetime
    end: datetime

    @property
    def file_name(self) -> str:
        moments = "-".join(f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}" for moment in (self.start, self.end))
        return f"andromede-evidence-{self.organization.name}-{moments}.tar"


def write_export(window: ExportWindow, out: Path) -> Manifest:
    """Write the export to `out` atomically, after marking the present end of the log, assigning positions, and signing
    a log checkpoint.

    The file is readable by its owner only (0600). A killed process leaves a folder UNFINISHED… beside `out`.

    Raises:
        LogKeyMissing
        NotSequenced: the end of the period has not come, too many records wait for their positions, or the log's key
            has changed and nothing was signed with the new one yet.
    """
    log_key.load()
    _mark(window)
    evidence_log.sequence()
    evidence_log.checkpoint()
    newest = selectors.checkpoint_newest()
    if newest is None or selectors.checkpoint_note(newest).by(log_key.load().public) is None:
        raise NotSequenced
    if not all(_since_end(window, stream).filter(leaf_index__lt=newest.tree_size) for stream in _streams(window)):
        raise NotSequenced
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=UNFINISHED) as folder:
        content = _Content(window, newest, Path(folder))
        manifest = content.manifest()
        whole = Path(folder) / "export.tar"
        _pack(manifest, Path(folder), whole)
        whole.replace(out)
    return manifest


def _streams(window: ExportWindow) -> Mapping[str, UUID | None]:
    """Return the streams of an export, with their owners."""
    return {str(window.organization.pk): window.organization.pk, PLATFORM: None}


def _since_end(window: ExportWindow, stream: str) -> Rows:
    """Return the records of the stream after the end of the period: they prove that no earlier record was cut off."""
    return EvidenceRecord.objects.filter(stream=stream, created_at__gte=window.end, document__isnull=False)


def _mark(window: ExportWindow) -> None:
    """Append a record to each stream after the end."""
    if window.end > clock.now():
        raise NotSequenced
    for stream, organization_id in _streams(window).items():
        if not _since_end(window, stream).exists():
            evidence_log.append(Kind.MARK, {"mark": "export"}, organization_id=organization_id)


def _pack(manifest: Manifest, folder: Path, whole: Path) -> None:
    key = log_key.load()
    signed = sign(export_format.KIND, manifest.payload(), key_id=str(key.public), key=key.private.sign)
    whole.touch(0o600)
    with ExitStack() as opened, whole.open("wb") as out:
        files = [(each, opened.enter_context((folder / each.name).open("rb"))) for each in manifest.files]
        archive.write(out, signed.document() + b"\n", files)
        out.flush()
        os.fsync(out.fileno())


@dataclass(frozen=True)
class _Content:
    window: ExportWindow
    newest: Checkpoint
    folder: Path

    def manifest(self) -> Manifest:
        own, platform = self._own_span(), self._platform_span()
        inside = self._stream(self._own_stream).filter(stream_seq__gte=own.first - 1, stream_seq__lte=own.last + 1)
        before = self._stream(self._own_stream).filter(stream_seq__lt=own.first - 1)
        after = self._stream(self._own_stream).filter(stream_seq__gt=own.last + 1)
        signers = Witness.objects.filter(cosignature__isnull=False).distinct().order_by("name")
        files = {
            export_readme.ENGLISH: [export_readme.english(self.window.organization.name)],
            export_readme.FRENCH: [export_readme.french(self.window.organization.name)],
            export_format.VERIFIER: [_verifier()],
            export_format.CHECKPOINTS: _ended(self._checkpoints()),
            export_format.PLATFORM_RECORDS: _ended(self._lines(self._stream(PLATFORM))),
            export_format.EARLIER_RECORDS: _ended(self._lines(before.filter(_rested_on(inside, before)))),
            export_format.OWN_RECORDS: _ended(self._lines(inside)),
            export_format.LATER_RECORDS: _ended(self._lines(after.filter(kind__in=(Kind.ERASURE, Kind.MARK)))),
        }
        return Manifest(
            organization=self._own_stream,
            name=self.window.organization.name,
            start=self.window.start,
            end=self.window.end,
            log=log_key.load().public,
            witnesses=tuple(map(witnesses.key_of, signers)),
            size=self.newest.tree_size,
            own=own,
            platform=platform,
            files=tuple(self._write(name, parts) for name, parts in files.items()),
        )

    @property
    def _own_stream(self) -> str:
        return str(self.window.organization.pk)

    def _stream(self, stream: str) -> Rows:
        """Write the stream's records that the newest checkpoint covers."""
        return EvidenceRecord.objects.filter(stream=stream, leaf_index__lt=self.newest.tree_size)

    def _own_span(self) -> Span:
        rows = self._stream(self._own_stream)
        total = rows.aggregate(last=Max("stream_seq"))["last"] or 0
        own_rows = rows.filter(created_at__gte=self.window.start, created_at__lt=self.window.end)
        ends = own_rows.aggregate(first=Min("stream_seq"), last=Max("stream_seq"))
        if ends["first"] is not None:
            return Span(ends["first"], ends["last"], total)
        before = rows.filter(created_at__lt=self.window.start).aggregate(last=Max("stream_seq"))["last"] or 0
        return Span(before + 1, before, total)

    def _platform_span(self) -> Span:
        total = self._stream(PLATFORM).aggregate(last=Max("stream_seq"))["last"] or 0
        return Span(1, total, total)

    def _checkpoints(self) -> Iterator[bytes]:
        """Return the checkpoints with cosignatures, of the period and later, and the newest one.

        Those signed with an earlier key of the log are left out: the newest covers their contents.
        """
        cosigned = Q(cosignature__isnull=False, created_at__gte=self.window.start)
        checkpoints = Checkpoint.objects.filter(cosigned | Q(pk=self.newest.pk), tree_size__lte=self.newest.tree_size)
        key, before = log_key.load().public, 0
        for checkpoint in checkpoints.distinct().order_by("tree_size"):
            note = selectors.checkpoint_note(checkpoint)
            if note.by(key) is not None:
                proof = proofs.consistency(before, checkpoint.tree_size)
                yield export_format.checkpoint_line(str(note), tuple(proof))
                before = checkpoint.tree_size

    def _lines(self, rows: Rows) -> Iterator[bytes]:
        batch: list[EvidenceRecord] = []
        for row in rows.order_by("stream_seq").iterator(chunk_size=BATCH):
            batch.append(row)
            if len(batch) == BATCH:
                yield from self._lines_of(batch)
                batch.clear()
        yield from self._lines_of(batch)

    def _lines_of(self, rows: Sequence[EvidenceRecord]) -> Iterator[bytes]:
        indexes = [row.leaf_index for row in rows if row.leaf_index is not None]
        leaves = _leaves_before(rows)
        for row, proof in zip(rows, proofs.inclusions(indexes, self.newest.tree_size), strict=True):
            yield _line(row, leaves, proof).as_bytes()

    def _write(self, name: str, parts: Iterable[bytes]) -> Listed:
        size, digest = 0, hashlib.sha256()
        with (self.folder / name).open("wb") as file:
            for part in parts:
                file.write(part)
                digest.update(part)
                size += len(part)
        return Listed(name, size, digest.hexdigest())


@cache
def _verifier() -> bytes:
    """Return the verifier, built once per process: building takes longer than a small export."""
    return build_verifier.source().encode()


def _ended(lines: Iterable[bytes]) -> Iterator[bytes]:
    return (line + b"\n" for line in lines)


def _leaves_before(rows: Sequence[EvidenceRecord]) -> dict[int, bytes]:
    """Return the preceding leaves by number; all rows are of one stream."""
    numbers = [row.stream_seq - 1 for row in rows if row.stream_seq is not None]
    before = EvidenceRecord.objects.filter(stream__in={row.stream for row in rows}, stream_seq__in=numbers)
    return {seq: bytes(leaf) for seq, leaf in before.values_list("stream_seq", "leaf_hash") if seq and leaf}


def _line(row: EvidenceRecord, leaves: Mapping[int, bytes], proof: Sequence[bytes]) -> ExportedRecord:
    assert row.leaf_index is not None
    assert row.stream_seq is not None
    return ExportedRecord(
        index=row.leaf_index,
        entry=Entry(row.stream, row.stream_seq, leaves.get(row.stream_seq - 1, b""), bytes(row.content_hash)),
        salt=None if row.salt is None else bytes(row.salt),
        document=None if row.document is None else row.document.encode(),
        proof=tuple(proof),
    )


def _rested_on(inside: Rows, before: Rows) -> Q:
    """Return the earlier records that the export needs: all policies, proposals and erasures; the permits of receipts
    with the other records of these permits, and the decisions of permits.
    """
    answered = set(inside.filter(kind=Kind.RECEIPT).values_list("subject_id", flat=True))
    permits = before.filter(kind=Kind.PERMIT, subject_id__in=answered)
    named = {_decision_of(text) for rows in (permits, inside.filter(kind=Kind.PERMIT)) for text in _documents(rows)}
    return (
        Q(kind__in=(Kind.POLICY_VERSION, Kind.POLICY_PROPOSAL, Kind.ERASURE))
        | Q(kind__in=(Kind.PERMIT, Kind.COSIGNATURE, Kind.RECEIPT), subject_id__in=answered)
        | Q(kind=Kind.DECISION, subject_id__in=named)
    )


def _documents(rows: Rows) -> Iterator[str]:
    return (text for text in rows.values_list("document", flat=True).iterator(chunk_size=BATCH) if text is not None)


def _decision_of(permit: str) -> UUID | None:
    name = json.loads(permit)["document"].get("p", {}).get("decision")
    return as_uuid(name) if isinstance(name, str) else None
