"""One trace leads from a request over its operation and the steps into the agent."""

from agents.node.errors import AdapterError
from controlplane.operations.models import Operation
from controlplane.workflows.tasks import run
from telemetry.traces import span, traceparent
from tests.traces import collected
from tests.workflows.helpers import ask_instance, fresh, make_instance
from tests.world import Cloud


def test_request_gives_one_trace(cloud: Cloud) -> None:
    make_instance(cloud, "first")  # the node has the image: no operation goes to another lane
    with collected() as spans:
        with span("request"):
            _, operation = ask_instance(cloud)
        run(str(operation.pk))
        way = [
            spans.named(name)
            for name in ("request", "instance.create", "do start", "ensure_instance", "EnsureInstance")
        ]
    assert fresh(operation).state == "succeeded"
    for above, below in zip(way, way[1:], strict=False):
        assert below.parent is not None
        assert (below.parent.trace_id, below.parent.span_id) == (above.context.trace_id, above.context.span_id)
    begun, call, answered = way[1], way[3], way[4]
    assert (begun.attributes or {})["andromede.operation_id"] == str(operation.pk)
    assert (begun.attributes or {})["andromede.state"] == "succeeded"
    assert (call.attributes or {})["andromede.code"] == "ok"
    assert (answered.attributes or {})["andromede.resource_id"] == str(operation.resource_id)


def test_later_worker_extends_the_same_trace(cloud: Cloud) -> None:
    make_instance(cloud, "first")  # the node has the image: no operation goes to another lane
    with collected() as spans:
        with span("request"):
            _, operation = ask_instance(cloud)
        cloud.fake.fail_next("start", AdapterError("no, says the secret", retryable=True))
        run(str(operation.pk))
        Operation.objects.filter(pk=operation.pk).update(due_at=operation.created_at)
        run(str(operation.pk))
        tries = [each for each in spans.spans() if each.name == "instance.create"]
        assert len(tries) == 2
        assert {each.context.trace_id for each in tries} == {spans.named("request").context.trace_id}
        assert "secret" not in " ".join(each.to_json() for each in spans.spans())


def test_without_a_collector_nothing_is_traced(cloud: Cloud) -> None:
    with span("request"):
        assert traceparent() == ""
        _, operation = ask_instance(cloud)
    assert fresh(operation).traceparent == ""
