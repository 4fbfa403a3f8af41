"""A request is the first part of a trace, named by its route."""

from controlplane.operations.models import Operation
from tests.api.client import Caller
from tests.traces import collected


def test_a_request_and_its_operation_are_of_one_trace(api: Caller) -> None:
    with collected() as spans:
        body = {"name": "web", "flavor": "tiny", "image": "tiny", "networks": ["lan"]}
        assert api.post("instances", body, X_Request_Id="find-me-again").status == 201
        request = spans.named("instance_create")
    attributes = request.attributes or {}
    assert (attributes["http.response.status_code"], attributes["andromede.request_id"]) == (201, "find-me-again")
    assert Operation.objects.get().traceparent.split("-")[1] == f"{request.context.trace_id:032x}"


def test_trace_id_of_an_external_caller_is_ignored(api: Caller) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    with collected() as spans:
        api.get("instances", traceparent=f"00-{trace}-b7ad6b7169203331-01")
        request = spans.named("instance_list")
    assert request.parent is None
    assert f"{request.context.trace_id:032x}" != trace
