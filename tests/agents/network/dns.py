"""A DNS client and a server, each started in its namespace; they know as much of RFC 1035 as the tests need.

dns.py ask SERVER QUESTION ...   a question is TYPE:NAME; prints the answers of each in a line of their own, or the
                      name of the refusal
dns.py serve HOST       prints "ready"; answers every question for an address with 192.0.2.53
dns.py flood SERVER COUNT   asks for `flood` without a break; prints how many answers arrived
"""

import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import ip_address

TYPES = {"A": 1, "PTR": 12, "AAAA": 28}
REFUSALS = {0: "none", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}
TIMEOUT_S = 2.0
FLOOD_TIMEOUT_S = 0.5
INTERNET, RECURSIVE, ANSWER = 1, 0x0100, 0x8180


def ask(server: str, *questions: str) -> None:
    for question in questions:
        kind, _, name = question.partition(":")
        print(answer_of(server, kind, ip_address(name).reverse_pointer if kind == "PTR" else name))


def answer_of(server: str, kind: str, name: str, *, port: int = 53) -> str:
    """Return the answers of the server, or the name of its refusal."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(TIMEOUT_S)
        client.connect((server, port))
        try:
            client.send(_question(7, TYPES[kind], name))
            answer = client.recv(4096)
        except OSError as exc:
            return "silent" if isinstance(exc, TimeoutError) else "closed"
    records = sorted(_answers(answer))
    return " ".join(records) or REFUSALS[struct.unpack("!H", answer[2:4])[0] & 15]


def serve(host: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((host, 53))
        print("ready", flush=True)
        while True:
            question, client = server.recvfrom(4096)
            end = _end_of_name(question, 12) + 4
            record = b"\xc0\x0c" + struct.pack("!HHIH", TYPES["A"], INTERNET, 60, 4) + bytes([192, 0, 2, 53])
            head = question[:2] + struct.pack("!HHHHH", ANSWER, 1, 1, 0, 0)
            server.sendto(head + question[12:end] + record, client)


def flood(server: str, count: str) -> None:
    arrived = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**22)
        client.connect((server, 53))
        for number in range(int(count)):
            client.send(_question(number % 65536, TYPES["A"], "flood"))
        client.settimeout(FLOOD_TIMEOUT_S)
        with suppress(TimeoutError):
            while client.recv(4096):
                arrived += 1
    print(arrived)


def _question(number: int, kind: int, name: str) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!HHHHHH", number, RECURSIVE, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, INTERNET)


def _answers(message: bytes) -> Iterator[str]:
    count, at = struct.unpack("!H", message[6:8])[0], _end_of_name(message, 12) + 4
    for _ in range(count):
        at = _end_of_name(message, at)
        kind, _, _, length = struct.unpack("!HHIH", message[at : at + 10])
        at += 10
        data = message[at : at + length]
        yield _name(message, at) if kind == TYPES["PTR"] else str(ip_address(data))
        at += length


def _end_of_name(message: bytes, at: int) -> int:
    while message[at] not in (0,) and message[at] < 0xC0:
        at += message[at] + 1
    return at + (1 if message[at] == 0 else 2)


def _name(message: bytes, at: int) -> str:
    labels = []
    while message[at]:
        if message[at] >= 0xC0:
            at = struct.unpack("!H", message[at : at + 2])[0] & 0x3FFF
            continue
        labels.append(message[at + 1 : at + 1 + message[at]].decode())
        at += message[at] + 1
    return ".".join(labels)


if __name__ == "__main__":
    programs: dict[str, Callable[..., None]] = {"ask": ask, "serve": serve, "flood": flood}
    programs[sys.argv[1]](*sys.argv[2:])
