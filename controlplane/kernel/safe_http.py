"""Requests to servers that tenants name, without access to internal networks (SSRF).

A host that resolves to a loopback, private, link-local or other special address is rejected, unless the operator listed
its name. The connection goes to the very address that was checked, so a name that resolves differently a moment later
gains nothing.
"""

import ipaddress
import socket
from collections.abc import Collection, Mapping
from typing import TypedDict

import httpx

from andromede_core.documents.messages import Message, either

URL_MAX = 2000
# IANA assigns IPv6 unicast from this block; the listed networks in it and in IPv4 are special, and not all versions of
# Python know it: protocol assignments, Teredo and 6to4, which stand for IPv4 addresses, and documentation.
UNICAST = ipaddress.IPv6Network("2000::/3")
SPECIAL = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "2001::/23", "2002::/16", "3fff::/20")))

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Unresolvable(OSError):
    """The name has no address now."""


class Pinned(TypedDict):
    """Arguments of httpx' build_request."""

    url: httpx.URL
    headers: dict[str, str]
    extensions: dict[str, str]


def parse_url(text: str, *, schemes: Collection[str] = ("http", "https")) -> httpx.URL:
    """Check and parse a URL without the network; raises ValueError with the reason."""
    if len(text) > URL_MAX:
        raise ValueError(Message("the URL is longer than {limit} characters.", limit=URL_MAX))
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as exc:
        raise ValueError(Message("it is not a URL.")) from exc
    if url.scheme not in schemes or not url.host:
        raise ValueError(Message("it must begin with {known}.", known=either(*(f"{each}://" for each in schemes))))
    if url.userinfo:
        raise ValueError(Message("the URL holds a user name or a password."))
    return url


def addresses(url: httpx.URL, *, private_hosts: Collection[str]) -> list[Address]:
    """Return the addresses of the URL's host.

    Raises:
        ValueError: one of the addresses is not public, or the host is no valid name; with the reason.
        Unresolvable
    """
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        answers = socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    except OSError as exc:
        raise Unresolvable(url.host) from exc
    except UnicodeError as exc:
        raise ValueError(Message("the name of the server is not a valid one.")) from exc
    resolved = [ipaddress.ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers]
    if url.host not in private_hosts and not all(map(is_public, resolved)):
        raise ValueError(Message("{host} is not on the public internet.", host=url.host))
    return resolved


def pinned(url: httpx.URL, address: Address, headers: Mapping[str, str]) -> Pinned:
    """Return the arguments for a request to this address, with the URL's host name in Host and in TLS."""
    return {
        "url": url.copy_with(host=str(address)),
        "headers": {"Host": url.netloc.decode(), "User-Agent": "andromede", **headers},
        "extensions": {"sni_hostname": url.host},
    }


def is_public(address: Address) -> bool:
    """Return True for a unicast address of the internet; an address that stands for an IPv4 address is judged by the
    latter.
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address not in UNICAST:
            return False
    is_special = address.is_multicast or address.is_reserved or any(address in network for network in SPECIAL)
    return address.is_global and not is_special
