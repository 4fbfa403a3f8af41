"""A client of the API. Every answer is checked against the OpenAPI document."""

import io
import json
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponse
from django.test import Client
from django.urls import Resolver404

from tests.api import contract

STORABLE = ("/v1/openapi.json", "/.well-known/jwks.json")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode()

    @property
    def body(self) -> Any:
        return json.loads(self.data) if self.data else None

    @property
    def operation(self) -> Any:
        return self.body["operation"]

    @property
    def problem(self) -> tuple[int, str, str | None]:
        """Return status, code, and the first place in the request that the problem names."""
        places = [each.get("pointer", each.get("parameter")) for each in self.body["errors"]]
        return self.status, self.body["code"], places[0] if places else None


@dataclass
class Caller:
    """A client. Paths without a leading slash are below the project."""

    token: str | None
    project: str = ""
    language: str = "en"
    http: Client = field(default_factory=Client)

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.call("POST", path, {} if body is None else body, **headers)

    def put(self, path: str, body: Any, **headers: str) -> Answer:
        """Replace the current version, unless If-Match names one."""
        return self.call("PUT", path, body, **{"If_Match": "*", **headers})

    def patch(self, path: str, body: Any, **headers: str) -> Answer:
        return self.call("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Answer:
        return self.call("DELETE", path, **headers)

    def upload(self, path: str, data: bytes, *, declared_bytes: int | None = None) -> Answer:
        """Upload a file. `declared_bytes`: the Content-Length, if it differs from the data's."""
        length = len(data) if declared_bytes is None else declared_bytes
        environ = {"wsgi.input": io.BytesIO(data), "CONTENT_LENGTH": str(length)}
        return self.send("PUT", path, data, content_type="application/octet-stream", environ=environ)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        data = b"" if body is None else json.dumps(body).encode()
        return self.send(method, path, data, content_type="application/json", **headers)

    def send(
        self, method: str, path: str, data: bytes, *, content_type: str, environ: Any = None, **headers: str
    ) -> Answer:
        """Send exactly these bytes."""
        path = path if path.startswith("/") else f"/v1/projects/{self.project}/{path}"
        headers = {"Accept-Language": self.language} | {name.replace("_", "-"): text for name, text in headers.items()}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        response = self.http.generic(method, path, data, content_type=content_type, headers=headers, **(environ or {}))
        _check(method, path, response)
        data = response.getvalue() if response.streaming else response.content
        return Answer(response.status_code, dict(response.items()), data)


def _check(method: str, path: str, response: HttpResponse) -> None:
    stored = "public, max-age=300" if path.startswith(STORABLE) and response.status_code == 200 else "no-store"
    assert response["Cache-Control"] == stored, f"{method} {path}"
    assert response["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'", f"{method} {path}"
    try:
        contract.check(method, path, response)
    except Resolver404:
        assert response.status_code == 404
