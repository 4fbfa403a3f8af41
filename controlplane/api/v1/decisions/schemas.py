"""Schemas of placement decisions."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from andromede_core.placement import explanation
from andromede_core.placement.decision import expand_results
from controlplane.kernel.error_messages import language
from controlplane.kernel.fields import Out
from controlplane.placement.models import Decision


class DecisionOut(Out):
    """A placement decision.

    `explanation`: text in the caller's language. `document` is the decision itself; only operators see names of nodes
    in it.
    """

    id = serializers.UUIDField()
    operation = serializers.CharField()
    resource = serializers.UUIDField(source="consumer_id")
    is_admitted = serializers.BooleanField()
    classifications = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    explanation = serializers.SerializerMethodField()
    document = serializers.SerializerMethodField()

    def get_explanation(self, decision: Decision) -> list[str]:
        sentences = explanation_lines(decision.document, sees_all=self.context["sees_all"])
        return [*sentences, *explanation.claimed(decision.policies.document, language())]

    def get_document(self, decision: Decision) -> dict[str, Any]:
        return shown(decision.document, sees_all=self.context["sees_all"])


def explanation_lines(document: Mapping[str, Any], *, sees_all: bool) -> list[str]:
    explain = explanation.operator if sees_all else explanation.tenant
    return explain(document, language())


def shown(document: Mapping[str, Any], *, sees_all: bool) -> dict[str, Any]:
    return expand_results(document) if sees_all else explanation.tenant_view(document)
