"""Signed notes, checkpoints and cosignatures: the examples of the C2SP documents, and what is refused."""

import pytest

from andromede_core.evidence import checkpoints, ed25519, signed_notes
from andromede_core.evidence.checkpoints import TreeHead, WitnessRequest
from andromede_core.evidence.signed_notes import COSIGNATURE, Key, NoteError
from tests.unit.audit.keys import Signer

LOG = Signer("example.com/log")
WITNESS = Signer("witness.example/w1", COSIGNATURE)
HEAD = TreeHead("example.com/log", 7, bytes(range(32)))

# Published with c2sp.org/tlog-cosignature.
PUBLISHED = "".join(
    f"{line}\n"
    for line in (
        "example.com/behind-the-sofa",
        "20852163",
        "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=",
        "",
        "— example.com/behind-the-sofa "
        "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=",
        "— witness.example.com/w1 "
        "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==",
    )
)


def test_the_published_checkpoint_is_read_and_written_alike() -> None:
    note = signed_notes.parse_note(PUBLISHED)
    head = checkpoints.parse_head(note.text)
    assert (head.origin, head.size) == ("example.com/behind-the-sofa", 20852163)
    assert str(head) == note.text
    assert str(note) == PUBLISHED
    assert [signature.key_id.hex() for signature in note.signatures] == ["033de0ae", "8d66cf3f"]
    assert int.from_bytes(note.signatures[1].blob[:8], "big") == 1679315147


def test_key_of_the_go_checksum_database_is_parsed() -> None:
    """Known to every Go tool-chain, which takes its id from the same rule."""
    text = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
    key = signed_notes.parse_key(text)
    assert key.id.hex() == "033de0ae"
    assert str(key) == text


def test_a_note_is_verified_by_its_key_alone() -> None:
    note = LOG.note("hello\n")
    assert signed_notes.verify_note(note, [LOG.key], ed25519.verify) == [LOG.key]
    assert signed_notes.verify_note(note, [WITNESS.key, LOG.key], ed25519.verify) == [LOG.key]
    with pytest.raises(NoteError, match="no known key"):
        signed_notes.verify_note(note, [Signer("example.com/log").key], ed25519.verify)


def test_a_note_with_a_wrong_signature_of_a_known_key_is_refused_whole() -> None:
    forged = signed_notes.Note("hallo\n", LOG.note("hello\n").signatures)
    with pytest.raises(NoteError, match="is wrong"):
        signed_notes.verify_note(forged, [LOG.key], ed25519.verify)


def test_the_text_may_have_empty_lines() -> None:
    note = LOG.note("one\n\ntwo\n")
    assert signed_notes.parse_note(str(note)) == note


LINE = str(LOG.note("hello\n").signatures[0])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello\n",
        "hello\n\n",
        "\n\n" + LINE + "\n",
        f"hello\n\n{LINE}",
        f"hello\r\n\n{LINE}\n",
        f"hel\tlo\n\n{LINE}\n",
        f"hello\n\n{LINE} \n",
        f"hello\n\n{LINE[:-1]}\n",
        f"hello\n\n{LINE.replace('—', '-')}\n",
        f"hello\n\n— a+b {LINE.split()[2]}\n",
        f"hello\n\n—  {LINE.split()[2]}\n",
        "hello\n\n— name AAAAAA==\n",
        "hello\n\n" + f"{LINE}\n" * 65,
    ],
)
def test_malformed_note_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        signed_notes.parse_note(text)


def test_base64_has_one_form() -> None:
    assert signed_notes.decode("AAE=") == b"\0\1"
    for other in ("AAF=", "AAE", "AA E=", "AAE=\n", "é"):
        with pytest.raises(NoteError):
            signed_notes.decode(other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        f"name+00000000+{signed_notes.encode(bytes([1]) + bytes(32))}",
        f"na me+{Key('na me', bytes(32)).id.hex()}+{signed_notes.encode(bytes([1]) + bytes(32))}",
        f"name+{Key('name', bytes(31)).id.hex()}+{signed_notes.encode(bytes([1]) + bytes(31))}",
        f"name+{Key('name', bytes(32), 2).id.hex()}+{signed_notes.encode(bytes([2]) + bytes(32))}",
    ],
)
def test_malformed_key_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        signed_notes.parse_key(text)


@pytest.mark.parametrize("key", [LOG.key, WITNESS.key])
def test_key_is_read_as_written(key: Key) -> None:
    assert signed_notes.parse_key(str(key)) == key


@pytest.mark.parametrize(
    "text",
    [
        "origin\n7\n",
        "origin\n07\n" + signed_notes.encode(bytes(32)) + "\n",
        "origin\n-7\n" + signed_notes.encode(bytes(32)) + "\n",
        "origin\n\u0667\n" + signed_notes.encode(bytes(32)) + "\n",
        "origin\n7\n" + signed_notes.encode(bytes(31)) + "\n",
        "\n7\n" + signed_notes.encode(bytes(32)) + "\n",
        "origin\n7\n" + signed_notes.encode(bytes(32)),
        "origin\n7\n" + signed_notes.encode(bytes(32)) + "\n\n",
    ],
)
def test_malformed_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        checkpoints.parse_head(text)


def test_extension_lines_of_a_checkpoint_are_accepted() -> None:
    assert checkpoints.parse_head(f"{HEAD}more\n") == HEAD


def test_cosignature_has_its_time_and_covers_text_and_time() -> None:
    line = str(checkpoints.cosign(str(HEAD), WITNESS.key, timestamp=1_700_000_000, sign=WITNESS.sign))
    signature = signed_notes.parse_signature(line)
    assert checkpoints.verify_cosignature(str(HEAD), signature, WITNESS.key, ed25519.verify) == 1_700_000_000
    later = signed_notes.Signature(
        signature.name, signature.key_id, (1_700_000_001).to_bytes(8, "big") + signature.blob[8:]
    )
    other = Signer("witness.example/w2", COSIGNATURE)
    log_key = Key(WITNESS.key.name, WITNESS.key.public)
    for text, wrong, key in (
        (f"{HEAD}more\n", signature, WITNESS.key),
        (str(HEAD), later, WITNESS.key),
        (str(HEAD), signature, other.key),
        (str(HEAD), signature, log_key),
    ):
        with pytest.raises(NoteError):
            checkpoints.verify_cosignature(text, wrong, key, ed25519.verify)


def test_witness_request_is_read_as_written() -> None:
    request = WitnessRequest(3, (bytes(32), bytes(range(32))), LOG.note(str(HEAD)))
    assert checkpoints.parse_request(str(request)) == request
    assert str(WitnessRequest(0, (), LOG.note(str(HEAD)))).startswith("old 0\n\nexample.com/log\n7\n")


@pytest.mark.parametrize("head", ["", "old", "old 03\n", "new 3\n", "old 3\nAA\n", "old 3\n" + "AAAA\n" * 64])
def test_malformed_witness_request_is_refused(head: str) -> None:
    with pytest.raises(NoteError):
        checkpoints.parse_request(f"{head}\n{LOG.note(str(HEAD))}")
