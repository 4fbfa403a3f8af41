"""IPv6 in Ethernet frames as bytes: neighbour discovery, DHCPv6, extension headers and fragments."""

import struct
from collections.abc import Sequence
from ipaddress import IPv6Address

from tests.agents.network.frames import IPV6, checksum, ethernet

ALL_NODES, ALL_ROUTERS = IPv6Address("ff02::1"), IPv6Address("ff02::2")
DHCP_SERVERS = IPv6Address("ff02::1:2")
NOWHERE = IPv6Address("::")
HOP_BY_HOP, ROUTING, FRAGMENT, AH, ICMP, OPTIONS, UDP = 0, 43, 44, 51, 58, 60, 17
SOURCE_MAC, TARGET_MAC = 1, 2
CHECKSUMS = {ICMP: 2, 6: 16}  # by protocol, the place that `ipv6` fills; UDP needs none in these tests


def ipv6(
    mac: str,
    source: IPv6Address,
    destination: IPv6Address,
    *,
    protocol: int,
    body: bytes,
    headers: Sequence[tuple[int, bytes]] = (),
    length: int | None = None,
    to: str = "",
) -> bytes:
    """Return a frame. `headers`: numbers of extension headers, each with its content after the next header's number.

    `length` of the payload, if it is to differ from the true one.
    """
    if offset := CHECKSUMS.get(protocol):
        pseudo = source.packed + destination.packed + struct.pack("!II", len(body), protocol)
        body = body[:offset] + struct.pack("!H", checksum(pseudo + body)) + body[offset + 2 :]
    protocols = [*(number for number, _ in headers), protocol]
    chain = b"".join(bytes([after]) + content for after, (_, content) in zip(protocols[1:], headers, strict=True))
    payload = chain + body
    head = struct.pack("!IHBB", 6 << 28, len(payload) if length is None else length, protocols[0], 255)
    group = "33:33:" + ":".join(f"{octet:02x}" for octet in destination.packed[-4:])
    return ethernet(mac, to or group, IPV6, head + source.packed + destination.packed + payload)


def options(length: int = 8) -> tuple[int, bytes]:
    """Return a header of destination options, padded to `length` bytes."""
    return OPTIONS, bytes([length // 8 - 1, 1, length - 4]) + bytes(length - 4)


def hop_by_hop() -> tuple[int, bytes]:
    """Return a header of hop-by-hop options: an alert for routers, as multicast listeners send it."""
    return HOP_BY_HOP, bytes([0, 5, 2, 0, 0, 1, 0])


def routing() -> tuple[int, bytes]:
    return ROUTING, bytes([0, 253, 0]) + bytes(4)


def authentication() -> tuple[int, bytes]:
    return AH, bytes([4, 0, 0]) + bytes(20)


def fragment(*, offset: int = 0, more: bool = True) -> tuple[int, bytes]:
    """Return a fragment header; `offset` in bytes."""
    return FRAGMENT, bytes([0]) + struct.pack("!HI", offset | more, 7)


def unknown(number: int) -> tuple[int, bytes]:
    """Return an extension header that the kernel does not follow."""
    return number, bytes(7)


def icmp(kind: int, content: bytes = bytes(4)) -> bytes:
    """Return a message, into which `ipv6` writes its checksum."""
    return struct.pack("!BBH", kind, 0, 0) + content


def router_advertisement() -> bytes:
    return icmp(134, struct.pack("!BBHII", 64, 0, 1800, 0, 0))


def solicitation(target: IPv6Address, *, mac: str = "") -> bytes:
    return icmp(135, bytes(4) + target.packed + _link(SOURCE_MAC, mac))


def advertisement(target: IPv6Address, *, mac: str = "", flags: int = 0x20) -> bytes:
    return icmp(136, bytes([flags, 0, 0, 0]) + target.packed + _link(TARGET_MAC, mac))


def redirect(target: IPv6Address, destination: IPv6Address) -> bytes:
    return icmp(137, bytes(4) + target.packed + destination.packed)


def udp(source: int, destination: int, text: bytes = b"text") -> bytes:
    return struct.pack("!HHHH", source, destination, 8 + len(text), 0) + text


def _link(kind: int, mac: str) -> bytes:
    return bytes([kind, 1]) + bytes.fromhex(mac.replace(":", "")) if mac else b""
