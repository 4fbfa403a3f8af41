"""Log checkpoints and the cosignatures of witnesses. Standard library only.

Forms: c2sp.org/tlog-checkpoint, c2sp.org/tlog-cosignature, and the request of c2sp.org/tlog-witness.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from andromede_core.documents.messages import Message
from andromede_core.evidence.merkle import HASH_BYTES
from andromede_core.evidence.signed_notes import (
    COSIGNATURE,
    Key,
    Note,
    NoteError,
    Signature,
    Verify,
    decode,
    encode,
    parse_note,
)

SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
TIMESTAMP_BYTES = 8
SIGNATURE_BYTES = 64
PROOF_MAX = 63


@dataclass(frozen=True, slots=True)
class TreeHead:
    """The size and root hash of a log. `origin` names the log."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        """Return the text of the checkpoint's note."""
        return f"{self.origin}\n{self.size}\n{encode(self.root)}\n"


@dataclass(frozen=True, slots=True)
class WitnessRequest:
    """A log's request for a cosignature of `note`; `proof` shows that it extends the tree of size `old`."""

    old: int
    proof: tuple[bytes, ...]
    note: Note

    def __str__(self) -> str:
        lines = [f"old {self.old}", *(encode(value) for value in self.proof), ""]
        return "".join(f"{line}\n" for line in lines) + str(self.note)


def parse_head(text: str) -> TreeHead:
    """Parse the text of a checkpoint's note. Lines beyond the third, which other logs may add, are ignored.

    Raises:
        NoteError: not a checkpoint.
    """
    lines = text.split("\n")
    if len(lines) < 4 or not all(lines[:-1]) or lines[-1] or not SIZE.fullmatch(lines[1]):
        raise NoteError(Message("a checkpoint is an origin, a size and a root hash"))
    root = decode(lines[2])
    if len(root) != HASH_BYTES:
        raise NoteError(Message("the root hash of a checkpoint has 32 bytes"))
    return TreeHead(lines[0], int(lines[1]), root)


def parse_request(text: str) -> WitnessRequest:
    """Parse a request of a log. Raises NoteError."""
    head, blank, note = text.partition("\n\n")
    first, *rest = head.split("\n")
    word, _, old = first.partition(" ")
    if not blank or word != "old" or not SIZE.fullmatch(old) or len(rest) > PROOF_MAX:
        raise NoteError(Message("a request is a line old SIZE, lines of a proof, an empty line and a checkpoint"))
    return WitnessRequest(int(old), tuple(decode(line) for line in rest), parse_note(note))


def cosign(text: str, key: Key, *, timestamp: int, sign: Callable[[bytes], bytes]) -> Signature:
    """Sign a checkpoint. `text` is that of its note; `timestamp` in seconds since 1970, UTC."""
    stamp = timestamp.to_bytes(TIMESTAMP_BYTES, "big")
    return Signature(key.name, key.id, stamp + sign(_cosigned(text, timestamp)))


def verify_cosignature(text: str, signature: Signature, key: Key, verify: Verify) -> int:
    """Return when the witness signed, in seconds since 1970, UTC.

    Raises:
        NoteError: another key's, or not a signature of this text.
    """
    if key.algorithm != COSIGNATURE or not signature.is_by(key):
        raise NoteError(Message("not a cosignature of {name}", name=key.name))
    stamp, raw = signature.blob[:TIMESTAMP_BYTES], signature.blob[TIMESTAMP_BYTES:]
    timestamp = int.from_bytes(stamp, "big")
    if len(raw) != SIGNATURE_BYTES or timestamp >= 2**63 or not verify(key.public, raw, _cosigned(text, timestamp)):
        raise NoteError(Message("the cosignature of {name} is wrong", name=key.name))
    return timestamp


def cosignatures(note: Note, keys: Sequence[Key]) -> list[tuple[Key, Signature]]:
    """Return the signatures of the note that name one of these witnesses."""
    pairs = ((key, note.by(key)) for key in keys)
    return [(key, signature) for key, signature in pairs if signature is not None]


def _cosigned(text: str, timestamp: int) -> bytes:
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()
