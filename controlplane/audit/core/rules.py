"""What records say, checked: facts by the keys of officers, permits as a node checks them, receipts against permits,
and every decision computed again. Standard library only."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controlplane.placement.core import exemption as exemptions
from controlplane.placement.core import permit as permits
from controlplane.placement.core import statements
from controlplane.placement.core.canonical import digest
from controlplane.placement.core.evaluate import Evaluation, evaluate, failures, waive
from controlplane.placement.core.facts import World, Zone
from controlplane.placement.core.policy import Policy
from controlplane.placement.core.policy_document import parse as parse_policy
from controlplane.placement.core.reading import (
    as_bool,
    as_choice,
    as_count,
    as_instant,
    as_list,
    as_object,
    as_rfc3339,
    as_text,
)
from controlplane.placement.core.signed import Signed, message, of_envelope
from controlplane.placement.core.trust import Charter, DenyList, Floor, Key, Keyset, read_charter, read_keyset

from .exported import MAX, Envelope
from .keys import Verify, verifier, verifier_of
from .records import PLATFORM
from .worlds import Worlds, signed_of

RECEIPT = "receipt"  # of the signed document
CLOCKS_APART = timedelta(seconds=60)  # between a node's receipt and its permit's time


class Unsound(Exception):
    """What a record says does not follow from what it rests on."""


@dataclass(frozen=True, slots=True)
class Source:
    """`place`: file and line."""

    place: str
    envelope: Envelope
    stream: str


@dataclass(frozen=True, slots=True)
class Layer:
    """A policy that came into force with the version `head` of the policies of its stream."""

    head: int
    policy: object
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class Policies:
    """The layers that were effective together, as documents and as what they mean."""

    documents: list[object]
    layers: tuple[Policy, ...]


@dataclass(frozen=True, slots=True)
class Decided:
    is_admitted: bool
    zones: tuple[str, ...]
    resource: str


@dataclass
class Judge:
    """`fault` is told of every record that does not hold. `roots`: the keys that may sign keysets and charters; pinned
    ones are not added to."""

    fault: Callable[[Source, str], None]
    roots: list[Verify]
    is_pinned: bool = False
    keys: dict[str, Key] = field(default_factory=dict)
    charters: dict[str, list[Charter]] = field(default_factory=dict)
    nodes: dict[str, Verify] = field(default_factory=dict)
    worlds: Worlds = field(default_factory=Worlds)
    layers: dict[tuple[str, str, str], list[Layer]] = field(default_factory=dict)
    policies: dict[str, Policies] = field(default_factory=dict)
    decided: dict[str, Decided] = field(default_factory=dict)
    permitted: dict[str, permits.Permit] = field(default_factory=dict)
    checked: dict[str, int] = field(default_factory=dict)

    def platform(self, sources: Sequence[Source]) -> None:
        """What concerns everybody, whole and in order: keys first, since they say who may state facts."""
        self._all(sources, {"trust": self._trust, "node": self._node})
        self._all(sources, {"fact": self._fact, "policy_version": self._layer})

    def own(self, sources: Sequence[Source]) -> None:
        """The organization's records, whole and in order: each kind rests on those before it."""
        self._all(sources, {"policy_version": self._layer})
        self._all(sources, {"decision": self._decision})
        self._all(sources, {"permit": self._permit})
        self._all(sources, {"receipt": self._receipt})

    def _all(self, sources: Iterable[Source], checks: Mapping[str, Callable[[Source], None]]) -> None:
        for source in sources:
            check = checks.get(source.envelope.kind)
            if check is None:
                continue
            self.checked[source.envelope.kind] = self.checked.get(source.envelope.kind, 0) + 1
            try:
                check(source)
            except (Unsound, ValueError, RecursionError) as exc:
                self.fault(source, str(exc))

    # ── who may say what ──────────────────────────────────────────────────────────────────────────

    def _trust(self, source: Source) -> None:
        body = source.envelope.body
        kind = as_choice(body.get("trust"), "trust", among=("root", "keyset", "deny", "floor"))
        if kind == "root":
            if not self.is_pinned:
                self.roots.append(verifier_of(as_text(body.get("public_key"), "public_key", limit=1000)))
        elif kind == "keyset":
            self.keys |= read_keyset(self._by_root(body, "keyset")).keys
        else:
            signed = signed_of(body)
            signed.check(kind, verifier(self._key(signed, "permit", source.envelope.at)))

    def _node(self, source: Source) -> None:
        body = source.envelope.body
        event = as_choice(body.get("event"), "event", among=("charter", "enrolled", "removed"))
        if event == "charter":
            charter = read_charter(self._by_root(body, "charter"))
            self.charters.setdefault(charter.node, []).append(charter)
        elif event == "enrolled":
            public = as_text(body.get("public_key"), "public_key", limit=1000)
            self.nodes[as_text(body.get("node"), "node")] = verifier_of(public)

    def _by_root(self, body: Mapping[str, object], kind: str) -> Mapping[str, object]:
        signed = signed_of(body)
        if not any(verify(message(kind, signed.payload), signed.signature) for verify in self.roots):
            raise Unsound(f"no root key signed this {kind}")
        return signed.payload

    def _fact(self, source: Source) -> None:
        body = source.envelope.body
        signed = signed_of(body) if body.get("event") == "stated" else None
        self.worlds.take(body, signed)
        if signed is not None:
            stated = statements.parse(signed.payload)
            key = self._key(signed, "facts", stated.attested_at)
            if stated.subject_kind == "zone" and not key.covers(zone=stated.subject_id, classifications=()):
                raise Unsound(f"{key.id} may not speak of {stated.subject_id}")
            signed.check(statements.KIND, verifier(key))

    def _key(self, signed: Signed, use: str, at: datetime) -> Key:
        key = self.keys.get(signed.key_id)
        if key is None or key.use != use:
            raise Unsound(f"{signed.key_id} is in no keyset as a key for {use}")
        if not key.not_before <= at < key.not_after:
            raise Unsound(f"{signed.key_id} was not in use at {as_rfc3339(at)}")
        return key

    # ── policies and decisions ────────────────────────────────────────────────────────────────────

    def _layer(self, source: Source) -> None:
        body = source.envelope.body
        policy = body.get("policy")
        parse_policy(policy)
        key = (source.stream, as_text(body.get("level"), "level"), as_text(body.get("id"), "id"))
        head = as_count(body.get("head"), "head", minimum=0, maximum=MAX)
        self.layers.setdefault(key, []).append(Layer(head, policy, source.envelope))

    def _decision(self, source: Source) -> None:
        body = source.envelope.body
        decision = as_text(body.get("decision"), "decision")
        if decision in self.decided:
            raise Unsound("a decision with this id was recorded before")
        policies = self._policies(body)
        zones = tuple(as_text(each, "admitted_zones") for each in as_list(body.get("admitted_zones"), "admitted_zones"))
        resource = as_text(body.get("resource"), "resource")
        self.decided[decision] = Decided(as_bool(body.get("admit"), "admit"), zones, resource)
        self._check_layers(source, policies)
        _compare(body, self._evaluate(body, policies))

    def _policies(self, body: Mapping[str, object]) -> Policies:
        documents = as_list(body.get("policies"), "policies")
        name = digest(documents)
        if name != body.get("policy_digest"):
            raise Unsound("its policies are not those of its policy_digest")
        if name not in self.policies:
            self.policies[name] = Policies(documents, tuple(map(parse_policy, documents)))
        return self.policies[name]

    def _check_layers(self, source: Source, policies: Policies) -> None:
        """Every policy that was in force is among those that were applied."""
        body = source.envelope.body
        for (stream, level, name), layers in self.layers.items():
            version = "platform_version" if stream == PLATFORM else "organization_version"
            head = as_count(body.get(version), version, minimum=0, maximum=MAX)
            in_force = [layer for layer in layers if layer.head <= head]
            if not in_force or not _concerns(in_force[-1].envelope, level, source.envelope):
                continue
            if in_force[-1].policy not in policies.documents:
                raise Unsound(f"the {level} policy {name} was in force and was not applied")

    def _evaluate(self, body: Mapping[str, object], policies: Policies) -> dict[str, Evaluation]:
        world = self.worlds.of(as_count(body.get("facts_epoch"), "facts_epoch", minimum=0, maximum=MAX))
        roles = [as_text(role, "roles") for role in as_list(body.get("roles"), "roles")]
        now, reference = as_instant(body.get("at"), "at"), body.get("reference_zone")
        near = None if reference is None else _zone(as_text(reference, "reference_zone"), world)
        zones = as_object(body.get("zones"), "zones", optional=None)
        found = {
            name: evaluate(policies.layers, _zone(name, world), world, now=now, roles=roles, reference=near)
            for name in zones
        }
        return found if body.get("exemption") is None else _exempted(body, found, policies, now=now)

    # ── permits and receipts ──────────────────────────────────────────────────────────────────────

    def _permit(self, source: Source) -> None:
        """As the node had to check it, in the very moment that it was made for."""
        signed = of_envelope(source.envelope.body)
        permit = permits.parse(signed.payload)
        if permit.jti in self.permitted:
            raise Unsound("a permit with this jti was recorded before")
        self.permitted[permit.jti] = permit
        policies = self.policies.get(permit.policy_digest)
        if policies is None:
            raise Unsound("it rests on policies that no decision here has")
        self._check_decision(permit)
        subject = next(
            ((kind, names[0]) for kind in permits.CONTENTS if (names := getattr(permit.contents, kind))), None
        )
        if subject is None:
            raise Unsound("it names nothing that the node may get")
        try:
            permits.check(
                signed, self._trust_of(permit), ops=(permit.op,), subject=subject, policies=policies.documents
            )
        except permits.Refused as exc:
            raise Unsound(f"a node has to refuse it: {exc}") from exc

    def _check_decision(self, permit: permits.Permit) -> None:
        decided = self.decided.get(permit.decision)
        if decided is None:
            raise Unsound(f"there is no decision {permit.decision}")
        if not decided.is_admitted or permit.zone not in decided.zones:
            raise Unsound(f"the decision {permit.decision} does not admit {permit.zone}")
        if permit.resource != decided.resource:
            raise Unsound(f"the decision {permit.decision} is about another resource, {decided.resource}")

    def _trust_of(self, permit: permits.Permit) -> permits.Trust:
        moment = permit.nbf
        charters = [each for each in self.charters.get(permit.aud, ()) if each.valid_from <= moment < each.valid_to]
        return permits.Trust(
            node=permit.aud,
            charter=max(charters, key=lambda charter: charter.version, default=None),
            keyset=Keyset(1, self.keys),
            deny=DenyList(0),
            floor=Floor(permit.zone, permit.epoch, "", moment),
            world=self.worlds.of(permit.epoch),
            now=moment,
            high_water=moment,
            is_clock_kept=True,
            verifier=verifier,
        )

    def _receipt(self, source: Source) -> None:
        signed = of_envelope(source.envelope.body)
        body = signed.payload
        node, zone, at = (
            as_text(body.get("node"), "node"),
            as_text(body.get("zone"), "zone"),
            as_instant(body.get("at"), "at"),
        )
        verify = self.nodes.get(node)
        if verify is None:
            raise Unsound(f"no key is known of the node {node}")
        signed.check(RECEIPT, verify)
        if body.get("event") == "opened":
            self._check_opening(body, node=node, zone=zone, at=at)

    def _check_opening(self, body: Mapping[str, object], *, node: str, zone: str, at: datetime) -> None:
        permit = self.permitted.get(as_text(body.get("jti"), "jti"))
        if permit is None:
            raise Unsound(f"the node acted under a permit that was not recorded: {body.get('jti')}")
        if (permit.aud, permit.zone) != (node, zone):
            raise Unsound("its permit was for another place")
        listed = {name for kind in permits.CONTENTS for name in getattr(permit.contents, kind)}
        if as_text(body.get("resource"), "resource") not in {permit.resource, *listed}:
            raise Unsound("its permit does not name the resource")
        if at < permit.nbf - CLOCKS_APART:
            raise Unsound("it is older than its permit")


def _zone(name: str, world: World) -> Zone:
    return world.zones.get(name) or Zone(name)


def _concerns(layer: Envelope, level: str, decision: Envelope) -> bool:
    match level:
        case "project":
            return layer.owners["project"] == decision.owners["project"]
        case "resource":
            return layer.body.get("id") == decision.owners["resource"]
        case "classification":
            return layer.body.get("id") in as_list(decision.body.get("classifications"), "classifications")
    return True


def _compare(body: Mapping[str, object], found: Mapping[str, Evaluation]) -> None:
    """What the record says against what comes out."""
    stated = as_object(body.get("zones"), "zones", optional=None)
    for name, evaluation in found.items():
        outcome = failures(evaluation.results)
        if outcome != stated[name]:
            raise Unsound(f"zone {name}: it says {_clauses(stated[name])}, and {_clauses(outcome)} comes out")
    boundaries = [each.valid_until for each in found.values() if each.valid_until is not None]
    until = as_rfc3339(min(boundaries)) if boundaries else None
    if body.get("valid_until") != until:
        raise Unsound(f"it says that it is valid until {body.get('valid_until')}, and {until} comes out")
    admitted = as_list(body.get("admitted_zones"), "admitted_zones")
    against = [zone for zone in admitted if not isinstance(zone, str) or zone not in found or not found[zone].admits]
    if against:
        raise Unsound(f"it admits {', '.join(map(str, against))}, which the policies refuse")
    if as_bool(body.get("admit"), "admit") != bool(admitted):
        raise Unsound("it admits without a zone, or has a zone and does not admit")


def _exempted(
    body: Mapping[str, object], found: dict[str, Evaluation], policies: Policies, *, now: datetime
) -> dict[str, Evaluation]:
    """What the exemption that the decision names makes of its zone. That two people signed it is checked with the
    permit that follows."""
    terms = exemptions.parse(body["exemption"], "exemption").terms
    is_for_it = terms.op == body.get("operation") and body.get("resource") in terms.resources
    if not is_for_it or terms.zone not in found or not terms.not_before <= now < terms.expires_at:
        raise Unsound("its exemption is for something else, or for another time")
    return {**found, terms.zone: waive(found[terms.zone], policies.layers, terms.waived)}


def _clauses(stated: object) -> str:
    clauses = [each for each in stated if isinstance(each, list) and len(each) == 4] if isinstance(stated, list) else []
    return ", ".join(f"{atom} {code}" for _, atom, _, code in clauses) or "that all clauses hold"
