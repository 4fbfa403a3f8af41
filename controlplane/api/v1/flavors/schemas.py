"""Schemas of flavors."""

from rest_framework import serializers

from controlplane.kernel.fields import (
    Out,
)


class FlavorOut(Out):
    id = serializers.CharField()
    vcpus = serializers.IntegerField()
    memory_mib = serializers.IntegerField()
    disk_gib = serializers.IntegerField()
