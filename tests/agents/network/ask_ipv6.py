"""A program that asks a router and a DHCPv6 server on a device, and prints their options as JSON.

ask_ipv6.py DEVICE
"""

import errno
import json
import socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv6Address
from pathlib import Path

ROUTERS, DHCP_SERVERS = "ff02::2", "ff02::1:2"
SOLICITATION, ADVERTISEMENT, DNSSL = 133, 134, 31  # RFC 4861, RFC 8106
INFORMATION_REQUEST, REPLY, CLIENT_ID, REQUESTED = 11, 7, 1, 6  # RFC 8415
DOMAINS, SNTP, NTP, NTP_ADDRESS = 24, 31, 56, 1  # RFC 3646, RFC 4075, RFC 5908
TIMEOUT_S = 10
RETRANSMISSION_S = 1  # of both messages, which can be lost as any (RFC 4861 §6.3.7, RFC 8415 §15)


def advertised(device: str) -> Iterator[tuple[int, bytes]]:
    """Yield the options of the router advertisement that answers a solicitation."""
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as raw:
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        target = (ROUTERS, 0, 0, socket.if_nametoindex(device))
        rest = _answer(raw, struct.pack("!BBHI", SOLICITATION, 0, 0, 0), target, kind=ADVERTISEMENT)[16:]
    while rest:
        kind, length = rest[0], 8 * rest[1]
        yield kind, rest[2:length]
        rest = rest[length:]


def answered(device: str) -> Iterator[tuple[int, bytes]]:
    """Yield the options of the answer to an information request."""
    own = b"\0\3\0\1" + bytes.fromhex(Path(f"/sys/class/net/{device}/address").read_text().replace(":", ""))
    requested = struct.pack("!3H", DOMAINS, SNTP, NTP)
    body = _option(CLIENT_ID, own) + _option(REQUESTED, requested) + _option(8, b"\0\0")
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
        udp.bind(("::", 546))
        target = (DHCP_SERVERS, 547, 0, socket.if_nametoindex(device))
        rest = _answer(udp, bytes([INFORMATION_REQUEST, 1, 2, 3]) + body, target, kind=REPLY)[4:]
    yield from _options(rest)


def _answer(asking: socket.socket, message: bytes, target: tuple[str, int, int, int], *, kind: int) -> bytes:
    """Send the message until an answer of this kind has come. Raises TimeoutError."""
    until = time.monotonic() + TIMEOUT_S
    asking.settimeout(RETRANSMISSION_S)
    while time.monotonic() < until:
        _send(asking, message, target, until=until)
        send_next_at = time.monotonic() + RETRANSMISSION_S
        with suppress(TimeoutError):
            while time.monotonic() < send_next_at:
                answer = asking.recv(2048)
                if answer[:1] == bytes([kind]):
                    return answer
    raise TimeoutError(f"no answer of the kind {kind}")


def _send(asking: socket.socket, message: bytes, target: tuple[str, int, int, int], *, until: float) -> None:
    """Send as soon as the kernel has given the device its link-local address, and until then cannot."""
    while True:
        try:
            asking.sendto(message, target)
        except OSError as exc:
            if exc.errno not in (errno.EINVAL, errno.EADDRNOTAVAIL, errno.ENETUNREACH) or time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def _option(kind: int, content: bytes) -> bytes:
    return struct.pack("!HH", kind, len(content)) + content


def _options(rest: bytes) -> Iterator[tuple[int, bytes]]:
    while rest:
        kind, length = struct.unpack("!HH", rest[:4])
        yield kind, rest[4 : 4 + length]
        rest = rest[4 + length :]


def names(data: bytes) -> list[str]:
    """Return the names (RFC 1035, without compression); zeros after them are padding."""
    found, labels = [], []
    while data:
        length, data = data[0], data[1:]
        labels, data = [*labels, data[:length].decode()], data[length:]
        if not length:
            found.append(".".join(labels[:-1]))
            labels = []
    return [name for name in found if name]


def addresses(data: bytes) -> list[str]:
    return [str(IPv6Address(data[at : at + 16])) for at in range(0, len(data), 16)]


if __name__ == "__main__":
    options, of_router = dict(answered(sys.argv[1])), dict(advertised(sys.argv[1]))
    ntp = [addresses(content) for kind, content in _options(options.get(NTP, b"")) if kind == NTP_ADDRESS]
    answer = {
        "search": names(options.get(DOMAINS, b"")),
        "sntp": addresses(options.get(SNTP, b"")),
        "ntp": [address for each in ntp for address in each],
        "advertised_search": names(of_router.get(DNSSL, bytes(6))[6:]),
    }
    print(json.dumps(answer))
