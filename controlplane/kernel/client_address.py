"""Address of the client of a request."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

UNIX = "unix"


def client_address(request: HttpRequest) -> str | None:
    """Return the address of the client, or None for a Unix socket.

    X-Forwarded-For counts only as far as trusted proxies wrote it: the last address in it that belongs to no trusted
    proxy is the client's.
    """
    meta = request.META
    address = _parsed(str(meta.get("REMOTE_ADDR", "")))
    if not _is_trusted(address):
        return str(address) if address is not None else None
    for text in reversed(str(meta.get("HTTP_X_FORWARDED_FOR", "")).split(",")):
        before = _parsed(text.strip())
        if before is None:
            break
        address = before
        if not _is_trusted(address):
            break
    return str(address) if address is not None else None


def _is_trusted(address: IPv4Address | IPv6Address | None) -> bool:
    """Return True for a trusted proxy; a peer without an address came through a Unix socket of this machine."""
    if address is None:
        return UNIX in settings.TRUSTED_PROXIES
    return any(address in ip_network(each, strict=False) for each in settings.TRUSTED_PROXIES if each != UNIX)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
