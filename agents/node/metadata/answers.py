"""Answers to guests: the token first, then the pages of the guest that asks. Pure.

The protocol is that of EC2's instance metadata service, version 2, which cloud-init and many tools know: a PUT gets a
token, and each GET shows it. A request that a program in the guest forwards for somebody else, or makes because it was
given an address, can do neither.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from agents.node.metadata.channel import Guest

TOKEN_PATH = "/latest/api/token"
TTL_HEADER = "x-aws-ec2-metadata-token-ttl-seconds"
TOKEN_HEADER = "x-aws-ec2-metadata-token"
FORWARDED = ("x-forwarded-for", "forwarded", "via")
MAX_TTL_S = 21_600
_VERSION = re.compile(r"\A/\d{4}-\d{2}-\d{2}(?=/|\Z)")
_TTL = re.compile(r"[0-9]{1,5}")
_TOKEN = re.compile(r"([0-9]{1,20})-([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Request:
    """A request. `headers`: with names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    status: HTTPStatus
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Tokens:
    """Tokens that are valid for one sender until they expire; nothing is stored. Another secret ends them all."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def issue(self, sender: str, *, until_s: int) -> str:
        return f"{until_s}-{self._code(sender, until_s)}"

    def is_valid(self, token: str, sender: str, *, now_s: float) -> bool:
        match = _TOKEN.fullmatch(token)
        if match is None or int(match[1]) <= now_s:
            return False
        return hmac.compare_digest(match[2], self._code(sender, int(match[1])))

    def _code(self, sender: str, until_s: int) -> str:
        return hmac.new(self._secret, f"{until_s} {sender}".encode(), "sha256").hexdigest()


def answer(request: Request, guest: Guest | None, sender: str, tokens: Tokens, *, now_s: float) -> Response:
    """Answer a request of the guest; None: the sender is no guest with metadata. `sender`: its network and address."""
    if guest is None:
        return _refusal(HTTPStatus.NOT_FOUND, "This address has no metadata.")
    if any(name in request.headers for name in FORWARDED):
        return _refusal(HTTPStatus.FORBIDDEN, "Forwarded requests are refused.")
    path = request.path.partition("?")[0].rstrip("/")
    if path == TOKEN_PATH:
        return _token(request, sender, tokens, now_s=now_s)
    if request.method not in ("GET", "HEAD"):
        return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, "Use GET.", Allow="GET, HEAD")
    if guest.needs_token and not tokens.is_valid(request.headers.get(TOKEN_HEADER, ""), sender, now_s=now_s):
        return _refusal(HTTPStatus.UNAUTHORIZED, f"PUT {TOKEN_PATH} first, and send the token as {TOKEN_HEADER}.")
    page = guest.pages.get(_VERSION.sub("/latest", path, count=1))
    if page is None:
        return _refusal(HTTPStatus.NOT_FOUND, "There is no such page.")
    return Response(HTTPStatus.OK, page.encode("latin-1"))


def _token(request: Request, sender: str, tokens: Tokens, *, now_s: float) -> Response:
    if request.method != "PUT":
        return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, "Use PUT.", Allow="PUT")
    ttl = request.headers.get(TTL_HEADER, "")
    if not _TTL.fullmatch(ttl) or not 1 <= int(ttl) <= MAX_TTL_S:
        return _refusal(HTTPStatus.BAD_REQUEST, f"Send {TTL_HEADER}, from 1 to {MAX_TTL_S}.")
    token = tokens.issue(sender, until_s=int(now_s) + int(ttl))
    return Response(HTTPStatus.OK, token.encode(), {TTL_HEADER: ttl})


def _refusal(status: HTTPStatus, text: str, **headers: str) -> Response:
    return Response(status, f"{text}\n".encode(), headers)
