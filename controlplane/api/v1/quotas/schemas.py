"""Schemas of limits, quotas and quota requests."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from rest_framework import serializers

from controlplane.kernel.fields import Choice, In, NamedOut, Out, Text, Whole
from controlplane.quotas.models import QUOTA_REQUEST

LIMIT_MAX = 2**53 - 1
DIMENSIONS = tuple(settings.QUOTA_DEFAULTS)
LEVELS = ("project", "organization")


class LimitOut(Out):
    """`available`: how much more the project can have, with what its organization has left; `bound_by`: whose limit
    that is."""

    dimension = serializers.CharField()
    used = serializers.IntegerField()
    limit = serializers.IntegerField()
    available = serializers.IntegerField()
    bound_by = serializers.ChoiceField(LEVELS)


class LimitsOut(Out):
    items = LimitOut(many=True)


class ProjectPartOut(Out):
    project = NamedOut()
    used = serializers.IntegerField()
    limit = serializers.IntegerField()


class OrganizationLimitOut(Out):
    """`used` is what all projects of the organization use, `projects` has those that the caller sees."""

    dimension = serializers.CharField()
    used = serializers.IntegerField()
    limit = serializers.IntegerField()
    available = serializers.IntegerField()
    projects = ProjectPartOut(many=True)


class OrganizationLimitsOut(Out):
    items = OrganizationLimitOut(many=True)


class QuotaLimitsIn(In):
    """A limit per dimension."""

    example: Mapping[str, object] = {"instances": 20, "vcpus": 40}

    def get_fields(self) -> dict[str, Any]:
        return {name: Whole(min_value=0, max_value=LIMIT_MAX, required=False) for name in DIMENSIONS}


class QuotasIn(In):
    """What is not named has the default."""

    example: Mapping[str, object] = {"limits": QuotaLimitsIn.example}

    limits = QuotaLimitsIn()


class QuotasOut(Out):
    """The limits that were set. What is not among them has the default; the limits that apply are in `limits_get`."""

    version = serializers.IntegerField()
    limits = serializers.DictField(child=serializers.IntegerField())


class QuotaRequestIn(In):
    example: Mapping[str, object] = {"dimension": "vcpus", "limit": 4000, "reason": "The yearly load test."}

    dimension = Choice(choices=DIMENSIONS)
    limit = Whole(min_value=1, max_value=LIMIT_MAX)
    reason = Text(max_length=500)


class AnswerIn(In):
    example: Mapping[str, object] = {"reason": "There is room in both zones."}

    reason = Text(max_length=500)


class QuotaRequestOut(Out):
    """`answer` says why it was approved or refused."""

    id = serializers.UUIDField()
    dimension = serializers.CharField()
    limit = serializers.IntegerField()
    reason = serializers.CharField()
    state = serializers.ChoiceField(list(QUOTA_REQUEST.moves))
    requested_by = serializers.UUIDField(allow_null=True)
    answer = serializers.CharField(allow_blank=True)
    decided_by = serializers.UUIDField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
