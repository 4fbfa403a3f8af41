"""Call the API in the same process, through its routes and middlewares, with the credential of the page's user.

The dashboard therefore shows and does nothing that the API does not offer; rights, limits, idempotency, request records
and errors are the API's (docs/adr/0019).
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode

import orjson
from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import get_language

from controlplane.kernel.request_transaction import PREVIEW

ROOT = "v1"
# WSGI variables of the page's request that are passed to the API: the client's address.
PASSED_ON = (
    "gunicorn.socket",  # used to end uploads that are too slow
    "HTTP_HOST",
    "HTTP_USER_AGENT",
    "HTTP_X_FORWARDED_FOR",
    "REMOTE_ADDR",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "wsgi.errors",
    "wsgi.url_scheme",
)
Query = Mapping[str, Any]


class ApiError(Exception):
    """The API refused a request. `problem` is its document (RFC 9457), in the page's language."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('code')}")
        self.status = status
        self.problem = problem

    @property
    def code(self) -> str:
        return str(self.problem.get("code", ""))


@dataclass(frozen=True)
class ApiResponse:
    """An answer of the API. `data`: the JSON document, or the text of another media type."""

    status: int
    data: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        return self.headers.get("ETag", "")


@dataclass(frozen=True)
class ApiRequest:
    """Options of an API request. `key`: its Idempotency-Key. `version`: the ETag of the replaced representation.
    `file`: a body that is not JSON, and its length in bytes. `is_preview`: a dry run that the page sends by itself
    (kernel/request_transaction.py)."""

    body: Any = None
    query: Query = field(default_factory=dict)
    key: str = ""
    version: str = ""
    file: tuple[BinaryIO, int] | None = None
    is_preview: bool = False


class Api:
    """Send API requests with the credential `secret`, or anonymously. Paths are given as parts: `get("projects",
    id)`."""

    def __init__(self, page: HttpRequest, secret: str) -> None:
        self._page = page
        self._secret = secret

    def get(self, *path: str, **query: Any) -> Any:
        """Return the document. Raises ApiError."""
        return self.send("GET", path, ApiRequest(query=query)).data

    def post(self, *path: str, body: Any = None, key: str = "", **query: Any) -> Any:
        return self.send("POST", path, ApiRequest(body if body is not None else {}, query, key)).data

    def preview(self, *path: str, body: Any) -> Any:
        """Post with `dry_run` as a read: no lock is taken and no record is written. Raises ApiError."""
        return self.send("POST", path, ApiRequest(body, {"dry_run": "true"}, is_preview=True)).data

    def patch(self, *path: str, body: Any) -> Any:
        return self.send("PATCH", path, ApiRequest(body)).data

    def put(self, *path: str, body: Any) -> Any:
        return self.send("PUT", path, ApiRequest(body)).data

    def delete(self, *path: str) -> Any:
        return self.send("DELETE", path, ApiRequest()).data

    def send(self, method: str, path: tuple[str, ...], sent: ApiRequest) -> ApiResponse:
        """
        Raises:
            ApiError: with any status from 400 on.
        """
        response = self.file(method, path, sent)
        return ApiResponse(response.status_code, _content(response), dict(response.items()))

    def file(self, method: str, path: tuple[str, ...], sent: ApiRequest) -> HttpResponseBase:
        """Return the raw response, for large answers and other media types. Raises ApiError."""
        response = _handler().get_response(WSGIRequest(self._environ(method, path, sent)))
        if response.status_code >= 400:
            problem = _content(response)
            raise ApiError(response.status_code, problem if isinstance(problem, dict) else {})
        return response

    def _environ(self, method: str, path: tuple[str, ...], sent: ApiRequest) -> dict[str, Any]:
        content, length, media_type = _body(sent)
        environ = {name: self._page.META[name] for name in PASSED_ON if name in self._page.META}
        environ |= {
            "REQUEST_METHOD": method,
            "PATH_INFO": _path(path),
            "QUERY_STRING": urlencode({name: value for name, value in sent.query.items() if value not in (None, "")}),
            "CONTENT_TYPE": media_type,
            "CONTENT_LENGTH": length,
            "wsgi.input": content,
            "HTTP_ACCEPT_LANGUAGE": get_language() or "en",
            "HTTP_X_REQUEST_ID": getattr(self._page, "request_id", ""),
            PREVIEW: sent.is_preview,
        }
        headers = {"AUTHORIZATION": f"Bearer {self._secret}" if self._secret else ""}
        headers |= {"IDEMPOTENCY_KEY": sent.key, "IF_MATCH": sent.version}
        return environ | {f"HTTP_{name}": text for name, text in headers.items() if text}


@cache
def _handler() -> BaseHandler:
    handler = BaseHandler()
    handler.load_middleware()
    return handler


def _path(parts: tuple[str, ...]) -> str:
    """Return the WSGI path: its bytes decoded as Latin-1. Slashes inside a part are escaped."""
    if any("/" in part or not part for part in parts):
        raise ApiError(404, {"code": "route_not_found", "title": "", "detail": quote("/".join(parts))})
    return "/" + "/".join((ROOT, *parts)).encode().decode("latin-1")


def _body(sent: ApiRequest) -> tuple[BinaryIO, str, str]:
    """Return the body's stream, length in bytes and media type."""
    if sent.file is not None:
        return sent.file[0], str(sent.file[1]), "application/octet-stream"
    if sent.body is None:
        return io.BytesIO(), "", ""
    content = json.dumps(sent.body).encode()
    return io.BytesIO(content), str(len(content)), "application/json"


def _content(response: HttpResponseBase) -> Any:
    content: bytes = getattr(response, "content", b"")
    if "json" not in response.get("Content-Type", ""):
        return content.decode(errors="replace")
    return orjson.loads(content) if content else None
