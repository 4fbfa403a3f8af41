"""Ethernet frames as bytes, and a program that sends or captures them in the namespace it is started in.

frames.py send DEVICE HEX...        one frame after the other
frames.py flood DEVICE COUNT HEX... the frames in turn, so many in all
frames.py connect DEVICE COUNT HEX  the first segment of a TCP connection, from so many source ports
frames.py datagram HOST PORT HEX    one UDP datagram, by the usual way
frames.py capture DEVICE LAST_HEX   prints "ready", then each frame that arrives, as hex, up to the one with LAST_HEX
frames.py deliveries - LAST_HEX     the same for IP packets that the host itself accepts
"""

import select
import socket
import struct
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address
from itertools import cycle, islice

BROADCAST = "ff:ff:ff:ff:ff:ff"
IPV4, ARP, RARP, IPV6 = 0x0800, 0x0806, 0x8035, 0x86DD
EVERYBODY = IPv4Address("255.255.255.255")
TIMEOUT_S = 10
PROTOCOLS = (1, 2, 4, 6, 17, 41, 47, 50)  # whose packets a host's raw sockets get
PROTOCOLS6 = (6, 17, 58)
_SOL_PACKET, _PACKET_AUXDATA, _SO_RCVBUFFORCE = 263, 8, 33
_AUXDATA, _VLAN_VALID = struct.Struct("=IIIHHHH"), 1 << 4
_BUFFER = 1 << 26


def ethernet(source: str, destination: str, ethertype: int, payload: bytes) -> bytes:
    return _mac(destination) + _mac(source) + struct.pack("!H", ethertype) + payload.ljust(46, b"\0")


def arp(mac: str, ip: IPv4Address, target: IPv4Address) -> bytes:
    """Return a broadcast ARP request."""
    head = struct.pack("!HHBBH", 1, IPV4, 6, 4, 1)
    return ethernet(mac, BROADCAST, ARP, head + _mac(mac) + ip.packed + bytes(6) + target.packed)


def udp(
    mac: str,
    ip: IPv4Address,
    *,
    ports: tuple[int, int],
    text: bytes = b"",
    to: str = BROADCAST,
    target: IPv4Address = EVERYBODY,
) -> bytes:
    """Return a datagram, by default a broadcast."""
    datagram = struct.pack("!HHHH", *ports, 8 + len(text), 0) + text
    return ethernet(mac, to, IPV4, _ipv4(ip, target, datagram))


def dhcp(mac: str, ip: IPv4Address, *, client: str, to: str = BROADCAST, target: IPv4Address = EVERYBODY) -> bytes:
    """Return a DHCP request of `client`, with the fields that firewalls check."""
    request = struct.pack("!BBBB", 1, 1, 6, 0) + bytes(24) + _mac(client)
    return udp(mac, ip, ports=(68, 67), text=request.ljust(300, b"\0"), to=to, target=target)


def tagged(frame: bytes, vlan: int, protocol: int = 0x8100) -> bytes:
    return frame[:12] + struct.pack("!HH", protocol, vlan) + frame[12:]


def _ipv4(source: IPv4Address, destination: IPv4Address, body: bytes) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, 17, 0) + source.packed + destination.packed
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def checksum(data: bytes) -> int:
    """Return the checksum of the internet protocols."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total >> 16) + (total & 0xFFFF)
    return ~total & 0xFFFF


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def vxlan(vni: int, frame: bytes) -> bytes:
    """Return the content of a VXLAN datagram."""
    return struct.pack("!II", 0x08000000, vni << 8) + frame


def source_mac(frame: bytes) -> str:
    return frame[6:12].hex(":")


def content(frame: bytes) -> bytes:
    """Return the frame without its destination, and without what follows an IP packet: bridges may cut that off."""
    kind, end = int.from_bytes(frame[12:14], "big"), len(frame)
    if kind == IPV4:
        end = 14 + int.from_bytes(frame[16:18], "big")
    if kind == IPV6:
        end = 54 + int.from_bytes(frame[18:20], "big")
    return frame[6 : end if 34 <= end <= len(frame) else len(frame)]


def main(verb: str, device: str, *frames: str) -> None:
    if verb == "datagram":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(bytes.fromhex(frames[1]), (device, int(frames[0])))
    if verb == "deliveries":
        _print_deliveries(frames[0])
    if verb not in ("send", "flood", "connect", "capture"):
        return
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003)) as link:
        link.bind((device, 0))
        if verb == "send":
            for frame in frames:
                link.send(bytes.fromhex(frame))
        elif verb == "flood":
            for turn in islice(cycle(map(bytes.fromhex, frames[1:])), int(frames[0])):
                link.send(turn)
        elif verb == "connect":
            for frame in islice(_first_segments(bytes.fromhex(frames[1])), int(frames[0])):
                link.send(frame)
        else:
            _print_frames(link, frames[0])


def _first_segments(sample: bytes) -> Iterator[bytes]:
    """Yield the frame of a TCP segment from each source port from 1024 on; the packet has no IP options.

    The low half of the sequence number makes up for the port, so that the checksum stays true (RFC 1624).
    """
    port_at, sequence_at = slice(34, 36), slice(40, 42)
    total = sum(int.from_bytes(sample[at]) for at in (port_at, sequence_at))
    frame = bytearray(sample)
    for port in range(1024, 1 << 16):
        frame[port_at] = port.to_bytes(2)
        frame[sequence_at] = ((total - port) % 0xFFFF).to_bytes(2)
        yield bytes(frame)


def _print_frames(link: socket.socket, last: str) -> None:
    """Print frames with their VLAN tags, which the kernel has taken out and keeps beside them."""
    link.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
    link.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    link.settimeout(TIMEOUT_S)
    print("ready", flush=True)
    text = ""
    while last not in text:
        frame, more, _, _ = link.recvmsg(65535, socket.CMSG_SPACE(_AUXDATA.size))
        for level, kind, value in more:
            if (level, kind) == (_SOL_PACKET, _PACKET_AUXDATA):
                status, *_, tag, protocol = _AUXDATA.unpack(value)
                frame = tagged(frame, tag, protocol) if status & _VLAN_VALID else frame
        text = frame.hex()
        print(text, flush=True)


def _print_deliveries(last: str) -> None:
    """Print what passes the host's own filters: a raw socket gets its packets behind them."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol) for protocol in PROTOCOLS]
    sockets += [socket.socket(socket.AF_INET6, socket.SOCK_RAW, protocol) for protocol in PROTOCOLS6]
    print("ready", flush=True)
    received = ""
    while last not in received:
        readable, _, _ = select.select(sockets, [], [], TIMEOUT_S)
        if not readable:
            raise TimeoutError(last)
        for each in readable:
            text = each.recv(65535).hex()
            received += text
            print(text, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
