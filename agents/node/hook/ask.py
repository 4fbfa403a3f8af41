"""The body of libvirt's hook: ask the agent about a guest, or tell it the news.

    ask.py GUEST OPERATION SUB-OPERATION EXTRA  <the guest's XML

Ends with 0 when the guest may go on; else with 1, and one line on standard error says why. libvirt waits for it twice
during a start, so it imports nothing that is slow: json or socket would each double its 6 ms.
"""

import _socket
import pyexpat
import sys
from time import monotonic

SOCKET = "/var/lib/andromede/hook.sock"

QUESTIONS = ("prepare", "start", "restore", "migrate")
ANSWER_WITHIN_S = 5.0
NEWS_WITHIN_S = 1.0
MAX_XML_BYTES = 4 * 2**20
MAX_ANSWER_BYTES = 4096
YES = b'{"allowed": true}\n'


class Refused(Exception):
    """The guest may not go on; its text is for whoever tried to start it."""


def main(arguments: list[str]) -> None:
    operation, sub_operation = arguments[1:3]
    line = _line(_instance_id(sys.stdin.buffer.read(MAX_XML_BYTES + 1)), operation, sub_operation)
    if operation in QUESTIONS and sub_operation == "begin":
        _check(_exchange(line, within_s=ANSWER_WITHIN_S, has_answer=True))
    else:
        _exchange(line, within_s=NEWS_WITHIN_S, has_answer=False)


def _instance_id(xml: bytes) -> str:
    """The text of <domain><uuid>. Documents with entities of their own are refused: they could grow without end."""
    if len(xml) > MAX_XML_BYTES:
        raise Refused("the guest's XML is too long")
    path: list[str] = []
    found: list[str] = []
    parser = pyexpat.ParserCreate()
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise Refused("the guest's XML has a document type")

    def text(data: str) -> None:
        if path == ["domain", "uuid"]:
            found.append(data.strip().lower())

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = lambda name, _: path.append(name)
    parser.EndElementHandler = lambda _: path.pop()
    parser.CharacterDataHandler = text
    parser.Parse(xml, True)
    if len(found) != 1 or len(found[0]) != 36 or found[0].strip("0123456789abcdef-"):
        raise Refused("the guest's XML has no UUID")
    return found[0]


def _line(instance_id: str, operation: str, sub_operation: str) -> bytes:
    """JSON, as long as no value needs escaping."""
    if not (operation + sub_operation).replace("-", "").isalnum():
        raise Refused("libvirt names no operation")
    text = f'{{"instance_id": "{instance_id}", "operation": "{operation}", "sub_operation": "{sub_operation}"}}\n'
    return text.encode("ascii")


def _exchange(line: bytes, *, within_s: float, has_answer: bool) -> bytes:
    deadline = monotonic() + within_s
    client = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    answer = b""
    try:
        client.settimeout(within_s)
        client.connect(SOCKET)
        client.sendall(line)
        while has_answer and not answer.endswith(b"\n") and len(answer) < MAX_ANSWER_BYTES:
            client.settimeout(max(deadline - monotonic(), 0.001))
            part = client.recv(MAX_ANSWER_BYTES)
            if not part:
                break
            answer += part
    finally:
        client.close()
    return answer


def _check(answer: bytes) -> None:
    if answer == YES:
        return
    import json  # only a refusal is worth its time

    try:
        reason = json.loads(answer)["reason"]
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
    except pyexpat.ExpatError as exc:
        sys.exit(f"andromede: the guest's XML cannot be read: {exc}")
