"""Signed notes (c2sp.org/signed-note), parsed strictly: one text form per note. Standard library only.

The caller passes a function that checks the signature itself, so that each side may use its own Ed25519.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from andromede_core.documents.messages import Message

DASH = "\u2014"  # begins each line of a signature
ED25519, COSIGNATURE = 0x01, 0x04
ED25519_BYTES = 32
SIGNATURES_MAX = 64
KEY_NAME = re.compile(r"[^\s+]+")

Verify = Callable[[bytes, bytes, bytes], bool]  # public key, signature, message


class NoteError(ValueError):
    """The text is no note or no key, or its signature is missing or wrong."""

    def __init__(self, reason: Message) -> None:
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Key:
    """An Ed25519 public key (32 bytes) with the name of its owner and what it signs: notes or cosignatures."""

    name: str
    public: bytes
    algorithm: int = ED25519

    @property
    def id(self) -> bytes:
        """Return the four bytes that distinguish keys of one name; no protection by themselves."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public).digest()[:4]

    def __str__(self) -> str:
        """Return <name>+<id in hex>+<base64 of algorithm and key>."""
        return f"{self.name}+{self.id.hex()}+{encode(bytes([self.algorithm]) + self.public)}"


@dataclass(frozen=True, slots=True)
class Signature:
    name: str
    key_id: bytes
    blob: bytes

    def is_by(self, key: Key) -> bool:
        return (self.name, self.key_id) == (key.name, key.id)

    def __str__(self) -> str:
        """Return the signature's line in a note, without the line end."""
        return f"{DASH} {self.name} {encode(self.key_id + self.blob)}"


@dataclass(frozen=True, slots=True)
class Note:
    """A text and its signatures. `text` ends with a line end, which is signed with it."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return self.text + "\n" + "".join(f"{signature}\n" for signature in self.signatures)

    def by(self, key: Key) -> Signature | None:
        return next((signature for signature in self.signatures if signature.is_by(key)), None)


def parse_key(text: str) -> Key:
    """Parse a key. Raises NoteError."""
    name, _, rest = text.partition("+")
    key_id, _, material = rest.partition("+")
    raw = decode(material)
    if not KEY_NAME.fullmatch(name) or len(raw) != 1 + ED25519_BYTES or raw[0] not in (ED25519, COSIGNATURE):
        raise NoteError(Message("a key is NAME+ID+BASE64 of an Ed25519 key"))
    key = Key(name, raw[1:], raw[0])
    if key.id.hex() != key_id:
        raise NoteError(Message("the id of the key is not that of its name and bytes"))
    return key


def parse_note(text: str) -> Note:
    """Parse a note. Raises NoteError."""
    if any(character < " " and character != "\n" for character in text):
        raise NoteError(Message("a note has no control characters"))
    body, blank, tail = text.rpartition("\n\n")
    if not blank or not body or not tail.endswith("\n"):
        raise NoteError(Message("a note is a text, an empty line, and lines of signatures"))
    lines = tail[:-1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise NoteError(Message("a note has at most {limit} signatures", limit=SIGNATURES_MAX))
    return Note(body + "\n", tuple(parse_signature(line) for line in lines))


def parse_signature(line: str) -> Signature:
    """Parse a signature line. Raises NoteError."""
    dash, _, rest = line.partition(" ")
    name, _, material = rest.partition(" ")
    raw = decode(material)
    if dash != DASH or not KEY_NAME.fullmatch(name) or len(raw) <= 4:
        raise NoteError(Message("a signature is a line {dash} NAME BASE64", dash=DASH))
    return Signature(name, raw[:4], raw[4:])


def sign_note(text: str, key: Key, sign: Callable[[bytes], bytes]) -> Note:
    return Note(text, (Signature(key.name, key.id, sign(text.encode())),))


def verify_note(note: Note, keys: Sequence[Key], verify: Verify) -> list[Key]:
    """Return those of the keys that signed the note. Signatures of other keys are ignored.

    Raises:
        NoteError: no key signed the note, or a signature by one of the keys is wrong.
    """
    signers = []
    for key in keys:
        signature = note.by(key)
        if signature is None:
            continue
        if not verify(key.public, signature.blob, note.text.encode()):
            raise NoteError(Message("the signature of {name} is wrong", name=key.name))
        signers.append(key)
    if not signers:
        raise NoteError(Message("no known key signed it"))
    return signers


def encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def decode(text: str) -> bytes:
    """Decode base64 (RFC 4648 §4) in the one form that `encode` gives.

    Raises:
        NoteError: anything else.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise NoteError(Message("not base64")) from exc
    if encode(raw) != text:
        raise NoteError(Message("not the usual form of base64"))
    return raw
