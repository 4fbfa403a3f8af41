"""Download of an image from a web server that a tenant names, without access to internal networks.

kernel/safe_http.py rejects forbidden addresses; settings.IMAGE_IMPORT_PRIVATE_HOSTS are exceptions. Every redirect is
checked like the first address.

A slow server occupies the caller's thread only as long as the caller allows: during a transfer, however slow, the
caller's `check` is called at least every SLICE_S seconds, and ends the transfer by raising.
"""

import logging
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import httpcore
import httpx
from django.conf import settings

from andromede_core.documents.messages import Message, message_of
from controlplane.catalog.errors import ImageSourceFailed, ImageSourceRefused, ImageSourceUnavailable, ImageTooLarge
from controlplane.kernel import safe_http

log = logging.getLogger(__name__)

REDIRECTS_MAX = 3
TIMEOUT = httpx.Timeout(30, connect=10)
SLICE_S = 0.5

Check = Callable[[], None]


def check_url(text: str) -> httpx.URL:
    """Check a URL without the network.

    Raises:
        ImageSourceRefused: not an absolute http(s) URL, or one with a user name or a password.
    """
    try:
        return safe_http.parse_url(text)
    except ValueError as exc:
        raise ImageSourceRefused(field="source_url", reason=message_of(exc)) from exc


class _Stream(httpcore.NetworkStream):
    """A connection whose reads wait in slices, with a call of `check` before each."""

    def __init__(self, stream: httpcore.NetworkStream, check: Check) -> None:
        self._stream = stream
        self._check = check

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read data. Raises ReadTimeout when nothing at all has arrived for `timeout` seconds."""
        ends_at = None if timeout is None else time.monotonic() + timeout
        while True:
            self._check()
            try:
                return self._stream.read(max_bytes, SLICE_S)
            except httpcore.ReadTimeout:
                if ends_at is not None and time.monotonic() >= ends_at:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Start TLS. `timeout` (seconds) limits the whole handshake."""
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout), self._check)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.SyncBackend):
    def __init__(self, check: Check) -> None:
        self._check = check

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        self._check()
        return _Stream(super().connect_tcp(host, port, timeout, local_address, socket_options), self._check)


class _Transport(httpx.HTTPTransport):
    def __init__(self, check: Check) -> None:
        context = ssl.create_default_context()
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore.ConnectionPool(ssl_context=context, network_backend=_Backend(check))


@contextmanager
def fetch(source_url: str, *, check: Check) -> Iterator[Iterator[bytes]]:
    """Yield the bytes of the URL, in chunks as they arrive. An error of `check` ends the transfer.

    Raises (also while the chunks are read):
        ImageSourceRefused: this or a redirect leads to a forbidden address.
        ImageSourceFailed: the server has no such file, or redirects without end.
        ImageSourceUnavailable: the server does not answer, or broke off.
        ImageTooLarge: it announces more than settings.IMAGE_MAX_BYTES.
    """
    url = check_url(source_url)
    try:
        with httpx.Client(timeout=TIMEOUT, trust_env=False, transport=_Transport(check)) as client:
            response = _follow(client, url)
            try:
                yield response.iter_raw()
            finally:
                response.close()
    except httpx.HTTPError as exc:
        log.info("image download from %s failed: %r", url.host, exc)
        raise ImageSourceUnavailable(reason=Message("the connection to the server failed or broke off.")) from exc


def _follow(client: httpx.Client, url: httpx.URL) -> httpx.Response:
    for _ in range(REDIRECTS_MAX + 1):
        response = _get(client, url)
        if not response.has_redirect_location:
            return _checked(response)
        response.close()
        url = check_url(str(url.join(response.headers["Location"])))
    raise ImageSourceFailed(reason=Message("the server redirects more than {limit} times.", limit=REDIRECTS_MAX))


def _get(client: httpx.Client, url: httpx.URL) -> httpx.Response:
    """Return the response of the first of the host's addresses that accepts a connection; its body is not read yet."""
    addresses = _addresses(url)
    for n, address in enumerate(addresses, start=1):
        request = client.build_request("GET", **safe_http.pinned(url, address, {"Accept-Encoding": "identity"}))
        try:
            return client.send(request, stream=True, follow_redirects=False)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            if n == len(addresses):
                raise
    raise ImageSourceUnavailable(reason=Message("the name of the server has no address."))


def _checked(response: httpx.Response) -> httpx.Response:
    length = response.headers.get("Content-Length", "")
    try:
        if response.status_code >= 500 or response.status_code == 429:
            raise ImageSourceUnavailable(reason=Message("the server answered {status}.", status=response.status_code))
        if response.status_code != 200:
            raise ImageSourceFailed(reason=Message("the server answered {status}.", status=response.status_code))
        if length.isdecimal() and int(length) > settings.IMAGE_MAX_BYTES:
            raise ImageTooLarge(limit_bytes=settings.IMAGE_MAX_BYTES)
    except BaseException:
        response.close()
        raise
    return response


def _addresses(url: httpx.URL) -> list[safe_http.Address]:
    """Return the addresses of the URL's host.

    Raises:
        ImageSourceRefused: one of its addresses is not public.
        ImageSourceUnavailable: the name cannot be resolved now.
    """
    try:
        return safe_http.addresses(url, private_hosts=settings.IMAGE_IMPORT_PRIVATE_HOSTS)
    except safe_http.Unresolvable as exc:
        raise ImageSourceUnavailable(reason=Message("the name of the server cannot be resolved.")) from exc
    except ValueError as exc:
        raise ImageSourceRefused(field="source_url", reason=message_of(exc)) from exc
