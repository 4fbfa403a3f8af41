"""The keys that nodes trust: files of the offline root's and of permit signers' keys, and which of these signs now.

A key's id follows from the key ("signer-" and the head of its SHA-256), so that a file needs no label. Beside
<name>.key (0600) stands <name>.pub (PEM), which is all that keysets and nodes need.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from textwrap import wrap

from django.conf import settings

from controlplane.catalog import keys
from controlplane.kernel import clock
from controlplane.kernel.reasons import Reason, told_by
from controlplane.nodes.errors import KeyMissing, NoUsableKey
from controlplane.placement.core.signed import Signed, sign
from controlplane.placement.core.trust import DenyList, Key, Keyset

ROOT, SIGNER = "root", "signer"


@dataclass(frozen=True)
class SigningKey:
    """`role`: ROOT or SIGNER."""

    role: str
    private: keys.PrivateKey

    @cached_property
    def public_key(self) -> str:
        """The base64 of its SubjectPublicKeyInfo."""
        return keys.public_part(self.private)

    @cached_property
    def id(self) -> str:
        return key_id(self.role, self.public_key)

    def sign(self, kind: str, payload: dict[str, object]) -> Signed:
        return sign(kind, payload, key_id=self.id, key=keys.signer(self.private))


def key_id(role: str, public_key: str) -> str:
    return f"{role}-{keys.usual_key_id(public_key)}"


def create(folder: Path, role: str, *, name: str) -> SigningKey:
    """The key in <name>.key of the folder, which is made, with its <name>.pub, when it is not there.

    Raises:
        KeyMissing: it is there, and no key of ours.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.key"
    if not path.exists():
        keys.create_private_key(path)
    key = load(path, role)
    path.with_suffix(".pub").write_text(_pem(key.public_key))
    return key


def _pem(public_key: str) -> str:
    """RFC 7468."""
    return "\n".join(("-----BEGIN PUBLIC KEY-----", *wrap(public_key, 64), "-----END PUBLIC KEY-----", ""))


def load(path: Path, role: str) -> SigningKey:
    """Raises KeyMissing."""
    try:
        return SigningKey(role, keys.read_private_key(path))
    except keys.BadKey as exc:
        raise KeyMissing(reason=told_by(exc)) from exc


def public_keys(folder: Path) -> dict[str, str]:
    """Key id → public key of all signer*.pub in the folder.

    Raises:
        KeyMissing: one of them is no public key.
    """
    found = {}
    for path in sorted(folder.glob(f"{SIGNER}*.pub")):
        try:
            public_key = keys.read_public_key(path.read_text())
        except keys.BadKey as exc:
            raise KeyMissing(reason=Reason("the key in {path} {error}", path=path, error=told_by(exc))) from exc
        found[key_id(SIGNER, public_key)] = public_key
    return found


def signing_key(keyset: Keyset, denied: DenyList, *, zone: str, classifications: Collection[str]) -> SigningKey:
    """The newest key among the files signer*.key that the keyset lets speak of these now.

    Raises:
        NoUsableKey
    """
    files = {key.id: key for key in map(_signer, sorted(settings.PKI_DIR.glob(f"{SIGNER}*.key")))}
    usable = [
        key
        for key in keyset.keys.values()
        if key.id in files
        and key.id not in denied.kids
        and is_signer_now(key)
        and key.covers(zone=zone, classifications=classifications)
    ]
    if not usable:
        raise NoUsableKey(zone=zone, classifications=", ".join(sorted(classifications)) or "public")
    return files[max(usable, key=lambda key: (key.not_before, key.id)).id]


def is_signer_now(key: Key) -> bool:
    return key.use == "permit" and key.not_before <= clock.now() < key.not_after


def _signer(path: Path) -> SigningKey:
    """Read again when the file or its mode has changed."""
    return _read(path, path.stat().st_ctime_ns)


@lru_cache(maxsize=16)
def _read(path: Path, changed_ns: int) -> SigningKey:
    return load(path, SIGNER)
