"""The resource andromede_affinity_group."""

from clients.terraform.resources.base import ApiResource
from clients.terraform.resources.common import CREATED_AT, ID, LABELS, PROJECT, name_attribute, one_of
from clients.terraform.runtime.schema import BOOL, STRING, Attribute, Schema


class AffinityGroupResource(ApiResource):
    name, kind, noun = "affinity_group", "affinity-groups", "affinity group"
    sent = ("name", "rule", "is_strict", "labels")
    schema = Schema(
        {
            "id": ID,
            "project": PROJECT,
            "name": name_attribute(),
            "rule": Attribute(
                type=STRING,
                description="`affinity`: its instances are on one node. `anti-affinity`: no two of them are. "
                "A change makes a new group.",
                required=True,
                replace=True,
                checks=(one_of("affinity", "anti-affinity"),),
            ),
            "is_strict": Attribute(
                type=BOOL,
                description="false: a wish, not a condition. A change makes a new group.",
                default=True,
                replace=True,
            ),
            "labels": LABELS,
            "created_at": CREATED_AT,
        },
        "Which instances are to be on one node, or are not. It can be deleted once no instance is in it.",
    )
