"""Fetch an image from a web server that a tenant named, without lending the tenant our place in the network.

Where we do not go is decided by kernel.outbound; settings.IMAGE_IMPORT_PRIVATE_HOSTS are exceptions. Every redirect is
checked like the first address.
"""

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from django.conf import settings

from controlplane.catalog.errors import ImageSourceFailed, ImageSourceRefused, ImageSourceUnavailable, ImageTooLarge
from controlplane.kernel import outbound
from controlplane.kernel.reasons import Reason, told_by

log = logging.getLogger(__name__)

REDIRECTS_MAX = 3
TIMEOUT = httpx.Timeout(30, connect=10)
CHUNK_BYTES = 2**20


def check_url(text: str) -> httpx.URL:
    """What can be said of a URL without the network.

    Raises:
        ImageSourceRefused: not an absolute http(s) URL, or one with a user name or a password.
    """
    try:
        return outbound.parse_url(text)
    except ValueError as exc:
        raise ImageSourceRefused(field="source_url", reason=told_by(exc)) from exc


@contextmanager
def fetch(source_url: str) -> Iterator[Iterator[bytes]]:
    """The bytes behind the URL, in chunks.

    Raises (also while the chunks are read):
        ImageSourceRefused: this or a redirect leads where we do not go.
        ImageSourceFailed: the server has no such file, or redirects without end.
        ImageSourceUnavailable: the server does not answer, or broke off.
        ImageTooLarge: it announces more than settings.IMAGE_MAX_BYTES.
    """
    url = check_url(source_url)
    try:
        with httpx.Client(timeout=TIMEOUT, trust_env=False, verify=ssl.create_default_context()) as client:
            response = _follow(client, url)
            try:
                yield response.iter_raw(CHUNK_BYTES)
            finally:
                response.close()
    except httpx.HTTPError as exc:
        log.info("fetching an image from %s: %r", url.host, exc)
        raise ImageSourceUnavailable(reason=Reason("the connection to the server failed or broke off.")) from exc


def _follow(client: httpx.Client, url: httpx.URL) -> httpx.Response:
    for _ in range(REDIRECTS_MAX + 1):
        response = _get(client, url)
        if not response.has_redirect_location:
            return _checked(response)
        response.close()
        url = check_url(str(url.join(response.headers["Location"])))
    raise ImageSourceFailed(reason=Reason("the server redirects more than {limit} times.", limit=REDIRECTS_MAX))


def _get(client: httpx.Client, url: httpx.URL) -> httpx.Response:
    """The answer of the first of the host's addresses that takes the connection; its body is still to be read."""
    addresses = _addresses(url)
    for n, address in enumerate(addresses, start=1):
        request = client.build_request("GET", **outbound.pinned(url, address, {"Accept-Encoding": "identity"}))
        try:
            return client.send(request, stream=True, follow_redirects=False)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            if n == len(addresses):
                raise
    raise ImageSourceUnavailable(reason=Reason("the name of the server has no address."))


def _checked(response: httpx.Response) -> httpx.Response:
    length = response.headers.get("Content-Length", "")
    try:
        if response.status_code >= 500 or response.status_code == 429:
            raise ImageSourceUnavailable(reason=Reason("the server answered {status}.", status=response.status_code))
        if response.status_code != 200:
            raise ImageSourceFailed(reason=Reason("the server answered {status}.", status=response.status_code))
        if length.isdecimal() and int(length) > settings.IMAGE_MAX_BYTES:
            raise ImageTooLarge(limit_bytes=settings.IMAGE_MAX_BYTES)
    except BaseException:
        response.close()
        raise
    return response


def _addresses(url: httpx.URL) -> list[outbound.Address]:
    """Where the URL's host is.

    Raises:
        ImageSourceRefused: one of its addresses is not public.
        ImageSourceUnavailable: the name cannot be resolved now.
    """
    try:
        return outbound.addresses(url, private_hosts=settings.IMAGE_IMPORT_PRIVATE_HOSTS)
    except outbound.Unresolvable as exc:
        raise ImageSourceUnavailable(reason=Reason("the name of the server cannot be resolved.")) from exc
    except ValueError as exc:
        raise ImageSourceRefused(field="source_url", reason=told_by(exc)) from exc
