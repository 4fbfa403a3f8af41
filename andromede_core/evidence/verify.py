"""Verify an export of evidence, offline. Python 3.11 or later, without any other software.

    python3 verify.py EXPORT.tar [--log-key KEY] [--root-key FILE]… [--witness KEY]… [--witnesses N] [--audit FILE]

Without keys of your own, the export's own keys are used: this proves that the export is consistent, and not whose it
is. Exit status 0: no fault found · 1: faults, each on a line · 2: not an export.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from andromede_core.documents.messages import Message
from andromede_core.documents.parsing import as_rfc3339
from andromede_core.documents.signed import BadDocument, Signed
from andromede_core.evidence import ed25519, export_format, request_proofs
from andromede_core.evidence.archive import MANIFEST_NAME, Archive, NotAnExport
from andromede_core.evidence.authority import Authority
from andromede_core.evidence.checkpoints import TreeHead, cosignatures, parse_head, verify_cosignature
from andromede_core.evidence.export_format import Manifest
from andromede_core.evidence.export_rules import Judge, Source
from andromede_core.evidence.keys import Verify, verifier_of
from andromede_core.evidence.merkle import is_consistent, is_included
from andromede_core.evidence.records import SALT_BYTES, content_hash, stream_of
from andromede_core.evidence.request_proofs import Batch
from andromede_core.evidence.signed_notes import Key, NoteError, decode, parse_key, parse_note, verify_note
from andromede_core.evidence.streams import Read, Streams

FAULTS_SHOWN = 200
BY_ITSELF = " (the export's own key: compare it with the one that you know)"


@dataclass(frozen=True)
class Pins:
    """The keys that the auditor has from another source."""

    log: Key | None = None
    roots: tuple[Verify, ...] = ()
    witnesses: tuple[Key, ...] = ()
    enough: int = 0  # witnesses that must have signed


@dataclass
class Findings:
    faults: list[str] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)  # lines of the summary
    erased: int = 0

    def fault(self, where: str, problem: str) -> None:
        self.faults.append(f"{where}: {problem}")


def verify(archive: Archive, pins: Pins, audit: Iterable[bytes] | None = None) -> Findings:
    """Verify an export. `audit`: the lines of an export of requests, which the archive's records must cover.

    Raises:
        NotAnExport: the file ends before its contents do.
    """
    findings = Findings()
    try:
        manifest, signed = export_format.read_manifest(archive.manifest)
    except ValueError as exc:
        findings.fault(MANIFEST_NAME, f"is damaged, so that nothing else can be judged: {exc}")
        return findings
    verification = _Verification(archive, manifest, signed, pins, findings)
    verification.run()
    if audit is not None:
        verification.check_audit(audit)
    return findings


@dataclass
class _Verification:
    archive: Archive
    manifest: Manifest
    signed: Signed
    pins: Pins
    findings: Findings
    witnessed: dict[str, list[tuple[int, datetime]]] = field(default_factory=dict)  # by name: sizes, and when
    batches: dict[str, Batch] = field(default_factory=dict)  # of requests, by the record that has them

    def run(self) -> None:
        log = self.pins.log or self.manifest.log
        try:
            self.signed.check(export_format.KIND, lambda message, raw: ed25519.verify(log.public, raw, message))
        except BadDocument as exc:
            self.findings.fault(MANIFEST_NAME, f"{exc}, or it was changed")
        self._check_files()
        head = self._check_checkpoints(log)
        platform = self._read(export_format.PLATFORM_RECORDS, head)
        earlier = self._read(export_format.EARLIER_RECORDS, head)
        own = self._read(export_format.OWN_RECORDS, head)
        later = self._read(export_format.LATER_RECORDS, head)
        Streams(self.manifest, self.findings.fault, platform, earlier=earlier, own=own, later=later).check()
        judge = self._judge(platform, [*earlier, *own])
        self.batches = judge.batches
        self._check_witnesses(own)
        self._summarize(log, judge)

    def check_audit(self, lines: Iterable[bytes]) -> None:
        """Check each request against its batch, and count the batches whose requests are all there."""
        seen: dict[str, set[int]] = {}
        young = 0
        for number, raw in enumerate(lines, start=1):
            try:
                request = request_proofs.read_line(raw)
                covered = request.covered
                if covered is None:
                    young += 1
                    continue
                problem = self._audit_problem(request, covered, seen)
            except (ValueError, RecursionError) as exc:
                problem = f"the line is damaged: {exc}"
            if problem:
                self.findings.fault(f"audit:{number}", problem)
        whole = sum(len(places) == self.batches[record].count for record, places in seen.items())
        count = sum(map(len, seen.values()))
        add_fact = self.findings.facts.append
        add_fact(f"audit: {count} requests as the log has them, {young} too young to be in it")
        add_fact(f"audit: all requests of {whole} of the {len(self.batches)} batches of this export of evidence")

    def _audit_problem(
        self, request: request_proofs.ExportedRequest, covered: request_proofs.Covered, seen: dict[str, set[int]]
    ) -> str:
        batch = self.batches.get(covered.record)
        if batch is None:
            return f"the record {covered.record}, which covers it, is not in this export of evidence"
        if not request_proofs.is_covered(request, covered, batch):
            return "the request is not in the log, or was changed"
        places = seen.setdefault(covered.record, set())
        if covered.index in places:
            return "the request is listed twice"
        places.add(covered.index)
        return ""

    def _check_files(self) -> None:
        self.archive.locate(self.manifest.files)
        for oddity in self.archive.oddities:
            self.findings.fault("the archive", f"{oddity} was changed")
        listed = {each.name for each in self.manifest.files}
        for name in (
            export_format.CHECKPOINTS,
            export_format.PLATFORM_RECORDS,
            export_format.EARLIER_RECORDS,
            export_format.OWN_RECORDS,
            export_format.LATER_RECORDS,
        ):
            if name not in listed:
                raise NotAnExport(f"the export has no {name}")
        for name in sorted(listed):
            if not self.archive.is_as_listed(name):
                self.findings.fault(name, "is not the file that the manifest lists")

    # ── the log ───────────────────────────────────────────────────────────────────────────────────

    def _check_checkpoints(self, log: Key) -> TreeHead | None:
        """Return the newest checkpoint. Each must be signed by the log and extend the one before."""
        head: TreeHead | None = None
        for where, raw in self._lines(export_format.CHECKPOINTS):
            try:
                text, proof = export_format.read_checkpoint_line(raw)
                note = parse_note(text)
                verify_note(note, [log], ed25519.verify)
                fresh = parse_head(note.text)
                self._check_head(fresh, head, proof, log)
                witnesses = self.pins.witnesses or self.manifest.witnesses
                for key, signature in cosignatures(note, witnesses):
                    moment = verify_cosignature(note.text, signature, key, ed25519.verify)
                    signed = (fresh.size, datetime.fromtimestamp(moment, UTC))
                    self.witnessed.setdefault(key.name, []).append(signed)
            except (ValueError, OverflowError, OSError) as exc:
                self.findings.fault(where, f"the checkpoint is invalid: {exc}")
                continue
            head = fresh
        if head is None or head.size != self.manifest.size:
            self.findings.fault(export_format.CHECKPOINTS, f"there is no checkpoint of size {self.manifest.size}")
            return None
        return head

    def _check_head(self, fresh: TreeHead, before: TreeHead | None, proof: Sequence[bytes], log: Key) -> None:
        if fresh.origin != log.name:
            raise NoteError(Message("it is of the log {origin}", origin=fresh.origin))
        if before is not None and not is_consistent(
            before.size, fresh.size, old_root=before.root, new_root=fresh.root, proof=proof
        ):
            raise NoteError(Message("the log does not go on from the checkpoint of size {size}", size=before.size))

    # ── records one by one ────────────────────────────────────────────────────────────────────────

    def _lines(self, name: str) -> Iterator[tuple[str, bytes]]:
        for number, raw in enumerate(self.archive.lines(name), start=1):
            yield f"{name}:{number}", raw

    def _read(self, name: str, head: TreeHead | None) -> list[Read]:
        reads = []
        for where, raw in self._lines(name):
            try:
                record = export_format.read_line(raw)
                envelope = None if record.document is None else export_format.read_envelope(record.document)
            except (ValueError, RecursionError) as exc:
                self.findings.fault(where, f"the record is damaged: {exc}")
                continue
            read = Read(where if envelope is None else f"{where} {envelope.kind} {envelope.id}", record, envelope)
            self._check_record(read, head)
            reads.append(read)
        return reads

    def _check_record(self, read: Read, head: TreeHead | None) -> None:
        record, envelope = read.line, read.envelope
        if record.document is not None and record.salt is not None and envelope is not None:
            if len(record.salt) != SALT_BYTES or content_hash(record.salt, record.document) != record.entry.content:
                self.findings.fault(read.place, "its content was changed: it has another hash in the log")
            if stream_of(envelope.kind, envelope.owners["organization"]) != record.entry.stream:
                self.findings.fault(read.place, "it is in a stream other than its own")
        elif record.document is None and record.salt is None:
            self.findings.erased += 1
        else:
            self.findings.fault(read.place, "it has a document without a salt, or a salt without a document")
        if head is not None and not is_included(
            record.entry.leaf, index=record.index, size=head.size, proof=record.proof, root=head.root
        ):
            self.findings.fault(read.place, "it is not in the log at the place that it names")

    # ── contents ──────────────────────────────────────────────────────────────────────────────────

    def _judge(self, platform: Iterable[Read], own: Iterable[Read]) -> Judge:
        judge = Judge(
            fault=lambda source, problem: self.findings.fault(source.place, problem),
            authority=Authority(list(self.pins.roots), is_pinned=bool(self.pins.roots)),
            organization=self.manifest.organization,
        )
        judge.platform(_sources(platform))
        judge.own(_sources(own))
        return judge

    def _summarize(self, log: Key, judge: Judge) -> None:
        manifest, add_fact = self.manifest, self.findings.facts.append
        add_fact(f"organization {manifest.name} ({manifest.organization})")
        add_fact(f"from {as_rfc3339(manifest.start)} to {as_rfc3339(manifest.end)}")
        own, all_of_platform = manifest.own, manifest.platform.last
        add_fact(f"its records {own.first} to {own.last} of {own.total}, all {all_of_platform} of the platform")
        add_fact(f"{self.findings.erased} of them erased")
        add_fact(
            "checked: " + (", ".join(f"{count} {kind}" for kind, count in sorted(judge.checked.items())) or "nothing")
        )
        add_fact(f"checkpoint of size {manifest.size}, signed by {log}" + ("" if self.pins.log else BY_ITSELF))
        for name, signed in sorted(self.witnessed.items()):
            size, moment = signed[-1]
            add_fact(
                f"witness {name} signed size {size} at {as_rfc3339(moment)}"
                + ("" if self.pins.witnesses else BY_ITSELF)
            )
        if not self.witnessed:
            add_fact("no witness has signed: only the operator attests that all readers see the same log")
        add_fact(f"{len(judge.authority.roots)} root keys" + ("" if self.pins.roots else BY_ITSELF))

    def _check_witnesses(self, own: Sequence[Read]) -> None:
        """Check that enough known witnesses signed, after the period's end, a tree with all of its records."""
        last = max((read.line.index for read in own if read.line.entry.seq <= self.manifest.own.last), default=-1)
        have_seen = [
            name
            for name, signed in self.witnessed.items()
            if any(size > last and moment >= self.manifest.end for size, moment in signed)
        ]
        if len(have_seen) < self.pins.enough:
            problem = (
                f"{len(have_seen)} witnesses have signed a tree with the last of the organization's records after "
                f"{as_rfc3339(self.manifest.end)}; {self.pins.enough} are required"
            )
            self.findings.fault(export_format.CHECKPOINTS, problem)


def _sources(reads: Iterable[Read]) -> list[Source]:
    return [
        Source(read.place, read.envelope, read.line.entry.stream, read.line.index)
        for read in reads
        if read.envelope is not None
    ]


# ── the command ─────────────────────────────────────────────────────────────────────────────────


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if len(set(options.witness)) < options.witnesses:
        parser.error("--witnesses exceeds the number of --witness keys: pass the key of each witness with --witness")
    try:
        with Path(options.export).open("rb") as file:
            audit = Path(options.audit).read_bytes().splitlines() if options.audit else None
            findings = verify(Archive(file), _pins(options), audit)
    except (NotAnExport, NoteError, OSError) as exc:
        sys.stderr.write(f"{options.export}: {exc}\n")
        return 2
    for line in findings.facts:
        sys.stdout.write(f"{line}\n")
    for fault in findings.faults[:FAULTS_SHOWN]:
        sys.stdout.write(f"FAULT {fault}\n")
    if findings.faults:
        sys.stdout.write(f"{len(findings.faults)} faults: the export contradicts the log or breaks a rule.\n")
        return 1
    sys.stdout.write("The export is consistent: no check failed.\n")
    return 0


def _pins(options: argparse.Namespace) -> Pins:
    """Read the auditor's keys. Raises NoteError."""
    return Pins(
        log=parse_key(options.log_key) if options.log_key else None,
        roots=tuple(map(_root_key, options.root_key)),
        witnesses=tuple(map(parse_key, options.witness)),
        enough=options.witnesses,
    )


def _root_key(name: str) -> Verify:
    """Read a key from a PEM file (RFC 7468). Raises OSError, NoteError."""
    lines = Path(name).read_text().splitlines()
    public = "".join(line for line in lines if not line.startswith("-----"))
    decode(public)
    return verifier_of(public)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="verify.py", description="Verify an evidence export offline.")
    parser.add_argument("export", help="path of the export, andromede-evidence-….tar")
    parser.add_argument("--log-key", help="trusted public key of the log: NAME+ID+BASE64")
    parser.add_argument(
        "--root-key", action="append", default=[], help="path of the trusted root key, PEM; may be repeated"
    )
    parser.add_argument(
        "--witness",
        action="append",
        default=[],
        help="public key of a trusted witness: NAME+ID+BASE64; may be repeated",
    )
    parser.add_argument(
        "--audit", help="path of a request log export (JSON Lines) to check against the evidence export"
    )
    parser.add_argument("--witnesses", type=int, default=0, help="minimum of trusted witnesses that must have signed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
