"""Check that clients of each published version of the API still work.

The current OpenAPI document is compared with all of docs/reference/openapi. `--publish 1.1` stores the current document
as that version. Additions pass; docs/how-to/publish-the-api.md explains how to make other changes.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.schema_compatibility import Schemas

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
PUBLISHED = REFERENCE / "openapi"
METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
ADVICE = """
Users of a published version rely on this. Leave it as it was and add what is new beside it: a route, a parameter, a
member that is not required. A route that has to go is deprecated with deprecation=Deprecation(...), published so, and
goes after its sunset. See docs/how-to/publish-the-api.md."""
Document = dict[str, Any]
Key = tuple[str, str]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--publish", metavar="VERSION", help="store the current document as this version")
    version = parser.parse_args().publish
    now = json.loads((REFERENCE / "openapi.json").read_text())
    published = {file.stem: json.loads(file.read_text()) for file in sorted(PUBLISHED.glob("*.json"))}
    breaking = complaints(published, now, at=datetime.now(UTC))
    if breaking:
        print("\n".join([*breaking, ADVICE]))
        return 1
    return publish(now, version) if version else 0


def publish(document: Document, version: str) -> int:
    path = PUBLISHED / f"{version}.json"
    if not re.fullmatch(r"1\.\d+", version) or path.exists():
        print(f"{version} cannot be published: the version must be 1.<number> and new.")
        return 1
    document["info"]["version"] = version
    PUBLISHED.mkdir(exist_ok=True)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return 0


def complaints(published: dict[str, Document], now: Document, *, at: datetime) -> list[str]:
    """Return every breaking change, a line each.

    A route may go when one version announced it and its sunset is over.
    """
    over = {key for document in published.values() for key, each in _operations(document) if _is_over(each, at)}
    return [
        f"{version}: {complaint}"
        for version, document in published.items()
        for complaint in breaks(document, now, over=over)
    ]


def breaks(old: Document, new: Document, *, over: set[Key] | None = None) -> Iterator[str]:
    """Return the changes that break a client of the old document. `over`: routes that may be gone."""
    operations = dict(_operations(new))
    for key, operation in _operations(old):
        name = f"{operation['operationId']} ({key[0].upper()} {key[1]})"
        if key in operations:
            comparison = Comparison(Schemas(old, new), operation, operations[key])
            yield from (f"{name}: {complaint}" for complaint in comparison.complaints())
        elif key not in (over or ()):
            yield f"{name}: the route is gone"


def _operations(document: Document) -> Iterator[tuple[Key, Any]]:
    """Return the operations by method and path. Names of path parameters do not matter, only their positions."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield (method, re.sub(r"\{\w+\}", "{}", path)), item[method]


def _is_over(operation: Any, at: datetime) -> bool:
    sunset = operation.get("x-sunset")
    return bool(operation.get("deprecated") and sunset and datetime.fromisoformat(sunset) <= at)


class Comparison:
    """Compares one route between both documents."""

    def __init__(self, schemas: Schemas, old: Any, new: Any) -> None:
        self.schemas, self.old, self.new = schemas, old, new

    def complaints(self) -> Iterator[str]:
        if self.old["operationId"] != self.new["operationId"]:
            yield f"its operationId is {self.new['operationId']} now"
        yield from self._security()
        yield from self._parameters()
        yield from self._body()
        yield from self._answers()

    def _security(self) -> Iterator[str]:
        """Compare security. Each way to authenticate is a set of schemes; one that was enough must still be."""
        old, new = (
            [set(way) for way in each.get("security", document.get("security")) or [{}]]
            for each, document in ((self.old, self.schemas.old), (self.new, self.schemas.new))
        )
        if not all(any(way <= old_way for way in new) for old_way in old):
            yield "its security is another"

    def _parameters(self) -> Iterator[str]:
        """Compare parameters. Those of the path exist in both documents, in the same order."""
        old = _named([self.schemas.before(each) for each in self.old.get("parameters", [])])
        new = _named([self.schemas.after(each) for each in self.new.get("parameters", [])])
        for key, parameter in new.items():
            if parameter.get("required") and not old.get(key, {}).get("required"):
                yield f"the {key[0]} parameter {key[1]!r} is required now"
        for key, parameter in old.items():
            described = f"the {key[0]} parameter {key[1]!r}"
            if key not in new:
                yield f"{described} is gone"
            else:
                was, is_ = parameter.get("schema", {}), new[key].get("schema", {})
                yield from (f"{described}{each}" for each in self.schemas.taken(was, is_))

    def _body(self) -> Iterator[str]:
        old, new = self.schemas.before(self.old.get("requestBody")), self.schemas.after(self.new.get("requestBody"))
        if new and new.get("required") and not (old and old.get("required")):
            yield "the body is required now"
        if old and not new:
            yield "it takes no body any more"
            return
        for media_type, content in (old or {}).get("content", {}).items():
            if media_type not in new["content"]:
                yield f"the body cannot be {media_type} any more"
            else:
                was, is_ = content.get("schema", {}), new["content"][media_type].get("schema", {})
                yield from (f"the body{each}" for each in self.schemas.taken(was, is_))

    def _answers(self) -> Iterator[str]:
        """Compare answers. `default` may be replaced by single statuses of errors."""
        new = self.new["responses"]
        is_spelt_out = any(status >= "400" for status in new if status != "default")
        for status, old in self.old["responses"].items():
            if status in new:
                yield from self._answer(status, self.schemas.before(old), self.schemas.after(new[status]))
            elif status != "default" or not is_spelt_out:
                yield f"it has no answer {status} any more"

    def _answer(self, status: str, old: Any, new: Any) -> Iterator[str]:
        for name in old.get("headers", {}).keys() - new.get("headers", {}).keys():
            yield f"answer {status} has no header {name} any more"
        for media_type, content in old.get("content", {}).items():
            if media_type not in new.get("content", {}):
                yield f"answer {status} is not {media_type} any more"
            else:
                was, is_ = content.get("schema", {}), new["content"][media_type].get("schema", {})
                yield from (f"answer {status}{each}" for each in self.schemas.answered(was, is_))


def _named(parameters: list[Any]) -> dict[Key, Any]:
    """Return the parameters by place and name; those of the path, by their number."""
    of_path = [each for each in parameters if each["in"] == "path"]
    others = [each for each in parameters if each["in"] != "path"]
    numbered = {("path", str(number)): each for number, each in enumerate(of_path, 1)}
    return numbered | {(each["in"], each["name"]): each for each in others}


if __name__ == "__main__":
    sys.exit(main())
