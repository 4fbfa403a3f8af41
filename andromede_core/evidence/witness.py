"""A witness: it signs a log's checkpoint after it saw that the log goes on from the last one that it signed.

    python -m andromede_core.evidence.witness init FOLDER NAME               makes its key and prints the public one
    python -m andromede_core.evidence.witness cosign FOLDER LOG_KEY < REQUEST    prints its line, or refuses

It runs wherever its owner wants, without a network: a request (c2sp.org/tlog-witness) and the answer are a few lines of
text. FOLDER has the key and, per log, the last checkpoint that it signed. Of two histories of one log it signs one.

Exit status 0: signed · 1: refused, the reason is on stderr · 2: not a request, a key or a folder of a witness.
"""

import argparse
import fcntl
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from andromede_core.documents.messages import Message
from andromede_core.evidence import ed25519
from andromede_core.evidence.checkpoints import TreeHead, WitnessRequest, cosign, parse_head, parse_request
from andromede_core.evidence.merkle import EMPTY_ROOT, is_consistent
from andromede_core.evidence.signed_notes import (
    COSIGNATURE,
    KEY_NAME,
    Key,
    NoteError,
    Signature,
    parse_key,
    verify_note,
)

KEY_FILE, NAME_FILE = "witness.key", "witness.name"


class Refused(Exception):
    """The checkpoint does not extend the last one that the witness signed."""


@dataclass(frozen=True)
class Witness:
    folder: Path
    private: Ed25519PrivateKey
    key: Key

    def sign(self, request: WitnessRequest, log: Key, *, now: int) -> Signature:
        """Return the witness's line under the checkpoint, stored before it is returned. `now`: seconds since 1970, UTC.

        Raises:
            Refused
        """
        try:
            verify_note(request.note, [log], ed25519.verify)
            head = parse_head(request.note.text)
        except NoteError as exc:
            raise Refused(f"not a checkpoint of {log.name}: {exc}") from exc
        if head.origin != log.name:
            raise Refused(f"the log {head.origin} is not {log.name}")
        with self._alone():
            self._check(head, request)
            self._remember(request)
        return cosign(request.note.text, self.key, timestamp=now, sign=self.private.sign)

    def last_head(self, origin: str) -> TreeHead:
        """Return the last checkpoint of the log that the witness signed; the empty tree before the first."""
        path = self._state(origin)
        return parse_head(path.read_text()) if path.exists() else TreeHead(origin, 0, EMPTY_ROOT)

    def _check(self, head: TreeHead, request: WitnessRequest) -> None:
        last = self.last_head(head.origin)
        if head.size < last.size:
            raise Refused(f"the tree has shrunk: it had {last.size} leaves and is shown with {head.size}")
        if request.old != last.size:
            raise Refused(f"the proof begins at {request.old}; the last checkpoint signed has size {last.size}")
        roots = {"old_root": last.root, "new_root": head.root}
        if not is_consistent(last.size, head.size, proof=request.proof, **roots):
            raise Refused(f"a fork: the tree of {head.size} leaves does not go on from the one of {last.size}")

    def _remember(self, request: WitnessRequest) -> None:
        path = self._state(parse_head(request.note.text).origin)
        fresh = path.with_suffix(".new")
        with fresh.open("w") as file:
            file.write(request.note.text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)

    def _state(self, origin: str) -> Path:
        return self.folder / f"{quote(origin, safe='')}.checkpoint"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.folder / KEY_FILE).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def create(folder: Path, name: str) -> Witness:
    """Make a key in `folder`.

    Raises:
        NoteError: no name for a key.
        FileExistsError: the folder has a key already.
    """
    if not KEY_NAME.fullmatch(name):
        raise NoteError(Message("a name has no spaces and no +"))
    folder.mkdir(parents=True, exist_ok=True)
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(folder / KEY_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    (folder / NAME_FILE).write_text(name)
    return load(folder)


def load(folder: Path) -> Witness:
    """Read the key from the folder. Raises OSError, ValueError."""
    private = load_pem_private_key((folder / KEY_FILE).read_bytes(), password=None)
    if not isinstance(private, Ed25519PrivateKey):
        raise ValueError(f"{folder / KEY_FILE} is no Ed25519 key")
    key = Key((folder / NAME_FILE).read_text(), private.public_key().public_bytes_raw(), COSIGNATURE)
    return Witness(folder, private, key)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        if options.command == "init":
            answer: object = create(options.folder, options.name).key
        else:
            request = parse_request(sys.stdin.read())
            answer = load(options.folder).sign(request, parse_key(options.log_key), now=int(time.time()))
    except Refused as exc:
        sys.stderr.write(f"Refused: {exc}.\n")
        return 1
    except (OSError, ValueError) as exc:
        sys.stderr.write(f"{exc}\n")
        return 2
    sys.stdout.write(f"{answer}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="witness", description="Cosign the checkpoints of an append-only log.")
    commands = parser.add_subparsers(dest="command", required=True)
    init = commands.add_parser("init", help="create a key and print its public part")
    init.add_argument("folder", type=Path)
    init.add_argument("name", help="name of the witness, a URL without scheme, such as auditor.example/witness")
    sign = commands.add_parser("cosign", help="read a request from stdin and print the signature line")
    sign.add_argument("folder", type=Path)
    sign.add_argument("log_key", help="public key of the log: NAME+ID+BASE64")
    return parser


if __name__ == "__main__":
    sys.exit(main())
