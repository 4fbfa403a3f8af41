"""Messages from the agent to its metadata service, over a pair of sockets.

A message is a JSON object behind its length, and may bring descriptors. Its kinds are the classes here.
"""

import json
import socket
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

MAX_MESSAGE_BYTES = 16 * 2**20
MAX_DESCRIPTORS = 4
_LENGTH = struct.Struct("!I")


@dataclass(frozen=True, slots=True)
class Listen:
    """Serve the guests of a network at the listening sockets that come with it."""

    network: str


@dataclass(frozen=True, slots=True)
class Unlisten:
    network: str


@dataclass(frozen=True, slots=True)
class Guest:
    """Pages that a guest may read, instead of those that it could before.

    `addresses`: its addresses in each network, as text. `pages`: texts by path, without a slash at the end, where each
    byte is one character. `needs_token`: as with IMDSv2 of EC2.
    """

    id: str
    addresses: dict[str, list[str]]
    pages: dict[str, str]
    needs_token: bool = True


@dataclass(frozen=True, slots=True)
class Gone:
    """A guest that is here no more, or may read nothing."""

    id: str


Message = Listen | Unlisten | Guest | Gone
KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in (Listen, Unlisten, Guest, Gone)}


def send(channel: socket.socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    """Send the message; raises OSError when the other end is gone or does not read."""
    body = json.dumps({"kind": type(message).__name__, "fields": asdict(message)}).encode()
    if descriptors:
        socket.send_fds(channel, [_LENGTH.pack(len(body))], descriptors)
    else:
        channel.sendall(_LENGTH.pack(len(body)))
    channel.sendall(body)


def receive(channel: socket.socket) -> tuple[Message, list[int]] | None:
    """Wait for a message; None once the agent is gone."""
    head, descriptors, _, _ = socket.recv_fds(channel, _LENGTH.size, MAX_DESCRIPTORS)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    body = b""
    while len(body) < length:
        more = channel.recv(min(length - len(body), 2**16))
        if not more:
            return None
        body += more
    document = json.loads(body)
    return KINDS[document["kind"]](**document["fields"]), descriptors
