"""Findings of the doctor, and their remedies."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from andromede_cli.diagnosis import NOTICE, PROBLEM, examine, worded
from andromede_sdk import Client, NotFound
from controlplane.nodes.display_state import display_state
from scripts.polling import wait_until
from tests.clients.cli import Inside, inside
from tests.clients.conftest import Live
from tests.limits import PATIENCE_S

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def some(**members: Any) -> SimpleNamespace:
    return SimpleNamespace(**members)


def node(name: str = "rack1-07", *, trust: dict[str, Any] | None = None, **other: Any) -> SimpleNamespace:
    trusted = {"keyset_version": 2, "charter_version": 1, "deny_version": 0, "facts_epoch": 9, "is_clock_kept": True}
    trusted |= {"hook_problem": "", "is_attested": True} | (trust or {})
    members = {"state": "ready", "duty": "in-service", "duty_reason": "", "address": "10.0.0.7:7443"}
    members |= {"last_heartbeat_at": NOW, "certificate_expires_at": NOW + 300 * DAY}
    members |= other
    return some(name=name, trust=some(**trusted), life=display_state(members["state"], members["duty"]), **members)


def operation(**other: Any) -> SimpleNamespace:
    members = {"id": "o-1", "kind": "instance.create", "state": "running", "resources": ["i-1"], "steps": []}
    return some(**(members | {"created_at": NOW - MINUTE, "deadline": NOW + HOUR} | other))


class Platform:
    """An API that answers with just this."""

    def __init__(self, **lists: Sequence[Any]) -> None:
        self.lists = lists
        self.nodes = self.of("nodes")
        self.incidents = self.of("incidents")
        self.orphans = self.of("orphans")
        self.facts = self.of("facts")
        self.drift = self.of("drift")
        self.evidence = some(list=lambda **_: iter(lists.get("records", ())), checkpoint=self.checkpoint)
        self.platform = some(operation_list=lambda state: self.in_state("operations", state))
        self.organizations = some(
            list=lambda: [some(id="org-1", name="acme")], limits=lambda _: some(items=lists.get("limits", ()))
        )

    def of(self, name: str) -> Any:
        return some(list=lambda **filters: self.in_state(name, filters.get("state")))

    def in_state(self, name: str, state: str | None) -> list[Any]:
        found = self.lists.get(name, ())
        return [each for each in found if state is None or getattr(each, "state", state) == state]

    def checkpoint(self) -> str:
        if "checkpoint" not in self.lists:
            raise NotFound.__new__(NotFound)
        return f"andromede.local/log\n{self.lists['checkpoint']}\nroot\n"


def found(**lists: Any) -> list[tuple[str, str, str]]:
    platform: Any = Platform(**lists)
    return [(each.level, each.subject, each.what) for each in examine(platform, NOW)]


def test_healthy_platform_has_no_findings() -> None:
    placed = some(leaf_index=6, created_at=NOW - DAY)
    lasting = some(
        subject_kind="zone", subject_id="z", attribute="a", valid_to=NOW + 40 * DAY, review_by=NOW + DAY, state=None
    )
    assert found(nodes=[node()], operations=[operation()], records=[placed], checkpoint=7, facts=[lasting]) == []


@pytest.mark.parametrize(
    ("sick", "level", "what"),
    [
        (node(state="unreachable", last_heartbeat_at=NOW - 3 * HOUR), PROBLEM, "has sent no heartbeat for 3 h"),
        (node(state="enrolled", last_heartbeat_at=None), NOTICE, "never sent a heartbeat"),
        (node(duty="cordoned", duty_reason="fan"), NOTICE, "takes nothing new (cordoned): fan"),
        (node(duty="draining"), NOTICE, "takes nothing new (draining): -"),
        (node(duty="maintenance", state="unreachable"), NOTICE, "takes nothing new (maintenance): -"),
        (node(duty="fenced", state="unreachable"), NOTICE, "takes nothing new (fenced): -"),
        (node(certificate_expires_at=NOW - DAY), PROBLEM, "has a certificate that has ended"),
        (node(certificate_expires_at=NOW + 9 * DAY), NOTICE, "has a certificate that ends in 9 d"),
        (node(trust={"is_attested": False, "hook_problem": "gone"}), PROBLEM, "gets public data alone: gone"),
        (node(trust={"is_clock_kept": False}), PROBLEM, "has no synchronized clock"),
        (node(trust={"charter_version": 0}), PROBLEM, "has no charter, and accepts no permits"),
        (node(trust={"facts_epoch": 7}), NOTICE, "trusts an older facts_epoch than others: 7, not 9"),
    ],
)
def test_unhealthy_nodes_are_findings(sick: SimpleNamespace, level: str, what: str) -> None:
    assert found(nodes=[node("healthy"), sick]) == [(level, "node rack1-07", what)]


def test_open_incidents_are_findings() -> None:
    incident = some(kind="receipt-gap", name="7", seen_at=NOW - HOUR, node=some(name="rack1-07"), state="open")
    ended = some(kind="receipt-gap", name="6", seen_at=NOW - DAY, node=some(name="rack1-07"), state="ended")
    assert found(incidents=[ended, incident]) == [(PROBLEM, "node rack1-07", "receipt-gap: 7, seen 1 h ago")]


def test_undecided_orphans_are_findings() -> None:
    held = some(id="f-1", kind="file", name="volumes/x", state="quarantined", problem="", created_at=NOW - HOUR)
    stuck = some(id="f-2", kind="volume", name="volumes/y", state="found", problem="It is used.", created_at=NOW - DAY)
    strange = some(id="f-3", kind="volume", name="rbd/y", state="found", problem="", created_at=NOW - DAY)
    held.node, stuck.node, strange.node = some(name="rack1-07"), None, None
    held.storage_cluster, stuck.storage_cluster, strange.storage_cluster = None, None, some(name="ceph-1")
    assert found(orphans=[held, stuck, strange]) == [
        (PROBLEM, "database", "orphaned volume volumes/y: found for 1 d, blocked: It is used."),
        (NOTICE, "node rack1-07", "orphaned file volumes/x: quarantined for 1 h"),
        (NOTICE, "storage cluster ceph-1", "orphaned volume rbd/y: found for 1 d"),
    ]


def test_late_and_long_operations_are_findings() -> None:
    steps = [some(message=None), some(message="The node does not answer.")]
    late = operation(state="undoing", created_at=NOW - DAY, deadline=NOW - 2 * HOUR, steps=steps)
    long = operation(id="o-2", created_at=NOW - 3 * HOUR)
    assert found(operations=[operation(id="o-3"), long, late]) == [
        (
            PROBLEM,
            "operation o-1",
            "instance.create is undoing and has been beyond its deadline for 2 h: The node does not answer.",
        ),
        (NOTICE, "operation o-2", "instance.create has been running for 3 h: it gave no error"),
    ]


def test_unsequenced_and_unsigned_evidence_is_a_finding() -> None:
    waiting = [some(leaf_index=None, created_at=NOW - minutes * MINUTE) for minutes in (1, 5)]
    placed = some(leaf_index=7, created_at=NOW - HOUR)
    assert found(records=[waiting[0], placed], checkpoint=8) == []
    assert found(records=[*waiting, placed], checkpoint=8) == [
        (PROBLEM, "evidence", "has waited 5 min for its place in the log")
    ]
    unsigned = [(PROBLEM, "evidence", "has been in the log for 1 h without a checkpoint")]
    assert found(records=[placed], checkpoint=7) == found(records=[placed]) == unsigned


def test_expiring_facts_drift_and_exceeded_quotas_are_findings() -> None:
    zone = {"subject_kind": "zone", "subject_id": "fr-idf-1", "attribute": "certified"}
    facts = [
        some(**zone, valid_to=NOW + 5 * DAY, review_by=NOW + DAY),
        some(**zone, valid_to=None, review_by=NOW - 2 * DAY),
    ]
    drifted = some(kind="volume", resource_id="v-1", zone="us-1", state="drifted", since=NOW - HOUR, project="p-1")
    over = some(dimension="vcpus", used=12, limit=8)
    assert found(facts=facts, drift=[drifted], limits=[over, some(dimension="volumes", used=8, limit=8)]) == [
        (PROBLEM, "volume v-1", "is no longer admitted in us-1, since 1 h"),
        (NOTICE, "zone fr-idf-1", "certified holds for another 5 d"),
        (NOTICE, "zone fr-idf-1", "certified should have been reviewed 2 d ago"),
        (NOTICE, "organization acme", "uses 12 of 8 vcpus"),
    ]


def test_duration_is_shown_in_its_largest_unit() -> None:
    assert [worded(each) for each in (40 * DAY, 90 * MINUTE, MINUTE, timedelta(seconds=59), -DAY)] == [
        "40 d",
        "1 h",
        "1 min",
        "59 s",
        "0 s",
    ]


@pytest.fixture
def operator(tmp_path: Path, live: Live) -> Inside:
    return inside(tmp_path, live, live.operator)


@pytest.mark.slow
def test_unreachable_node_is_a_finding_until_it_returns(operator: Inside, live: Live) -> None:
    with Client(live.url, live.operator) as client:

        def state() -> str:
            return client.nodes.get("node-b").state

        live.cloud.stack.kill("agent-node-b")
        try:
            wait_until(lambda: state() == "unreachable", limit_s=PATIENCE_S)
            result = operator("doctor")
            assert result.code == 1
            assert "node node-b" in result.out
            assert "keep their allocations" in operator("--language", "en", "doctor").out
            levels = {each["subject"]: each["level"] for each in operator("doctor", "-o", "json").json}
            assert levels["node node-b"] == PROBLEM
        finally:
            live.cloud.start_agent("node-b")
        wait_until(lambda: state() == "ready", limit_s=PATIENCE_S)
    assert "node node-b" not in operator("doctor").out


@pytest.mark.slow
def test_doctor_is_for_operators_only(tmp_path: Path, live: Live) -> None:
    result = inside(tmp_path, live, live.token)("doctor")
    assert result.code == 7
    assert result.out == ""
