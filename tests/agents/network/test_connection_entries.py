"""Entries of connections as they travel with a guest: what is read, and what is not."""

import json
from ipaddress import ip_address, ip_network

import pytest

from agents.node.adapters.network import connection_entries
from agents.node.adapters.network.connection_entries import Addresses, NoEntry
from agents.node.adapters.network.guest_connections import GuestConnections, TrackedPort
from agents.node.errors import AdapterError

TCP = (
    "-A -t 2998 -u SEEN_REPLY,ASSURED -w 777 -s 10.1.0.11 -d 10.1.4.99 -r 10.1.4.99 -q 10.1.0.11 -p tcp --sport 40848"
    " --dport 80 --reply-port-src 80 --reply-port-dst 40848 --state ESTABLISHED"
)
UDP = "-A -t 29 -u UNSET -s fd00::1 -d fd00::2 -p udp --sport 1 --dport 53"
PING = "-A -t 29 -u UNSET -w 7 -s 10.1.0.11 -d 10.1.0.12 -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 7"
PING6 = "-A -t 29 -s fd00::1 -d fd00::2 -p icmpv6 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 7"


@pytest.mark.parametrize("line", [TCP, UDP, PING, PING6])
def test_entry_is_the_same_when_it_has_travelled(line: str) -> None:
    entry = connection_entries.parse(line)
    assert connection_entries.parse(entry.text()) == entry
    assert connection_entries.parse(entry.restored(5)) == entry
    assert entry.restored(5).endswith(" -w 5")


def test_entry_has_only_the_required_fields() -> None:
    text = connection_entries.parse(
        f"{TCP.replace('ASSURED', 'ASSURED,OFFLOAD,DYING').replace('2998', '99999999')}"
    ).text()
    assert text == (
        "-A -t 3600 -u SEEN_REPLY,ASSURED -s 10.1.0.11 -d 10.1.4.99 -p tcp --sport 40848 --dport 80 --state ESTABLISHED"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("-A", "-D"),
        ("-A", "-I"),
        ("-p tcp", "-p sctp"),
        ("-p tcp", "-p"),
        ("-r 10.1.4.99", "-r 10.1.4.98"),
        ("-q 10.1.0.11", "-q 192.0.2.1"),
        ("--reply-port-dst 40848", "--reply-port-dst 40849"),
        ("-s 10.1.0.11", "-s fd00::1"),
        ("-s 10.1.0.11", "-s 10.1.0.11/8"),
        ("-s 10.1.0.11", ""),
        ("--sport 40848", "--sport 70000"),
        ("--sport 40848", "--sport 80 --sport 40848"),
        ("ESTABLISHED", "NEW"),
        ("-t 2998", "-t 0"),
        ("-t 2998", "-t -1"),
        ("-w 777", "-w 777 --mark 1"),
        ("-w 777", "-w 777 --src-nat 192.0.2.1"),
        ("-w 777", "-w 777 -w"),
    ],
)
def test_entry_that_does_not_travel(old: str, new: str) -> None:
    assert old in TCP
    with pytest.raises(NoEntry):
        connection_entries.parse(TCP.replace(old, new, 1))


def test_entries_of_a_guest_are_those_of_its_addresses() -> None:
    here, there = connection_entries.parse(TCP), connection_entries.parse(PING)
    nobody = Addresses(())
    assert connection_entries.own([here, there], Addresses([ip_address("10.1.0.11")]), nobody) == [here, there]
    assert connection_entries.own([here, there], Addresses([ip_address("10.1.4.99")]), nobody) == [here]
    assert connection_entries.own([here, there], Addresses([ip_network("10.1.4.0/24")]), nobody) == [here]
    mine, others = Addresses([ip_address("10.1.0.11")]), Addresses([ip_address("10.1.0.12")])
    assert connection_entries.own([here, there], mine, others) == [here]


@pytest.mark.parametrize("block", [b"", b"[]", b'{"tap": 1}', b'{"tap": [1]}', b"\xff", b"[" * 100_000])
def test_malformed_block_is_refused(block: bytes) -> None:
    connections = GuestConnections(lambda: {"tap": TrackedPort(5, (ip_address("10.1.0.11"),))})
    with pytest.raises(AdapterError, match="cannot be read"):
        connections.add(["tap"], block)


def test_connection_with_a_port_of_the_node_is_no_refusal(caplog: pytest.LogCaptureFixture) -> None:
    """The node knows that connection, as after each migration to the node of a guest that the moved one talks to."""
    mine, neighbour = TrackedPort(5, (ip_address("10.1.0.11"),)), TrackedPort(5, (ip_address("10.1.0.12"),))
    connections = GuestConnections(lambda: {"tap": mine, "beside": neighbour})
    known = connection_entries.parse(PING).text()
    assert {"10.1.0.11", "10.1.0.12"} <= set(known.split())
    with caplog.at_level("INFO"):
        connections.add(["tap"], json.dumps({"tap": [known]}).encode())
        connections.add(["tap"], json.dumps({"tap": ["no entry"], "beside": [known]}).encode())
    levels = [(record.levelname, getattr(record, "facts", {})) for record in caplog.records]
    assert levels == [
        ("INFO", {"taps": ["tap"], "accepted": 0, "left_out": 1}),
        ("WARNING", {"taps": ["tap"], "accepted": 0, "refused": 2}),
    ]
