"""Schemas of affinity groups."""

from rest_framework import serializers

from controlplane.kernel.fields import Choice, Flag, In, Labels, LabelsPatch, Name, StaticResourceOut


class AffinityGroupIn(In):
    """A new affinity group. `is_strict` false: a preference, not a condition."""

    example = {"name": "replicas", "rule": "anti-affinity", "is_strict": True, "labels": {"env": "prod"}}

    name = Name()
    rule = Choice(["affinity", "anti-affinity"])
    is_strict = Flag(default=True)
    labels = Labels(default=dict)


class AffinityGroupPatch(In):
    example = {"name": "replicas-2", "labels": {"env": None}}

    name = Name(required=False)
    labels = LabelsPatch(required=False)


class AffinityGroupOut(StaticResourceOut):
    rule = serializers.ChoiceField(["affinity", "anti-affinity"])
    is_strict = serializers.BooleanField()
