"""Body of libvirt's hook: ask the agent about a guest, or report an event.

    client.py GUEST OPERATION SUB-OPERATION EXTRA  <the guest's XML

Ends with 0 when the guest may go on; else with 1, and one line on standard error says why. Of a guest that arrives from
another node, libvirt defines what comes on standard output. libvirt waits for it twice during a start, so it imports
nothing that is slow: json or socket would each double its 6 ms.
"""

import _socket
import sys
from time import monotonic

SOCKET = "/var/lib/andromede/hook.sock"

QUESTIONS = ("prepare", "start", "restore", "migrate")
ANSWER_WITHIN_S = 5.0
NEWS_WITHIN_S = 1.0
MAX_XML_BYTES = 4 * 2**20
MAX_ANSWER_BYTES = 32 * 2**20
CHUNK_BYTES = 2**16
YES = b'{"allowed": true}\n'


class Refused(Exception):
    """The guest may not go on; the text is for the caller that tried to start it."""


def main(arguments: list[str]) -> None:
    operation, sub_operation = arguments[1:3]
    call = _call(sys.stdin.buffer.read(MAX_XML_BYTES + 1), operation, sub_operation)
    if operation in QUESTIONS and sub_operation == "begin":
        sys.stdout.write(_checked(_exchange(call, within_s=ANSWER_WITHIN_S, has_answer=True)))
    else:
        _exchange(call, within_s=NEWS_WITHIN_S, has_answer=False)


def _call(xml: bytes, operation: str, sub_operation: str) -> bytes:
    """Send a line of JSON, in which no value needs escaping, and the XML; return the answer."""
    if len(xml) > MAX_XML_BYTES:
        raise Refused("the guest's XML is too long")
    if not (operation + sub_operation).replace("-", "").isalnum():
        raise Refused("libvirt names no operation")
    line = f'{{"operation": "{operation}", "sub_operation": "{sub_operation}", "xml_bytes": {len(xml)}}}\n'
    return line.encode("ascii") + xml


def _exchange(call: bytes, *, within_s: float, has_answer: bool) -> bytes:
    deadline = monotonic() + within_s
    client = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    answer = b""
    try:
        client.settimeout(within_s)
        client.connect(SOCKET)
        client.sendall(call)
        while has_answer and not answer.endswith(b"\n") and len(answer) < MAX_ANSWER_BYTES:
            client.settimeout(max(deadline - monotonic(), 0.001))
            part = client.recv(CHUNK_BYTES)
            if not part:
                break
            answer += part
    finally:
        client.close()
    return answer


def _checked(answer: bytes) -> str:
    """Return the definition for libvirt to use instead of the arriving one; empty if that one is correct."""
    if answer == YES:
        return ""
    import json  # only a refusal and an arrival are worth its time

    try:
        reply = json.loads(answer)
        if reply["allowed"] is True:
            return str(reply["domain"])
        reason = reply["reason"]
    except (ValueError, KeyError, TypeError) as exc:
        raise Refused("the agent gave no answer that can be understood") from exc
    raise Refused(str(reason))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Refused as exc:
        sys.exit(f"andromede: {exc}")
    except OSError as exc:
        sys.exit(f"andromede: the agent does not answer at {SOCKET}: {exc.strerror or exc}")
