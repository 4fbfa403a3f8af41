"""Requests to servers that tenants name, without lending the tenant our place in the network.

A host that resolves to a loopback, private, link-local or other special address is refused, unless the operator listed
its name. The connection goes to the very address that was checked, so a name that resolves differently a moment later
gains nothing.
"""

import ipaddress
import socket
from collections.abc import Collection, Mapping
from typing import TypedDict

import httpx

from andromede_core.documents.messages import Reason, either

URL_MAX = 2000
# IANA gives IPv6 unicast out of this block; in it and in IPv4, these are special, and not all Pythons know it:
# protocol assignments, Teredo and 6to4, which stand for IPv4 addresses, and documentation.
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
    """What can be said of a URL without the network; raises ValueError with the reason."""
    if len(text) > URL_MAX:
        raise ValueError(Reason("the URL is longer than {limit} characters.", limit=URL_MAX))
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as exc:
        raise ValueError(Reason("it is not a URL.")) from exc
    if url.scheme not in schemes or not url.host:
        raise ValueError(Reason("it must begin with {known}.", known=either(*(f"{each}://" for each in schemes))))
    if url.userinfo:
        raise ValueError(Reason("the URL holds a user name or a password."))
    return url


def addresses(url: httpx.URL, *, private_hosts: Collection[str]) -> list[Address]:
    """Where the URL's host is.

    Raises:
        ValueError: one of its addresses is not public, or it is no name; with the reason.
        Unresolvable
    """
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        answers = socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    except OSError as exc:
        raise Unresolvable(url.host) from exc
    except UnicodeError as exc:
        raise ValueError(Reason("the name of the server is not a valid one.")) from exc
    found = [ipaddress.ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers]
    if url.host not in private_hosts and not all(map(is_public, found)):
        raise ValueError(Reason("{host} is not on the public internet.", host=url.host))
    return found


def pinned(url: httpx.URL, address: Address, headers: Mapping[str, str]) -> Pinned:
    """To this address, with the name that the URL has in Host and in TLS."""
    return {
        "url": url.copy_with(host=str(address)),
        "headers": {"Host": url.netloc.decode(), "User-Agent": "andromede", **headers},
        "extensions": {"sni_hostname": url.host},
    }


def is_public(address: Address) -> bool:
    """Whether it is a unicast address of the internet; one that stands for an IPv4 address is judged by that one."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address not in UNICAST:
            return False
    is_special = address.is_multicast or address.is_reserved or any(address in network for network in SPECIAL)
    return address.is_global and not is_special
