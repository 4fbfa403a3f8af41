"""Schemas of volume types."""

from rest_framework import serializers

from controlplane.kernel.fields import (
    Out,
)


class VolumeTypeOut(Out):
    """A volume type. `pool`: the pool of such volumes; empty: the disk of one node."""

    id = serializers.CharField()
    description = serializers.CharField()
    pool = serializers.CharField()
