"""Ethernet frames as bytes, and a program that sends or captures them in the namespace it is started in.

frames.py send DEVICE HEX...        one frame after the other
frames.py datagram HOST PORT HEX    one UDP datagram, by the usual way
frames.py capture DEVICE LAST_HEX   prints "ready", then each frame that arrives, as hex, up to LAST_HEX
"""

import socket
import struct
import sys
from ipaddress import IPv4Address

BROADCAST = "ff:ff:ff:ff:ff:ff"
IPV4, ARP, IPV6 = 0x0800, 0x0806, 0x86DD
EVERYBODY = IPv4Address("255.255.255.255")
TIMEOUT_S = 10


def ethernet(source: str, destination: str, ethertype: int, payload: bytes) -> bytes:
    return _mac(destination) + _mac(source) + struct.pack("!H", ethertype) + payload.ljust(46, b"\0")


def arp(mac: str, ip: IPv4Address, target: IPv4Address, *, sender_mac: str = "", hardware: int = 1) -> bytes:
    """Return a broadcast ARP request from the Ethernet address `mac`."""
    head = struct.pack("!HHBBH", hardware, IPV4, 6, 4, 1)
    question = head + _mac(sender_mac or mac) + ip.packed + bytes(6) + target.packed
    return ethernet(mac, BROADCAST, ARP, question)


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


def router_advertisement(mac: str) -> bytes:
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
    head = struct.pack("!IHBB", 6 << 28, len(body), 58, 255)
    return ethernet(mac, "33:33:00:00:00:01", IPV6, head + bytes(16) + b"\xff\x02" + bytes(13) + b"\1" + body)


def tagged(frame: bytes, vlan: int) -> bytes:
    return frame[:12] + struct.pack("!HH", 0x8100, vlan) + frame[12:]


def _ipv4(source: IPv4Address, destination: IPv4Address, body: bytes) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, 17, 0) + source.packed + destination.packed
    total = sum(struct.unpack("!10H", head))
    checksum = ~((total >> 16) + (total & 0xFFFF)) & 0xFFFF
    return head[:10] + struct.pack("!H", checksum) + head[12:] + body


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def vxlan(vni: int, frame: bytes) -> bytes:
    """Return the content of a VXLAN datagram."""
    return struct.pack("!II", 0x08000000, vni << 8) + frame


def main(verb: str, device: str, *frames: str) -> None:
    if verb == "datagram":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(bytes.fromhex(frames[1]), (device, int(frames[0])))
        return
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003)) as link:
        link.bind((device, 0))
        if verb == "send":
            for frame in frames:
                link.send(bytes.fromhex(frame))
            return
        link.settimeout(TIMEOUT_S)
        print("ready", flush=True)
        seen = ""
        while seen != frames[0]:
            seen = link.recv(65535).hex()
            print(seen, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
