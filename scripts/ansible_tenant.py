"""A tenant of `make ansible`; runs on the machine of the control plane, with what Debian's Python has and no more.

`settle PROJECT` has two guests on two nodes, and one that is busy; prints the two. `ask PROJECT` asks until it is told
to end (SIGTERM), and turns the busy one off and on: what was answered, what was not, and how its operations ended.
`turn PROJECT` turns the busy one off and on, and says how the two operations ended. `reach ADDRESS` opens connections
to a guest until it is told to end. All print JSON.
"""

import argparse
import http.client
import json
import signal
import socket
import ssl
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

TOKEN = Path("/root/token")
GROUP, NETWORK, STILL, BUSY = "apart", "lan", ("first", "second"), "busy"
ENDED = {"succeeded", "failed", "cancelled"}
# Longer than a web process takes that ends what it has begun.
ANSWER_LIMIT_S, OPERATION_LIMIT_S, CONNECT_LIMIT_S = 60, 300, 3
PAUSE_S, SSH = 0.1, 22


class StopSignal:
    """Records that SIGTERM arrived."""

    def __init__(self) -> None:
        self.to_end = False
        signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, *_: object) -> None:
        self.to_end = True


class Api:
    """API client; each request has a connection of its own, as from a new client."""

    def __init__(self, project: str) -> None:
        self.root = f"/v1/projects/{project}/"
        self.headers = {"Authorization": f"Bearer {TOKEN.read_text().strip()}", "Content-Type": "application/json"}
        self.trust = ssl.create_default_context()
        self.trust.check_hostname, self.trust.verify_mode = False, ssl.CERT_NONE

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Send a request. Raises OSError or HTTPException when there was no answer, or one that is no HTTP."""
        connection = http.client.HTTPSConnection("localhost", timeout=ANSWER_LIMIT_S, context=self.trust)
        try:
            connection.request(
                method, self.root + path, None if method == "GET" else json.dumps(body or {}), self.headers
            )
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if answer.status < 300 else text.decode()
        finally:
            connection.close()

    def need(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        status, document = self.ask(method, path, body)
        if status >= 300:
            raise SystemExit(f"{method} {path}: {status} {document}")
        return document

    def finish(self, operation: str) -> str:
        """Return the outcome of the operation."""
        deadline = time.monotonic() + OPERATION_LIMIT_S
        while (state := self.need("GET", f"operations/{operation}")["state"]) not in ENDED:
            if time.monotonic() > deadline:
                return f"still {state}"
            time.sleep(PAUSE_S)
        return str(state)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["settle", "ask", "turn", "reach"])
    parser.add_argument("whom")
    given = parser.parse_args()
    does = {"settle": settle, "ask": ask, "turn": turn, "reach": reach}[given.what]
    json.dump(does(given.whom), sys.stdout)
    return 0


def settle(project: str) -> dict[str, object]:
    api = Api(project)
    network = api.need("POST", "networks", {"name": NETWORK, "cidr": "10.10.0.0/24"})
    rule = {"direction": "in", "protocol": "tcp", "first_port": SSH}
    status, document = api.ask("POST", "security-groups/default/rules", rule)
    if status >= 300 and status != http.HTTPStatus.NOT_FOUND:  # an earlier release, which filters no ports
        raise SystemExit(f"rule of the security group: {status} {document}")
    api.need("POST", "affinity-groups", {"name": GROUP, "rule": "anti-affinity"})
    created: dict[str, object] = {"network": network["id"]}
    for name in (*STILL, BUSY):
        body = {"name": name, "flavor": "tiny", "image": "tiny", "networks": [NETWORK]}
        instance = api.need("POST", "instances", body | ({} if name == BUSY else {"affinity_group": GROUP}))
        if (state := api.finish(instance["operation"]["id"])) != "succeeded":
            raise SystemExit(f"{name}: creation {state}: {api.need('GET', f'instances/{name}')['last_error']}")
        if name != BUSY:
            created[instance["id"]] = api.need("GET", f"instances/{name}")["addresses"][0]["ip"]
    return created


def ask(project: str) -> dict[str, object]:
    stop, api = StopSignal(), Api(project)
    answered, refused, slowest_s = 0, [], 0.0
    ended: Counter[str] = Counter()
    is_on = api.need("GET", f"instances/{BUSY}")["state"] == "active"  # who asked before may have left it off
    under_way, begun = "", time.monotonic()
    while not stop.to_end:
        turn = "POST", f"instances/{BUSY}/actions/{'power-off' if is_on else 'start'}"
        for method, path in (
            ("GET", f"instances/{STILL[0]}"),
            ("GET", f"operations/{under_way}") if under_way else turn,
        ):
            at, status = time.monotonic(), 0
            document: Any
            try:
                status, document = api.ask(method, path)
            except (OSError, http.client.HTTPException) as lost:
                document = repr(lost)
            slowest_s = max(slowest_s, time.monotonic() - at)
            if not 200 <= status < 300:
                refused.append({"at_s": round(at - begun, 1), "what": f"{method} {path}: {status} {document}"[:300]})
                continue
            answered += 1
            if method == "POST":
                under_way, is_on = document["operation"]["id"], not is_on
            elif under_way and path.endswith(under_way) and document["state"] in ENDED:
                ended[document["state"]] += 1
                under_way = ""
        time.sleep(PAUSE_S)
    if under_way:
        ended[api.finish(under_way)] += 1
    slowest_ms = round(slowest_s * 1000)
    return {"answered": answered, "refused": refused, "slowest_ms": slowest_ms, "operations": dict(ended)}


def turn(project: str) -> dict[str, object]:
    api = Api(project)
    actions = ("power-off", "start") if api.need("GET", f"instances/{BUSY}")["state"] == "active" else ("start",)
    return {
        "operations": [
            api.finish(api.need("POST", f"instances/{BUSY}/actions/{action}")["operation"]["id"]) for action in actions
        ]
    }


def reach(address: str) -> dict[str, object]:
    """Return the number of connections, of failures, and the longest time without a connection."""
    stop = StopSignal()
    reached, missed, longest_s, last = 0, 0, 0.0, time.monotonic()
    while not stop.to_end:
        try:
            socket.create_connection((address, SSH), timeout=CONNECT_LIMIT_S).close()
        except OSError:
            missed += 1
        else:
            longest_s, last = max(longest_s, time.monotonic() - last), time.monotonic()
            reached += 1
        time.sleep(PAUSE_S)
    return {"reached": reached, "missed": missed, "longest_ms": round(longest_s * 1000)}


if __name__ == "__main__":
    sys.exit(main())
