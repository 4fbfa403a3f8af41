"""The agent's end of the hook: a unix socket on which libvirt's hook asks whether a guest may start.

One JSON object a line in each direction:
    {"instance_id": UUID, "memory_kib": N, "vcpus": N, "disks": [HEX OF PATH, ...], "operation": "prepare",
     "sub_operation": "begin"}
    {"allowed": true}  or  {"allowed": false, "reason": TEXT}
The four questions get an answer; anything else is news, and the caller does not wait. An answer never waits for a lock
on a resource: the agent holds one while it starts a guest, and libvirt asks in the middle of that.
"""

import json
import logging
import os
import socket
import socketserver
import struct
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from agents.node.trust.starts import Shape

log = logging.getLogger(__name__)

QUESTIONS = frozenset({"prepare", "start", "restore", "migrate"})
MAX_LINE_BYTES = 64 * 1024
LINE_WITHIN_S = 2.0
CREDENTIALS = struct.Struct("3i")  # pid, uid, gid of the peer


class Gate(Protocol):
    """Who decides. Calls come from many threads, and may not take the lock of a resource."""

    def may_start(self, instance_id: UUID, operation: str, shape: Shape) -> str | None:
        """None if the guest may start now as it is (`shape`), else the reason against it.

        `operation` is libvirt's: prepare and start come one after the other in every start; restore before them for a
        guest that was saved, migrate for one that arrives from another node.
        """

    def report(self, instance_id: UUID, operation: str, sub_operation: str) -> None:
        """What happened to a guest: started, stopped, release, reconnect (libvirtd found it running), attach, ...

        News may be lost, and may overtake each other.
        """


@dataclass(frozen=True, slots=True)
class Call:
    instance_id: UUID
    operation: str
    sub_operation: str
    shape: Shape

    @classmethod
    def parse(cls, line: bytes) -> "Call":
        """
        Raises:
            ValueError: the hook does not write such lines.
        """
        fields = json.loads(line)
        names = ("instance_id", "operation", "sub_operation")
        if not isinstance(fields, dict) or [type(fields.get(name)) for name in names] != [str] * 3:
            raise ValueError("not a call of the hook")
        return cls(UUID(fields["instance_id"]), fields["operation"], fields["sub_operation"], _shape(fields))

    @property
    def is_question(self) -> bool:
        return self.operation in QUESTIONS and self.sub_operation == "begin"


def _shape(fields: dict[str, Any]) -> Shape:
    memory_kib, vcpus, disks = fields.get("memory_kib"), fields.get("vcpus"), fields.get("disks")
    if type(memory_kib) is not int or type(vcpus) is not int or not isinstance(disks, list):
        raise ValueError("not a call of this agent's hook")
    return Shape(vcpus, memory_kib, tuple(sorted(bytes.fromhex(str(disk)).decode() for disk in disks)))


class HookServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers from the moment it is made until `stop`. Only root and the agent's own user are heard."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, path: Path, gate: Gate) -> None:
        """
        Raises:
            OSError: the socket cannot be made there.
        """
        self.gate = gate
        self._path = path
        path.unlink(missing_ok=True)  # of an agent that was killed
        super().__init__(str(path), _Conversation)
        self._thread = threading.Thread(target=self.serve_forever, name="hook", daemon=True)
        self._thread.start()

    def server_bind(self) -> None:
        """Nobody can connect before it listens, so nobody slips in before the mode is set."""
        super().server_bind()
        self._path.chmod(0o600)

    def verify_request(self, request: Any, client_address: object) -> bool:
        return _uid_of(request) in (0, os.geteuid())

    def handle_error(self, request: Any, client_address: object) -> None:
        """A caller without an answer refuses, so a fault of ours lets nothing start."""
        log.exception("a call of libvirt's hook failed")

    def stop(self) -> None:
        """From now on every start is refused."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        self._path.unlink(missing_ok=True)


class _Conversation(socketserver.StreamRequestHandler):
    timeout = LINE_WITHIN_S
    server: HookServer

    def handle(self) -> None:
        try:
            call = Call.parse(self.rfile.readline(MAX_LINE_BYTES))
        except (ValueError, TimeoutError) as exc:
            log.warning("a call of libvirt's hook cannot be read", extra={"facts": {"problem": str(exc)}})
            return
        facts = {"id": call.instance_id, "operation": call.operation, "sub_operation": call.sub_operation}
        if not call.is_question:
            log.info("libvirt reports", extra={"facts": facts})
            self.server.gate.report(call.instance_id, call.operation, call.sub_operation)
            return
        reason = self.server.gate.may_start(call.instance_id, call.operation, call.shape)
        if reason is not None:
            log.warning("start refused", extra={"facts": {**facts, "reason": reason}})
        self.wfile.write(_answer(reason))


def _answer(reason: str | None) -> bytes:
    answer = {"allowed": True} if reason is None else {"allowed": False, "reason": " ".join(reason.split())}
    return json.dumps(answer).encode() + b"\n"


def _uid_of(peer: socket.socket) -> int:
    _pid, uid, _gid = CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))
    return int(uid)
