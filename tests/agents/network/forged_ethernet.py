"""Forged frames of a hostile guest below IP: senders, protocols, tags, ARP and RARP."""

from ipaddress import IPv4Address

from tests.agents.network import frames
from tests.agents.network import ipv4_frames as v4
from tests.agents.network.forged_kinds import (
    FREE4,
    GATEWAY4,
    GATEWAY4_SECOND,
    GATEWAY_MAC,
    HERS,
    HIS,
    NOBODY,
    OTHER4,
    OTHER4_SECOND,
    OTHER_PUBLIC,
    OWN4,
    OWN4_SECOND,
    Group,
)

NO_ADDRESS, NO_MAC = IPv4Address(0), "00:00:00:00:00:00"
_TEXT = v4.packet(OWN4, frames.EVERYBODY, body=v4.udp(1000, 2000))
_HONEST = v4.framed(HERS, _TEXT)
_ME, _HIM = (HERS, OWN4), (HIS, OTHER4)
_LLC, _SNAP = b"\x42\x42\x03", b"\xaa\xaa\x03"

HONEST = {
    "ARP request": v4.arp(HERS, _ME, (NO_MAC, OTHER4)),
    "ARP reply": v4.arp(HERS, _ME, _HIM, operation=2),
    "gratuitous ARP": v4.arp(HERS, _ME, (frames.BROADCAST, OWN4), operation=2),
    "ARP of the second address": v4.arp(HERS, (HERS, OWN4_SECOND), (NO_MAC, OTHER4)),
    "ARP probe": v4.arp(HERS, (HERS, NO_ADDRESS), (NO_MAC, OWN4)),
    "announcement after a migration": v4.announcement(HERS),
}


def _ethertype(number: int, to: str = frames.BROADCAST, payload: bytes = b"") -> bytes:
    return frames.ethernet(HERS, to, number, payload)


def _802_3(payload: bytes, to: str = frames.BROADCAST) -> bytes:
    return frames.ethernet(HERS, to, len(payload), payload)


def _arp(
    address: IPv4Address, target: IPv4Address = OTHER4, *, mac: str = HERS, operation: int = 1, to: str = ""
) -> bytes:
    sender, target_pair = (mac, address), (NO_MAC if operation == 1 else HIS, target)
    return v4.arp(HERS, sender, target_pair, operation=operation, to=to or frames.BROADCAST)


GROUPS = (
    Group(
        *("any", "Ethernet", "guest", "send with another's MAC address, or divert what is sent to it", "IPv4 datagram"),
        {
            "source MAC of nobody": v4.framed(NOBODY, _TEXT),
            "source MAC of a neighbour": v4.framed(HIS, _TEXT),
            "source MAC of the gateway": v4.framed(GATEWAY_MAC, _TEXT),
            "source MAC of a group of VRRP": v4.framed("00:00:5e:00:01:09", _TEXT),
            "source MAC of IPv4 multicast": v4.framed("01:00:5e:00:00:01", _TEXT),
            "source MAC of IPv6 multicast": v4.framed("33:33:00:00:00:01", _TEXT),
            "source MAC of broadcast": v4.framed(frames.BROADCAST, _TEXT),
            "source MAC of zeros": v4.framed(NO_MAC, _TEXT),
            "source MAC one bit off": v4.framed(HERS[:-1] + "8", _TEXT),
            "source MAC of a neighbour, RARP": v4.announcement(HIS),
            "source MAC of the gateway, RARP": v4.announcement(GATEWAY_MAC),
            "source MAC of a neighbour, ARP of its own": v4.arp(HIS, _ME, (NO_MAC, OTHER4)),
        },
    ),
    Group(
        *(
            "any",
            "Ethernet",
            "guest",
            "reach another VLAN, or hide a frame from the rules behind tags",
            "IPv4 datagram",
        ),
        {
            "VLAN tag": frames.tagged(_HONEST, 7),
            "VLAN tag of priority alone": frames.tagged(_HONEST, 0xE000),
            "VLAN tag 4095": frames.tagged(_HONEST, 4095),
            "two VLAN tags": frames.tagged(frames.tagged(_HONEST, 7), 8),
            "three VLAN tags": frames.tagged(frames.tagged(frames.tagged(_HONEST, 7), 8), 9),
            "802.1ad tag": frames.tagged(_HONEST, 7, 0x88A8),
            "802.1ad before 802.1Q": frames.tagged(frames.tagged(_HONEST, 7), 8, 0x88A8),
            "tag of type 0x9100": frames.tagged(_HONEST, 7, 0x9100),
            "VLAN tag before a neighbour's source": frames.tagged(v4.framed(HERS, v4.packet(OTHER4, OWN4)), 7),
            "VLAN tag before ARP of the gateway": frames.tagged(_arp(GATEWAY4, operation=2), 7),
        },
    ),
    Group(
        *("any", "Ethernet", "guest", "act as a switch, or speak to the node's own protocols", "IPv4 datagram"),
        {
            "STP": _802_3(_LLC + bytes(35), "01:80:c2:00:00:00"),
            "LACP": _ethertype(0x8809, "01:80:c2:00:00:02", b"\1\1" + bytes(50)),
            "EAPOL": _ethertype(0x888E, "01:80:c2:00:00:03", b"\1\1"),
            "LLDP": _ethertype(0x88CC, "01:80:c2:00:00:0e", b"\2\7\4"),
            "MVRP": _ethertype(0x88F5, "01:80:c2:00:00:21"),
            "CDP": _802_3(_SNAP + b"\0\0\x0c\x20\0" + bytes(40), "01:00:0c:cc:cc:cc"),
            "PVST": _802_3(_SNAP + b"\0\0\x0c\1\x0b" + bytes(40), "01:00:0c:cc:cc:cd"),
            "PAUSE": _ethertype(0x8808, "01:80:c2:00:00:01", b"\0\1\xff\xff"),
            "CFM": _ethertype(0x8902, "01:80:c2:00:00:30"),
            "loop test": _ethertype(0x9000, payload=bytes(46)),
            "TRILL": _ethertype(0x22F3),
            "802.3 with IPv4 in SNAP": _802_3(_SNAP + b"\0\0\0\x08\0" + _TEXT),
            "802.3 with ARP in SNAP": _802_3(_SNAP + b"\0\0\0\x08\6" + _arp(GATEWAY4, operation=2)[14:]),
            "802.3 with IPX": _802_3(b"\xe0\xe0\x03" + bytes(40)),
            "802.3 of no length": _ethertype(0),
        },
    ),
    Group(
        *("any", "Ethernet", "guest", "reach a neighbour by a protocol that no rule judges", "IPv4 datagram"),
        {
            name: _ethertype(number, payload=_TEXT)
            for name, number in {
                "MPLS": 0x8847,
                "MPLS of groups": 0x8848,
                "PPPoE discovery": 0x8863,
                "PPPoE session": 0x8864,
                "IPX": 0x8137,
                "AppleTalk": 0x809B,
                "MACsec": 0x88E5,
                "PTP": 0x88F7,
                "FCoE": 0x8906,
                "ATA over Ethernet": 0x88A2,
                "RoCE": 0x8915,
                "wake on LAN": 0x0842,
                "NSH": 0x894F,
                "bridged Ethernet": 0x6558,
                "experiment": 0x88B5,
                "reserved ethertype": 0xFFFF,
            }.items()
        },
    ),
    Group(
        *("IPv4", "ARP", "guest", "take the gateway's traffic", "ARP reply"),
        {
            "ARP request of the gateway": _arp(GATEWAY4),
            "ARP reply of the gateway": _arp(GATEWAY4, operation=2),
            "ARP reply of the gateway, to a neighbour alone": _arp(GATEWAY4, operation=2, to=HIS),
            "ARP request of the gateway, to a neighbour alone": _arp(GATEWAY4, to=HIS),
            "gratuitous ARP of the gateway": _arp(GATEWAY4, GATEWAY4),
            "ARP of the second gateway": _arp(GATEWAY4_SECOND, operation=2),
            "ARP of the gateway with its MAC": _arp(GATEWAY4, mac=GATEWAY_MAC, operation=2),
            "ARP of the metadata service": _arp(IPv4Address("169.254.169.254"), operation=2),
        },
    ),
    Group(
        *("IPv4", "ARP", "guest", "take a neighbour's traffic, or keep it from its address", "ARP reply"),
        {
            "ARP request of a neighbour": _arp(OTHER4, GATEWAY4),
            "ARP reply of a neighbour": _arp(OTHER4, GATEWAY4, operation=2),
            "gratuitous ARP of a neighbour": _arp(OTHER4, OTHER4),
            "ARP of a neighbour with its MAC": _arp(OTHER4, mac=HIS, operation=2),
            "ARP of a neighbour's second address": _arp(OTHER4_SECOND, operation=2),
            "ARP of a free address": _arp(FREE4, operation=2),
            "ARP of an address outside": _arp(IPv4Address("192.0.2.77"), operation=2),
            "ARP of a neighbour's public address": _arp(OTHER_PUBLIC, operation=2),
            "ARP of a group": _arp(IPv4Address("224.0.0.1"), operation=2),
            "ARP of broadcast": _arp(frames.EVERYBODY, operation=2),
            "ARP of loopback": _arp(IPv4Address("127.0.0.1"), operation=2),
        },
    ),
    Group(
        *("IPv4", "ARP", "guest", "keep a neighbour from taking its address (RFC 5227)", "ARP probe"),
        {
            "ARP probe of a neighbour's address": _arp(NO_ADDRESS, OTHER4),
            "ARP probe of a neighbour's second address": _arp(NO_ADDRESS, OTHER4_SECOND),
            "ARP probe of the gateway's address": _arp(NO_ADDRESS, GATEWAY4),
            "ARP probe of a free address": _arp(NO_ADDRESS, FREE4),
            "ARP probe of a neighbour's address, to it alone": _arp(NO_ADDRESS, OTHER4, to=HIS),
            "ARP reply without a sender": _arp(NO_ADDRESS, OTHER4, operation=2),
        },
    ),
    Group(
        *("IPv4", "ARP", "guest", "divert its own address to a MAC address that is not its own", "ARP reply"),
        {
            "ARP with the MAC of nobody": _arp(OWN4, mac=NOBODY, operation=2),
            "ARP with the MAC of a neighbour": _arp(OWN4, mac=HIS, operation=2),
            "ARP with the MAC of the gateway": _arp(OWN4, mac=GATEWAY_MAC, operation=2),
            "ARP with the MAC of broadcast": _arp(OWN4, mac=frames.BROADCAST, operation=2),
            "ARP with the MAC of a group": _arp(OWN4, mac="01:00:5e:00:00:01", operation=2),
            "ARP with the MAC of zeros": _arp(OWN4, mac=NO_MAC, operation=2),
            "ARP of the second address with another MAC": _arp(OWN4_SECOND, mac=NOBODY, operation=2),
            "ARP probe with another MAC": _arp(NO_ADDRESS, OWN4, mac=NOBODY),
        },
    ),
    Group(
        *("IPv4", "ARP", "guest", "hide a false sender from the rules in an unusual message", "ARP request"),
        {
            "ARP of another hardware": v4.arp(HERS, (HERS, GATEWAY4), _HIM, operation=2, hardware=6),
            "ARP of hardware 0": v4.arp(HERS, (HERS, GATEWAY4), _HIM, operation=2, hardware=0),
            "ARP of another protocol": v4.arp(HERS, (HERS, GATEWAY4), _HIM, operation=2, protocol=0x86DD),
            "ARP with long hardware addresses": v4.arp(HERS, (HERS, GATEWAY4), _HIM, operation=2, lengths=(8, 4)),
            "ARP with long protocol addresses": v4.arp(HERS, (HERS, GATEWAY4), _HIM, operation=2, lengths=(6, 16)),
            "ARP with no lengths": v4.arp(HERS, (HERS, GATEWAY4), _HIM, operation=2, lengths=(0, 0)),
            "ARP that is cut off": _arp(OWN4)[:24],
            "inverse ARP of a neighbour": _arp(OTHER4, operation=9),
            "ARP of an unknown operation, of a neighbour": _arp(OTHER4, operation=0xFFFF),
            "ARP of operation 0, of a neighbour": _arp(OTHER4, operation=0),
        },
    ),
    Group(
        *(
            "IPv4",
            "RARP",
            "guest",
            "give a neighbour an address, or announce another's card",
            "announcement after a migration",
        ),
        {
            "RARP reply": v4.arp(HERS, _ME, _HIM, operation=4, ethertype=frames.RARP),
            "RARP reply to a neighbour alone": v4.arp(
                HERS, (HERS, GATEWAY4), _HIM, operation=4, ethertype=frames.RARP, to=HIS
            ),
            "RARP request for a neighbour's card": v4.arp(
                HERS, (HERS, NO_ADDRESS), (HIS, NO_ADDRESS), operation=3, ethertype=frames.RARP
            ),
            "RARP request of a neighbour": v4.arp(
                HERS, (HIS, NO_ADDRESS), (HIS, NO_ADDRESS), operation=3, ethertype=frames.RARP
            ),
            "RARP with an address of a neighbour": v4.arp(
                HERS, (HERS, OTHER4), (HERS, NO_ADDRESS), operation=3, ethertype=frames.RARP
            ),
            "RARP as ARP reply of the gateway": v4.arp(
                HERS, (HERS, GATEWAY4), _HIM, operation=2, ethertype=frames.RARP
            ),
            "RARP of another hardware": v4.arp(
                HERS, *[(HERS, NO_ADDRESS)] * 2, operation=3, hardware=6, ethertype=frames.RARP
            ),
            "RARP with other content": _ethertype(frames.RARP, payload=b"content of its choice"),
        },
    ),
)
