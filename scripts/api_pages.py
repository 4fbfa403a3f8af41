"""Write the API reference for people from the OpenAPI document: a page for each tag, and their index."""

import json
import re
import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from scripts.api_schemas import members, short, type_of
from scripts.json_references import resolved

GENERATED = "Made from the code by `make docs`; the examples were answered by a running cloud."
METHODS = ("get", "post", "put", "patch", "delete")
# On most routes, and explained once: where in api.md.
COMMON = {
    "limit": "lists",
    "page_token": "lists",
    "count": "lists",
    "dry_run": "dry-run-dry_runtrue",
    "Idempotency-Key": "retry-safely-idempotency-key",
    "If-Match": "avoid-lost-updates-etag-if-match",
}
Document = dict[str, Any]
Errors = Mapping[str, Mapping[str, Any]]  # code → its page


class Reference:
    """Data of the reference.

    `examples`: by operation_id; `kinds`: operation_id → the section of authorization.md; `errors`: all codes.
    """

    def __init__(self, document: Document, *, examples: Document, kinds: Mapping[str, str], errors: Errors) -> None:
        self.document, self.examples, self.kinds, self.errors = document, examples, kinds, errors
        self.schemas = document["components"]["schemas"]
        self.tags: dict[str, list[Document]] = defaultdict(list)
        for path, item in document["paths"].items():
            for method in METHODS:
                if method in item:
                    self.tags[item[method]["tags"][0]].append({**item[method], "method": method.upper(), "path": path})

    def pages(self) -> dict[str, str]:
        pages = {f"api/{tag}.md": self._page(tag) for tag in sorted(self.tags)}
        return {"api/index.md": self._index(), **pages}

    def _index(self) -> str:
        lines = ["# The API, route by route", "", GENERATED, ""]
        lines += ["[The conventions](../api.md) hold on every route and come first. Versions: what was published is in"]
        lines += ["[openapi](../openapi), and stays.", ""]
        for tag, operations in sorted(self.tags.items()):
            lines += [f"## [{tag}]({tag}.md)", "", "| | |", "|---|---|"]
            for each in operations:
                link = f"[{each['summary']}]({tag}.md#{_anchor(each['summary'])})"
                lines.append(f"| {link} | `{each['method']} {each['path']}` |")
            lines.append("")
        return "\n".join(lines)

    def _page(self, tag: str) -> str:
        operations = self.tags[tag]
        lines = [f"# {tag}", "", GENERATED, ""]
        lines += [f"- [{each['summary']}](#{_anchor(each['summary'])})" for each in operations]
        for each in operations:
            lines += ["", *self._operation(each)]
        for name in self._answered(operations):
            lines += ["", f"## {name}", "", *self._object(self.schemas[name])]
        lines += self._errors(tag, operations)
        return re.sub("\n{3,}", "\n\n", "\n".join([*lines, ""]))

    def _operation(self, operation: Document) -> Iterator[str]:
        operation_id = operation["operationId"]
        yield f"## {operation['summary']}\n"
        who = f"[who may](../authorization.md#{self.kinds[operation_id]})"
        yield f"`{operation['method']} {operation['path']}` · `{operation_id}` · {who}\n"
        if operation.get("deprecated"):
            yield f"**Deprecated**; it goes after {operation.get('x-sunset', 'a date yet to be said')}.\n"
        yield from filter(None, [_text(operation)])
        yield from self._parameters(operation)
        yield from self._body(operation)
        yield from self._statuses(operation)
        yield from self._example(operation)

    def _parameters(self, operation: Document) -> Iterator[str]:
        parameters = [resolved(each, self.document) for each in operation.get("parameters", [])]
        rows = [
            each for each in parameters if each["in"] == "path" or each["name"] not in COMMON or each.get("required")
        ]
        if rows:
            yield "\n**Parameters**\n\n| | in | type | |\n|---|---|---|---|"
            for each in rows:
                name = f"**`{each['name']}`**" if each.get("required") else f"`{each['name']}`"
                kind = type_of(each["schema"], self.document)
                yield f"| {name} | {each['in']} | {kind} | {short(each.get('description', ''))} |"
        common = [each["name"] for each in parameters if each not in rows]
        if common:
            links = ", ".join(f"[`{name}`](../api.md#{COMMON[name]})" for name in common)
            yield f"\n{'Besides: ' if rows else 'Parameters: '}{links}.\n"

    def _body(self, operation: Document) -> Iterator[str]:
        """Return the table of the body, with required members in bold."""
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            schema = resolved(content["schema"], self.document)
            if "properties" in schema:
                yield f"\n**Body**\n\n{_text(schema)}\n"
                yield from self._object(schema, is_described=False)
            else:
                yield f"\n**Body**: {_a_file(media_type)}.\n"

    def _object(self, schema: Document, *, is_described: bool = True) -> Iterator[str]:
        if is_described and _text(schema):
            yield f"{_text(schema)}\n"
        yield "| | type | |\n|---|---|---|"
        for name, member, is_required in members(schema, self.document):
            shown = f"**`{name}`**" if is_required and not is_described else f"`{name}`"
            yield f"| {shown} | {type_of(member, self.document)} | {short(_text(member))} |"
        yield ""

    def _statuses(self, operation: Document) -> Iterator[str]:
        """Return the statuses of answers, and possible errors, with the codes that follow from the path."""
        missing = self._missing(operation)
        yield "\n| status | |\n|---|---|"
        for status, response in operation["responses"].items():
            response = resolved(response, self.document)
            if status < "400":
                yield f"| {status} | {self._response_text(operation, status, response)} |"
            elif status != "default":
                codes = missing if status == "404" else []
                yield f"| {status} | {', '.join(codes) or _text(response) or 'a problem'} |"
        if "default" in operation["responses"]:
            yield f"| others | {', '.join([*missing, '[a problem](../errors.md)'])} |"
        yield ""

    def _missing(self, operation: Document) -> list[str]:
        nouns = re.findall(r"\{(\w+)\}", operation["path"])
        codes = [code for noun in nouns for code in self.errors if re.search(rf"(^|\.){noun}\.not_found$", code)]
        return [f"[`{code}`](../errors/{code}.md)" for code in codes]

    def _response_text(self, operation: Document, status: str, response: Document) -> str:
        is_trial = status == "200" and operation["method"] != "GET" and len(_successes(operation)) > 1
        trial = "with `dry_run`: " if is_trial else ""
        contents = [self._named(media_type, each) for media_type, each in response.get("content", {}).items()]
        return trial + (", or ".join(contents) if contents else "nothing")

    def _named(self, media_type: str, content: Document) -> str:
        """Return the object of the answer, and the place of its description."""
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        if not name:
            return "a JSON object" if media_type == "application/json" else f"`{media_type}`"
        base, more = self._base(name)
        if name.endswith("Page"):
            return f"a [page](../api.md#lists) of [{base}](#{base.lower()})"
        return f"[{base}](#{base.lower()})" + (f" and {', '.join(f'`{each}`' for each in more)}" if more else "")

    def _base(self, name: str) -> tuple[str, list[str]]:
        """Return the base name:

        InstancePage and InstanceWithOperation are described as Instance; the latter has more members.
        """
        if name.endswith("Page") and name.removesuffix("Page") in self.schemas:
            return name.removesuffix("Page"), []
        base = name.partition("With")[0]
        if base == name or base not in self.schemas:
            return name, []
        base_properties = self.schemas[base]["properties"]
        return base, [each for each in self.schemas[name]["properties"] if each not in base_properties]

    def _answered(self, operations: list[Document]) -> list[str]:
        names = set()
        for operation in operations:
            for _, response in _successes(operation):
                for content in resolved(response, self.document).get("content", {}).values():
                    names.add(content["schema"].get("$ref", "").rpartition("/")[2])
        return sorted({self._base(name)[0] for name in names if name})

    def _errors(self, tag: str, operations: list[Document]) -> Iterator[str]:
        """Return the errors of the page's subject: their codes have its noun, or that of a part of its paths."""
        named = {noun for each in operations for noun in re.findall(r"\{(\w+)\}", each["path"])}
        nouns = {noun for noun in named - {"project", "organization"} if self._missing({"path": f"{{{noun}}}"})}
        nouns |= {tag.replace("-", "_"), re.sub("s$", "", tag.replace("-", "_"))}
        codes = [code for code in self.errors if any(_is_about(code, noun) for noun in nouns)]
        if codes:
            yield "\n## Errors\n\nBesides [those of every route](../errors.md).\n\n| code | HTTP | |\n|---|---|---|"
            for code in codes:
                problem = self.errors[code]
                yield f"| [`{code}`](../errors/{code}.md) | {problem['status']} | {short(problem['detail'])} |"

    def _example(self, operation: Document) -> Iterator[str]:
        example = self.examples.get(operation["operationId"])
        if example is None:
            raise SystemExit(
                f"{operation['operationId']} has no example: add it in tests/api/examples, `make examples`."
            )
        yield f"\n```sh\n{_curl(example['request'], is_open=not operation.get('security'))}\n```\n"
        answer = example["answer"]
        location = f", `Location: {answer['location']}`" if "location" in answer else ""
        if "body" not in answer:
            what = _a_file(answer["media_type"]) if "media_type" in answer else "nothing more"
            yield f"Answer: {answer['status']}{location}, {what}.\n"
            return
        body, is_json = answer["body"], not isinstance(answer["body"], str)
        text = json.dumps(body, indent=2, ensure_ascii=False) if is_json else "\n".join(body.splitlines())
        yield f"Answer: {answer['status']}{location}\n\n```{'json' if is_json else 'text'}\n{text}\n```"


def _successes(operation: Document) -> list[tuple[str, Document]]:
    return [(status, each) for status, each in operation["responses"].items() if status < "400"]


def _anchor(heading: str) -> str:
    """Return the anchor as the usual renderers make it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _is_about(code: str, noun: str) -> bool:
    """Return whether the code is about the subject.

    An app may have the name of its noun: the rest of the code decides then.
    """
    is_within = "_" not in noun and code.count(".") > 1
    text = code.partition(".")[2] if is_within else code
    return re.search(rf"(^|_){noun}(_|$)", text.replace(".", "_")) is not None


def _text(part: Document) -> str:
    """Return the text without the lists of words that the serializers add."""
    lines = [line.strip() for line in part.get("description", "").split("\n")]
    return " ".join(line for line in lines if line and not line.startswith("* `"))


def _a_file(media_type: str) -> str:
    return "a JSON object" if media_type == "application/json" else f"a file, `{media_type}`"


def _curl(request: Document, *, is_open: bool) -> str:
    query = f"?{urlencode(request['query'], safe=':,/')}" if "query" in request else ""
    method = "" if request["method"] == "GET" else f"-X {request['method']} "
    lines = [f'curl {method}"$ANDROMEDE_URL{request["path"]}{query}"']
    lines += [] if is_open else ['-H "Authorization: Bearer $ANDROMEDE_TOKEN"']
    lines += [f"-H {shlex.quote(f'{name}: {text}')}" for name, text in request.get("headers", {}).items()]
    if "file" in request:
        lines += ["-H 'Content-Type: application/octet-stream'", f"--data-binary @{request['file']}"]
    elif "body" in request:
        body = json.dumps(request["body"], indent=2, ensure_ascii=False)
        lines += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(body)}"]
    return " \\\n  ".join(lines)
