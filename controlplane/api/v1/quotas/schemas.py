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
    """A limit.

    `available`: the amount left to the project, within what its organization has left; `bound_by`: the owner of the
    limit that restricts it.
    """

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
    """A limit of the organization.

    `used` is the usage of all its projects, `projects` has those that the caller sees.
    """

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
    """Quotas to set. Dimensions that are not named get the default."""

    example: Mapping[str, object] = {"limits": QuotaLimitsIn.example}

    limits = QuotaLimitsIn()


class QuotasOut(Out):
    """Quotas that were set. Other dimensions have the default; `limits_get` shows the limits that apply."""

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
    """A quota request. `answer` is the reason of the approval or refusal."""

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
