"""Fetch an image from a web server that a tenant named, without lending the tenant our place in the network.

A host that resolves to a loopback, private, link-local or other special address is refused, unless the operator listed
its name in settings.IMAGE_IMPORT_PRIVATE_HOSTS. The connection goes to the very address that was checked, so a name
that resolves differently a moment later gains nothing. Every redirect is checked like the first address.
"""

import ipaddress
import logging
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from django.conf import settings

from controlplane.catalog.errors import ImageSourceFailed, ImageSourceRefused, ImageSourceUnavailable, ImageTooLarge
from controlplane.kernel.reasons import Reason

log = logging.getLogger(__name__)

URL_MAX = 2000
REDIRECTS_MAX = 3
TIMEOUT = httpx.Timeout(30, connect=10)
CHUNK_BYTES = 2**20
# IANA gives IPv6 unicast out of this block; in it and in IPv4, these are special, and not all Pythons know it:
# protocol assignments, Teredo and 6to4, which stand for IPv4 addresses, and documentation.
UNICAST = ipaddress.IPv6Network("2000::/3")
SPECIAL = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "2001::/23", "2002::/16", "3fff::/20")))

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_url(text: str) -> httpx.URL:
    """What can be said of a URL without the network.

    Raises:
        ImageSourceRefused: not an absolute http(s) URL, or one with a user name or a password.
    """
    if len(text) > URL_MAX:
        raise ImageSourceRefused(
            field="source_url", reason=Reason("the URL is longer than {limit} characters.", limit=URL_MAX)
        )
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as exc:
        raise ImageSourceRefused(field="source_url", reason=Reason("it is not a URL.")) from exc
    if url.scheme not in ("http", "https") or not url.host:
        raise ImageSourceRefused(field="source_url", reason=Reason("only http:// and https:// URLs are fetched."))
    if url.userinfo:
        raise ImageSourceRefused(field="source_url", reason=Reason("the URL holds a user name or a password."))
    return url


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
        request = client.build_request(
            "GET",
            url.copy_with(host=str(address)),
            headers={"Host": url.netloc.decode(), "Accept-Encoding": "identity", "User-Agent": "andromede"},
            extensions={"sni_hostname": url.host},
        )
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


def _addresses(url: httpx.URL) -> list[Address]:
    """Where the URL's host is.

    Raises:
        ImageSourceRefused: one of its addresses is not public.
        ImageSourceUnavailable: the name cannot be resolved now.
    """
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        answers = socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    except OSError as exc:
        raise ImageSourceUnavailable(reason=Reason("the name of the server cannot be resolved.")) from exc
    except UnicodeError as exc:
        raise ImageSourceRefused(
            field="source_url", reason=Reason("the name of the server is not a valid one.")
        ) from exc
    addresses = [ipaddress.ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers]
    if url.host not in settings.IMAGE_IMPORT_PRIVATE_HOSTS and not all(map(is_public, addresses)):
        raise ImageSourceRefused(
            field="source_url", reason=Reason("{host} is not on the public internet.", host=url.host)
        )
    return addresses


def is_public(address: Address) -> bool:
    """Whether it is a unicast address of the internet; one that stands for an IPv4 address is judged by that one."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address not in UNICAST:
            return False
    is_special = address.is_multicast or address.is_reserved or any(address in network for network in SPECIAL)
    return address.is_global and not is_special
