"""Trust documents of a node.

An offline root key signs keyset and charter, a signer signs floor and deny list. Versions only ever grow, and a node
keeps the newest of each on its disk, so an older one is never accepted.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from andromede_core.documents.messages import Message
from andromede_core.documents.parsing import (
    as_choice,
    as_count,
    as_instant,
    as_list,
    as_object,
    as_rfc3339,
    as_text,
    refuse,
)
from andromede_core.documents.signed import Verify

Use = Literal["permit", "sentinel", "facts", "receipt", "approval"]
USES: tuple[Use, ...] = ("permit", "sentinel", "facts", "receipt", "approval")
# An exemption needs one approval of each: of the side that owns the data, and of the side that runs the machines.
OFFICER_DUTY = "sovereignty_officer"
DUTIES = (OFFICER_DUTY, "duty_operator")
ALGORITHMS = ("Ed25519", "ECDSA-P256-SHA256")
ANY = "*"
PUBLIC = "public"  # the one classification that a node may hold without being attested
MAX_VERSION = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Approver:
    """A person who may approve exemptions with a key.

    It is a user (`person`, an id), in one of DUTIES; a sovereignty officer only for the data of one `organization` (an
    id). The operator duty has no organization (empty).
    """

    person: str
    duty: str
    organization: str = ""

    def payload(self) -> dict[str, object]:
        return {"person": self.person, "duty": self.duty, "organization": self.organization}


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the keyset. `public_key`: base64 of its SubjectPublicKeyInfo (RFC 5280).

    `zones`, `classifications`: the scope of its signatures; "*" is all. `approver`: only for keys for approvals.
    """

    id: str
    use: Use
    algorithm: str
    public_key: str
    zones: frozenset[str]
    classifications: frozenset[str]
    not_before: datetime
    not_after: datetime
    approver: Approver | None = None

    def covers(self, *, zone: str, classifications: Collection[str]) -> bool:
        return _admits(self.zones, (zone,)) and _admits(self.classifications, classifications)

    def payload(self) -> dict[str, object]:
        return {
            "kid": self.id,
            "use": self.use,
            "alg": self.algorithm,
            "public_key": self.public_key,
            "zones": sorted(self.zones),
            "classifications": sorted(self.classifications),
            "not_before": as_rfc3339(self.not_before),
            "not_after": as_rfc3339(self.not_after),
            "approver": self.approver.payload() if self.approver else None,
        }


def _admits(allowed: frozenset[str], names: Collection[str]) -> bool:
    return ANY in allowed or all(name in allowed for name in names)


@dataclass(frozen=True, slots=True)
class Keyset:
    """The keys that the root trusts.

    `epoch` and `deny_version`: the facts epoch and deny list when the root signed the keyset. Both stay valid as a
    lower bound where a key that stated them has been removed since.
    """

    version: int
    keys: Mapping[str, Key]
    epoch: int = 0
    deny_version: int = 0

    def payload(self) -> dict[str, object]:
        return {
            "version": self.version,
            "keys": [self.keys[name].payload() for name in sorted(self.keys)],
            "epoch": self.epoch,
            "deny_version": self.deny_version,
        }


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys that check signatures of people and of sentinels.

    `denied`: ids of keys that were revoked; `verifier` makes a check of one key's signatures.
    """

    keyset: Keyset
    denied: Collection[str]
    verifier: Callable[[Key], Verify]


@dataclass(frozen=True, slots=True)
class Charter:
    """The place of a node and the classifications that it may hold.

    Two people (`witnesses`) saw the machine in the room. `serial`: of the machine.
    """

    version: int
    node: str
    zone: str
    classifications: frozenset[str]
    serial: str
    valid_from: datetime
    valid_to: datetime
    witnesses: tuple[str, ...] = ()

    def covers(self, classifications: Collection[str]) -> bool:
        return _admits(self.classifications, classifications)

    def payload(self) -> dict[str, object]:
        return {
            "version": self.version,
            "node": self.node,
            "zone": self.zone,
            "classifications": sorted(self.classifications),
            "serial": self.serial,
            "valid_from": as_rfc3339(self.valid_from),
            "valid_to": as_rfc3339(self.valid_to),
            "witnesses": list(self.witnesses),
        }


@dataclass(frozen=True, slots=True)
class Floor:
    """The lowest valid facts epoch of a zone: permits that rest on an older one are void.

    `facts_sha256`: of the canonical list of the signed statements that hold in this epoch; `issued_at`: the current
    time cannot be earlier.
    """

    zone: str
    epoch: int
    facts_sha256: str
    issued_at: datetime

    def payload(self) -> dict[str, object]:
        return {
            "zone": self.zone,
            "epoch": self.epoch,
            "facts_sha256": self.facts_sha256,
            "issued_at": as_rfc3339(self.issued_at),
        }


@dataclass(frozen=True, slots=True)
class DenyList:
    """Permits (by jti), resources, keys and nodes that are void before their time.

    A later version contains all of an earlier one.
    """

    version: int
    jtis: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    kids: frozenset[str] = frozenset()
    nodes: frozenset[str] = frozenset()

    def payload(self) -> dict[str, object]:
        return {"version": self.version, **{name: sorted(getattr(self, name)) for name in DENIED}}


DENIED = ("jtis", "resources", "kids", "nodes")


REACHED = ("epoch", "deny_version")


def read_keyset(payload: object) -> Keyset:
    """Parse a keyset.

    Raises:
        Malformed: with the field.
    """
    body = as_object(payload, "keyset", required=("version", "keys", "epoch", "deny_version"))
    keys = [_key(item, f"keyset.keys[{n}]") for n, item in enumerate(as_list(body["keys"], "keyset.keys"))]
    version = as_count(body["version"], "keyset.version", minimum=1, maximum=MAX_VERSION)
    reached = (as_count(body[name], f"keyset.{name}", minimum=0, maximum=MAX_VERSION) for name in REACHED)
    return Keyset(version, {key.id: key for key in keys}, *reached)


def _key(item: object, at: str) -> Key:
    names = ("kid", "use", "alg", "public_key", "zones", "classifications", "not_before", "not_after", "approver")
    body = as_object(item, at, required=names)
    if (body["use"] == "approval") != (body["approver"] is not None):
        refuse(f"{at}.approver", Message("is only for approval keys"))
    return Key(
        id=as_text(body["kid"], f"{at}.kid", limit=64),
        use=USES[USES.index(as_choice(body["use"], f"{at}.use", among=USES))],
        algorithm=as_choice(body["alg"], f"{at}.alg", among=ALGORITHMS),
        public_key=as_text(body["public_key"], f"{at}.public_key", limit=1000),
        zones=_texts(body["zones"], f"{at}.zones"),
        classifications=_texts(body["classifications"], f"{at}.classifications"),
        not_before=as_instant(body["not_before"], f"{at}.not_before"),
        not_after=as_instant(body["not_after"], f"{at}.not_after"),
        approver=None if body["approver"] is None else _approver(body["approver"], f"{at}.approver"),
    )


def _approver(value: object, at: str) -> Approver:
    body = as_object(value, at, required=("person", "duty", "organization"))
    duty = as_choice(body["duty"], f"{at}.duty", among=DUTIES)
    if duty == OFFICER_DUTY:
        organization = as_text(body["organization"], f"{at}.organization")
    elif body["organization"] == "":
        organization = ""
    else:
        refuse(f"{at}.organization", Message("is empty unless the duty is an officer's"))
    return Approver(as_text(body["person"], f"{at}.person"), duty, organization)


def _texts(value: object, at: str) -> frozenset[str]:
    return frozenset(as_text(item, f"{at}[{n}]") for n, item in enumerate(as_list(value, at)))


def read_charter(payload: object) -> Charter:
    names = ("version", "node", "zone", "classifications", "serial", "valid_from", "valid_to", "witnesses")
    body = as_object(payload, "charter", required=names)
    return Charter(
        version=as_count(body["version"], "charter.version", minimum=1, maximum=MAX_VERSION),
        node=as_text(body["node"], "charter.node"),
        zone=as_text(body["zone"], "charter.zone"),
        classifications=_texts(body["classifications"], "charter.classifications"),
        serial=as_text(body["serial"], "charter.serial"),
        valid_from=as_instant(body["valid_from"], "charter.valid_from"),
        valid_to=as_instant(body["valid_to"], "charter.valid_to"),
        witnesses=tuple(sorted(_texts(body["witnesses"], "charter.witnesses"))),
    )


def read_floor(payload: object) -> Floor:
    body = as_object(payload, "floor", required=("zone", "epoch", "facts_sha256", "issued_at"))
    return Floor(
        zone=as_text(body["zone"], "floor.zone"),
        epoch=as_count(body["epoch"], "floor.epoch", minimum=0, maximum=MAX_VERSION),
        facts_sha256=as_text(body["facts_sha256"], "floor.facts_sha256"),
        issued_at=as_instant(body["issued_at"], "floor.issued_at"),
    )


def read_deny_list(payload: object) -> DenyList:
    body = as_object(payload, "deny", required=("version", *DENIED))
    version = as_count(body["version"], "deny.version", minimum=0, maximum=MAX_VERSION)
    return DenyList(version, **{name: _texts(body[name], f"deny.{name}") for name in DENIED})
