"""Documents and dashboards about metrics name existing metrics."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY, CollectorRegistry

from agents.node.lease import LeasePolicy
from agents.node.node_metrics import NodeCollector
from controlplane.api import request_metrics, stream
from controlplane.kernel import celery_metrics, periodic
from controlplane.kernel.certificate_metrics import CertificateMetrics
from controlplane.nodes import incidents
from controlplane.nodes.models import Node
from controlplane.watcher.database_metrics import DatabaseMetrics
from controlplane.webhooks import delivery_metrics as webhooks
from controlplane.workflows import step_metrics as workflows
from tests.world import Cloud

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "observability"
NAME = re.compile(r"\bandromede_[a-z_]+[a-z]\b")
LOADED = (request_metrics, stream, celery_metrics, periodic, webhooks, workflows)


@pytest.fixture
def families(cloud: Cloud) -> set[str]:
    """The names of all that any process exports, as they stand in Prometheus' text."""
    assert LOADED
    cloud.machine.stop_agent()
    cloud.machine.start_agent(lease=LeasePolicy(stops=True))
    incidents.report(Node.objects.get(), "domain-unknown", "somebody's")
    registry = CollectorRegistry()
    registry.register(DatabaseMetrics())
    registry.register(CertificateMetrics())
    registry.register(NodeCollector(cloud.machine.server.node))
    return {
        family.name + ("_total" if family.type == "counter" else "")
        for family in [*REGISTRY.collect(), *registry.collect()]
        if family.name.startswith("andromede_")
    }


def test_reference_lists_exactly_the_existing_metrics(families: set[str]) -> None:
    assert set(NAME.findall((ROOT / "docs" / "reference" / "process-metrics.md").read_text())) == families


def named_in(text: str) -> set[str]:
    """Histograms are three series in Prometheus."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in NAME.findall(text)}


def expressions(part: Any) -> Iterator[str]:
    """Return the expressions of a dashboard or of rules at any depth."""
    if isinstance(part, dict):
        yield from (part["expr"] for _ in range("expr" in part))
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from expressions(each)


def test_dashboard_and_rules_name_existing_metrics(families: set[str]) -> None:
    dashboard = json.loads((FOLDER / "dashboard.json").read_text())
    rules = yaml.safe_load((FOLDER / "alerts.yaml").read_text())
    for document in (dashboard, rules):
        named = named_in(" ".join(expressions(document)))
        assert named
        assert named <= families


def test_panel_ids_are_unique() -> None:
    ids = [panel["id"] for panel in json.loads((FOLDER / "dashboard.json").read_text())["panels"]]
    assert len(ids) == len(set(ids))


def test_each_alert_has_a_description_and_an_action() -> None:
    rules = [
        rule for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"] for rule in group["rules"]
    ]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    described = (ROOT / "docs" / "how-to" / "observe.md").read_text()
    for rule in rules:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]
        for page in re.findall(r"docs/[a-z/-]+\.md", rule["annotations"]["action"]):
            assert (ROOT / page).is_file(), page
    assert "observability/alerts.yaml" in described
