"""Schemas of facts, zones, parties, sets and transparency reports."""

import base64
from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from andromede_core.facts.attributes import ABOUT, PARTIES, Deliverer, delivered_by
from andromede_core.facts.world import ASSERTIONS
from controlplane.catalog.models import Fact
from controlplane.kernel.fields import Base64, In, Out, Text

FACTS_MAX = 1000
EXAMPLE = {
    "p": {
        "subject_kind": "zone",
        "subject_id": "fr-idf-1",
        "attribute": "keys.custody",
        "value": "customer_hyok",
        "valid_from": "2027-01-01T00:00:00Z",
        "valid_to": None,
        "attested_at": "2026-12-15T09:00:00Z",
        "review_by": "2027-12-15T09:00:00Z",
        "assertion": "third_party",
        "evidence_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "author": "Ada Martin",
    },
    "kid": "3f1c0a9b7d5e2468",
    "sig": "c2lnbmF0dXJlIG9mIHRoZSBjYW5vbmljYWwgSlNPTiBvZiB0aGUgc3RhdGVtZW50IGFib3ZlLi4uLi4uLg==",
}


class SignedFactIn(In):
    """A signed fact.

    `p`: the statement; `kid`: the id of the officer's key; `sig`: its signature over `andromede/fact/v1`, a line feed
    and the canonical JSON (RFC 8785) of `p`.
    """

    example = EXAMPLE

    p = serializers.DictField()
    kid = Text(max_length=64)
    sig = Base64(max_length=1000)


class FactsIn(In):
    """Signed facts. All are recorded, or none."""

    example = {"facts": [EXAMPLE]}

    facts = serializers.ListField(child=SignedFactIn(), min_length=1, max_length=FACTS_MAX)


class FactOut(Out):
    """A statement as it was signed, and when it counted: from `stated_at` until `superseded_at`.

    `delivered_by` operator: a measure that the operator declares and the platform does not enforce; platform: a measure
    that the platform enforces; null: the fact is about a place, a party or a document, and not about a measure.
    """

    id = serializers.UUIDField()
    subject_kind = serializers.ChoiceField(list(ABOUT))
    subject_id = serializers.CharField()
    attribute = serializers.CharField()
    value = serializers.JSONField(help_text="Null: unknown.")
    valid_from = serializers.DateTimeField()
    valid_to = serializers.DateTimeField(allow_null=True)
    attested_at = serializers.DateTimeField()
    review_by = serializers.DateTimeField()
    assertion = serializers.ChoiceField(list(ASSERTIONS))
    evidence_sha256 = serializers.CharField()
    author = serializers.CharField()
    key_id = serializers.CharField()
    signature = serializers.SerializerMethodField()
    stated_at = serializers.DateTimeField(source="created_at")
    superseded_at = serializers.DateTimeField(allow_null=True)
    delivered_by = serializers.SerializerMethodField()

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_delivered_by(self, fact: Fact) -> Deliverer | None:
        return delivered_by(fact.attribute)

    def get_signature(self, fact: Fact) -> str:
        return base64.b64encode(bytes(fact.signature)).decode()


class FactsStatedOut(Out):
    """Result of recorded facts.

    `epoch`: the facts epoch from which they count. `unchanged`: the number that were recorded already.
    """

    epoch = serializers.IntegerField()
    stated = FactOut(many=True)
    superseded = serializers.IntegerField()
    unchanged = serializers.IntegerField()


class RegionOut(Out):
    id = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.CharField()


class ZonePartyOut(Out):
    """A legal entity and its role in the zone."""

    id = serializers.CharField()
    name = serializers.CharField()
    role = serializers.CharField()
    has_technical_access = serializers.BooleanField()


class WithFacts(Out):
    """Subject with its facts.

    `facts` are the ones valid now; null: declared as unknown. `overdue`: attributes whose review is late, so that they
    count as unknown. `claimed`: attributes of measures that the operator declares and the platform does not enforce.
    """

    # Context: `facts`, id → attribute → Fact; `now`.
    facts = serializers.SerializerMethodField()
    overdue = serializers.SerializerMethodField()
    claimed = serializers.SerializerMethodField()

    def get_facts(self, row: Any) -> dict[str, Any]:
        return {name: fact.value for name, fact in self.present(row).items() if name != PARTIES}

    def get_overdue(self, row: Any) -> list[str]:
        return [name for name, fact in self.context["facts"][row.pk].items() if fact.is_due(self.context["now"])]

    def get_claimed(self, row: Any) -> list[str]:
        stated = [name for name, fact in self.present(row).items() if fact.value is not None]
        return [name for name in stated if delivered_by(name) == "operator"]

    def present(self, row: Any) -> Mapping[str, Fact]:
        facts: Mapping[str, Fact] = self.context["facts"][row.pk]
        return {name: fact for name, fact in facts.items() if not fact.is_due(self.context["now"])}


class ZoneOut(WithFacts):
    """A zone. `parties`: the known parties with a role in it."""

    # Context: `party_names`, party → name.
    id = serializers.CharField()
    region = serializers.CharField(source="region_id")
    status = serializers.ChoiceField(["open", "draining", "closed"])
    parties = serializers.SerializerMethodField()

    @extend_schema_field(ZonePartyOut(many=True))
    def get_parties(self, zone: Any) -> list[dict[str, Any]]:
        fact = self.present(zone).get(PARTIES)
        return [
            {
                "id": part["party"],
                "name": self.context["party_names"].get(part["party"], part["party"]),
                "role": part["role"],
                "has_technical_access": part["technical_access"],
            }
            for part in (fact.value if fact else None) or []
        ]


class PartyOut(WithFacts):
    id = serializers.CharField()
    name = serializers.CharField()


class NamedSetOut(Out):
    """The present version of a named set. `kind`: the kind of its members, territories or certification schemes."""

    name = serializers.CharField()
    kind = serializers.ChoiceField(["set", "scheme_class"], source="subject_kind")
    members = serializers.ListField(child=serializers.CharField(), source="value", allow_null=True)
    valid_from = serializers.DateTimeField()
    valid_to = serializers.DateTimeField(allow_null=True)
    review_by = serializers.DateTimeField()


class CatalogueOut(Out):
    """All present statements with their history, in the format of import_catalogue (docs/reference/catalogue.md)."""

    schema = serializers.CharField()
    generated_for = serializers.CharField()
    sets = serializers.DictField()
    scheme_classes = serializers.DictField()
    parties = serializers.ListField(child=serializers.DictField())
    regions = serializers.ListField(child=serializers.DictField())
    zones = serializers.ListField(child=serializers.DictField())
    statements = serializers.ListField(child=serializers.DictField())


class ReachOut(Out):
    """A party of the zone: the law that applies to it, and the foreign statutes that reach it. null: not known."""

    party = serializers.CharField()
    name = serializers.CharField()
    role = serializers.CharField()
    has_technical_access = serializers.BooleanField()
    statutory_seat = serializers.CharField(allow_null=True)
    ultimate_parent_country = serializers.CharField(allow_null=True)
    statutes = serializers.ListField(child=serializers.CharField(), allow_null=True)


class JurisdictionOut(Out):
    """The law that applies to a zone. `statutes`: all foreign statutes that reach a party of the zone."""

    zone = serializers.CharField()
    territory = serializers.CharField(allow_null=True)
    parties = ReachOut(many=True)
    statutes = serializers.ListField(child=serializers.CharField())
    is_complete = serializers.BooleanField()


class TransferOut(Out):
    """A transfer out of the zone's territory. `attribute` is the fact that shows it."""

    locus = serializers.CharField()
    attribute = serializers.CharField()
    countries = serializers.ListField(child=serializers.CharField())


class TransfersOut(Out):
    """Transfers: data of a zone that is stored, or can be accessed, outside its territory.

    `unknown`: attributes without facts, so that a transfer cannot be excluded.
    """

    zone = serializers.CharField()
    territory = serializers.CharField(allow_null=True)
    transfers = TransferOut(many=True)
    unknown = serializers.ListField(child=serializers.CharField())
