"""One request to a receiver. Receivers are untrusted: they may be slow, lie, or redirect."""

import asyncio
import logging
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from django.conf import settings

from controlplane.kernel import safe_http
from controlplane.webhooks import resolver

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """Outcome of a request.

    `error`: empty, or one of `refused` (an address to which we do not send), `unreachable` (no connection, or no secure
    one), `timeout` and `status` (a response that is no 2xx).
    """

    status_code: int | None
    duration_ms: int
    error: str = ""

    @property
    def is_receiver_down(self) -> bool:
        """Return True if the receiver is in trouble and would not accept another event either."""
        return self.error in ("unreachable", "timeout") or (self.status_code or 0) >= 500 or self.status_code == 429


def post(url: str, *, headers: Mapping[str, str], body: bytes) -> Outcome:
    """Send a request, which takes WEBHOOK_TIMEOUT_S at most. Only the status of the response is read."""
    started = time.monotonic()
    status_code, error = None, ""
    try:
        status_code = asyncio.run(_post(url, headers, body))
        error = "" if 200 <= status_code < 300 else "status"
    except TimeoutError:
        error = "timeout"
    except (safe_http.Unresolvable, httpx.HTTPError, ssl.SSLError, OSError):
        error = "unreachable"
    except (ValueError, httpx.InvalidURL):
        error = "refused"
    return Outcome(status_code, int((time.monotonic() - started) * 1000), error)


async def _post(url: str, headers: Mapping[str, str], body: bytes) -> int:
    async with asyncio.timeout(settings.WEBHOOK_TIMEOUT_S):
        schemes = ("https", "http") if settings.IS_WEBHOOK_HTTP_ALLOWED else ("https",)
        parsed = safe_http.parse_url(url, schemes=schemes)
        allowed = settings.WEBHOOK_PRIVATE_HOSTS
        addresses = await resolver.addresses(parsed, private_hosts=allowed)
        tls = ssl.create_default_context()
        async with httpx.AsyncClient(timeout=None, trust_env=False, verify=tls) as client:
            return await _first_that_connects(client, parsed, addresses, headers, body)


async def _first_that_connects(
    client: httpx.AsyncClient,
    url: httpx.URL,
    addresses: list[safe_http.Address],
    headers: Mapping[str, str],
    body: bytes,
) -> int:
    """Return the status from the first address that connects. Redirects are not followed, and the body is not read."""
    for number, address in enumerate(addresses, start=1):
        request = client.build_request("POST", content=body, **safe_http.pinned(url, address, headers))
        try:
            answer = await client.send(request, stream=True, follow_redirects=False)
        except httpx.ConnectError:
            if number == len(addresses):
                raise
        else:
            await answer.aclose()
            return answer.status_code
    raise safe_http.Unresolvable(url.host)
