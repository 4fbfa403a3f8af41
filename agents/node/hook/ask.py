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

DISK_SOURCE = ["domain", "devices", "disk", "source"]
MEMORY = ["domain", "memory"]
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
    line = _line(_facts(sys.stdin.buffer.read(MAX_XML_BYTES + 1)), operation, sub_operation)
    if operation in QUESTIONS and sub_operation == "begin":
        _check(_exchange(line, within_s=ANSWER_WITHIN_S, has_answer=True))
    else:
        _exchange(line, within_s=NEWS_WITHIN_S, has_answer=False)


def _facts(xml: bytes) -> str:
    """What the agent is told of the guest, as JSON fields. Documents with entities of their own are refused: they could
    grow without end."""
    if len(xml) > MAX_XML_BYTES:
        raise Refused("the guest's XML is too long")
    path: list[str] = []
    texts: dict[str, list[str]] = {"uuid": [], "memory": [], "vcpu": []}
    disks: list[str] = []
    parser = pyexpat.ParserCreate()
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise Refused("the guest's XML has a document type")

    def begin(name: str, attributes: dict[str, str]) -> None:
        path.append(name)
        if path == DISK_SOURCE:
            disks.append(attributes.get("file", "") or repr(sorted(attributes.items())))
        elif path == MEMORY and attributes.get("unit") != "KiB":
            raise Refused("the guest's memory is not in KiB")

    def text(data: str) -> None:
        if len(path) == 2 and path[0] == "domain" and path[1] in texts:
            texts[path[1]].append(data.strip().lower())

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = begin
    parser.EndElementHandler = lambda _: path.pop()
    parser.CharacterDataHandler = text
    parser.Parse(xml, True)
    found = texts["uuid"]
    if len(found) != 1 or len(found[0]) != 36 or found[0].strip("0123456789abcdef-"):
        raise Refused("the guest's XML has no UUID")
    memory, vcpus = (_number(texts[name]) for name in ("memory", "vcpu"))
    # In hex, so that no path needs escaping.
    named = ", ".join(f'"{disk.encode().hex()}"' for disk in sorted(disks))
    return f'"instance_id": "{found[0]}", "memory_kib": {memory}, "vcpus": {vcpus}, "disks": [{named}]'


def _number(texts: list[str]) -> int:
    """0, which fits no guest, where there is none."""
    return int(texts[0]) if len(texts) == 1 and texts[0].isdecimal() and len(texts[0]) < 16 else 0


def _line(facts: str, operation: str, sub_operation: str) -> bytes:
    """JSON, as long as no value needs escaping."""
    if not (operation + sub_operation).replace("-", "").isalnum():
        raise Refused("libvirt names no operation")
    text = f'{{{facts}, "operation": "{operation}", "sub_operation": "{sub_operation}"}}\n'
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
