"""The agent's end of the hook: a unix socket on which libvirt's hook asks whether a guest may start.

The hook sends one JSON object as a line, and the guest's XML after it; the agent answers with one line:
    {"operation": "prepare", "sub_operation": "begin", "xml_bytes": N}
    {"allowed": true}  or  {"allowed": false, "reason": TEXT}
    {"allowed": true, "domain": XML}  to a guest that arrives: what libvirt is to define instead of what has come
The four questions get an answer; any other call is an event, and the caller does not wait. An answer never waits for a
lock on a resource: the agent holds one while it starts a guest, and libvirt asks in the middle of that.
"""

import json
import logging
import os
import socket
import socketserver
import struct
import threading
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from agents.node import domain_check
from agents.node.domain_check import ForeignDomain

log = logging.getLogger(__name__)

QUESTIONS = frozenset({"prepare", "start", "restore", "migrate"})
ARRIVAL = "migrate"
MAX_LINE_BYTES = 1024
MAX_XML_BYTES = 4 * 2**20
LINE_WITHIN_S = 2.0
CREDENTIALS = struct.Struct("3i")  # pid, uid, gid of the peer


class Gate(Protocol):
    """Decides about starts. Calls come from many threads, and may not take the lock of a resource."""

    def may_start(self, instance_id: UUID, operation: str, domain: ET.Element) -> str | None:
        """Return None if the guest may start now as it is (`domain`), else the reason for the refusal.

        `operation` is libvirt's: prepare and start come one after the other in every start; restore before them for a
        guest that was saved, migrate for one that arrives from another node.
        """

    def report(self, instance_id: UUID, operation: str, sub_operation: str) -> None:
        """Report an event of the guest: started, stopped, release, reconnect (libvirtd found it running), attach, ...

        Events may be lost, and may overtake each other.
        """


@dataclass(frozen=True, slots=True)
class Call:
    operation: str
    sub_operation: str
    xml: str

    @classmethod
    def read(cls, stream: BufferedIOBase) -> "Call":
        """Read a call of the hook.

        Raises:
            ValueError: the hook does not write such calls.
        """
        fields = json.loads(stream.readline(MAX_LINE_BYTES))
        names = {"operation": str, "sub_operation": str, "xml_bytes": int}
        if not isinstance(fields, dict) or any(type(fields.get(name)) is not kind for name, kind in names.items()):
            raise ValueError("not a call of this agent's hook")
        size = fields["xml_bytes"]
        if not 0 <= size <= MAX_XML_BYTES:
            raise ValueError("the guest's XML is too long")
        xml = stream.read(size)
        if len(xml) != size:
            raise ValueError("the guest's XML is not whole")
        return cls(fields["operation"], fields["sub_operation"], xml.decode())

    @property
    def is_question(self) -> bool:
        return self.operation in QUESTIONS and self.sub_operation == "begin"


class HookServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Serves the hook from its creation until `stop`. Only root and the agent's own user may connect."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, path: Path, gate: Gate) -> None:
        """Create the socket and start serving.

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
        """Bind the socket; no client can connect before the socket listens, so none connects before the mode is set."""
        super().server_bind()
        self._path.chmod(0o600)

    def verify_request(self, request: Any, client_address: object) -> bool:
        return _uid_of(request) in (0, os.geteuid())

    def handle_error(self, request: Any, client_address: object) -> None:
        """Log the error. A caller without an answer refuses, so an internal error lets nothing start."""
        log.exception("libvirt hook call failed")

    def stop(self) -> None:
        """Stop serving; from now on every start is refused."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        self._path.unlink(missing_ok=True)


class _Conversation(socketserver.StreamRequestHandler):
    timeout = LINE_WITHIN_S
    server: HookServer

    def handle(self) -> None:
        try:
            call = Call.read(self.rfile)
        except (ValueError, RecursionError, TimeoutError) as exc:
            log.warning("libvirt hook call malformed", extra={"facts": {"problem": str(exc)}})
            return
        facts = {"operation": call.operation, "sub_operation": call.sub_operation}
        try:
            domain = domain_check.read(call.xml)
        except ForeignDomain as exc:
            log.warning("start refused", extra={"facts": {**facts, "reason": str(exc)}})
            if call.is_question:
                self.wfile.write(_refusal(str(exc)))
            return
        guest_id = domain_check.guest_id(domain)
        facts["id"] = str(guest_id)
        if call.is_question:
            self.wfile.write(self._answer(guest_id, call, domain, facts))
        else:
            log.info("libvirt hook event", extra={"facts": facts})
            self.server.gate.report(guest_id, call.operation, call.sub_operation)

    def _answer(self, guest_id: UUID, call: Call, domain: ET.Element, facts: dict[str, str]) -> bytes:
        reason = self.server.gate.may_start(guest_id, call.operation, domain)
        if reason is not None:
            log.warning("start refused", extra={"facts": {**facts, "reason": reason}})
            return _refusal(reason)
        answer: dict[str, object] = {"allowed": True}
        if call.operation == ARRIVAL:
            answer["domain"] = domain_check.printed(domain)
        return json.dumps(answer).encode() + b"\n"


def _refusal(reason: str) -> bytes:
    return json.dumps({"allowed": False, "reason": " ".join(reason.split())}).encode() + b"\n"


def _uid_of(peer: socket.socket) -> int:
    _pid, uid, _gid = CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))
    return int(uid)
