"""Key files of the offline root, permit signers and sentinels, and the choice of the key that signs now.

A key's id follows from the key ("signer-" and the head of its SHA-256), so that a file needs no label. Beside
<name>.key (0600) is <name>.pub (PEM), which is all that keysets and nodes need.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from textwrap import wrap

from django.conf import settings

from andromede_core.documents.messages import Message, message_of
from andromede_core.documents.signed import Signed, sign
from andromede_core.permits.sentinel_signature import SentinelDemand
from andromede_core.permits.trust_documents import ANY, DenyList, Key, Keyset, Use
from controlplane.catalog import signing_keys
from controlplane.kernel import clock
from controlplane.nodes.errors import KeyMissing, NoUsableKey

ROOT, SIGNER, SENTINEL = "root", "signer", "sentinel"
# The use of a process's keys in a keyset.
USE_OF: Mapping[str, Use] = {SIGNER: "permit", SENTINEL: "sentinel"}


@dataclass(frozen=True)
class SigningKey:
    """A signing key. `role`: ROOT, SIGNER or SENTINEL."""

    role: str
    private: signing_keys.PrivateKey

    @cached_property
    def public_key(self) -> str:
        """Return the base64 of its SubjectPublicKeyInfo."""
        return signing_keys.public_part(self.private)

    @cached_property
    def id(self) -> str:
        return key_id(self.role, self.public_key)

    def sign(self, kind: str, payload: dict[str, object]) -> Signed:
        return sign(kind, payload, key_id=self.id, key=self.sign_bytes)

    def sign_bytes(self, message: bytes) -> bytes:
        return signing_keys.signer(self.private)(message)


def key_id(role: str, public_key: str) -> str:
    return f"{role}-{signing_keys.default_key_id(public_key)}"


def folder_of(folder: Path, role: str) -> Path:
    """Return the folder of the role's keys.

    It is the subfolder of the role's name if there is one, since one process can mount that alone; else `folder`
    itself.
    """
    own = folder / role
    return own if own.is_dir() else folder


def create(folder: Path, role: str, *, name: str) -> SigningKey:
    """Load the key in <name>.key of the folder_of() the role, or create it with its <name>.pub.

    Raises:
        KeyMissing: the file is there, and no key of ours.
    """
    path = folder_of(folder, role) / f"{name}.key"
    if not path.exists():
        return create_new(folder, role, name=name)
    return _with_public(path, role)


def create_new(folder: Path, role: str, *, name: str) -> SigningKey:
    """Create the key, never using one that is there already.

    Raises:
        KeyMissing: the file is there, or cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder_of(folder, role) / f"{name}.key"
    try:
        signing_keys.create_private_key(path)
    except signing_keys.BadKey as exc:
        raise KeyMissing(reason=str(exc)) from exc
    return _with_public(path, role)


def _with_public(path: Path, role: str) -> SigningKey:
    key = load(path, role)
    path.with_suffix(".pub").write_text(_pem(key.public_key))
    return key


def _pem(public_key: str) -> str:
    """Encode as PEM (RFC 7468)."""
    return "\n".join(("-----BEGIN PUBLIC KEY-----", *wrap(public_key, 64), "-----END PUBLIC KEY-----", ""))


def load(path: Path, role: str) -> SigningKey:
    """Load the key. Raises KeyMissing."""
    try:
        return SigningKey(role, signing_keys.read_private_key(path))
    except signing_keys.BadKey as exc:
        raise KeyMissing(reason=message_of(exc)) from exc


def public_keys(folder: Path, role: str) -> dict[str, str]:
    """Return key id → public key of all <role>*.pub in the folder_of() the role.

    Raises:
        KeyMissing: one of them is no public key.
    """
    keys = {}
    for path in sorted(folder_of(folder, role).glob(f"{role}*.pub")):
        try:
            public_key = signing_keys.read_public_key(path.read_text())
        except signing_keys.BadKey as exc:
            raise KeyMissing(reason=Message("the key in {path} {error}", path=path, error=message_of(exc))) from exc
        keys[key_id(role, public_key)] = public_key
    return keys


def signing_key(keyset: Keyset, denied: DenyList, *, zone: str, classifications: Collection[str]) -> SigningKey:
    """Return the newest key among the files signer*.key that the keyset allows for these now.

    Raises:
        NoUsableKey
    """
    newest = _newest(
        SIGNER,
        keyset,
        denied,
        lambda key: is_signer_now(key) and key.covers(zone=zone, classifications=classifications),
    )
    if newest is None:
        raise NoUsableKey(zone=zone, classifications=", ".join(sorted(classifications)) or "public")
    return newest


def cosigning_key(keyset: Keyset, denied: DenyList, demand: SentinelDemand) -> SigningKey:
    """Return the newest key among the files sentinel*.key that meets the demand.

    Raises:
        NoUsableKey
    """
    key = _newest(SENTINEL, keyset, denied, demand.is_met_by)
    if key is None:
        raise NoUsableKey(zone=demand.zone, classifications=", ".join(sorted(demand.classifications)))
    return key


def denying_key(keyset: Keyset, denied: DenyList) -> SigningKey:
    """Return a signer's key of any scope: nodes take the one deny list from any permit key.

    Raises:
        NoUsableKey
    """
    key = _newest(SIGNER, keyset, denied, is_signer_now)
    if key is None:
        raise NoUsableKey(zone=ANY, classifications=ANY)
    return key


def is_signer_now(key: Key) -> bool:
    return key.use == "permit" and key.not_before <= clock.now() < key.not_after


def _newest(role: str, keyset: Keyset, denied: DenyList, is_usable: Callable[[Key], bool]) -> SigningKey | None:
    """Return the newest usable key of a role's files that the keyset has."""
    paths = sorted(folder_of(settings.PKI_DIR, role).glob(f"{role}*.key"))
    files = {key.id: key for key in (_file(path, role) for path in paths)}
    present = [key for key in keyset.keys.values() if key.id in files and key.id not in denied.kids]
    usable = [key for key in present if is_usable(key)]
    return files[max(usable, key=lambda key: (key.not_before, key.id)).id] if usable else None


def _file(path: Path, role: str) -> SigningKey:
    """Read the key file again when it or its mode has changed."""
    return _read(path, role, path.stat().st_ctime_ns)


@lru_cache(maxsize=16)
def _read(path: Path, role: str, changed_ns: int) -> SigningKey:
    return load(path, role)
