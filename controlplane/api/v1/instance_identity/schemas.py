"""Schemas of the public keys of identity documents."""

from rest_framework import serializers

from controlplane.kernel.fields import Out
from controlplane.nodes.jose import ALGORITHMS


class JsonWebKeyOut(Out):
    """A public key (RFC 7517). `y`: of a key of the type EC only. `zones`: those of its instances; `*`: all."""

    kty = serializers.ChoiceField(["OKP", "EC"])
    crv = serializers.ChoiceField(["Ed25519", "P-256"])
    x = serializers.CharField()
    y = serializers.CharField(required=False)
    kid = serializers.CharField()
    use = serializers.ChoiceField(["sig"])
    alg = serializers.ChoiceField(list(ALGORITHMS.values()))
    zones = serializers.ListField(child=serializers.CharField())


class JsonWebKeySetOut(Out):
    keys = JsonWebKeyOut(many=True)
