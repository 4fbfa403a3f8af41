"""Ids, addresses, ranges and MAC addresses in signed network documents. Standard library only."""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from uuid import UUID

from andromede_core.documents.messages import Message
from andromede_core.documents.parsing import as_text, refuse

MAC = re.compile(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}")  # an odd second digit would be a multicast address

SEGMENT_MAC = "06"  # first byte of the MAC addresses of routers between nodes; no port has one

IPV6_PREFIX = 64  # of a subnet

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
DOMAIN_LENGTH = 253  # RFC 1035: 255 bytes, with one before each label and one at the end


def as_id(value: object, at: str) -> str:
    """Check that the value is a UUID in its canonical form."""
    text = as_text(value, at)
    try:
        if str(UUID(text)) == text:
            return text
    except ValueError:
        pass
    refuse(at, Message("must be an id"))


def as_label(value: object, at: str) -> str:
    """Check that the value is a DNS label in lower case (RFC 1035)."""
    text = as_text(value, at)
    if not LABEL.fullmatch(text):
        refuse(at, Message("must be a DNS label in lower case"))
    return text


def as_domain(value: object, at: str) -> str:
    """Check that the value is a domain name in lower case, of labels as host names have them (RFC 1123)."""
    text = as_text(value, at, limit=DOMAIN_LENGTH)
    if not all(LABEL.fullmatch(label) for label in text.split(".")):
        refuse(at, Message("must be a domain name in lower case, without a dot at the end"))
    return text


def as_mac(value: object, at: str) -> str:
    """Check that the value is a unicast MAC address in lower-case hex with colons."""
    text = as_text(value, at)
    if not MAC.fullmatch(text):
        refuse(at, Message("must be a unicast MAC address in lower-case hex with colons"))
    return text


def as_address(value: object, at: str) -> IPv4Address | IPv6Address:
    """Parse a unicast address of either family, without a scope."""
    text = as_text(value, at)
    try:
        address = ip_address(text)
    except ValueError:
        refuse(at, Message("must be an IP address"))
    if address.is_multicast or address.is_unspecified or "%" in text:
        refuse(at, Message("must be a unicast address"))
    return address


def as_network(value: object, at: str) -> IPv4Network | IPv6Network:
    """Parse a range of either family, with its first address."""
    text = as_text(value, at)
    try:
        return ip_network(text)
    except ValueError:
        refuse(at, Message("must be an IP range with its first address"))
