"""Schemas of policy proposals."""

from controlplane.api.v1.policies.schemas import REASON_MAX, clauses_field
from controlplane.kernel.fields import In, Reference, Text

EU = {"id": "loc", "attr": "location.territory", "op": "in", "value": ["@EU"]}


class ProposalIn(In):
    """A new proposal. At most one policy owner; without an owner, the platform's policy."""

    example = {"project": "web", "atoms": [EU], "reason": "Berlin is needed for the second site."}

    organization = Reference(required=False)
    project = Reference(required=False)
    classification = Reference(required=False)
    atoms = clauses_field()
    reason = Text(max_length=REASON_MAX)
