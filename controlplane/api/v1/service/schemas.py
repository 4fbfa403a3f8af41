"""Schemas of the service itself: health, errors, the OpenAPI document."""

from rest_framework import serializers

from controlplane.kernel.fields import Out


class HealthOut(Out):
    status = serializers.CharField()


class ProblemPageOut(Out):
    """Page about an error code. `detail` is the text, with its facts in braces; `facts` are the additional data."""

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
