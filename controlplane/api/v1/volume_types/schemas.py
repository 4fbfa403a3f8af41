"""Schemas of volume types."""

from rest_framework import serializers

from controlplane.kernel.fields import (
    Out,
)


class VolumeTypeOut(Out):
    """`pool`: the shared storage that such volumes are kept in; empty: on the disk of one node."""

    id = serializers.CharField()
    description = serializers.CharField()
    pool = serializers.CharField()
