"""What is written about metrics is about metrics that there are."""

import re
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, CollectorRegistry

from agents.node.observed import NodeCollector
from controlplane.api import meter, stream
from controlplane.kernel import observed_tasks
from controlplane.nodes import incidents
from controlplane.nodes.models import Node
from controlplane.reconcilers import tasks
from controlplane.watcher.census import Census
from controlplane.webhooks import meters as webhooks
from controlplane.workflows import meters as workflows
from tests.world import Cloud

ROOT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"\bandromede_[a-z_]+[a-z]\b")
LOADED = (meter, stream, observed_tasks, tasks, webhooks, workflows)


@pytest.fixture
def families(cloud: Cloud) -> set[str]:
    """The names of all that any process exports, as they stand in Prometheus' text."""
    assert LOADED
    incidents.report(Node.objects.get(), "domain-unknown", "somebody's")
    registry = CollectorRegistry()
    registry.register(Census())
    registry.register(NodeCollector(cloud.machine.server.node))
    return {
        family.name + ("_total" if family.type == "counter" else "")
        for family in [*REGISTRY.collect(), *registry.collect()]
        if family.name.startswith("andromede_")
    }


def test_the_reference_lists_them_all_and_no_other(families: set[str]) -> None:
    assert set(NAME.findall((ROOT / "docs" / "reference" / "process-metrics.md").read_text())) == families
