"""Signing authority at each place in the log: root keys, keysets and denied keys. Standard library only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from andromede_core.documents.parsing import as_choice, as_rfc3339, as_text
from andromede_core.documents.signed import Signed, message
from andromede_core.evidence.fact_history import signed_of
from andromede_core.evidence.keys import Verify, verifier, verifier_of
from andromede_core.evidence.sequence_checks import LogPosition
from andromede_core.permits.trust_documents import (
    DENIED,
    DenyList,
    Floor,
    Key,
    Keyset,
    read_deny_list,
    read_floor,
    read_keyset,
)

NOTHING_DENIED = DenyList(0)


class Untrusted(Exception):
    """The signer had no authority over the document."""


@dataclass
class Authority:
    """Tracks which keys may sign, record by record.

    `roots`: the keys that may sign keysets and charters. Pinned ones are not added to; else the first that the log
    names is taken, and no other.
    """

    roots: list[Verify]
    is_pinned: bool
    keys: dict[str, Key] = field(default_factory=dict)  # of all keysets
    _root: str = ""
    _keysets: list[tuple[LogPosition, Keyset]] = field(default_factory=list)
    _denials: list[tuple[LogPosition, DenyList]] = field(default_factory=list)

    def record(self, body: Mapping[str, object], position: LogPosition) -> Floor | None:
        """Apply a trust record; records come in the order of the log. Returns the floor, if the record is one.

        Raises:
            Untrusted, ValueError
        """
        match as_choice(body.get("trust"), "trust", among=("root", "keyset", "deny", "floor")):
            case "root":
                self._take_root(as_text(body.get("public_key"), "public_key", limit=1000))
            case "keyset":
                self._take_keyset(read_keyset(self.by_root(body, "keyset")), position)
            case "deny":
                self._take_denial(signed_of(body), position)
            case _:
                signed = signed_of(body)
                signed.check("floor", verifier(self._signer(signed, position)))
                return read_floor(signed.payload)
        return None

    def by_root(self, body: Mapping[str, object], kind: str) -> Mapping[str, object]:
        """Verify a document of the root and return its payload."""
        signed = signed_of(body)
        if not self._is_of_root(signed, kind):
            raise Untrusted(f"no root key signed this {kind}")
        return signed.payload

    def key(self, key_id: str, use: str, at: datetime) -> Key:
        """Return a key of any keyset: facts may be stated before the keyset with the officer's key is published."""
        return _in_use(self.keys, key_id, use, at)

    def keyset(self, position: LogPosition) -> Keyset:
        """Return the keysets that were valid there.

        Signers read the keyset without a lock: one that has just been replaced still counts.
        """
        keys: dict[str, Key] = {}
        for since, keyset in reversed(self._keysets):
            if since.index < position.index:
                keys = {**keyset.keys, **keys}
                if since.was_known(to=position):
                    break
        return Keyset(1, keys)

    def denied(self, position: LogPosition) -> frozenset[str]:
        """Return the keys that were known to be denied there."""
        lists = (deny_list.kids for since, deny_list in reversed(self._denials) if since.was_known(to=position))
        return next(lists, frozenset())

    def _take_root(self, public_key: str) -> None:
        if self.is_pinned:
            return
        if self._root not in ("", public_key):
            raise Untrusted("it is a second root key: say with --root-key which ones you know")
        if not self._root:
            self._root = public_key
            self.roots.append(verifier_of(public_key))

    def _take_keyset(self, keyset: Keyset, position: LogPosition) -> None:
        newest = self._keysets[-1][1].version if self._keysets else 0
        if keyset.version <= newest:
            raise Untrusted(f"it is version {keyset.version} of the keyset, and version {newest} stands before it")
        self._keysets.append((position, keyset))
        self.keys |= keyset.keys

    def _take_denial(self, signed: Signed, position: LogPosition) -> None:
        """Apply a deny list as agents do: signed by the root, which may also remove entries, or a permit key."""
        is_of_root = self._is_of_root(signed, "deny")
        if not is_of_root:
            signed.check("deny", verifier(self._signer(signed, position)))
        new, former = read_deny_list(signed.payload), self._denials[-1][1] if self._denials else NOTHING_DENIED
        if new.version <= former.version:
            raise Untrusted(
                f"it is version {new.version} of the deny list, and version {former.version} stands before it"
            )
        if not is_of_root and not all(getattr(former, name) <= getattr(new, name) for name in DENIED):
            raise Untrusted("it lacks what was denied before")
        self._denials.append((position, new))

    def _is_of_root(self, signed: Signed, kind: str) -> bool:
        return any(verify(message(kind, signed.payload), signed.signature) for verify in self.roots)

    def _signer(self, signed: Signed, position: LogPosition) -> Key:
        if signed.key_id in self.denied(position):
            raise Untrusted(f"{signed.key_id} was denied before")
        return _in_use(self.keyset(position).keys, signed.key_id, "permit", position.at)


def _in_use(keys: Mapping[str, Key], key_id: str, use: str, at: datetime) -> Key:
    key = keys.get(key_id)
    if key is None or key.use != use:
        raise Untrusted(f"{key_id} is in no keyset as a key for {use}")
    if not key.not_before <= at < key.not_after:
        raise Untrusted(f"{key_id} was not in use at {as_rfc3339(at)}")
    return key
