from pathlib import Path

from agents.node.adapters import pools
from agents.node.adapters.pools import Pools
from controlplane.compute.models import Instance
from controlplane.nodes.models import Node, Pool
from controlplane.storage.models import Volume
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.world import Cloud


def test_nodes_are_listed_with_their_inventory(operator: Caller, cloud: Cloud) -> None:
    body = operator.get("/v1/nodes/node-1").body
    assert (body["zone"], body["state"], body["is_cordoned"]) == ("fr-idf-1", "ready", False)
    assert body["inventory"]["vcpus"]["used"] == 0
    assert body["inventory"]["vcpus"]["capacity"] > 0
    assert operator.get("/v1/nodes").body["items"] == [body]
    assert operator.get("/v1/nodes?zone=de-rhein-1").body["items"] == []
    assert operator.get("/v1/nodes/node-2").problem == (404, "node.not_found", None)


def test_node_is_cordoned_and_uncordoned(operator: Caller, api: Caller, cloud: Cloud) -> None:
    body = operator.post("/v1/nodes/node-1/actions/cordon", {"reason": "its fan"}).body
    assert (body["is_cordoned"], body["cordon_reason"]) == (True, "its fan")
    answer = api.post("instances", {"name": "web", "flavor": "tiny", "image": "tiny"})
    assert answer.problem == (409, "placement.no_place", None)
    body = operator.post("/v1/nodes/node-1/actions/uncordon").body
    assert (body["is_cordoned"], body["cordon_reason"]) == (False, "")


def test_node_has_its_trust_state_and_attestation(operator: Caller, cloud: Cloud) -> None:
    trust = operator.get("/v1/nodes/node-1").body["trust"]
    assert (trust["keyset_version"], trust["charter_version"], trust["deny_version"]) == (1, 1, 0)
    assert (trust["is_attested"], trust["is_clock_kept"], trust["hook_problem"]) == (True, True, "")


def test_incidents_are_visible_to_operators_only(operator: Caller, api: Caller, cloud: Cloud) -> None:
    cloud.fake.foreign_domains.append("a-vm-by-hand")
    cloud.machine.account()
    (incident,) = operator.get("/v1/nodes/node-1/incidents").body["items"]
    assert (incident["kind"], incident["name"], incident["ended_at"]) == ("unknown-domain", "a-vm-by-hand", None)
    assert operator.get("/v1/nodes/node-1/incidents?kind=hook").body["items"] == []
    assert api.get("/v1/nodes/node-1/incidents").problem[0] == 403


def test_incidents_of_all_nodes_are_listed(operator: Caller, api: Caller, cloud: Cloud) -> None:
    cloud.fake.foreign_domains.append("a-vm-by-hand")
    cloud.machine.account()
    (incident,) = operator.get("/v1/incidents?state=open&zone=fr-idf-1").body["items"]
    assert (incident["name"], incident["node"]["name"], incident["zone"]) == ("a-vm-by-hand", "node-1", "fr-idf-1")
    for query in ("state=ended", "zone=de-rhein-1", "kind=hook"):
        assert operator.get(f"/v1/incidents?{query}").body["items"] == []
    assert operator.get("/v1/incidents?state=maybe").problem[0] == 400
    assert api.get("/v1/incidents").problem[0] == 403


def test_instances_of_a_node_are_listed(operator: Caller, api: Caller, cloud: Cloud) -> None:
    finish(api.post("instances", {"name": "web", "flavor": "tiny", "image": "tiny"}))
    (guest,) = operator.get("/v1/nodes/node-1/instances").body["items"]
    assert (guest["name"], guest["project"]["name"], guest["state"]) == ("web", "alpha", "active")
    assert operator.get("/v1/nodes/node-1/instances?project=beta").body["items"] == []
    assert operator.get("/v1/nodes/node-2/instances").problem == (404, "node.not_found", None)
    assert api.get("/v1/nodes/node-1/instances").problem[0] == 403
    finish(api.delete("instances/web"))
    assert operator.get("/v1/nodes/node-1/instances").body["items"] == []


def test_pools_are_visible_to_operators_only(operator: Caller, api: Caller, cloud: Cloud, tmp_path: Path) -> None:
    pools.make(tmp_path)
    cloud.fake.pools = Pools({"shared": tmp_path})
    cloud.machine.heartbeat()
    (pool,) = operator.get("/v1/pools?zone=fr-idf-1").body["items"]
    assert (pool["name"], pool["uuid"], pool["used_gib"]) == ("shared", str(pools.read(tmp_path)), 0)
    assert [each["name"] for each in pool["nodes"]] == ["node-1"]
    assert operator.get("/v1/pools?zone=de-rhein-1").body["items"] == []
    assert api.get("/v1/pools").problem[0] == 403
    cloud.fake.pools = Pools()
    cloud.machine.heartbeat()
    assert operator.get("/v1/pools").body["items"][0]["nodes"] == [], "none has it mounted any more"


def test_pool_has_its_resources_and_missing_nodes(operator: Caller, api: Caller, cloud: Cloud, tmp_path: Path) -> None:
    pools.make(tmp_path)
    cloud.fake.pools = Pools({"shared": tmp_path})
    cloud.machine.heartbeat()
    finish(api.post("instances", {"name": "web", "flavor": "tiny", "image": "tiny"}))
    finish(api.post("volumes", {"name": "data", "size_gib": 1}))
    pool = Pool.objects.get()
    Instance.objects.update(root_pool=pool)
    Volume.objects.update(pool=pool)
    url = f"/v1/pools/{pool.pk}"
    body = operator.get(url).body
    assert (body["instance_count"], body["volume_count"], body["missing"]) == (1, 1, [])
    (guest,), (volume,) = (operator.get(f"{url}/{kind}").body["items"] for kind in ("instances", "volumes"))
    assert (guest["name"], volume["name"]) == ("web", "data")
    assert (volume["project"]["name"], volume["node"]["name"], volume["state"]) == ("alpha", "node-1", "available")
    assert operator.get(f"{url}/volumes?project=beta").body["items"] == []
    for path in ("", "/instances", "/volumes"):
        assert api.get(f"{url}{path}").problem[0] == 403
        assert operator.get(f"/v1/pools/shared{path}").problem == (404, "pool.not_found", None)
    assert without(operator, url) == []
    cloud.fake.pools = Pools()
    cloud.machine.heartbeat()
    assert without(operator, url) == [("node-1", "unmounted")]
    Node.objects.update(state="unreachable")
    assert without(operator, url) == [], "it is not known whether it should"


def test_unreachable_or_mismatched_node_is_listed_without_its_pool(
    operator: Caller, cloud: Cloud, tmp_path: Path
) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    for folder in (mine, other):
        folder.mkdir()
        pools.make(folder)
    cloud.fake.pools = Pools({"shared": mine})
    cloud.machine.heartbeat()
    url = f"/v1/pools/{Pool.objects.get().pk}"
    Node.objects.update(state="unreachable")
    assert without(operator, url) == [("node-1", "silent")] and operator.get(url).body["nodes"] == []
    cloud.fake.pools = Pools({"shared": other})
    cloud.machine.heartbeat()
    assert without(operator, url) == [("node-1", "mismatch")]
    Node.objects.update(admin_state="retired")
    assert without(operator, url) == []


def without(operator: Caller, url: str) -> list[tuple[str, str]]:
    return [(each["name"], each["why"]) for each in operator.get(url).body["missing"]]
