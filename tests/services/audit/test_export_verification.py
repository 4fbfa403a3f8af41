"""The verifier passes a clean evidence export and finds altered, incomplete and invented ones."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from andromede_core.evidence import export_format, records, witness
from andromede_core.evidence.archive import BLOCK, Archive
from andromede_core.evidence.checkpoints import TreeHead
from andromede_core.evidence.export_format import EARLIER_RECORDS, OWN_RECORDS, PLATFORM_RECORDS, Span
from andromede_core.evidence.verify import Pins, verify
from andromede_core.evidence.witness import Witness
from controlplane.audit import evidence_log, log_key
from controlplane.audit.errors import NotSequenced
from controlplane.audit.models import EvidenceRecord
from controlplane.audit.witnesses import cosign_accept, witness_add, witness_request
from controlplane.identity.models import Organization
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from tests.services.audit.exports import Export, run_alone, verdict
from tests.services.audit.sample_evidence import EU, Document, SampleEvidence, make_sample_evidence
from tests.unit.audit.keys import Signer

HOUR = timedelta(hours=1)
Write = Callable[..., Export]


@pytest.fixture
def write(exporter: Write) -> Write:
    return exporter


def of(text: bytes) -> Document:
    """Return the document of a line's record; empty if the record was erased."""
    document: Document = json.loads(json.loads(text)["document"] or "{}")
    return document


def positions(export: Export, kind: str, name: str = OWN_RECORDS) -> list[int]:
    """The positions of the lines that are of this kind."""
    return [number for number, line in enumerate(export.lines(name)) if of(line).get("kind") == kind]


# ── clean ───────────────────────────────────────────────────────────────────────────────────────


def test_clean_export_verifies_on_another_machine(organization: Organization, write: Write, tmp_path: Path) -> None:
    story = make_sample_evidence(organization.pk)
    export = write()
    alone = run_alone(export.path, tmp_path / "auditor", "--log-key", str(log_key.load().public))
    assert (alone.returncode, alone.stderr) == (0, "")
    assert "The export is consistent: no check failed." in alone.stdout
    assert "4 decision, " in alone.stdout
    own = export.manifest.own
    assert f"its records 1 to {own.last} of {own.last + 1}" in alone.stdout, "and the mark that follows"
    assert verdict(export.path, "--root-key", str(story.root.file(tmp_path))).status == 0


def test_export_command_writes_a_valid_file(
    organization: Organization, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_sample_evidence(organization.pk)
    end = clock.now()
    window = ["--from", "2025-11-01T00:00:00Z", "--to", end.isoformat(), "--out", str(tmp_path)]
    call_command("export_evidence", "--organization", "ministry", *window)
    path = Path(capsys.readouterr().out.strip())
    assert path.name == f"andromede-evidence-ministry-20251101T000000Z-{end:%Y%m%dT%H%M%SZ}.tar"
    assert verdict(path).status == 0
    assert [file.name for file in tmp_path.glob("*.tar")] == [path.name]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--organization", "nobody", "--from", "2026-11-01T00:00:00Z", "--to", "2026-12-01T00:00:00Z"], "nobody"),
        (["--organization", "ministry", "--from", "2026-11-01", "--to", "2026-12-01T00:00:00Z"], "time zone"),
        (["--organization", "ministry", "--from", "2026-12-01T00:00:00Z", "--to", "2026-12-01T00:00:00Z"], "before"),
        (["--organization", "ministry", "--from", "2026-11-01T00:00:00Z", "--to", "2100-12-01T00:00:00Z"], "future"),
    ],
)
def test_export_command_refuses_invalid_arguments(
    organization: Organization, arguments: list[str], reason: str
) -> None:
    with pytest.raises(CommandError, match=reason):
        call_command("export_evidence", *arguments)


def test_export_has_no_records_of_other_organizations(organization: Organization, write: Write) -> None:
    make_sample_evidence(organization.pk)
    other = new_id()
    SampleEvidence(other, epoch=1).demand("secret", EU)
    evidence_log.append("incident", {"what": "of nobody"})
    export = write()
    assert str(other).encode() not in b"".join(export.files.values())
    assert b"of nobody" not in b"".join(export.files.values())


def test_export_has_records_of_its_period_and_their_dependencies(organization: Organization, write: Write) -> None:
    story = make_sample_evidence(organization.pk)
    before = story.permit(story.decide())
    evidence_log.sequence()
    start = clock.now()
    story.receipt(before)
    story.create()
    end = clock.now()
    story.create()
    export = write(start, end)
    assert verdict(export.path).status == 0, verdict(export.path).out
    own, total = export.manifest.own, EvidenceRecord.objects.filter(stream=str(organization.pk)).count()
    assert own == Span(total - 6, total - 3, total)
    assert len(export.lines(OWN_RECORDS)) == 6
    assert [of(line)["kind"] for line in export.lines(EARLIER_RECORDS)] == [
        "policy_version",
        "policy_version",
        "decision",
    ]


def test_export_of_a_period_without_records_proves_their_absence(organization: Organization, write: Write) -> None:
    story = make_sample_evidence(organization.pk)
    start = clock.now()
    end = clock.now()
    story.create()
    export = write(start, end)
    assert verdict(export.path).status == 0, verdict(export.path).out
    assert export.manifest.own.first == export.manifest.own.last + 1
    assert len(export.lines(OWN_RECORDS)) == 2


@pytest.mark.parametrize("is_early", [True, False])
def test_export_of_a_period_outside_all_records_verifies(
    organization: Organization, write: Write, is_early: bool
) -> None:
    make_sample_evidence(organization.pk)
    start = clock.now() - 10 * HOUR if is_early else clock.now()
    export = write(start, start + HOUR if is_early else clock.now())
    assert verdict(export.path).status == 0, verdict(export.path).out


def test_erased_record_is_counted_and_is_no_fault(organization: Organization, write: Write) -> None:
    make_sample_evidence(organization.pk)
    evidence_log.erase_record(
        EvidenceRecord.objects.get(kind="incident", organization_id=organization.pk).pk, reason="law"
    )
    export = write()
    result = verdict(export.path)
    assert result.status == 0, result.out
    assert "1 of them erased" in result.out


def test_future_period_is_not_exported(organization: Organization, write: Write) -> None:
    make_sample_evidence(organization.pk)
    with pytest.raises(NotSequenced):
        write(end=clock.now() + HOUR)


def test_witnesses_are_counted(organization: Organization, write: Write, tmp_path: Path) -> None:
    auditor = witness.create(tmp_path / "witness", "auditor.example/w")
    make_sample_evidence(organization.pk)
    end = clock.now()
    size = write(end=end).manifest.size
    cosign(auditor, size, end)
    export = write(end=end)
    known = ("--witness", str(auditor.key), "--witnesses", "1")
    result = verdict(export.path, *known)
    assert result.status == 0, result.out
    assert f"witness auditor.example/w signed size {size} at 2" in result.out
    other = Signer("auditor.example/w", 4)
    assert verdict(export.path, "--witness", str(other.key), "--witnesses", "1").status == 1


def cosign(auditor: Witness, size: int, at: datetime) -> None:
    """Cosign with this time; signatures have no fractions of seconds."""
    request = witness_request(witness_add(str(auditor.key)))
    cosign_accept(size, str(auditor.sign(request, log_key.load().public, now=math.ceil(at.timestamp()))))


@pytest.mark.parametrize(("is_early", "is_small"), [(True, False), (False, True)])
def test_witness_that_did_not_cover_the_period_is_not_counted(
    organization: Organization, write: Write, tmp_path: Path, is_early: bool, is_small: bool
) -> None:
    auditor = witness.create(tmp_path / "witness", "auditor.example/w")
    story = make_sample_evidence(organization.pk)
    evidence_log.sequence()
    if is_small:
        before = evidence_log.checkpoint()
        assert before is not None
        cosign(auditor, before.tree_size, clock.now() + HOUR)
        story.create()
    end = clock.now()
    size = write(end=end).manifest.size
    if is_early:
        cosign(auditor, size, end - HOUR)
    result = verdict(write(end=end).path, "--witness", str(auditor.key), "--witnesses", "1")
    assert ["0 witnesses have signed a tree with the last" in fault for fault in result.faults] == [True]


def test_unknown_witnesses_are_not_counted(
    organization: Organization, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    make_sample_evidence(organization.pk)
    path = write().path
    key = str(Signer("auditor.example/w", 4).key)
    for options in (("--witnesses", "1"), ("--witness", key, "--witness", key, "--witnesses", "2")):
        with pytest.raises(SystemExit) as refused:
            verdict(path, *options)
        assert refused.value.code == 2
        assert "pass the key of each witness with --witness" in capsys.readouterr().err


def test_export_has_only_checkpoints_of_the_current_log_key(
    organization: Organization, write: Write, tmp_path: Path, settings: Settings
) -> None:
    auditor = witness.create(tmp_path / "witness", "auditor.example/w")
    story = make_sample_evidence(organization.pk)
    evidence_log.sequence()
    before = evidence_log.checkpoint()
    assert before is not None
    request = witness_request(witness_add(str(auditor.key)))
    cosign_accept(before.tree_size, str(auditor.sign(request, log_key.load().public, now=1)))
    (settings.PKI_DIR / log_key.FILE).rename(settings.PKI_DIR / "log-1.key")
    log_key.create_log_key(settings.PKI_DIR)
    story.create()
    export = write()
    assert len(export.lines(export_format.CHECKPOINTS)) == 1
    assert verdict(export.path, "--log-key", str(log_key.load().public)).status == 0


# ── one changed byte ────────────────────────────────────────────────────────────────────────────


def flipped(raw: bytes, position: int, bit: int = 0) -> bytes:
    return raw[:position] + bytes([raw[position] ^ 1 << bit]) + raw[position + 1 :]


def test_any_changed_byte_is_found(organization: Organization, write: Write, tmp_path: Path) -> None:
    make_sample_evidence(organization.pk, instances=1)
    export = write()
    whole = export.path.read_bytes()
    changed = tmp_path / "changed.tar"
    # All over the file, and each part of it that is small: headers, manifest, ends.
    positions = {
        *range(0, len(whole), len(whole) // 60),
        *range(0, 4 * BLOCK, 97),
        *range(len(whole) - 1000, len(whole), 199),
    }
    for name in (export_format.CHECKPOINTS, PLATFORM_RECORDS, OWN_RECORDS):
        begin = whole.index(export.files[name])
        positions |= {
            begin - 1,
            begin - BLOCK,
            begin,
            begin + len(export.files[name]) - 1,
            begin + len(export.files[name]),
        }
    for position in sorted(positions):
        changed.write_bytes(flipped(whole, position, bit=position % 8))
        result = verdict(changed)
        assert result.status == 1, (position, result.out)
        assert result.faults, position


@pytest.mark.parametrize("name", [OWN_RECORDS, PLATFORM_RECORDS])
def test_changed_byte_in_a_record_is_reported_with_the_record(
    organization: Organization, write: Write, name: str
) -> None:
    make_sample_evidence(organization.pk, instances=1)
    export = write()
    clean = export.files[name]
    step = max(1, len(export.lines(name)) // 20)
    for number in range(0, len(export.lines(name)), step):
        for share in (0.02, 0.3, 0.6, 0.97):

            def edit(lines: list[bytes], number: int = number, share: float = share) -> list[bytes]:
                lines[number] = flipped(lines[number], int(len(lines[number]) * share))
                return lines

            export.change(name, edit)
            faults = export.verdict().faults
            assert any(fault.startswith(f"FAULT {name}:{number + 1}") for fault in faults), (number, share, faults)
            export.files[name] = clean


# ── a dishonest operator: everything below is signed anew with the log's own key ────────────────


def faults_of(export: Export, **fields: object) -> list[str]:
    export.sign(**fields)
    result = export.verdict()
    assert result.status == 1, result.out
    return result.faults


def test_omitted_record_is_found(organization: Organization, write: Write) -> None:
    make_sample_evidence(organization.pk)
    for name in (OWN_RECORDS, PLATFORM_RECORDS):
        export = write()
        middle = len(export.lines(name)) // 2
        export.change(name, lambda lines, middle=middle: lines[:middle] + lines[middle + 1 :])  # type: ignore[misc]
        assert any(f"{name}:{middle + 1}" in fault and "should stand here" in fault for fault in faults_of(export))


def test_omitted_last_records_are_found(organization: Organization, write: Write) -> None:
    make_sample_evidence(organization.pk)
    export = write()
    export.change(OWN_RECORDS, lambda lines: lines[:-2])
    assert any("missing" in fault for fault in faults_of(export))


def test_changed_bounds_of_the_own_records_are_found(organization: Organization, write: Write) -> None:
    """Records of the time in question are declared to be outside of it."""
    make_sample_evidence(organization.pk)
    export = write()
    own = export.manifest.own
    export.change(OWN_RECORDS, lambda lines: lines[:-1])
    assert any(
        "does not end where it says" in fault for fault in faults_of(export, own=own._replace(last=own.last - 2))
    )
    export = write()
    export.change(OWN_RECORDS, lambda lines: lines[1:])
    assert any("does not begin where it says" in fault for fault in faults_of(export, own=own._replace(first=3)))


def test_log_truncated_before_the_end_of_the_period_is_found(organization: Organization, write: Write) -> None:
    """With the checkpoint and the records of an earlier moment, which go well together."""
    story = make_sample_evidence(organization.pk)
    export = write()
    story.create()
    faults = faults_of(export, end=clock.now())
    for name in (OWN_RECORDS, PLATFORM_RECORDS):
        assert any(f"{name}: nothing shows that the log went on" in fault for fault in faults)


@pytest.mark.parametrize(("name", "kind"), [(OWN_RECORDS, "decision"), (PLATFORM_RECORDS, "fact")])
def test_blank_record_without_an_erasure_is_found(
    organization: Organization, write: Write, name: str, kind: str
) -> None:
    make_sample_evidence(organization.pk)
    evidence_log.erase_record(
        EvidenceRecord.objects.get(kind="incident", organization_id=organization.pk).pk, reason="law"
    )
    export = write()
    number = positions(export, kind, name)[-1]

    def edit(lines: list[bytes]) -> list[bytes]:
        lines[number] = replace(export_format.read_line(lines[number]), salt=None, document=None).as_bytes()
        return lines

    export.change(name, edit)
    assert f"FAULT {name}:{number + 1}: it is blank, and no erasure names it" in faults_of(export)


def test_later_erasure_is_exported_with_the_period(organization: Organization, write: Write) -> None:
    story = make_sample_evidence(organization.pk)
    end = clock.now()
    story.create()
    fact = EvidenceRecord.objects.filter(kind="fact").order_by("pk").first()
    incident = EvidenceRecord.objects.get(kind="incident", organization_id=organization.pk)
    assert fact is not None
    for record in (incident, fact):
        evidence_log.erase_record(record.pk, reason="law")
    export = write(end=end)
    assert [of(line)["kind"] for line in export.lines(export_format.LATER_RECORDS)] == ["erasure"]
    result = export.verdict()
    assert "2 of them erased" in result.out
    assert not any("blank" in fault for fault in result.faults)
    export.change(export_format.LATER_RECORDS, lambda lines: [])
    assert any("it is blank" in fault for fault in faults_of(export))


def test_record_that_was_never_in_the_log_is_found(organization: Organization, write: Write) -> None:
    story = make_sample_evidence(organization.pk)
    export = write()
    story.create()
    evidence_log.sequence()
    evidence_log.checkpoint()
    newer = write()
    added = newer.lines(OWN_RECORDS)[len(export.lines(OWN_RECORDS))]
    export.change(OWN_RECORDS, lambda lines: [*lines, added])
    own = export.manifest.own
    assert any("not in the log" in fault for fault in faults_of(export, own=Span(1, own.last + 1, own.total + 1)))


def test_rewritten_record_is_found(organization: Organization, write: Write) -> None:
    """With the right hashes all the way up to the leaf, but no other tree."""
    make_sample_evidence(organization.pk)
    export = write()
    number = positions(export, "incident")[0]

    def edit(lines: list[bytes]) -> list[bytes]:
        line = export_format.read_line(lines[number])
        assert line.document is not None
        assert line.salt is not None
        document = line.document.replace(b"an unknown domain", b"nothing at all")
        entry = records.Entry(
            line.entry.stream, line.entry.seq, line.entry.prev, records.content_hash(line.salt, document)
        )
        lines[number] = export_format.ExportedRecord(line.index, entry, line.salt, document, line.proof).as_bytes()
        return lines

    export.change(OWN_RECORDS, edit)
    assert any(f"{OWN_RECORDS}:{number + 1}" in fault and "not in the log" in fault for fault in faults_of(export))


def test_inconsistent_earlier_checkpoint_is_found(organization: Organization, write: Write, tmp_path: Path) -> None:
    make_sample_evidence(organization.pk)
    export = write()
    key = log_key.load()
    head = TreeHead(key.public.name, 2, bytes(32))
    earlier = export_format.checkpoint_line(str(key.sign_note(str(head))), ())
    export.change(export_format.CHECKPOINTS, lambda lines: [earlier, *lines])
    assert any("does not go on" in fault for fault in faults_of(export))


def test_log_of_another_key_is_refused(organization: Organization, write: Write) -> None:
    make_sample_evidence(organization.pk)
    export = write()
    other = Signer("cloud.example/log")
    result = verdict(export.path, "--log-key", str(other.key))
    assert result.status == 1
    assert any("manifest.json" in fault for fault in result.faults)


# ── not an export ───────────────────────────────────────────────────────────────────────────────


def test_unreadable_input_ends_with_status_2(organization: Organization, write: Write, tmp_path: Path) -> None:
    make_sample_evidence(organization.pk, instances=0)
    whole = write().path.read_bytes()
    path = tmp_path / "x.tar"
    for content in (b"", b"hello", bytes(20_000), whole[: len(whole) // 2]):
        path.write_bytes(content)
        assert verdict(path).status == 2
    assert verdict(tmp_path / "nowhere.tar").status == 2
    path.write_bytes(whole)
    assert verdict(path, "--log-key", "nonsense").status == 2
    assert verdict(path, "--root-key", str(tmp_path / "nowhere.pub")).status == 2
    (tmp_path / "root.pub").write_text("no key at all")
    assert verdict(path, "--root-key", str(tmp_path / "root.pub")).status == 2


def test_bytes_appended_to_an_export_are_found(organization: Organization, write: Write, tmp_path: Path) -> None:
    make_sample_evidence(organization.pk, instances=0)
    path = tmp_path / "longer.tar"
    path.write_bytes(write().path.read_bytes() + bytes(BLOCK))
    with path.open("rb") as file:
        assert verify(Archive(file), Pins()).faults == ["the archive: the length of the archive was changed"]
