"""Rules between records: each record must follow from those before it in the log. Standard library only.

Facts need keys of officers, permits pass the checks of a node, receipts match permits, and every decision is computed
again.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from andromede_core.documents.canonical import digest
from andromede_core.documents.parsing import (
    as_bool,
    as_choice,
    as_count,
    as_instant,
    as_list,
    as_object,
    as_rfc3339,
    as_text,
)
from andromede_core.documents.signed import Signed, from_envelope
from andromede_core.evidence import request_proofs
from andromede_core.evidence.authority import Authority, Untrusted
from andromede_core.evidence.export_format import MAX, Envelope
from andromede_core.evidence.fact_history import FactHistory, signed_of
from andromede_core.evidence.keys import Verify, verifier, verifier_of
from andromede_core.evidence.records import PLATFORM
from andromede_core.evidence.request_proofs import Batch
from andromede_core.evidence.sequence_checks import CLOCKS_APART, LogPosition, VersionHistory
from andromede_core.evidence.streams import OUT_OF_ORDER
from andromede_core.facts import statements
from andromede_core.facts.world import World, Zone
from andromede_core.permits import permit as permits
from andromede_core.permits import sentinel_signature as cosignatures
from andromede_core.permits.sentinel_signature import SentinelDemand, SentinelSignatureError, sentinel_classifications
from andromede_core.permits.trust_documents import Charter, DenyList, Floor, Keyring, Keyset, read_charter
from andromede_core.policy import exemption as exemptions
from andromede_core.policy.clauses import Policy
from andromede_core.policy.document import parse as parse_policy
from andromede_core.policy.evaluation import Copy, Evaluation, evaluate, failures, waive
from andromede_core.policy.roles import ROLES_OF

RECEIPT = "receipt"  # of the signed document
STORAGE = "storage"  # the agent of a cluster, which signs receipts as nodes do
# A node takes a permit before its end, and writes the receipt when the work is done: at once, or when a disk is copied.
WORK = timedelta(minutes=5)
COPYING = timedelta(hours=1)
COPIED = ("image", "volume", "cluster-volume", "revert")
# What only storage agents do, under the permits of nodes of their zone; both import images.
IN_CLUSTERS = frozenset({"cluster-volume", "key", "snapshot", "revert", "reading"})
IMAGE = "image"
ENDS = ("closed", "erased")  # out of reach, as in the trash of a cluster; and when its data are deleted
# No other resource is on the node with theirs yet, so no classification of another one can be removed meanwhile.
ALONE = (
    "instance.create",
    "volume.create",
    "volume.grow",
    "volume.retype",
    "volume.move",
    "volume.relocate",
    "volume.revert",
)
FIRST_HEAD = 2  # the version that the first policy of a stream begins


class Unsound(Exception):
    """The content of a record does not follow from the records it rests on."""


@dataclass(frozen=True, slots=True)
class Source:
    """The position of a record. `place`: file and line; `index`: in the log."""

    place: str
    envelope: Envelope
    stream: str
    index: int

    def moment(self, at: datetime | None = None) -> LogPosition:
        """Return the same position in the log, as of another moment than that of the record."""
        return LogPosition(self.index, at or self.envelope.at)


@dataclass(frozen=True, slots=True)
class Layer:
    """A policy that came into force with the version `head` of the policies of its stream."""

    head: int
    policy: object
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class Policies:
    """The layers that were effective together, as documents and parsed."""

    documents: list[object]
    layers: tuple[Policy, ...]


@dataclass(frozen=True, slots=True)
class Decided:
    is_admitted: bool
    operation: str
    zones: tuple[str, ...]
    resource: str
    project: str | None
    roles: frozenset[str]
    classifications: frozenset[str]
    epoch: int
    heads: Mapping[str, int]  # by stream
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class About:
    """The organization, project and classifications of the data that a decision or permit is about."""

    owners: Mapping[str, str | None]
    classifications: frozenset[str]

    def is_concerned_by(self, layer: Envelope, level: str) -> bool:
        match level:
            case "project":
                return layer.owners["project"] == self.owners["project"]
            case "resource":
                return layer.body.get("id") == self.owners["resource"]
            case "classification":
                return layer.body.get("id") in self.classifications
        return True


@dataclass
class Judge:
    """Checks records in order. `fault` is called with every record that fails."""

    fault: Callable[[Source, str], None]
    authority: Authority
    organization: str
    charters: dict[str, list[Charter]] = field(default_factory=dict)
    nodes: dict[str, list[tuple[int, Verify]]] = field(default_factory=dict)  # of each its keys, and where they begin
    storage_agents: set[str] = field(default_factory=set)  # of the nodes
    fact_history: FactHistory = field(default_factory=FactHistory)
    epochs: VersionHistory = field(default_factory=VersionHistory)
    heads: dict[str, VersionHistory] = field(default_factory=dict)
    changed: dict[str, set[int]] = field(default_factory=dict)  # versions of each stream's policies
    reached: dict[str, int] = field(default_factory=dict)
    layers: dict[tuple[str, str, str], list[Layer]] = field(default_factory=dict)
    policies: dict[str, Policies] = field(default_factory=dict)
    decided: dict[str, Decided] = field(default_factory=dict)
    permitted: dict[str, permits.Permit] = field(default_factory=dict)
    signed: dict[str, Signed] = field(default_factory=dict)  # permits, by what a sentinel signs of them
    cosigned: set[str] = field(default_factory=set)
    opened: set[tuple[object, ...]] = field(default_factory=set)
    numbers: set[tuple[str, int]] = field(default_factory=set)  # of receipts: node and number
    newest: dict[str, tuple[int, datetime]] = field(default_factory=dict)  # of each node: number, and when recorded
    checked: dict[str, int] = field(default_factory=dict)
    batches: dict[str, Batch] = field(default_factory=dict)  # of requests, by the record that has them

    def platform(self, sources: Sequence[Source]) -> None:
        """Check the platform's records, complete and in order: keys first, since they decide who may state facts."""
        self._all(sources, {"trust": self._trust, "node": self._node})
        self._all(sources, {"fact": self._fact, "policy_version": self._layer})

    def own(self, sources: Sequence[Source]) -> None:
        """Check the organization's records, complete and in order: each kind rests on those before it."""
        self._all(sources, {"policy_version": self._layer, "policy_proposal": self._proposal})
        self._all(sources, {"decision": self._decision})
        self._all(sources, {"permit": self._permit})
        self._all(sources, {"cosignature": self._cosignature})
        self._all(sources, {"receipt": self._receipt})
        self._all(sources, {request_proofs.KIND: self._audit})

    def _audit(self, source: Source) -> None:
        self.batches[source.envelope.id] = request_proofs.read_batch(source.envelope.body, source.envelope.at)

    def _all(self, sources: Iterable[Source], checks: Mapping[str, Callable[[Source], None]]) -> None:
        for source in sources:
            check = checks.get(source.envelope.kind)
            if check is None:
                continue
            self.checked[source.envelope.kind] = self.checked.get(source.envelope.kind, 0) + 1
            try:
                check(source)
            except (Unsound, Untrusted, ValueError, RecursionError) as exc:
                self.fault(source, str(exc))

    # ── authority ─────────────────────────────────────────────────────────────────────────────────

    def _trust(self, source: Source) -> None:
        floor = self.authority.record(source.envelope.body, source.moment())
        if floor is not None:
            self.epochs.record(source.moment(), floor.epoch)

    def _node(self, source: Source) -> None:
        body = source.envelope.body
        event = as_choice(body.get("event"), "event", among=("charter", "enrolled", "removed"))
        if event == "charter":
            charter = read_charter(self.authority.by_root(body, "charter"))
            self.charters.setdefault(charter.node, []).append(charter)
        elif event == "enrolled":
            public, node = as_text(body.get("public_key"), "public_key", limit=1000), as_text(body.get("node"), "node")
            self.nodes.setdefault(node, []).append((source.index, verifier_of(public)))
            if body.get("agent") == STORAGE:
                self.storage_agents.add(node)

    def _fact(self, source: Source) -> None:
        body = source.envelope.body
        signed = signed_of(body) if body.get("event") == "stated" else None
        self.fact_history.record(body, signed)
        self.epochs.record(source.moment(), self.fact_history.newest)
        if signed is not None:
            stated = statements.parse(signed.payload)
            key = self.authority.key(signed.key_id, "facts", stated.attested_at)
            if stated.subject_kind == "zone" and not key.covers(zone=stated.subject_id, classifications=()):
                raise Unsound(f"{key.id} may not speak of {stated.subject_id}")
            signed.check(statements.KIND, verifier(key))

    # ── policies and decisions ────────────────────────────────────────────────────────────────────

    def _layer(self, source: Source) -> None:
        body = source.envelope.body
        policy = body.get("policy")
        parse_policy(policy)
        key = (source.stream, as_text(body.get("level"), "level"), as_text(body.get("id"), "id"))
        head = self._begun(source)
        layers = self.layers.setdefault(key, [])
        layers.append(Layer(head, policy, source.envelope))
        layers.sort(key=lambda layer: layer.head)

    def _proposal(self, source: Source) -> None:
        """Apply a proposal. Removing a classification from a resource begins a version too, without a policy."""
        body = source.envelope.body
        if body.get("verb") == "policy.apply" and body.get("level") == "resource":
            self._begun(source)

    def _begun(self, source: Source) -> int:
        """Return the version of its stream's policies that begins with the record."""
        head = as_count(source.envelope.body.get("head"), "head", minimum=FIRST_HEAD, maximum=MAX)
        self.heads.setdefault(source.stream, VersionHistory()).record(source.moment(), head)
        if head in self.changed.setdefault(source.stream, set()):
            raise Unsound(f"version {head} of the policies of its stream was recorded before")
        self.changed[source.stream].add(head)
        return head

    def _decision(self, source: Source) -> None:
        body = source.envelope.body
        decision = as_text(body.get("decision"), "decision")
        if decision in self.decided:
            raise Unsound("a decision with this id was recorded before")
        policies = self._policies(body)
        self.decided[decision] = decided = _decided(source.envelope, self.organization)
        self._check_decided(source, decided)
        about = About(source.envelope.owners, decided.classifications)
        self._check_layers(about, policies, decided, is_exact=decided.is_admitted)
        _compare(body, self._evaluate(source, policies))

    def _check_decided(self, source: Source, decided: Decided) -> None:
        """Check epoch and policy versions of a decision.

        An admission locks the epoch and the versions while it is written; a refusal has read them before.
        """
        at = as_instant(source.envelope.body.get("at"), "at")
        if not source.envelope.at - OUT_OF_ORDER <= at <= source.envelope.at + CLOCKS_APART:
            raise Unsound(f"it was taken for another moment than that of its record, {as_rfc3339(at)}")
        if decided.operation not in ROLES_OF:
            raise Unsound(f"no such operation needs a decision: {decided.operation}")
        if missing := set(ROLES_OF[decided.operation]) - decided.roles:
            raise Unsound(f"it does not ask for the roles of {decided.operation}: {', '.join(sorted(missing))}")
        self._check_fresh(decided, source.moment(None if decided.is_admitted else at))
        for stream, head in decided.heads.items():
            if head > (reached := self._reached(stream)):
                raise Unsound(f"it rests on the policies of {stream}, whose version {reached + 1} is not here")

    def _check_fresh(self, decided: Decided, position: LogPosition) -> None:
        if decided.epoch < (epoch := self.epochs.known(position)):
            raise Unsound(f"it rests on the facts of epoch {decided.epoch}, and epoch {epoch} had begun")
        for stream, head in decided.heads.items():
            if stream in self.heads and head < (newest := self.heads[stream].known(position)):
                raise Unsound(f"it rests on version {head} of the policies of {stream}, and {newest} was in force")

    def _reached(self, stream: str) -> int:
        """Check that all versions of the stream's policies up to this one are exported."""
        number = self.reached.get(stream, FIRST_HEAD - 1)
        while number + 1 in self.changed.get(stream, ()):
            number += 1
        self.reached[stream] = number
        return number

    def _policies(self, body: Mapping[str, object]) -> Policies:
        documents = as_list(body.get("policies"), "policies")
        name = digest(documents)
        if name != body.get("policy_digest"):
            raise Unsound("its policies are not those of its policy_digest")
        if name not in self.policies:
            self.policies[name] = Policies(documents, tuple(map(parse_policy, documents)))
        return self.policies[name]

    def _check_layers(self, about: About, policies: Policies, decided: Decided, *, is_exact: bool) -> None:
        """Check that every policy in force was applied.

        Where the policies were read after the versions and without a lock, a policy that came later may stand for it.
        """
        for (stream, level, name), layers in self.layers.items():
            number = bisect_right(layers, decided.heads.get(stream, 0), key=lambda layer: layer.head)
            if not number or not about.is_concerned_by(layers[number - 1].envelope, level):
                continue
            enough = layers[number - 1 : number] if is_exact else layers[number - 1 :]
            if not any(layer.policy in policies.documents for layer in enough):
                raise Unsound(f"the {level} policy {name} was in force and was not applied")

    def _evaluate(self, source: Source, policies: Policies) -> dict[str, Evaluation]:
        body = source.envelope.body
        world = self.fact_history.of(as_count(body.get("facts_epoch"), "facts_epoch", minimum=0, maximum=MAX))
        roles = [as_text(role, "roles") for role in as_list(body.get("roles"), "roles")]
        now, reference = as_instant(body.get("at"), "at"), body.get("reference_zone")
        near = None if reference is None else _zone(as_text(reference, "reference_zone"), world)
        zones = as_object(body.get("zones"), "zones", optional=None)
        evaluations = {
            name: evaluate(
                policies.layers,
                _zone(name, world),
                world,
                now=now,
                roles=roles,
                copy=Copy(near) if near else None,
            )
            for name in zones
        }
        if body.get("exemption") is None:
            return evaluations
        return self._exempted(body, evaluations, policies, position=source.moment(now))

    def _exempted(
        self,
        body: Mapping[str, object],
        evaluations: dict[str, Evaluation],
        policies: Policies,
        *,
        position: LogPosition,
    ) -> dict[str, Evaluation]:
        """Apply the exemption that the decision names, which two people have signed, to the verdict of its zone."""
        exemption = exemptions.parse(body["exemption"], "exemption")
        zone = exemption.terms.zone
        names = tuple(as_text(each, "classifications") for each in as_list(body["classifications"], "classifications"))
        occasion = exemptions.Occasion(
            as_text(body.get("resource"), "resource"),
            as_text(body.get("operation"), "operation"),
            zone,
            self.organization,
            names,
        )
        keyring = Keyring(self.authority.keyset(position), self.authority.denied(position), verifier)
        try:
            exemptions.check(exemption, occasion, now=position.at, keyring=keyring)
        except exemptions.NotApproved as exc:
            raise Unsound(f"its exemption does not count: {exc}") from exc
        if zone not in evaluations:
            raise Unsound("its exemption is for a zone that it says nothing of")
        return {**evaluations, zone: waive(evaluations[zone], policies.layers, exemption.terms.waived)}

    # ── permits and receipts ──────────────────────────────────────────────────────────────────────

    def _permit(self, source: Source) -> None:
        """Check the permit as the node had to, at the moment it was issued."""
        signed = from_envelope(source.envelope.body)
        permit = permits.parse(signed.payload)
        if permit.jti in self.permitted:
            raise Unsound("a permit with this jti was recorded before")
        self.permitted[permit.jti] = permit
        self.signed[digest(cosignatures.payload(signed))] = signed
        policies = self.policies.get(permit.policy_digest)
        if policies is None:
            raise Unsound("it rests on policies that no decision here has")
        decided = self._decision_of(permit)
        self._check_permitted(source, permit, decided)
        about = About(source.envelope.owners, frozenset(permit.classifications))
        self._check_layers(about, policies, decided, is_exact=False)
        subject = next(
            ((kind, names[0]) for kind in permits.CONTENTS if (names := getattr(permit.contents, kind))), None
        )
        if subject is None:
            raise Unsound("it names nothing that the node may get")
        try:
            permits.check(
                signed,
                self._trust_of(permit, source.moment(permit.nbf)),
                ops=(permit.op,),
                subject=subject,
                policies=policies.documents,
            )
        except permits.PermitRejected as exc:
            raise Unsound(f"a node has to refuse it: {exc}") from exc

    def _cosignature(self, source: Source) -> None:
        cosignature = from_envelope(source.envelope.body)
        signed = self.signed.get(digest(cosignature.payload))
        if signed is None:
            raise Unsound("it is under no permit that was recorded")
        permit = permits.parse(signed.payload)
        position = source.moment(permit.nbf)
        keyring = Keyring(self.authority.keyset(position), self.authority.denied(position), verifier)
        demand = SentinelDemand(permit.zone, self._needs_sentinel(permit, source), permit.nbf)
        try:
            cosignatures.check(signed, cosignature, demand, keyring)
        except SentinelSignatureError as exc:
            raise Unsound(str(exc)) from exc
        self.cosigned.add(permit.jti)

    def _needs_sentinel(self, permit: permits.Permit, source: Source) -> frozenset[str]:
        keyset = self.authority.keyset(source.moment(permit.nbf))
        return sentinel_classifications(keyset, zone=permit.zone, classifications=permit.classifications)

    def _decision_of(self, permit: permits.Permit) -> Decided:
        decided = self.decided.get(permit.decision)
        if decided is None:
            raise Unsound(f"there is no decision {permit.decision}")
        is_given = bool(ROLES_OF.get(permit.op, permit.roles))  # a permit to send has no clauses at the source
        if not decided.is_admitted or (is_given and permit.zone not in decided.zones):
            raise Unsound(f"the decision {permit.decision} does not admit {permit.zone}")
        if permit.resource != decided.resource:
            raise Unsound(f"the decision {permit.decision} is about another resource, {decided.resource}")
        return decided

    def _check_permitted(self, source: Source, permit: permits.Permit, decided: Decided) -> None:
        """Check limits that the signer always keeps.

        The signer may use a decision for another operation that requested as much, while that decision is valid, and
        reads policies and classifications anew.
        """
        owners = source.envelope.owners
        if not permit.project == decided.project == owners["project"] or permit.organization != self.organization:
            raise Unsound("it is for another project or organization than its decision")
        roles = set(ROLES_OF.get(permit.op, permit.roles)) | set(permit.roles)
        if permit.op not in ROLES_OF or roles - decided.roles or set(ROLES_OF[permit.op]) - set(permit.roles):
            raise Unsound(f"its decision, or it, does not ask for the roles of {permit.op}")
        lost = decided.classifications - set(permit.classifications)
        if lost and permit.op in ALONE and permit.op == decided.operation:
            raise Unsound(f"it lacks classifications of its decision: {', '.join(sorted(lost))}")
        if decided.valid_until is not None and permit.exp > decided.valid_until:
            raise Unsound(f"it outlives its decision, which ends at {as_rfc3339(decided.valid_until)}")
        if not permit.nbf - CLOCKS_APART <= source.envelope.at <= permit.exp + CLOCKS_APART:
            raise Unsound("it was not recorded when it was made")
        oldest = replace(decided, epoch=min(decided.epoch, permit.epoch))
        self._check_fresh(oldest, source.moment(permit.nbf))

    def _trust_of(self, permit: permits.Permit, position: LogPosition) -> permits.Trust:
        moment = permit.nbf
        charters = [each for each in self.charters.get(permit.aud, ()) if each.valid_from <= moment < each.valid_to]
        return permits.Trust(
            node=permit.aud,
            charter=max(charters, key=lambda charter: charter.version, default=None),
            keyset=_without_sentinels(self.authority.keyset(position)),
            deny=DenyList(0, kids=self.authority.denied(position)),
            floor=Floor(permit.zone, permit.epoch, "", moment),
            world=self.fact_history.of(permit.epoch),
            now=moment,
            high_water=moment,
            is_clock_kept=True,
            verifier=verifier,
        )

    def _receipt(self, source: Source) -> None:
        signed = from_envelope(source.envelope.body)
        body = signed.payload
        node, zone, at = (
            as_text(body.get("node"), "node"),
            as_text(body.get("zone"), "zone"),
            as_instant(body.get("at"), "at"),
        )
        signed.check(RECEIPT, self._key_of(node, source))
        self._check_number(as_count(body.get("number"), "number", minimum=1, maximum=MAX), node, source)
        name = (node, body.get("kind"), body.get("resource"), body.get("jti"))
        if body.get("event") == "opened":
            self.opened.add(name)
            self._check_opening(body, source, node=node, zone=zone, at=at)
        elif body.get("event") in ENDS and body.get("kind") != "image" and name not in self.opened:
            # The receipt that opened an image may expire by its age alone, while the image is there.
            raise Unsound("the node closed what no receipt says it had opened under this permit")

    def _key_of(self, node: str, source: Source) -> Verify:
        """Return the key that the node had at the record: a storage agent that was enrolled anew has another one."""
        keys = self.nodes.get(node)
        if keys is None:
            raise Unsound(f"no key is known of the node {node}")
        before = [verify for index, verify in keys if index < source.index]
        return before[-1] if before else keys[0][1]

    def _check_place(self, permit: permits.Permit, *, node: str, zone: str, kind: object) -> None:
        """Check that the node was the permit's, or the storage agent of a cluster of its zone, which holds volumes."""
        is_of_cluster = node in self.storage_agents
        if permit.zone != zone or (permit.aud != node and not is_of_cluster):
            raise Unsound("its permit was for another place")
        if kind != IMAGE and (kind in IN_CLUSTERS) != is_of_cluster:
            raise Unsound(f"what signed it opens no {kind}")

    def _check_number(self, number: int, node: str, source: Source) -> None:
        """Check that receipts of a node come in order, each once, among those of one organization."""
        at = source.envelope.at
        newest, newest_at = self.newest.get(node, (0, at))
        if (node, number) in self.numbers or (number < newest and at > newest_at + CLOCKS_APART):
            raise Unsound(f"receipt {number} of the node stands after its receipt {newest}")
        self.numbers.add((node, number))
        if number > newest:
            self.newest[node] = (number, at)

    def _check_opening(self, body: Mapping[str, object], source: Source, *, node: str, zone: str, at: datetime) -> None:
        permit = self.permitted.get(as_text(body.get("jti"), "jti"))
        if permit is None:
            raise Unsound(f"the node acted under a permit that was not recorded: {body.get('jti')}")
        self._check_place(permit, node=node, zone=zone, kind=body.get("kind"))
        listed = {name for kind in permits.CONTENTS for name in getattr(permit.contents, kind)}
        if as_text(body.get("resource"), "resource") not in {permit.resource, *listed}:
            raise Unsound("its permit does not name the resource")
        if permit.jti not in self.cosigned and (classifications := self._needs_sentinel(permit, source)):
            raise Unsound(f"its permit lacks the signature of a sentinel for {', '.join(sorted(classifications))}")
        if at < permit.nbf - CLOCKS_APART:
            raise Unsound("it is older than its permit")
        if at > permit.exp + (COPYING if body.get("kind") in COPIED else WORK) and not _is_interrupted(body):
            raise Unsound(f"its permit had ended at {as_rfc3339(permit.exp)}")


def _is_interrupted(body: Mapping[str, object]) -> bool:
    """Tell if the agent died before it could write the receipt, which is then of the time when it found out."""
    measured = body.get("measured")
    return isinstance(measured, Mapping) and measured.get("is_interrupted") is True


def _without_sentinels(keyset: Keyset) -> Keyset:
    """Drop the demand for sentinel signatures.

    A sentinel signature is recorded after its permit, so it is only required where a receipt exists.
    """
    return Keyset(keyset.version, {name: key for name, key in keyset.keys.items() if key.use != "sentinel"})


def _decided(envelope: Envelope, organization: str) -> Decided:
    body = envelope.body
    until = body.get("valid_until")
    texts = {
        name: tuple(as_text(each, name) for each in as_list(body.get(name), name))
        for name in ("admitted_zones", "roles", "classifications")
    }
    versions = {PLATFORM: "platform_version", organization: "organization_version"}
    return Decided(
        is_admitted=as_bool(body.get("admit"), "admit"),
        operation=as_text(body.get("operation"), "operation"),
        zones=texts["admitted_zones"],
        resource=as_text(body.get("resource"), "resource"),
        project=envelope.owners["project"],
        roles=frozenset(texts["roles"]),
        classifications=frozenset(texts["classifications"]),
        epoch=as_count(body.get("facts_epoch"), "facts_epoch", minimum=0, maximum=MAX),
        heads={stream: as_count(body.get(name), name, minimum=0, maximum=MAX) for stream, name in versions.items()},
        valid_until=None if until is None else as_instant(until, "valid_until"),
    )


def _zone(name: str, world: World) -> Zone:
    return world.zones.get(name) or Zone(name)


def _compare(body: Mapping[str, object], evaluations: Mapping[str, Evaluation]) -> None:
    """Compare the recorded value with the computed one."""
    stated = as_object(body.get("zones"), "zones", optional=None)
    for name, evaluation in evaluations.items():
        outcome = failures(evaluation.results)
        if outcome != stated[name]:
            raise Unsound(f"zone {name}: it says {_clauses(stated[name])}, and {_clauses(outcome)} comes out")
    boundaries = [each.valid_until for each in evaluations.values() if each.valid_until is not None]
    until = as_rfc3339(min(boundaries)) if boundaries else None
    if body.get("valid_until") != until:
        raise Unsound(f"it says that it is valid until {body.get('valid_until')}, and {until} comes out")
    admitted = as_list(body.get("admitted_zones"), "admitted_zones")
    against = [
        zone
        for zone in admitted
        if not isinstance(zone, str) or zone not in evaluations or not evaluations[zone].admits
    ]
    if against:
        raise Unsound(f"it admits {', '.join(map(str, against))}, which the policies refuse")
    if as_bool(body.get("admit"), "admit") != bool(admitted):
        raise Unsound("it admits without a zone, or has a zone and does not admit")


def _clauses(stated: object) -> str:
    clauses = [each for each in stated if isinstance(each, list) and len(each) == 4] if isinstance(stated, list) else []
    return ", ".join(f"{clause} {code}" for _, clause, _, code in clauses) or "that all clauses hold"
