"""IPv4 as bytes: packets with options, fragments and wrong headers, and what is in them."""

import struct
from ipaddress import IPv4Address
from typing import Any

from tests.agents.network import frames

ICMP, IGMP, IP_IN_IP, TCP, UDP, SIX_IN_FOUR, GRE, ESP, AH, OSPF, PIM, VRRP, SCTP = (
    *(1, 2, 4, 6, 17, 41, 47, 50, 51, 89, 103, 112, 132),
)
FIN, SYN, RST, PSH, ACK, URG = (1 << bit for bit in range(6))
MORE, DONT = 0x2000, 0x4000  # flags of fragments


def packet(
    source: IPv4Address,
    target: IPv4Address,
    *,
    protocol: int = UDP,
    body: bytes = b"",
    options: bytes = b"",
    ttl: int = 64,
    fragment: int = 0,
    version: int = 4,
    words: int | None = None,
    length: int | None = None,
) -> bytes:
    """Return a packet. `fragment`: flags, and the offset in units of eight bytes.

    `words` of the header and `length` of the packet, if they are to differ from the true ones.
    """
    if protocol == TCP:
        pseudo = source.packed + target.packed + struct.pack("!HH", TCP, len(body))
        body = body[:16] + struct.pack("!H", frames.checksum(pseudo + body)) + body[18:]
    options = options.ljust(-(-len(options) // 4) * 4, b"\0")
    header = 20 + len(options)
    first = version << 4 | (header // 4 if words is None else words)
    total = header + len(body) if length is None else length
    head = struct.pack("!BBHHHBBH", first, 0, total, 7, fragment, ttl, protocol, 0)
    head += source.packed + target.packed + options
    return head[:10] + struct.pack("!H", frames.checksum(head)) + head[12:] + body


def udp(source: int, destination: int, text: bytes = b"some text of a datagram") -> bytes:
    return struct.pack("!HHHH", source, destination, 8 + len(text), 0) + text


def tcp(source: int, destination: int, flags: int, text: bytes = b"") -> bytes:
    """Return a segment, into which `packet` writes its checksum."""
    return struct.pack("!HHIIBBHHH", source, destination, 1, 1, 5 << 4, flags, 1024, 0, 0) + text


def icmp(kind: int, code: int = 0, content: bytes = b"some text of a message") -> bytes:
    head = struct.pack("!BBHI", kind, code, 0, 0)
    return head[:2] + struct.pack("!H", frames.checksum(head + content)) + head[4:] + content


def route(kind: int, *hops: IPv4Address) -> bytes:
    """Return an option with addresses: 7 records the route, 131 and 137 prescribe it."""
    return bytes([kind, 3 + 4 * len(hops), 4]) + b"".join(hop.packed for hop in hops)


def dhcp(
    source: IPv4Address,
    target: IPv4Address,
    *,
    client: str,
    operation: int = 1,
    ports: tuple[int, int] = (68, 67),
    **fields: Any,
) -> bytes:
    """Return a packet with the fields of DHCP that firewalls check."""
    message = struct.pack("!BBBB", operation, 1, 6, 0) + bytes(24) + bytes.fromhex(client.replace(":", ""))
    return packet(source, target, body=udp(*ports, message.ljust(300, b"\0")), **fields)


def framed(mac: str, content: bytes, to: str = frames.BROADCAST) -> bytes:
    return frames.ethernet(mac, to, frames.IPV4, content)


def arp(
    mac: str,
    sender: tuple[str, IPv4Address],
    target: tuple[str, IPv4Address],
    *,
    operation: int = 1,
    hardware: int = 1,
    protocol: int = frames.IPV4,
    lengths: tuple[int, int] = (6, 4),
    ethertype: int = frames.ARP,
    to: str = frames.BROADCAST,
) -> bytes:
    """Return a message of ARP, or of RARP by its ethertype, with the MAC and IP addresses of sender and target."""
    head = struct.pack("!HHBBH", hardware, protocol, *lengths, operation)
    ends = b"".join(bytes.fromhex(each.replace(":", "")) + address.packed for each, address in (sender, target))
    return frames.ethernet(mac, to, ethertype, head + ends)


def announcement(mac: str) -> bytes:
    """Return what QEMU announces after a migration (RARP, RFC 903)."""
    nobody = (mac, IPv4Address(0))
    return arp(mac, nobody, nobody, operation=3, ethertype=frames.RARP)
