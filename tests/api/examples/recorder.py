"""Records examples: for each route a request and its answer, as they were in a real small cloud."""

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.api.client import Answer, Caller
from tests.api.contract import contract
from tests.api.examples.normalizer import Normalizer
from tests.api.test_isolation import ALL, Route

ROUTES = {route.operation_id: route for route in ALL}
BODIES = [json.loads(route.body) for route in ALL if route.body]
JSON = "application/json"
# Of what texts consist; two parts are shown.
PARTS = {"text/plain": r"(?s).+", "application/jsonl": r".+\n?", "text/event-stream": r"(?s).+?\n\n"}


def tag_of(operation_id: str) -> str:
    """Return the page of the route."""
    operations = (each for methods in contract()["paths"].values() for each in methods.values())
    return str(next(each["tags"][0] for each in operations if each["operationId"] == operation_id))


@dataclass
class ExampleRecorder:
    """Records examples. `names`: default values of path parameters."""

    plain: Normalizer
    names: dict[str, str] = field(default_factory=dict)
    shown: dict[str, Any] = field(default_factory=dict)

    def do(self, caller: Caller, operation_id: str, body: Any = None, **more: Any) -> Answer:
        """Send a request without recording it.

        The default body is the route's example. `query`, `headers`: of the request; `upload`: a file, its name and
        bytes; other arguments are path parameters.
        """
        return self._ask(caller, ROUTES[operation_id], body, more)[1]

    def show(self, caller: Caller, operation_id: str, body: Any = None, **more: Any) -> Answer:
        """Send a request and record it as the example of its route. `keep`: the shown members of a long answer."""
        assert operation_id not in self.shown, f"{operation_id} has an example"
        keep = more.pop("keep", None)
        request, answer = self._ask(caller, ROUTES[operation_id], body, more)
        content = _content_of(answer)
        content |= {"body": {name: content["body"][name] for name in keep}} if keep else {}
        self.shown[operation_id] = self.plain({"request": request, "answer": content}, of=operation_id)
        return answer

    def _ask(self, caller: Caller, route: Route, body: Any, more: dict[str, Any]) -> tuple[dict[str, Any], Answer]:
        query, headers, upload = (more.pop(name, None) for name in ("query", "headers", "upload"))
        path = route.url(self.names | more)
        request = {"method": route.method, "path": path} | ({"query": query} if query else {})
        path += f"?{urlencode(query)}" if query else ""
        headers = dict(headers or {})
        request |= {"headers": {name.replace("_", "-"): text for name, text in headers.items()}} if headers else {}
        if upload is not None:
            return request | {"file": upload[0]}, self._right(route, caller.upload(path, upload[1]))
        if body is None and route.body:
            body = json.loads(route.body)
        data = b"" if body is None else json.dumps(body).encode()
        request |= {} if body is None else {"body": body}
        return request, self._right(route, caller.send(route.method, path, data, content_type=JSON, **headers))

    @staticmethod
    def _right(route: Route, answer: Answer) -> Answer:
        assert answer.status < 400, f"{route.operation_id}: {answer.status} {answer.text}"
        return answer

    def pages(self) -> dict[str, str]:
        """Return the file for each tag, and its text."""
        by_file: dict[str, dict[str, Any]] = defaultdict(dict)
        for operation_id in sorted(self.shown):
            by_file[f"{tag_of(operation_id)}.json"][operation_id] = self.shown[operation_id]
        return {name: json.dumps(page, indent=2, ensure_ascii=False) + "\n" for name, page in sorted(by_file.items())}


def _content_of(answer: Answer) -> dict[str, Any]:
    """Return files and texts in their order; long ones are cut."""
    content: dict[str, Any] = {"status": answer.status}
    content |= {"location": answer.headers["Location"]} if "Location" in answer.headers else {}
    if not answer.data:
        return content
    media_type = answer.headers["Content-Type"].partition(";")[0]
    content["media_type"] = media_type
    if media_type.endswith("json"):
        content["body"] = answer.body
    elif media_type in PARTS:
        content["body"] = "".join(re.findall(PARTS[media_type], answer.text)[:2])
    return content
