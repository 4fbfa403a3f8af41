"""Send an HTTP request, with further attempts until there is a final answer or no attempt is left.

Every call is safe to repeat: a POST carries an idempotency key, and the API answers the same key with its first answer.
Repeated are: no connection or a lost answer, 429, 502, 503, 504, and a 409 that the API calls retryable (a busy
resource).
"""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, BinaryIO

import httpx

from andromede_sdk import __version__
from andromede_sdk.errors import ApiError, MalformedAnswer, Unreachable, error_of
from andromede_sdk.request import HttpRequest

CHUNK_BYTES = 2**20
CONNECT_LIMIT_S = 10.0


def _sleep(call: HttpRequest, pause_s: float) -> bool:
    time.sleep(pause_s)
    return True


@dataclass(frozen=True)
class Retry:
    """Limits attempts: at most `tries` of one call, within `limit_s` seconds.

    Before each new attempt comes a pause, which doubles from `first_pause_s` to `longest_pause_s`, less a random part;
    longer if the API sends Retry-After. `pause` waits so many seconds; when it returns False there is no further
    attempt.
    """

    tries: int = 6
    first_pause_s: float = 0.5
    longest_pause_s: float = 20.0
    limit_s: float = 120.0
    pause: Callable[[HttpRequest, float], bool] = _sleep

    def pause_s(self, number: int, retry_after_s: float | None) -> float:
        """Return the pause after attempt `number`, counted from 0."""
        longest = min(self.longest_pause_s, self.first_pause_s * 2.0 ** min(number, 16))
        own = longest * random.uniform(0.5, 1.0)
        return max(own, retry_after_s or 0.0)


class Transport:
    """The connection to one control plane with one token."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout_s: float,
        retry: Retry,
        language: str | None,
        verify: bool | ssl.SSLContext,
    ) -> None:
        self.url = url
        self.retry = retry
        headers = {"User-Agent": f"andromede-sdk/{__version__}"}
        if token:
            headers["Authorization"] = f"Bearer {_checked_token(token)}"
        if language:
            headers["Accept-Language"] = language
        limits = httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_LIMIT_S))
        if httpx.URL(url).scheme == "http":
            verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody; loading authorities takes 30 ms
        self.http = httpx.Client(base_url=url, headers=headers, timeout=limits, verify=verify)

    def __repr__(self) -> str:
        return f"Transport({self.url!r})"

    def close(self) -> None:
        self.http.close()

    def send(self, call: HttpRequest) -> httpx.Response:
        """Return the complete answer. Raises ApiError, Unreachable, MalformedAnswer."""
        with self.stream(call) as answer:
            answer.read()
        return answer

    @contextmanager
    def stream(self, call: HttpRequest) -> Iterator[httpx.Response]:
        """Return the answer with an unread body; raises the same errors as `send`."""
        answer = self._answer(call)
        try:
            yield answer
        except httpx.TransportError as exc:
            raise Unreachable(
                f"{call.method} {self.url}{call.path}: the answer broke off ({_exception_text(exc)})."
            ) from exc
        finally:
            answer.close()

    def _answer(self, call: HttpRequest) -> httpx.Response:
        deadline = time.monotonic() + (self.retry.limit_s if call.limit_s is None else call.limit_s)
        start = call.file.tell() if call.file is not None and call.file.seekable() else 0
        for number in range(self.retry.tries):
            if call.file is not None and number > 0:
                call.file.seek(start)
            failure, may_repeat, retry_after_s = self._try(call)
            if isinstance(failure, httpx.Response):
                return failure
            pause_s = self.retry.pause_s(number, retry_after_s)
            is_last = number + 1 == self.retry.tries
            is_late = time.monotonic() + pause_s > deadline
            if not may_repeat or is_last or is_late or not self.retry.pause(call, pause_s):
                raise failure
        raise AssertionError("tries is at least 1")

    def _try(self, call: HttpRequest) -> tuple[httpx.Response | ApiError | Unreachable, bool, float | None]:
        """Make one attempt.

        Returns an answer or a failure, whether another attempt may help, and the pause in seconds that the API
        requests.
        """
        try:
            answer = self.http.send(self._request(call), stream=True)
            if answer.is_success:
                return answer, False, None
            answer.read()
        except httpx.TransportError as exc:
            failure = Unreachable(f"{call.method} {self.url}{call.path}: {_exception_text(exc)}")
            failure.__cause__ = exc
            never_sent = isinstance(exc, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
            return failure, not _is_hopeless(exc) and (never_sent or call.is_repeatable), None
        error = _error(answer)
        return error, _is_worth_repeating(error, call), error.retry_after_s

    def _request(self, call: HttpRequest) -> httpx.Request:
        conditional = {"Idempotency-Key": call.key, "If-Match": call.if_match, "Last-Event-ID": call.last_event_id}
        headers = {name: text for name, text in conditional.items() if text is not None}
        more: dict[str, Any] = {}
        if call.timeout_s is not None:
            more["timeout"] = httpx.Timeout(call.timeout_s, connect=CONNECT_LIMIT_S)
        if call.file is not None:
            headers |= {"Content-Type": "application/octet-stream", "Content-Length": str(_length(call.file))}
            more["content"] = iter(lambda: call.file.read(CHUNK_BYTES), b"")  # type: ignore[union-attr]
        elif call.body is not None:
            more["json"] = call.body
        return self.http.build_request(call.method, call.path, params=call.query, headers=headers, **more)


def checked_url(url: str, *, allow_http: bool) -> str:
    """Return the URL without a slash at its end.

    Over http the token would be sent in clear, so http is for this machine alone, unless it is allowed.
    """
    parsed = httpx.URL(url)
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo or parsed.query:
        raise ValueError(f"{url!r} is not the address of a control plane, such as https://cloud.example.org.")
    if parsed.scheme == "http" and not allow_http and not _is_this_machine(parsed.host):
        raise ValueError(f"{url!r}: the token would travel in the clear. Use https, or allow_http for tests.")
    return url.rstrip("/")


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _checked_token(token: str) -> str:
    token = token.strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("The token has characters that no token has.")
    return token


def _length(file: BinaryIO) -> int:
    """Return the length of the unread part."""
    if not file.seekable():
        raise ValueError("The file must be seekable: its length is announced before it is sent.")
    here = file.tell()
    end = file.seek(0, 2)
    file.seek(here)
    return end - here


def _error(answer: httpx.Response) -> ApiError:
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        if answer.status_code < 400:
            raise MalformedAnswer(f"{answer.url.path} answered {answer.status_code}, which is no answer of this API.")
        problem = {"request_id": answer.headers.get("X-Request-ID", "")}
    return error_of(answer.status_code, problem, retry_after_s=_retry_after_s(answer))


def _retry_after_s(answer: httpx.Response) -> float | None:
    text = answer.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _is_worth_repeating(error: ApiError, call: HttpRequest) -> bool:
    """Return whether another attempt may help.

    A 502 or 504 of a proxy does not show whether the request arrived; a 429, 503 or 409 shows that it was not carried
    out. A problem that excludes another attempt is believed.
    """
    if call.file is not None and not call.file.seekable():
        return False
    if error.status in (502, 504):
        return call.is_repeatable
    if error.status == 503:
        return error.retryable or not error.code
    return error.status == 429 or (error.status == 409 and error.retryable)


def _is_hopeless(exc: BaseException | None) -> bool:
    """Return whether the failure is permanent: an untrusted certificate, or a request that cannot be sent."""
    if isinstance(exc, httpx.LocalProtocolError | httpx.UnsupportedProtocol | ssl.SSLCertVerificationError):
        return True
    return exc is not None and _is_hopeless(exc.__cause__ or exc.__context__)


def _exception_text(exc: Exception) -> str:
    return str(exc) or type(exc).__name__
