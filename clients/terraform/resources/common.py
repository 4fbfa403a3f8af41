"""Attributes that resources have in common, and their form in a state."""

import json
import re
from typing import Any

from clients.terraform.cloud import Document
from clients.terraform.runtime.schema import STRING, Attribute, IdentityAttribute, map_of, set_of
from clients.terraform.runtime.values import Value, Values

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def name_complaint(value: Value) -> str | None:
    if _NAME.fullmatch(value):
        return None
    return "A name has 1 to 63 lower-case letters, digits and hyphens, and begins and ends with a letter or digit."


def one_of(*words: str) -> Any:
    return lambda value: None if value in words else f"It is one of {', '.join(words)}."


ID = Attribute(type=STRING, description="The id.", computed=True)
CREATED_AT = Attribute(type=STRING, description="When it was created (RFC 3339).", computed=True)
PROJECT = Attribute(
    type=STRING,
    description="The id or name of the project; the provider's when not given.",
    optional=True,
    computed=True,
    replace=True,
)
ORGANIZATION = Attribute(
    type=STRING,
    description="The id or name of the organization; the only one that the token sees when not given.",
    optional=True,
    computed=True,
    replace=True,
)
IN_PROJECT = {
    "id": IdentityAttribute("The id."),
    "project": IdentityAttribute("The project; the provider's when not given.", is_required=False),
}
IN_ORGANIZATION = {
    "id": IdentityAttribute("The id."),
    "organization": IdentityAttribute("The organization; the token's when not given.", is_required=False),
}
WHERE = Attribute(type=STRING, description="The project; the provider's when not given.", optional=True)
SELECTOR = Attribute(type=STRING, description="A selector, such as `env=prod,tier!=web`.", optional=True)
LABELS = Attribute(type=map_of(STRING), description="Labels, which selectors find it by.", optional=True)


def of_organization(text: str) -> Attribute:
    return Attribute(type=STRING, description=text, optional=True)


def name_attribute(*, within: str = "project", is_fixed: bool = False) -> Attribute:
    return Attribute(
        type=STRING,
        description=f"The name, unique in the {within}." + (" A change makes a new one." if is_fixed else ""),
        required=True,
        replace=is_fixed,
        checks=(name_complaint,),
    )


ZONES = Attribute(
    type=set_of(STRING),
    description="The zones that it may be in; any that the policies admit when not given. "
    "Makes a new one only if the zone that it is in is not among them.",
    optional=True,
    computed=True,
    replace=True,
)
CLASSIFICATIONS = Attribute(
    type=set_of(STRING),
    description="The ids of the classifications that its data has. A change makes a new one.",
    optional=True,
    replace=True,
)
POLICY_CLAUSES = Attribute(
    type=STRING,
    description="Clauses of its own that its place has to satisfy, as a JSON list. "
    "Cannot be read back. A change makes a new one.",
    optional=True,
    replace=True,
    checks=(lambda text: _json_list_complaint(text),),
)


def _json_list_complaint(text: str) -> str | None:
    try:
        is_list = isinstance(json.loads(text), list)
    except ValueError:
        is_list = False
    return None if is_list else "This is no JSON list of clauses: write jsonencode([...])."


def zones_of(like: Values, document: Document) -> list[str] | None:
    """Return the requested zones; after an import, where the request is unknown, the current zone."""
    given = like.get("zones")
    if isinstance(given, list):
        return given
    return [document["zone"]] if document.get("zone") else None


def refer(like: Value, named: Document | None) -> str | None:
    """Return the name that the configuration uses, if it still is that resource; else the id."""
    if named is None:
        return None
    return like if like in (named["id"], named["name"]) else str(named["id"])


def organization_of(like: Values, document: Document) -> str | None:
    """Return the organization by its name, if the configuration does not name it."""
    named = document["organization"]
    return refer(like.get("organization") or named["name"], named)


def refer_all(like: Value, named: list[Document]) -> list[str] | None:
    """Return the names of several resources as `refer` does, in the configuration's order."""
    given = like if isinstance(like, list) else []
    left, references = list(named), []
    for text in given:
        match = next((each for each in left if text in (each["id"], each["name"])), None)
        if match is not None:
            left.remove(match)
            references.append(text)
    references += [each["id"] for each in left]
    return references if references or like == [] else None
