"""Metrics of operations, their steps and calls to agents."""

from prometheus_client import REGISTRY
from pytest_django import DjangoCaptureOnCommitCallbacks

from agents.node.errors import HypervisorUnavailable
from tests.workflows.helpers import ask_instance, done
from tests.world import Cloud, run

KIND = "instance.create"


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"andromede_{name}", labels) or 0


def numbers() -> dict[str, float]:
    step = {"kind": KIND, "step": "start"}
    return {
        "begun": value("operations_begun_total", kind=KIND),
        "ended": value("operations_ended_total", kind=KIND, state="succeeded"),
        "timed": value("operation_duration_seconds_count", kind=KIND),
        "steps": value("step_duration_seconds_count", **step),
        "retries": value("step_retries_total", **step),
        "calls": value("agent_calls_total", method="ensure_instance", code="ok"),
        "failed calls": value("agent_calls_total", method="ensure_instance", code="node.failed"),
        "timed calls": value("agent_call_duration_seconds_count", method="ensure_instance"),
    }


def grown(before: dict[str, float]) -> dict[str, float]:
    return {name: number - before[name] for name, number in numbers().items() if number != before[name]}


def test_successful_operation_is_counted(
    cloud: Cloud, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    before = numbers()
    with django_capture_on_commit_callbacks(execute=True):
        _, operation = ask_instance(cloud)
    assert grown(before) == {"begun": 1}
    with django_capture_on_commit_callbacks(execute=True):
        done(operation)
    assert grown(before) == {"begun": 1, "ended": 1, "timed": 1, "steps": 1, "calls": 1, "timed calls": 1}


def test_retried_step_is_counted(cloud: Cloud) -> None:
    _, operation = ask_instance(cloud)
    before = numbers()
    cloud.fake.fail_next("start", HypervisorUnavailable("it starts"))
    assert run(operation).state == "running"
    assert grown(before) == {"steps": 1, "retries": 1, "failed calls": 1, "timed calls": 1}


def test_step_label_has_no_index(cloud: Cloud) -> None:
    step = {"kind": KIND, "step": "port"}
    before = value("step_duration_seconds_count", **step)
    _, operation = ask_instance(cloud)
    done(operation)
    assert value("step_duration_seconds_count", **step) == before + 1
    assert not value("step_duration_seconds_count", kind=KIND, step="port-0")
