"""An operator who recovers nodes.

A lost node is fenced by an attestation that it is off, its guests are evacuated, and it is repaired, started and
returned. A drained node is maintained and returned.
"""

import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from scripts.chaos import planned
from scripts.chaos.attestor import Attestor
from scripts.chaos.supervisor import Supervisor
from scripts.chaos.users import ApiUnavailable, ChaosClient

LOOK_EVERY_S = 1.0
# Duration of the maintenance of a drained node.
MAINTAINED_S = 15.0
# A node is dead for longer than its lease. A recovery that finds no place is waited for, and then the node is repaired.
DEAD_S, RECOVERED_WITHIN_S = 12.0, 30.0
REASON = "chaos"
ENDED = ("done", "cancelled")


@dataclass
class LostNode:
    """A lost node. `since`: monotonic. `is_fenced`: it was fenced, so that it comes back through maintenance."""

    since: float
    is_fenced: bool = False


@dataclass
class RecoveryOperator:
    """The operator. `done`: the number of each action. `findings`: refusals that should not occur."""

    attestor: Attestor
    keeper: Supervisor
    client: ChaosClient
    done: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    cases: dict[str, LostNode] = field(default_factory=dict)
    maintained_since: dict[str, float] = field(default_factory=dict)
    _is_over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self._is_over.wait(LOOK_EVERY_S):
            try:
                self.look()
            except ApiUnavailable:
                continue  # it is among the findings

    def stop(self) -> None:
        self._is_over.set()

    def are_done(self) -> bool:
        return not self.cases and not self.keeper.lost

    def look(self) -> None:
        for name in set(self.keeper.lost):
            self.cases.setdefault(name, LostNode(time.monotonic()))
        for node in self.client.listed("/v1/nodes", by=planned.OPERATOR):
            if node["name"] in self.cases:
                self._deal_with(node, self.cases[node["name"]])
            else:
                self._work_on(node)

    def _work_on(self, node: dict[str, Any]) -> None:
        if node["duty"] != "maintenance":
            self.maintained_since.pop(node["name"], None)
        elif time.monotonic() - self.maintained_since.setdefault(node["name"], time.monotonic()) > MAINTAINED_S:
            self._do(node, "return", {})

    def _deal_with(self, node: dict[str, Any], case: LostNode) -> None:
        """Take the next step for the current state of the node; a refused request is repeated next time."""
        case.is_fenced = case.is_fenced or node["duty"] == "fenced"
        if not case.is_fenced:
            if node["state"] == "unreachable":
                case.is_fenced = self._fence(node)
        elif node["duty"] == "fenced":
            self._recover(node, case)
        elif node["name"] in self.keeper.lost:
            with self.keeper.lock:
                self.keeper.lost.discard(node["name"])  # it is switched on again
        elif node["duty"] != "maintenance":
            del self.cases[node["name"]]
        elif node["state"] == "ready":
            self._do(node, "return", {})

    def _fence(self, node: dict[str, Any]) -> bool:
        if self.attestor.needs_proof:
            code = {"totp": self.attestor.code()}
            answer = self.client.asked("/v1/sessions/actions/verify", code, by=planned.ATTESTOR)
            if answer is None:
                self.findings.append("the attestor could not prove who they are")
            self.attestor.proved_at = time.monotonic()
        body = {"evidence": "attestation", "reason": REASON}
        return self._do(node, "fence", body, by=planned.ATTESTOR)

    def _recover(self, node: dict[str, Any], case: LostNode) -> None:
        """Recover by the shown plan, then wait for it."""
        recovery = self.client.get(f"/v1/nodes/{node['id']}/drain", by=planned.OPERATOR)
        if recovery is None or recovery["kind"] != "recover" or recovery["created_at"] < node["duty_since"]:
            plan = self.client.asked(f"/v1/nodes/{node['id']}/actions/plan-recover", {}, by=planned.OPERATOR)
            if plan is not None:
                self._do(node, "recover", {"plan": plan["digest"], "reason": REASON})
            return
        dead_s = time.monotonic() - case.since
        if dead_s > DEAD_S and (recovery["state"] in ENDED or dead_s > DEAD_S + RECOVERED_WITHIN_S):
            self.done[f"recovery {recovery['state']}"] += self._do(node, "maintain", {"reason": REASON})

    def _do(self, node: dict[str, Any], verb: str, body: dict[str, Any], *, by: str = planned.OPERATOR) -> bool:
        path, key = f"/v1/nodes/{node['id']}/actions/{verb}", str(uuid.uuid4())
        is_done = self.client.send("POST", path, body=body, key=key, by=by).is_success
        self.done[verb] += is_done
        return is_done
