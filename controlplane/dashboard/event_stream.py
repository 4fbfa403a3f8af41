"""The event stream for pages: a browser cannot send the API's header, but sends its cookie."""

from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from controlplane.dashboard import cookies

PATH = "/live"
STREAM = "/v1/events/stream"
Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]


def for_pages(streams: Application) -> Application:
    """Wrap the ASGI application `streams` so that it also serves the pages of the dashboard."""

    async def serve(scope: Scope, receive: Any, send: Any) -> None:
        is_page = scope["type"] == "http" and scope["path"] == PATH
        await streams(as_api_request(scope) if is_page else scope, receive, send)

    return serve


def as_api_request(scope: Scope) -> Scope:
    """Turn a page's request into one to the API."""
    headers = [(name, value) for name, value in scope["headers"] if name not in (b"authorization", b"cookie")]
    secret = _secret_in(b"; ".join(value for name, value in scope["headers"] if name == b"cookie"))
    if secret:
        headers.append((b"authorization", f"Bearer {secret}".encode("latin-1")))
    return {**scope, "path": STREAM, "raw_path": STREAM.encode(), "headers": headers}


def _secret_in(header: bytes) -> str:
    try:
        cookie = SimpleCookie(header.decode("latin-1")).get(cookies.SESSION)
    except CookieError:
        return ""
    return cookie.value if cookie is not None else ""
