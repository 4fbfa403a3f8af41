"""Facts as the statements that officers sign, and the world that results from a list of them. Standard library only."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from andromede_core.documents.messages import Message
from andromede_core.documents.parsing import as_choice, as_instant, as_object, as_rfc3339, as_text, refuse
from andromede_core.facts.attributes import SET_MEMBERS
from andromede_core.facts.catalogue import as_digest, as_subject, value_of
from andromede_core.facts.world import ASSERTIONS, Assertion, Fact, Subject, Timeline, World, Zone, ZoneStatus

KIND = "fact"  # of the signed document
FIELDS = (
    "subject_kind",
    "subject_id",
    "attribute",
    "value",
    "valid_from",
    "valid_to",
    "attested_at",
    "review_by",
    "assertion",
    "evidence_sha256",
    "author",
)


@dataclass(frozen=True, slots=True)
class Statement:
    """An officer's statement of one attribute of one subject.

    `evidence_sha256`: of the document that it rests on, hex or empty. `author`: the officer's display name.
    """

    subject_kind: str
    subject_id: str
    attribute: str
    value: object
    valid_from: datetime
    valid_to: datetime | None
    attested_at: datetime
    review_by: datetime
    assertion: Assertion
    evidence_sha256: str
    author: str

    def payload(self) -> dict[str, object]:
        """Return the payload that is signed."""
        return {
            "subject_kind": self.subject_kind,
            "subject_id": self.subject_id,
            "attribute": self.attribute,
            "value": self.value,
            "valid_from": as_rfc3339(self.valid_from),
            "valid_to": as_rfc3339(self.valid_to) if self.valid_to is not None else None,
            "attested_at": as_rfc3339(self.attested_at),
            "review_by": as_rfc3339(self.review_by),
            "assertion": self.assertion,
            "evidence_sha256": self.evidence_sha256,
            "author": self.author,
        }

    def fact(self) -> Fact:
        return Fact(self.value, self.valid_from, self.valid_to, self.review_by, self.assertion)


def parse(payload: object, at: str = "fact") -> Statement:
    """Parse the payload of a signed statement.

    Raises:
        Malformed: with the field.
    """
    body = as_object(payload, at, required=FIELDS)
    kind, subject = as_subject(body, at)
    valid_from = as_instant(body["valid_from"], f"{at}.valid_from")
    valid_to = as_instant(body["valid_to"], f"{at}.valid_to") if body["valid_to"] is not None else None
    if valid_to is not None and valid_to <= valid_from:
        refuse(f"{at}.valid_to", Message("must be after valid_from"))
    attribute = as_text(body["attribute"], f"{at}.attribute", limit=64)
    return Statement(
        subject_kind=kind,
        subject_id=subject,
        attribute=attribute,
        value=value_of(kind, attribute, body["value"], at),
        valid_from=valid_from,
        valid_to=valid_to,
        attested_at=as_instant(body["attested_at"], f"{at}.attested_at"),
        review_by=as_instant(body["review_by"], f"{at}.review_by"),
        assertion=ASSERTIONS[ASSERTIONS.index(as_choice(body["assertion"], f"{at}.assertion", among=ASSERTIONS))],
        evidence_sha256=as_digest(body["evidence_sha256"], f"{at}.evidence_sha256"),
        author=as_text(body["author"], f"{at}.author"),
    )


def world(statements: Iterable[Statement], statuses: Mapping[str, ZoneStatus]) -> World:
    """Combine statements into a world.

    Statements of one attribute must not overlap in time. `statuses`: of all zones, in their order.
    """
    facts_by_subject: dict[str, dict[str, dict[str, list[Fact]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for each in statements:
        facts_by_subject[each.subject_kind][each.subject_id][each.attribute].append(each.fact())
    ordered = {kind: {name: _ordered(facts) for name, facts in of.items()} for kind, of in facts_by_subject.items()}
    return World(
        zones={zone: Zone(zone, ordered.get("zone", {}).get(zone, {}), status) for zone, status in statuses.items()},
        parties={name: Subject(name, facts) for name, facts in ordered.get("party", {}).items()},
        sets={name: facts[SET_MEMBERS] for name, facts in ordered.get("set", {}).items()},
        scheme_classes={name: facts[SET_MEMBERS] for name, facts in ordered.get("scheme_class", {}).items()},
    )


def _ordered(facts: Mapping[str, list[Fact]]) -> dict[str, Timeline]:
    return {name: tuple(sorted(timeline, key=lambda fact: fact.valid_from)) for name, timeline in facts.items()}
