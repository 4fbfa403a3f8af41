from tests.api.client import Caller
from tests.world import Cloud


def test_nodes_and_what_they_offer(operator: Caller, cloud: Cloud) -> None:
    body = operator.get("/v1/nodes/node-1").body
    assert (body["zone"], body["state"], body["is_cordoned"]) == ("fr-idf-1", "ready", False)
    assert body["inventory"]["vcpus"]["used"] == 0
    assert body["inventory"]["vcpus"]["capacity"] > 0
    assert operator.get("/v1/nodes").body["items"] == [body]
    assert operator.get("/v1/nodes?zone=de-rhein-1").body["items"] == []
    assert operator.get("/v1/nodes/node-2").problem == (404, "node.not_found", None)


def test_cordon_and_uncordon(operator: Caller, cloud: Cloud) -> None:
    body = operator.post("/v1/nodes/node-1/actions/cordon", {"reason": "its fan"}).body
    assert (body["is_cordoned"], body["cordon_reason"]) == (True, "its fan")
    answer = operator.post("instances", {"name": "web", "flavor": "tiny", "image": "tiny"})
    assert answer.problem[1] == "insufficient_capacity"
    body = operator.post("/v1/nodes/node-1/actions/uncordon").body
    assert (body["is_cordoned"], body["cordon_reason"]) == (False, "")
