"""andromede_ssh_key and andromede_affinity_group: only names and labels can change."""

from clients.terraform.cloud import Document
from clients.terraform.resources.base import ApiResource
from clients.terraform.resources.common import CREATED_AT, ID, LABELS, PROJECT, name_attribute
from clients.terraform.runtime.provider import Plan
from clients.terraform.runtime.schema import STRING, Attribute, Schema
from clients.terraform.runtime.values import Value, Values


class SshKeyResource(ApiResource):
    name, kind, noun = "ssh_key", "ssh-keys", "ssh key"
    sent = ("name", "public_key", "labels")
    schema = Schema(
        {
            "id": ID,
            "project": PROJECT,
            "name": name_attribute(),
            "public_key": Attribute(
                type=STRING,
                description="The public key, as it stands in a `.pub` file. A change makes a new key.",
                required=True,
                replace=True,
            ),
            "labels": LABELS,
            "fingerprint": Attribute(type=STRING, description="Its SHA-256 fingerprint.", computed=True),
            "created_at": CREATED_AT,
        },
        "A public key that instances can be given. Instances that have it keep it when it is deleted.",
    )

    def refine(self, plan: Plan) -> None:
        if plan.prior is not None and _is_same(plan.planned["public_key"], plan.prior["public_key"]):
            plan.keep("public_key")

    def values(self, document: Document, like: Values) -> Values:
        given = like.get("public_key")
        kept = {"public_key": given} if _is_same(given, document["public_key"]) else {}
        return super().values(document, like) | kept


def _is_same(one: Value, other: Value) -> bool:
    """Compare keys without white space and comment, which the API does not store."""
    return isinstance(one, str) and isinstance(other, str) and one.split()[:2] == other.split()[:2]
