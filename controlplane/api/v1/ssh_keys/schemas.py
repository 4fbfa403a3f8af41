"""Schemas of SSH keys."""

from rest_framework import serializers

from controlplane.kernel.fields import In, Labels, LabelsPatch, Name, StaticResourceOut, Text


class SshKeyIn(In):
    example = {
        "name": "laptop",
        "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
        "labels": {"owner": "ada"},
    }

    name = Name()
    public_key = Text(max_length=16_384, is_multiline=True)
    labels = Labels(default=dict)


class SshKeyPatch(In):
    example = {"name": "old-laptop", "labels": {"owner": None}}

    name = Name(required=False)
    labels = LabelsPatch(required=False)


class SshKeyOut(StaticResourceOut):
    public_key = serializers.CharField()
    fingerprint = serializers.CharField()
