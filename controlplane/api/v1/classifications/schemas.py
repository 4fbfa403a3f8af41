"""Schemas of classifications."""

from rest_framework import serializers

from controlplane.api.v1.policies.schemas import REASON_MAX, clauses_field
from controlplane.kernel.error_messages import language
from controlplane.kernel.fields import Choice, In, Name, NamedOut, Out, Text
from controlplane.placement.models import DRIFT_ACTIONS, Classification

TITLE_MAX = 120
CLASSIFICATIONS_MAX = 16  # of one resource


class ClassificationIn(In):
    """A new classification. Its id will be the organization's name, a dot, and `name`."""

    example = {
        "name": "trade-secret",
        "title": "Trade secrets",
        "title_fr": "Secrets d’affaires",
        "drift_action": "freeze",
        "atoms": [{"id": "home", "attr": "zone.id", "op": "in", "value": ["fr-idf-1"]}],
    }

    name = Name()
    title = Text(max_length=TITLE_MAX)
    title_fr = Text(max_length=TITLE_MAX)
    description = Text(max_length=REASON_MAX, allow_blank=True, default="")
    description_fr = Text(max_length=REASON_MAX, allow_blank=True, default="")
    drift_action = Choice(DRIFT_ACTIONS, default="flag")
    atoms = clauses_field(source="clauses")


class ClassificationOut(Out):
    """A classification.

    `title` and `description` are in the caller's language. `organization` null: the platform's. A classification that
    is not supported admits no zone. `drift_action`: the reaction when a location no longer satisfies it.
    """

    id = serializers.CharField()
    organization = NamedOut(allow_null=True)
    title = serializers.SerializerMethodField()
    description = serializers.SerializerMethodField()
    drift_action = serializers.ChoiceField(DRIFT_ACTIONS)
    is_supported = serializers.BooleanField()

    def get_title(self, row: Classification) -> str:
        return row.title_fr if language() == "fr" else row.title

    def get_description(self, row: Classification) -> str:
        return row.description_fr if language() == "fr" else row.description
