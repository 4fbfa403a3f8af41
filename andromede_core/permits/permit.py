"""Permits: one node may do one operation on one resource, for some minutes. Standard library only.

The module has the format and the checks that need only the permit and the node's trust, in the order in which a node
makes them. The node itself checks its past actions (jti, generations) after these.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from andromede_core.documents.canonical import digest
from andromede_core.documents.parsing import (
    Malformed,
    as_choice,
    as_count,
    as_instant,
    as_list,
    as_object,
    as_rfc3339,
    as_text,
)
from andromede_core.documents.signed import BadDocument, Signed, Verify
from andromede_core.facts.world import World
from andromede_core.permits import sentinel_signature as cosignatures
from andromede_core.permits.sentinel_signature import SentinelDemand, SentinelSignatureError, sentinel_classifications
from andromede_core.permits.trust_documents import MAX_VERSION, Charter, DenyList, Floor, Key, Keyring, Keyset
from andromede_core.policy import exemption as exemptions
from andromede_core.policy.clauses import ROLES, PolicyError, Role
from andromede_core.policy.document import parse as parse_policy
from andromede_core.policy.evaluation import evaluate, waive
from andromede_core.policy.exemption import Exemption, Occasion
from andromede_core.policy.roles import ROLES_OF

KIND = "permit"  # of the signed document
LIFETIME = timedelta(seconds=300)
EARLY = timedelta(seconds=60)  # how far a signer's clock may be ahead of a node's
CLOCK_STEP = timedelta(seconds=2)  # how far back a node's clock may go without an error


class PermitRejected(Exception):
    """The node rejects the permit.

    `code` is from a closed list, documented in docs/reference/permits.md; `reason` is for an operator.
    """

    def __init__(self, code: str, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(f"{code}: {reason}")


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that the resource may take of the node."""

    vcpus: int
    memory_mib: int
    disk_gib: int


@dataclass(frozen=True, slots=True)
class Contents:
    """The contents that the node may get or attach under the permit.

    They are ids, digests of images, and the location of network cards (see `address`). `shared`: those of `volumes` to
    which several nodes may write at once.
    """

    volumes: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    nics: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    snapshots: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Peer:
    """The other node of a migration, by its certificate."""

    node: str
    certificate_sha256: str

    def payload(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in PEER}


@dataclass(frozen=True, slots=True)
class Permit:
    """The payload of a permit, which the signer signs.

    `aud` is the node. `roles`: the requested reasons for holding data. `epoch`: of the facts. `peer`: the node from
    which the resource may come, or to which it may go; a permit without a peer allows no migration.
    """

    jti: str
    op: str
    resource: str
    gen: int
    aud: str
    zone: str
    roles: tuple[Role, ...]
    organization: str
    project: str
    policy_digest: str
    epoch: int
    classifications: tuple[str, ...]
    decision: str
    nbf: datetime
    exp: datetime
    limits: Limits
    contents: Contents
    exemption: Exemption | None = None
    peer: Peer | None = None

    def payload(self) -> dict[str, object]:
        return {
            "v": 1,
            "jti": self.jti,
            "op": self.op,
            "resource": self.resource,
            "gen": self.gen,
            "aud": self.aud,
            "zone": self.zone,
            "roles": list(self.roles),
            "organization": self.organization,
            "project": self.project,
            "policy_digest": self.policy_digest,
            "epoch": self.epoch,
            "classifications": list(self.classifications),
            "decision": self.decision,
            "nbf": as_rfc3339(self.nbf),
            "exp": as_rfc3339(self.exp),
            "limits": {name: getattr(self.limits, name) for name in LIMITS},
            **{name: list(named) for name in CONTENTS if (named := getattr(self.contents, name)) or name not in RARE},
            "exemption": self.exemption.payload() if self.exemption else None,
            **({"peer": self.peer.payload()} if self.peer else {}),
        }


LIMITS = ("vcpus", "memory_mib", "disk_gib")
CONTENTS = ("volumes", "images", "nics", "attachments", "instances", "addresses", "snapshots", "shared")
RARE = ("snapshots", "shared")  # not in a permit that has none
PEER = ("node", "certificate_sha256")
TEXTS = ("jti", "op", "resource", "aud", "zone", "organization", "project", "policy_digest", "decision")
FIELDS = (
    "v",
    *TEXTS,
    "gen",
    "roles",
    "epoch",
    "classifications",
    "nbf",
    "exp",
    "limits",
    *(name for name in CONTENTS if name not in ("addresses", *RARE)),
    "exemption",
)
# Older permits do not locate network cards: nodes create none under them, and auditors can read them. Only permits of
# a migration have a peer.
SINCE = ("addresses", *RARE, "peer")


def address(port: str, *, network: str, mac: str, ip: str) -> str:
    """Return the location of a network card, as a permit lists it."""
    return f"{port} {network} {mac} {ip}"


def expiry(now: datetime, *boundaries: datetime | None) -> datetime:
    """Return when a permit issued now ends: never after any input that it rests on."""
    return min((now + LIFETIME, *(boundary for boundary in boundaries if boundary is not None)))


def parse(payload: object) -> Permit:
    """Parse the payload of a permit.

    Raises:
        Malformed: with the field; an unknown one is one fault.
    """
    body = as_object(payload, "permit", required=FIELDS, optional=SINCE)
    as_count(body["v"], "permit.v", minimum=1, maximum=1)
    limits = as_object(body["limits"], "permit.limits", required=LIMITS)
    texts = {name: as_text(body[name], f"permit.{name}") for name in TEXTS}
    return Permit(
        **texts,
        gen=as_count(body["gen"], "permit.gen", minimum=0, maximum=MAX_VERSION),
        roles=_roles(body["roles"], "permit.roles"),
        epoch=as_count(body["epoch"], "permit.epoch", minimum=0, maximum=MAX_VERSION),
        classifications=_texts(body["classifications"], "permit.classifications"),
        nbf=as_instant(body["nbf"], "permit.nbf"),
        exp=as_instant(body["exp"], "permit.exp"),
        limits=Limits(
            *(as_count(limits[name], f"permit.limits.{name}", minimum=0, maximum=MAX_VERSION) for name in LIMITS)
        ),
        contents=Contents(*(_texts(body.get(name, []), f"permit.{name}") for name in CONTENTS)),
        exemption=None if body["exemption"] is None else exemptions.parse(body["exemption"], "permit.exemption"),
        peer=_peer(body["peer"], "permit.peer") if "peer" in body else None,
    )


def _peer(value: object, at: str) -> Peer:
    body = as_object(value, at, required=PEER)
    return Peer(*(as_text(body[name], f"{at}.{name}") for name in PEER))


def _texts(value: object, at: str) -> tuple[str, ...]:
    return tuple(as_text(item, f"{at}[{n}]") for n, item in enumerate(as_list(value, at)))


def _roles(value: object, at: str) -> tuple[Role, ...]:
    named = (as_choice(item, f"{at}[{n}]", among=ROLES) for n, item in enumerate(as_list(value, at)))
    return tuple(ROLES[ROLES.index(name)] for name in named)


@dataclass(frozen=True, slots=True)
class Trust:
    """The node's trust when it checks a permit.

    `high_water`: the latest time that the node has ever observed; `is_clock_kept`: a trusted source keeps its clock.
    `verifier` makes a check of one key's signatures.
    """

    node: str
    charter: Charter | None
    keyset: Keyset
    deny: DenyList
    floor: Floor | None
    world: World
    now: datetime
    high_water: datetime
    is_clock_kept: bool
    verifier: Callable[[Key], Verify]

    @property
    def keyring(self) -> Keyring:
        return Keyring(self.keyset, self.deny.kids, self.verifier)


def check(
    signed: Signed,
    trust: Trust,
    *,
    ops: Collection[str],
    subject: tuple[str, str],
    policies: object,
    cosignature: Signed | None = None,
) -> Permit:
    """Return the permit if it lets this node do one of these operations on the subject now.

    `subject`: a name of CONTENTS and the id of the resource to create. `policies`: the decoded list of policy documents
    that came with the permit. `cosignature`: a sentinel's, where one is required.

    Raises:
        PermitRejected: the first check that fails.
    """
    key = _key(signed, trust)
    try:
        signed.check(KIND, trust.verifier(key))
        permit = parse(signed.payload)
    except BadDocument as exc:
        raise PermitRejected(exc.code, exc.reason) from exc
    except (Malformed, ValueError) as exc:
        raise PermitRejected("MALFORMED", str(exc)) from exc
    _check_key_scope(key, permit)
    _check_cosignature(permit, signed, cosignature, trust)
    _check_clock(trust)
    _check_place(permit, trust)
    _check_purpose(permit, ops=ops, subject=subject)
    _check_time(permit, key, trust)
    _check_standing(permit, trust)
    _check_exemption(permit, trust)
    _check_policies(permit, policies, trust)
    return permit


def _key(signed: Signed, trust: Trust) -> Key:
    key = trust.keyset.keys.get(signed.key_id)
    if key is None or key.use != "permit":
        raise PermitRejected("UNKNOWN_KEY", f"key {signed.key_id} is not in the keyset for permits")
    if signed.key_id in trust.deny.kids:
        raise PermitRejected("REVOKED_KEY", f"key {signed.key_id} was revoked")
    return key


def _check_key_scope(key: Key, permit: Permit) -> None:
    if not key.covers(zone=permit.zone, classifications=permit.classifications):
        raise PermitRejected("OUT_OF_SCOPE", f"key {key.id} may not speak for {permit.zone} and these classifications")


def _check_cosignature(permit: Permit, signed: Signed, cosignature: Signed | None, trust: Trust) -> None:
    classifications = sentinel_classifications(trust.keyset, zone=permit.zone, classifications=permit.classifications)
    if not classifications:
        return
    try:
        cosignatures.check(signed, cosignature, SentinelDemand(permit.zone, classifications, permit.nbf), trust.keyring)
    except SentinelSignatureError as exc:
        raise PermitRejected("NOT_COSIGNED", str(exc)) from exc


def _check_clock(trust: Trust) -> None:
    if not trust.is_clock_kept:
        raise PermitRejected("CLOCK_UNTRUSTED", "nothing keeps this node's clock")
    if trust.now < trust.high_water - CLOCK_STEP:
        raise PermitRejected("CLOCK_UNTRUSTED", f"the clock went back: it was {as_rfc3339(trust.high_water)} already")


def _check_place(permit: Permit, trust: Trust) -> None:
    if permit.aud != trust.node:
        raise PermitRejected("WRONG_NODE", f"the permit is for node {permit.aud}")
    charter = trust.charter
    if charter is None or charter.node != trust.node:
        raise PermitRejected("NO_CHARTER", "this node has no charter")
    if not charter.valid_from <= trust.now < charter.valid_to:
        raise PermitRejected("NO_CHARTER", "this node's charter does not hold at this time")
    if permit.zone != charter.zone:
        raise PermitRejected("WRONG_ZONE", f"the permit is for zone {permit.zone}; this node is in {charter.zone}")
    if not charter.covers(permit.classifications):
        raise PermitRejected("NOT_CLEARED", "this node's charter does not allow these classifications")


def _check_purpose(permit: Permit, *, ops: Collection[str], subject: tuple[str, str]) -> None:
    if permit.op not in ops:
        raise PermitRejected("WRONG_OPERATION", f"the permit is for {permit.op}")
    kind, name = subject
    if name not in getattr(permit.contents, kind):
        raise PermitRejected("WRONG_RESOURCE", f"the permit is for {permit.resource} and does not name {name}")


def _check_time(permit: Permit, key: Key, trust: Trust) -> None:
    if not key.not_before <= permit.nbf < key.not_after:
        raise PermitRejected("UNKNOWN_KEY", f"key {key.id} was not in use when the permit was made")
    if trust.now < permit.nbf - EARLY:
        raise PermitRejected("NOT_YET_VALID", f"the permit begins at {as_rfc3339(permit.nbf)}")
    if trust.now >= permit.exp or permit.exp - permit.nbf > LIFETIME:
        raise PermitRejected("EXPIRED", f"the permit ended at {as_rfc3339(permit.exp)}")


def _check_standing(permit: Permit, trust: Trust) -> None:
    if trust.floor is None or permit.epoch > trust.floor.epoch:
        raise PermitRejected("STALE_FACTS", "this node does not hold the facts that the permit rests on yet")
    if permit.epoch < trust.floor.epoch:
        raise PermitRejected("REVOKED_BY_EPOCH", "the facts have changed since the permit was made")
    deny = trust.deny
    if permit.jti in deny.jtis or permit.resource in deny.resources or permit.aud in deny.nodes:
        raise PermitRejected("REVOKED", "the permit, its resource or this node was denied")


def _check_exemption(permit: Permit, trust: Trust) -> None:
    if (exemption := permit.exemption) is None:
        return
    occasion = Occasion(permit.resource, permit.op, permit.zone, permit.organization, permit.classifications)
    try:
        exemptions.check(exemption, occasion, now=trust.now, keyring=trust.keyring)
    except exemptions.NotApproved as exc:
        raise PermitRejected(exc.code, exc.reason) from exc


def _check_policies(permit: Permit, policies: object, trust: Trust) -> None:
    """Evaluate the policies on the node, with the facts that the node holds.

    All roles of the operation are evaluated: a permit that names fewer escapes no clause. An operation that gives this
    place no data has no role, so no clause applies.
    """
    if digest(policies) != permit.policy_digest:
        raise PermitRejected("POLICY_MISMATCH", "the policies are not those that the permit was made for")
    try:
        layers = [parse_policy(document) for document in as_list(policies, "policies")]
        roles = {*permit.roles, *ROLES_OF.get(permit.op, ROLES)}
        if not roles:
            return
        evaluation = evaluate(layers, trust.world.zones.get(permit.zone), trust.world, now=trust.now, roles=roles)
    except (PolicyError, Malformed) as exc:
        raise PermitRejected("MALFORMED", str(exc)) from exc
    if permit.exemption is not None:
        evaluation = waive(evaluation, layers, permit.exemption.terms.waived)
    against = [each for each in evaluation.results if each.result != "T"]
    if against:
        clauses = ", ".join(f"{each.ref.level}/{each.ref.clause} {each.code}" for each in against)
        raise PermitRejected("POLICY_REFUSES", f"zone {permit.zone} does not satisfy: {clauses}")


def listed(permit: Permit, kind: str, names: Sequence[str]) -> None:
    """Return the ids that the permit lists.

    Raises:
        PermitRejected: one of them is not among the permit's `kind` (a name of CONTENTS).
    """
    for name in names:
        if name not in getattr(permit.contents, kind):
            raise PermitRejected("NOT_LISTED", f"the permit does not list {name} among its {kind}")


def with_peer(permit: Permit, peer: Peer) -> None:
    """Check the peer.

    Raises:
        PermitRejected: the permit is not for a move from or to this node, under this certificate.
    """
    if permit.peer != peer:
        named = f"{permit.peer.node} with certificate {permit.peer.certificate_sha256}" if permit.peer else "no node"
        raise PermitRejected("WRONG_PEER", f"the permit names {named} as the other node, not {peer.node}")
