"""Schemas of the service itself: health, errors, the OpenAPI document."""

from rest_framework import serializers

from controlplane.kernel.fields import Out


class HealthOut(Out):
    status = serializers.CharField()


class ProblemPageOut(Out):
    """About an error code. `detail` is the sentence, with its facts in braces; `facts` are those that come as data."""

    type = serializers.CharField()
    code = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    retryable = serializers.BooleanField()
    detail = serializers.CharField()
    why = serializers.CharField()
    remedy = serializers.CharField()
    facts = serializers.ListField(child=serializers.CharField())
    example = serializers.DictField()
