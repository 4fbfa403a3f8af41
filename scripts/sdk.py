"""Generate the managers of the Python SDK from the OpenAPI document."""

import json
import keyword
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OPENAPI = ROOT / "docs" / "reference" / "openapi.json"
HEADER = "# Made from docs/reference/openapi.json by `make clients`."
METHODS = ("get", "post", "put", "patch", "delete")
# evidence_exports.create does the same; this one answers by redirection.
LEFT_OUT = frozenset({"evidence_export"})
PAGING = frozenset({"limit", "page_token", "count"})
LABELS = "labels"
PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
MOMENT = "date-time"
EVENT_STREAM = "text/event-stream"

Schema = Mapping[str, Any]


def document() -> dict[str, Any]:
    openapi: dict[str, Any] = json.loads(OPENAPI.read_text())
    return openapi


@dataclass(frozen=True)
class Route:
    """One operation of the API, as a method of a manager."""

    http_method: str
    path: str
    operation: Schema
    schemas: Mapping[str, Schema]

    @property
    def id(self) -> str:
        return str(self.operation["operationId"])

    @cached_property
    def kind_and_manager(self) -> tuple[str, str]:
        """Return kind and manager: the kind begins the operation's id.

        It is a collection of the path, in the singular, or the first word.
        """
        for segment in reversed(self.path.split("/")):
            plural = segment.replace("-", "_")
            if segment and "{" not in segment and self.id.startswith(f"{singular(plural)}_"):
                return singular(plural), plural
        kind = self.id.partition("_")[0]
        return kind, kind

    @property
    def manager(self) -> str:
        return self.kind_and_manager[1]

    @property
    def name(self) -> str:
        verb = self.id.removeprefix(f"{self.kind_and_manager[0]}_")
        if "_" in verb:
            verb = verb.removesuffix("_get")
        return attribute(verb)

    @property
    def names(self) -> list[str]:
        """Return the path parameters; the project is the client's, unless the call is about a project."""
        parts = re.findall(r"{(\w+)}", self.path)
        return [part for part in parts if part != "project" or self.manager == "projects"]

    @property
    def query(self) -> list[Schema]:
        return [each for each in self.operation.get("parameters", []) if each["in"] == "query"]

    @property
    def is_listing(self) -> bool:
        return "page_token" in {each["name"] for each in self.query}

    @property
    def version(self) -> Schema | None:
        """Return the parameter If-Match."""
        headers = [each for each in self.operation.get("parameters", []) if each["in"] == "header"]
        return next((each for each in headers if each["name"].lower() == "if-match"), None)

    @property
    def body(self) -> Schema | None:
        content = self.operation.get("requestBody", {}).get("content", {})
        named = content.get("application/json", {}).get("schema", {}).get("$ref", "")
        return self.schemas[named.rpartition("/")[2]] if named else None

    @property
    def is_upload(self) -> bool:
        return "application/octet-stream" in self.operation.get("requestBody", {}).get("content", {})

    @property
    def is_possible(self) -> bool:
        """Return whether Python values can express the body: none, the members of an object, or a file."""
        return "requestBody" not in self.operation or self.body is not None or self.is_upload

    @property
    def media(self) -> str:
        """Return the form of the answer: models (or none), a JSON object, text, a stream or a file."""
        kinds = set(self.answers.values())
        if "object" in kinds:
            return "object"
        types = {kind for kind in kinds if kind is not None and "/" in kind}
        if EVENT_STREAM in types:
            return "stream"
        if any(each.startswith("text/") for each in types):
            return "text"
        return "file" if types else "models"

    @property
    def answers(self) -> dict[int, str | None]:
        """Map each status to a model, None for an empty answer; other media types as themselves."""
        kinds: dict[int, str | None] = {}
        for status, response in self.operation["responses"].items():
            if status.startswith("2"):
                content = response.get("content", {})
                kinds[int(status)] = next((_answer(kind, each) for kind, each in content.items()), None)
        return kinds


def _answer(media_type: str, content: Schema) -> str:
    if media_type != "application/json":
        return media_type
    return answer_type(content["schema"]) if "$ref" in content["schema"] else "object"


def singular(plural: str) -> str:
    if plural.endswith("ies"):
        return f"{plural[:-3]}y"
    if plural.endswith("sses"):
        return plural.removesuffix("es")
    return plural if plural.endswith(("ss", "us")) else plural.removesuffix("s")


def routes() -> list[Route]:
    whole = document()
    schemas = whole["components"]["schemas"]
    all_routes = [
        Route(method.upper(), path, operation, schemas)
        for path, methods in whole["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]
    return [each for each in all_routes if each.id not in LEFT_OUT and each.is_possible]


def managers() -> dict[str, list[Route]]:
    by_manager: dict[str, list[Route]] = {}
    for each in routes():
        by_manager.setdefault(each.manager, []).append(each)
    return dict(sorted(by_manager.items()))


def class_name(manager: str) -> str:
    return "".join(word.title() for word in manager.split("_"))


def resources() -> dict[str, str]:
    """Return the modules of the package `resources`, by name: one for each manager, and the index."""
    by_manager = managers()
    return {
        "__init__": finder(by_manager),
        **{manager: module(manager, routes) for manager, routes in by_manager.items()},
    }


def finder(names: Iterable[str]) -> str:
    kinds = {manager: class_name(manager) for manager in names}
    lines = [HEADER, '"""The managers: a module for each, which is loaded when it is first used."""', ""]
    lines += ["from __future__ import annotations", "", "from typing import TYPE_CHECKING", ""]
    lines += ["from andromede_sdk.lazy_imports import loader", "", "if TYPE_CHECKING:"]
    lines += ["    from andromede_sdk.resource import Scope"]
    lines += [f"    from andromede_sdk.resources.{name} import {kind} as {kind}" for name, kind in kinds.items()]
    lines += ["", "", "class Managers:", '    """All managers, for one control plane and project."""', ""]
    lines += [f"    {name}: {kind}" for name, kind in kinds.items()]
    return "\n".join(lines) + MANAGERS_END


MANAGERS_END = """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            if name not in Managers.__annotations__:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            made = load(Managers.__annotations__[name])(self.scope)
            setattr(self, name, made)
            return made

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *Managers.__annotations__]


PLACES = {kind: f"{__name__}.{name}" for name, kind in Managers.__annotations__.items()}
load = loader(__name__, PLACES)

if not TYPE_CHECKING:
    __getattr__ = load
"""


def module(manager: str, its_routes: Sequence[Route]) -> str:
    lines = [HEADER, "from __future__ import annotations", ""]
    lines += ["from collections.abc import Iterator, Mapping, Sequence"]
    lines += ["from typing import Any, BinaryIO, Literal, cast, overload", "", "from andromede_sdk import models"]
    lines += ["from andromede_sdk.resource import Ask, Labels, Listing, Moment, Resource", "", ""]
    lines += [f"class {class_name(manager)}(Resource):"]
    for each in its_routes:
        lines += [*method_lines(each), ""]
    return "\n".join(lines) + "\n"


def method_lines(route: Route) -> Iterator[str]:
    dry = dry_answer(route)
    if dry is not None:
        usual, would = return_type(route), f"models.{dry}"
        for hint, answer in (
            ("Literal[False] = False", usual),
            ("Literal[True]", would),
            ("bool", f"{usual} | {would}"),
        ):
            yield "    @overload"
            yield f"    def {route.name}({parameters(route, dry_run=hint)}) -> {answer}: ..."
        answer = f"{return_type(route)} | models.{dry}"
    else:
        answer = return_type(route)
    yield f"    def {route.name}({parameters(route)}) -> {answer}:"
    yield from docstring(words(route), indent=8)
    yield f"        return {expression(route, answer)}"


def words(route: Route) -> str:
    """Return the API's texts about the call: its body and its parameters."""
    lines = [f"{route.http_method} {route.path}"]
    if route.body is not None and route.body.get("description"):
        lines.append(str(route.body["description"]))
    described = [each for each in route.query if each["name"] not in PAGING and each.get("description")]
    lines += [f"`{attribute(each['name'])}`: {each['description']}" for each in described]
    return lines[0] if len(lines) == 1 else "\n\n".join([lines[0], "\n".join(lines[1:])]) + "\n"


def dry_answer(route: Route) -> str | None:
    """Return the model of a dry run, if it differs."""
    names = {each["name"] for each in route.query}
    others = {model for status, model in route.answers.items() if status == 200}
    usual = {model for status, model in route.answers.items() if status != 200}
    return next(iter(others - usual), None) if "dry_run" in names and usual else None


def parameters(route: Route, *, dry_run: str = "bool = False") -> str:
    positional = ["self", *(f"{part}: str" for part in route.names)]
    if route.is_upload:
        positional.append("file: BinaryIO")
    if route.media == "file":
        positional.append("to: BinaryIO")
    named = [*body_parameters(route), *query_parameters(route)]
    named = [f"dry_run: {dry_run}" if each.startswith("dry_run:") else each for each in named]
    if route.version is not None:
        named.append("if_match: str | int" + ("" if route.version.get("required") else " | None = None"))
    if route.http_method == "POST":
        named.append("idempotency_key: str | None = None")
    named.sort(key=lambda each: "=" in each)
    return ", ".join([*positional, *(["*", *named] if named else [])])


def body_parameters(route: Route) -> Iterator[str]:
    if route.body is None:
        return
    required = set(route.body.get("required", []))
    for member, details in sorted(route.body["properties"].items(), key=lambda each: each[0] not in required):
        hint = body_type(details, prefix="models.")
        yield f"{attribute(member)}: {hint}" + ("" if member in required else f"{optional(hint)} = None")


def query_parameters(route: Route) -> Iterator[str]:
    for each in route.query:
        if each["name"] not in PAGING:
            hint = "Labels" if each["name"] == LABELS else body_type(each["schema"], prefix="models.")
            default = " = False" if hint == "bool" else f"{optional(hint)} = None"
            yield f"{attribute(each['name'])}: {hint}" + ("" if each.get("required") else default)
    if route.is_listing:
        yield "page_size: int | None = None"


def optional(hint: str) -> str:
    return "" if hint == "Any" or hint.endswith("| None") else " | None"


def body_type(details: Schema, *, prefix: str = "") -> str:
    if "$ref" in details:
        return prefix + str(details["$ref"].rpartition("/")[2])
    if "oneOf" in details:
        inner = body_type(next(each for each in details["oneOf"] if each.get("type") != "null"), prefix=prefix)
        return inner if inner == "Any" else f"{inner} | None"
    kind = details.get("type")
    if isinstance(kind, list):
        plain = next(each for each in kind if each != "null")
        return f"{body_type({**details, 'type': plain}, prefix=prefix)} | None"
    if kind == "array":
        return (
            f"Sequence[{body_type(details['items'], prefix=prefix)}]"
            if prefix
            else f"list[{body_type(details['items'])}]"
        )
    if kind == "object":
        outer = "Mapping" if prefix else "dict"
        return f"{outer}[str, {body_type(details.get('additionalProperties') or {}, prefix=prefix)}]"
    if details.get("format") == MOMENT:
        return "Moment" if prefix else "str"
    return PLAIN.get(str(kind), "Any")


RETURNED = {"object": "dict[str, Any]", "text": "str", "stream": "Iterator[dict[str, Any]]", "file": "int"}


def return_type(route: Route) -> str:
    if route.is_listing:
        return f"Listing[models.{item_model(route)}]"
    if route.media in RETURNED:
        return RETURNED[route.media]
    kinds = set(route.answers.values()) - {dry_answer(route)}
    hints = [f"models.{each}" for each in sorted(filter(None, kinds))]
    empty = None in route.answers.values()
    return " | ".join([*hints, *(["None"] if empty else [])])


def item_model(route: Route) -> str:
    page = route.schemas[next(filter(None, route.answers.values()))]
    return answer_type(page["properties"]["items"]["items"])


def expression(route: Route, answer: str) -> str:
    ask = ask_of(route)
    if route.is_listing:
        return f"Listing(self._scope, models.{item_model(route)}, {ask})"
    by_media = {
        "object": f"cast('{answer}', self._scope.document({ask}))",
        "text": f"self._scope.text({ask})",
        "stream": f"self._scope.events({ask})",
        "file": f"self._scope.download({ask}, to)",
    }
    if route.media in by_media:
        return by_media[route.media]
    models_of = route.answers
    if set(models_of.values()) == {None}:
        return f"cast('None', self._scope.document({ask}))"
    if len(set(models_of.values())) == 1:
        model = f"models.{next(iter(models_of.values()))}"
        return f"self._scope.upload({model}, {ask}, file)" if route.is_upload else f"self._scope.one({model}, {ask})"
    table = ", ".join(f"{status}: {model and 'models.' + model}" for status, model in models_of.items())
    return f"cast('{answer}', self._scope.either({{{table}}}, {ask}))"


def ask_of(route: Route) -> str:
    more = [f'"{route.http_method}"', f'"{route.path}"']
    if route.names:
        more.append(_pairs("names", route.names))
    filters = [each["name"] for each in route.query if each["name"] not in PAGING]
    if filters or route.is_listing:
        pairs = [f'"{name}": {attribute(name)}' + (" or None" if name == "dry_run" else "") for name in filters]
        more.append("query={" + ", ".join([*pairs, *(['"limit": page_size'] if route.is_listing else [])]) + "}")
    if route.body is not None:
        more.append(_pairs("body", route.body["properties"]))
    if route.http_method == "POST":
        more.append("key=idempotency_key")
    if route.version is not None:
        more.append("if_match=if_match")
    return f"Ask({', '.join(more)})"


def _pairs(name: str, members: Any) -> str:
    return f"{name}={{" + ", ".join(f'"{member}": {attribute(member)}' for member in members) + "}"


def answer_type(details: Schema) -> str:
    if "$ref" in details:
        return str(details["$ref"].rpartition("/")[2])
    if "oneOf" in details:
        kinds = [answer_type(each) for each in details["oneOf"] if each.get("type") != "null"]
        return f"{kinds[0]} | None" if kinds[0] != "Any" else "Any"
    kind = details.get("type")
    if isinstance(kind, list):
        plain = next(each for each in kind if each != "null")
        return f"{answer_type({**details, 'type': plain})} | None"
    if kind == "array":
        return f"list[{answer_type(details['items'])}]"
    if kind == "object":
        return f"dict[str, {answer_type(details.get('additionalProperties') or {})}]"
    return "datetime" if details.get("format") == MOMENT else PLAIN.get(str(kind), "Any")


def attribute(member: str) -> str:
    return f"{member}_" if keyword.iskeyword(member) else member


def docstring(text: str, *, indent: int) -> Iterator[str]:
    if text:
        blank = " " * indent
        quoted = text.replace("\\", "\\\\").replace('"""', "'''")
        yield from f'{blank}"""{quoted}"""'.replace("\n", f"\n{blank}").split("\n")
