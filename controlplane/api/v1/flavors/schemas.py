"""Schemas of flavors."""

from rest_framework import serializers

from controlplane.kernel.fields import (
    Out,
)


class FlavorOut(Out):
    """A flavor: the size of instances.

    `disk_gib`: of the root disk; 0: none, its instances boot from a volume that exists (`boot_volume`). `max_volumes`:
    how many volumes they can have beside the root disk.
    """

    id = serializers.CharField()
    vcpus = serializers.IntegerField()
    memory_mib = serializers.IntegerField()
    disk_gib = serializers.IntegerField()
    max_volumes = serializers.IntegerField()
