"""Users of the API who handle lost answers.

Every request has a key and is repeated with that key while the API is away; its answer is stored, to be compared with
the rows in the end.
"""

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx

from scripts.chaos import acts, planned
from scripts.chaos.officer import Officer
from scripts.chaos.schedule import Act

# The longest that the API may be away: the longest strike, and what it takes to start on a busy machine.
PATIENCE_S = 180.0
TRY_LIMIT_S = 20.0
PAUSE_S = (0.2, 1.0)
NO_ROUTE = '"route_not_found"'
AWAY = frozenset({429, 502, 503, 504})
# The first try with this key is still being answered.
CONFLICT, IN_USE = 409, "idempotency_key_in_use"
# Share of the accepted requests that are repeated with the same key, as if the answer had been lost.
DOUBTS = 0.15


@dataclass(slots=True)
class RequestOutcome:
    """The result of a request: the answer (`status`, `code` of an error), and the operation's outcome.

    `name`, `resource`: the subject of the act; `requested`: the state after a successful operation.
    """

    act: int
    kind: str
    status: int
    code: str = ""
    key: str = ""
    name: str = ""
    resource: str = ""
    operation: str = ""
    state: str = ""
    requested: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


class ApiUnavailable(Exception):
    """The API did not answer within PATIENCE_S."""


class ChaosClient:
    """Requests to one project, with the tokens of its owner and of operators. Safe for use by several threads.

    `findings`: violations.
    """

    def __init__(self, url: str, tokens: Mapping[str, str], project: str, officer: Officer) -> None:
        self.project = f"/v1/projects/{project}"
        self.officer = officer
        self.authorization = {who: {"Authorization": f"Bearer {token}"} for who, token in tokens.items()}
        self.http = httpx.Client(base_url=url, timeout=TRY_LIMIT_S, limits=httpx.Limits(max_connections=64))
        self.findings: list[str] = []
        self.tries: Counter[str] = Counter()

    def close(self) -> None:
        self.http.close()

    def get(self, path: str, *, by: str = planned.OWNER, **query: str) -> Any:
        answer = self.send("GET", path, query=query, by=by)
        return answer.json() if answer.is_success else None

    def listed(self, path: str, *, by: str = planned.OWNER) -> list[dict[str, Any]]:
        answer = self.send("GET", path, query={"limit": "200"}, by=by)
        return list(answer.json()["items"]) if answer.is_success else []

    def asked(self, path: str, body: dict[str, Any], *, by: str = planned.OWNER) -> dict[str, Any] | None:
        answer = self.send("POST", path, body=body, by=by)
        return dict(answer.json()) if answer.is_success else None

    def send_planned(self, planned_request: planned.PlannedRequest, key: str) -> httpx.Response:
        return self.send(
            planned_request.method, planned_request.path, body=planned_request.body, key=key, by=planned_request.by
        )

    def send(
        self,
        method: str,
        path: str,
        *,
        body: dict[str, Any] | None = None,
        key: str = "",
        query: Any = None,
        by: str = planned.OWNER,
    ) -> httpx.Response:
        """Return the first final answer.

        Raises:
            ApiUnavailable: there was none.
        """
        headers = self.authorization[by] | ({"Idempotency-Key": key} if key else {})
        url = path if path.startswith("/v1/") else f"{self.project}/{path}"
        deadline = time.monotonic() + PATIENCE_S
        while True:
            failed = self._try(method, url, {"json": body, "headers": headers, "params": query})
            if isinstance(failed, httpx.Response):
                return failed
            self.tries[failed] += 1
            if time.monotonic() > deadline:
                self.findings.append(f"{method} {url}: no answer within {PATIENCE_S:.0f} s, at last {failed}")
                raise ApiUnavailable(url)
            time.sleep(random.uniform(*PAUSE_S))

    def _try(self, method: str, url: str, more: dict[str, Any]) -> httpx.Response | str:
        """Return a final answer, or in a word why there is none."""
        if more["json"] is None:
            more = {name: value for name, value in more.items() if name != "json"}
        try:
            answer = self.http.request(method, url, **more)
        except httpx.TransportError as exc:
            return type(exc).__name__
        if answer.status_code in AWAY:
            return str(answer.status_code)
        if answer.status_code == CONFLICT and answer.json().get("code") == IN_USE:
            return IN_USE
        if answer.is_server_error or NO_ROUTE in answer.text:  # an act that asks at no door tries nothing
            self.findings.append(f"{method} {url}: {answer.status_code} {answer.text[:500]}")
        return answer


@dataclass
class Users:
    """Work by the schedule until it is done, each user in a thread of its own."""

    client: ChaosClient
    outcomes: list[RequestOutcome] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    is_over: threading.Event = field(default_factory=threading.Event)

    def work(self, agenda: Sequence[Act], begun_at: float) -> None:
        mine: dict[int, list[Act]] = {}
        for act in agenda:
            mine.setdefault(act.user, []).append(act)
        with ThreadPoolExecutor(max(len(mine), 1), thread_name_prefix="user") as pool:
            for done in [pool.submit(self._work, own, begun_at) for own in mine.values()]:
                done.result()

    def _work(self, agenda: Sequence[Act], begun_at: float) -> None:
        for act in agenda:
            if self.is_over.wait(max(0.0, begun_at + act.at_s - time.monotonic())):
                return
            try:
                self.do(act)
            except ApiUnavailable:
                continue  # it is among the findings

    def do(self, act: Act) -> None:
        """Send the request of the act, or create a resource where there is none to change."""
        dice = random.Random(act.dice)
        scene = planned.Scene(self.client.listed("instances"), self.client.listed("volumes"), self.client, act.number)
        planned_request = acts.ACTS[act.name].plan(scene, dice) or acts.create(scene, dice)
        if planned_request is None:
            return
        key = str(uuid.UUID(int=dice.getrandbits(128), version=4)) if planned_request.method == "POST" else ""
        begun = time.monotonic()
        answer = self.client.send_planned(planned_request, key)
        outcome = _request_outcome(act, planned_request, answer, key=key)
        outcome.seconds = round(time.monotonic() - begun, 2)
        with self.lock:
            self.outcomes.append(outcome)
        if key and answer.is_success and dice.random() < DOUBTS:
            self._retry(planned_request, key, outcome)

    def _retry(self, planned_request: planned.PlannedRequest, key: str, outcome: RequestOutcome) -> None:
        second_answer = self.client.send_planned(planned_request, key)
        other = (second_answer.status_code, _operation(second_answer))
        if other != (outcome.status, outcome.operation):
            self.client.findings.append(
                f"{planned_request.method} {planned_request.path} with key {key}: {other} "
                f"instead of {(outcome.status, outcome.operation)}"
            )

    def wait(self, limit_s: float) -> None:
        """Wait until each reported operation has ended, and record its outcome; the others are left."""
        deadline = time.monotonic() + limit_s
        for outcome in self.outcomes:
            while outcome.operation and outcome.state not in acts.ENDED:
                operation = self.client.get(f"operations/{outcome.operation}", wait="10s")
                outcome.state = operation["state"] if operation else "unknown"
                if outcome.state == "unknown" or time.monotonic() > deadline:
                    break

    def note(self, operation: dict[str, Any], state: str) -> None:
        """Record an operation that was requested outside of the schedule, and its outcome."""
        outcome = RequestOutcome(
            -1, operation["kind"], 202, operation=operation["id"], resource=operation["resources"][0]
        )
        outcome.state = state
        self.outcomes.append(outcome)

    def documents(self) -> list[dict[str, Any]]:
        return [asdict(outcome) for outcome in self.outcomes]


def _request_outcome(
    act: Act, planned_request: planned.PlannedRequest, answer: httpx.Response, *, key: str
) -> RequestOutcome:
    outcome = RequestOutcome(
        act.number,
        planned_request.kind,
        answer.status_code,
        key=key,
        name=planned_request.name,
        resource=planned_request.resource,
    )
    outcome.requested = dict(planned_request.then)
    document = answer.json() if answer.content else {}
    if answer.is_success:
        outcome.operation = _operation(answer)
        outcome.resource = planned_request.resource or str(document.get("id", ""))
    else:
        outcome.code = str(document.get("code", ""))
    return outcome


def _operation(answer: httpx.Response) -> str:
    """Return the id of the operation that the request began; a retry has nothing else in its answer."""
    document = answer.json() if answer.content else {}
    begun = document if "retry_of" in document else document.get("operation")
    return str((begun or {}).get("id", ""))
