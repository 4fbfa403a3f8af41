"""andromede_address_set."""

import ipaddress
from typing import Any

from clients.terraform.cloud import Document
from clients.terraform.resources.base import ApiResource
from clients.terraform.resources.common import CREATED_AT, ID, LABELS, PROJECT, name_attribute
from clients.terraform.runtime.provider import Plan
from clients.terraform.runtime.schema import STRING, Attribute, Schema, set_of
from clients.terraform.runtime.values import Values, is_known


class AddressSetResource(ApiResource):
    name, kind, noun = "address_set", "address-sets", "address set"
    sent = ("name", "cidrs", "description", "labels")
    patched = ("name", "cidrs", "description", "labels")
    schema = Schema(
        {
            "id": ID,
            "project": PROJECT,
            "name": name_attribute(),
            "cidrs": Attribute(
                type=set_of(STRING), description="The ranges, of one or both families; at most 100.", required=True
            ),
            "description": Attribute(type=STRING, description="Purpose, for other users.", default=""),
            "labels": LABELS,
            "created_at": CREATED_AT,
        },
        "Named ranges that rules of security groups name as the other side. It can be deleted once no rule does.",
    )

    def refine(self, plan: Plan) -> None:
        """Plan no change where the ranges are only written in another way, as after an import."""
        if plan.prior is not None and _are_same(plan.planned["cidrs"], plan.prior["cidrs"]):
            plan.keep("cidrs")

    def values(self, document: Document, like: Values) -> Values:
        values, given = super().values(document, like), like.get("cidrs")
        return values | {
            "description": document["description"],
            "cidrs": given if _are_same(given, document["cidrs"]) else document["cidrs"],
        }


def _are_same(given: Any, others: Any) -> bool:
    """Tell if both are the same ranges. `given` may be unknown or null."""
    if not is_known(given):
        return False
    return {_stored(each) for each in given or []} == {_stored(each) for each in others or []}


def _stored(text: str) -> str:
    """Return a range in the form that the API stores."""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        return text
