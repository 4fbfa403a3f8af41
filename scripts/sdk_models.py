"""Generate the models of the Python SDK from the OpenAPI document."""

import json
import re
from collections.abc import Iterator, Mapping

from scripts.sdk import HEADER, Schema, answer_type, attribute, body_type, docstring, document, managers

WAITABLE = {"Operation": "Waitable", "PlatformOperation": "PlatformWaitable"}
SECRET = re.compile(r"secret|password|passphrase|recovery")
COMMON = "common"
WORD = re.compile(r"\w+")


def models() -> dict[str, str]:
    """Return the modules of the package `models`, by name: one for each manager with models, a common one, and the
    index.
    """
    schemas = document()["components"]["schemas"]
    places = homes(schemas)
    return {"__init__": finder(places), **{home: module(home, places, schemas) for home in set(places.values())}}


def homes(schemas: Mapping[str, Schema]) -> dict[str, str]:
    """Map each model to its module: that of the manager it is named after, else of the only one whose calls use it."""
    reached: dict[str, set[str]] = {}
    resource_managers = managers()
    for manager, routes in resource_managers.items():
        for name in closure({name for route in routes for name in references(route.operation)}, schemas):
            reached.setdefault(name, set()).add(manager)
    nested = nested_inputs(schemas)
    home_by_name = {}
    for name in sorted(each for each in schemas if each in nested or is_answer(each, schemas[each])):
        words = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        own = [each for each in (f"{words}s", words) if each in resource_managers]
        only = reached.get(name, set())
        home_by_name[name] = own[0] if own else min(only) if len(only) == 1 else COMMON
    return home_by_name


def is_answer(name: str, schema: Schema) -> bool:
    return not name.endswith(("Input", "Patch")) and "next_page_token" not in schema.get("properties", {})


def nested_inputs(schemas: Mapping[str, Schema]) -> set[str]:
    """Return the inputs that are nested in others."""
    return {
        reference
        for name, schema in schemas.items()
        if name.endswith(("Input", "Patch"))
        for reference in references(schema)
    }


def references(schema: Schema) -> set[str]:
    return set(re.findall(r'schemas/(\w+)"', json.dumps(schema)))


def closure(names: set[str], schemas: Mapping[str, Schema]) -> set[str]:
    closed: set[str] = set()
    while names:
        closed |= names
        names = {inner for name in names for inner in references(schemas[name])} - closed
    return closed


def finder(places: Mapping[str, str]) -> str:
    lines = [HEADER, '"""The things that the API answers, and the ones inside bodies that are not plain values: a']
    lines += ['module for each kind of them, which is loaded when it is first used."""', ""]
    lines += [
        "from typing import TYPE_CHECKING",
        "",
        "from andromede_sdk.lazy_imports import loader",
        "",
        "if TYPE_CHECKING:",
    ]
    lines += [f"    from andromede_sdk.models.{home} import {name} as {name}" for name, home in places.items()]
    lines += ["", "PLACES = {"]
    lines += [*(f'    "{name}": "andromede_sdk.models.{home}",' for name, home in places.items()), "}"]
    lines += ["", "if not TYPE_CHECKING:", "    __getattr__ = loader(__name__, PLACES)"]
    lines += ["", "", "def __dir__() -> list[str]:", "    return sorted(PLACES)"]
    return "\n".join(lines) + "\n"


def module(home: str, places: Mapping[str, str], schemas: Mapping[str, Schema]) -> str:
    """Return a module. Names of other modules are imported for type checkers alone; `Model.read` finds them by name."""
    bodies: list[str] = []
    for name in (name for name, module_name in places.items() if module_name == home):
        bodies += input_lines(name, schemas[name]) if name.endswith("Input") else model_lines(name, schemas[name])
    hints = [line.partition("#")[0] for line in bodies if re.match(r"    \w+: ", line)]
    used = {word for line in hints for word in WORD.findall(line)}
    others = {name: module_name for name, module_name in places.items() if name in used and module_name != home}
    lines = [HEADER, "from __future__ import annotations", "", "from dataclasses import dataclass, field"]
    lines += ["from datetime import datetime", "from typing import TYPE_CHECKING, Any, NotRequired, TypedDict", ""]
    lines += [
        "from andromede_sdk.model import Model",
        "from andromede_sdk.waiting import PlatformWaitable, Waitable",
        "",
    ]
    if others:
        lines += ["if TYPE_CHECKING:"]
        lines += [f"    from andromede_sdk.models.{module_name} import {name}" for name, module_name in others.items()]
    return "\n".join([*lines, *bodies]) + "\n"


def model_lines(name: str, schema: Schema) -> Iterator[str]:
    """Return the lines of a model. Members with names that no attribute can have are in `raw` alone."""
    base = WAITABLE.get(name, "Model")
    yield from ("", "", "@dataclass(frozen=True, kw_only=True, eq=False)", f"class {name}({base}):")
    yield from docstring(schema.get("description", ""), indent=4)
    required = set(schema.get("required", []))
    members = {name: each for name, each in schema.get("properties", {}).items() if name.isidentifier()}
    for member, details in members.items():
        hint = answer_type(details)
        if member not in required and not hint.endswith("| None") and hint != "Any":
            hint += " | None"
        hidden = " = field(repr=False)" if SECRET.search(member) else ""
        yield f"    {attribute(member)}: {hint}{hidden}{words_of(details)}"
    if not members:
        yield "    pass"


def input_lines(name: str, schema: Schema) -> Iterator[str]:
    yield from ("", "", f"class {name}(TypedDict):")
    yield from docstring(schema.get("description", ""), indent=4)
    for member, details in schema["properties"].items():
        hint = body_type(details)
        yield f"    {member}: {hint if member in schema.get('required', []) else f'NotRequired[{hint}]'}"


def words_of(details: Schema) -> str:
    """Return the current values of an open enumeration, as a comment."""
    return f"  # {', '.join(details['enum'])}"[:100] if "enum" in details else ""
