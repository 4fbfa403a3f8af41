"""Completeness of an export's streams. Standard library only.

Each record follows the one before it, the streams go on after the period, and blank records are proven erased.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from andromede_core.documents.parsing import as_count, as_list, as_text
from andromede_core.evidence import export_format
from andromede_core.evidence.export_format import MAX, Envelope, ExportedRecord, Manifest, Span
from andromede_core.evidence.records import PLATFORM

# A record has its moment from the start of its transaction, and its place from the commit: records before it may have
# a later moment. No transaction takes this long.
OUT_OF_ORDER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Read:
    """A line that equals the log's entry at its place. `envelope` is None when the record was erased."""

    place: str
    line: ExportedRecord
    envelope: Envelope | None


@dataclass
class Streams:
    """The records of an export, file by file. `fault` is called with the place and the problem."""

    manifest: Manifest
    fault: Callable[[str, str], None]
    platform: Sequence[Read]
    earlier: Sequence[Read]
    own: Sequence[Read]
    later: Sequence[Read]

    def check(self) -> None:
        organization, span = self.manifest.organization, self.manifest.own
        self._check_chain(export_format.PLATFORM_RECORDS, self.platform, stream=PLATFORM, span=self.manifest.platform)
        self._check_chain(export_format.OWN_RECORDS, self.own, stream=organization, span=span)
        self._check_unlisted_records(self.earlier, after=0, before=max(span.first - 1, 1), word="before")
        self._check_unlisted_records(self.later, after=span.last + 1, before=span.total + 1, word="after")
        self._check_window()
        self._check_went_on(export_format.PLATFORM_RECORDS, self.platform)
        self._check_went_on(export_format.OWN_RECORDS, [*self.own, *self.later])
        self._check_moments(self.platform)
        self._check_moments([*self.earlier, *self.own, *self.later])
        self._check_blanks()

    def _check_chain(self, name: str, reads: Sequence[Read], *, stream: str, span: Span) -> None:
        """Check the records from the one before `span.first` to the one after `span.last`, if these exist."""
        expected = max(span.first - 1, 1)
        before: ExportedRecord | None = None
        for read in reads:
            record = read.line
            if record.entry.stream != stream:
                self.fault(read.place, f"it is of the stream {record.entry.stream}")
                continue
            if record.entry.seq != expected:
                self.fault(read.place, f"record {expected} of the stream should stand here, not {record.entry.seq}")
            elif before is not None and (record.entry.prev != before.entry.leaf or record.index <= before.index):
                self.fault(read.place, "it does not follow the record before it")
            elif record.entry.seq == 1 and record.entry.prev:
                self.fault(read.place, "it is the first of its stream, and names one before it")
            before, expected = record, record.entry.seq + 1
        if expected != min(span.last + 1, span.total) + 1:
            self.fault(name, f"records from number {expected} on are missing, or there are too many")

    def _check_unlisted_records(self, reads: Sequence[Read], *, after: int, before: int, word: str) -> None:
        """Check some of the organization's records, with numbers in this range, in order."""
        seen = after
        for read in reads:
            entry = read.line.entry
            if entry.stream != self.manifest.organization or not seen < entry.seq < before:
                self.fault(read.place, f"it does not belong to what came {word}")
            seen = entry.seq

    def _check_window(self) -> None:
        """Check both ends of the period: the neighbours show that no record was left out there."""
        start, end, span = self.manifest.start, self.manifest.end, self.manifest.own
        by_seq = {read.line.entry.seq: (read, read.envelope.at) for read in self.own if read.envelope is not None}
        for seq, is_early in ((span.first - 1, True), (span.first, False)):
            read, at = by_seq.get(seq, (None, start))
            if read is not None and seq <= span.last + is_early and (at < start) != is_early:
                self.fault(read.place, "the export does not begin where it says")
        for seq, is_late in ((span.last, False), (span.last + 1, True)):
            read, at = by_seq.get(seq, (None, end))
            if read is not None and seq >= span.first and (at >= end) != is_late:
                self.fault(read.place, "the export does not end where it says")

    def _check_went_on(self, name: str, reads: Sequence[Read]) -> None:
        """Check that the log goes on after the period; else the newest records could be cut off."""
        if not any(read.envelope.at >= self.manifest.end for read in reads if read.envelope is not None):
            self.fault(name, "nothing shows that the log went on until the end: its last records may be missing")

    def _check_moments(self, reads: Sequence[Read]) -> None:
        newest: datetime | None = None
        for read in reads:
            if read.envelope is None:
                continue
            if newest is not None and read.envelope.at < newest - OUT_OF_ORDER:
                self.fault(read.place, "it says that it is older than what stood in the log before it")
            newest = max(newest or read.envelope.at, read.envelope.at)

    # ── erasures ──────────────────────────────────────────────────────────────────────────────────

    def _check_blanks(self) -> None:
        erased: dict[str, list[tuple[int, int]]] = {}
        everything = [*self.platform, *self.earlier, *self.own, *self.later]
        for read in everything:
            if read.envelope is not None and read.envelope.kind == "erasure":
                try:
                    stream = as_text(read.envelope.body.get("stream"), "stream")
                    erased.setdefault(stream, []).extend(_runs(read.envelope.body.get("records")))
                except ValueError as exc:
                    self.fault(read.place, f"the erasure is damaged: {exc}")
        whole = {stream: _joined(runs) for stream, runs in erased.items()}
        for read in everything:
            entry = read.line.entry
            if read.envelope is None and not _is_within(entry.seq, whole.get(entry.stream, [])):
                self.fault(read.place, "it is blank, and no erasure names it")


def _runs(value: object) -> Iterator[tuple[int, int]]:
    for number, run in enumerate(as_list(value, "records")):
        first, last = (as_count(each, f"records[{number}]", minimum=1, maximum=MAX) for each in as_list(run, "records"))
        yield first, last


def _joined(runs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Merge ranges, in order, none within another."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(runs):
        if not joined or last > joined[-1][1]:
            joined.append((first, last))
    return joined


def _is_within(number: int, runs: Sequence[tuple[int, int]]) -> bool:
    index = bisect_right(runs, number, key=lambda run: run[0])
    return index > 0 and number <= runs[index - 1][1]
