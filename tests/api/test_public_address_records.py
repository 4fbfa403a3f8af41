"""Records of public addresses: where they were, and suspensions that outlive a release."""

from typing import Any
from urllib.parse import urlencode

import pytest

from andromede_core.documents.parsing import instant
from controlplane.audit.models import AuditEntry
from controlplane.identity.actor import SYSTEM
from controlplane.identity.errors import ProjectInUse
from controlplane.identity.services import project_delete
from controlplane.network import public_address_residency
from controlplane.nodes.models import Node
from controlplane.reconcilers import egress_gateways, quota_drift
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.api.test_public_addresses import POOLS, attach, make_instance, make_pool, reserve
from tests.services.audit.receipts import record_receipts
from tests.world import Cloud


@pytest.fixture
def pool(operator: Caller, cloud: Cloud) -> dict[str, Any]:
    return make_pool(operator)


def test_residency_of_an_address_is_where_its_instances_ran(
    api: Caller, operator: Caller, stranger: Caller, pool: dict[str, Any], cloud: Cloud
) -> None:
    def intervals(query: str = "", caller: Caller = api) -> Any:
        return caller.get(f"/v1/resources/{address}/residency{query}").body["intervals"]

    first, second = make_instance(api), make_instance(api, "two")
    address = reserve(api)["id"]
    assert api.get(f"/v1/resources/{address}/residency").status == 404, "nobody has had it"
    attach(api, "www", first)
    attach(api, "www", second, move=True)
    record_receipts(cloud.machine)
    before, now = intervals()
    assert [each["instance"] for each in (before, now)] == [str(first.instance_id), str(second.instance_id)]
    assert {(each["role"], each["node"], each["state"]) for each in (before, now)} == {
        ("netedge", str(cloud.machine.row.pk), "proven")
    }
    assert (before["end"], now["end"]) == (now["start"], None)
    finish(api.post("instances/two/actions/power-off"))
    record_receipts(cloud.machine)
    assert intervals()[1]["end"] is not None, "it still has the address, and does not run"
    assert intervals("?role=compute") == []
    assert intervals(f"?to={before['start']}") == []
    (part,) = intervals(f"?to={before['end']}")
    assert (part["start"], part["end"]) == (before["start"], before["end"])
    api.post("public-addresses/www/actions/detach")
    assert api.delete("public-addresses/www").status == 204
    assert len(intervals(caller=operator)) == 2, "it is kept after the release"
    assert stranger.get(f"/v1/resources/{address}/residency").status == 404


def test_address_is_nowhere_while_it_is_suspended(
    api: Caller, operator: Caller, pool: dict[str, Any], cloud: Cloud
) -> None:
    port, address = make_instance(api), reserve(api)
    of_platform = f"/v1/public-addresses/{address['ip']}/actions"

    def intervals(query: str = "") -> Any:
        return api.get(f"/v1/resources/{address['id']}/residency{query}").body["intervals"]

    operator.post(f"{of_platform}/suspend", {"reason": "spam"})
    attach(api, "www", port)
    record_receipts(cloud.machine)
    assert intervals() == [], "it was attached, and not announced"
    operator.post(f"{of_platform}/suspend", {"reason": "more spam"})
    operator.post(f"{of_platform}/resume")
    resumed = AuditEntry.objects.get(verb="public_address.resume").created_at
    (now,) = intervals()
    assert (instant(now["start"]), now["end"], now["state"]) == (resumed, None, "proven")
    operator.post(f"{of_platform}/suspend", {"reason": "again"})
    (before,) = intervals()
    assert before == now | {"end": before["end"]} and before["end"] is not None
    operator.post(f"{of_platform}/resume")
    first, last = intervals()
    assert (first, last["end"]) == (before, None)
    assert intervals(f"?from={first['end']}&to={last['start']}") == []
    api.post("public-addresses/www/actions/detach")
    api.post("public-addresses/www/actions/attach", {"network": "lan"})
    operator.post(f"{of_platform}/suspend", {"reason": "egress"})
    ended = intervals()[-1]
    assert (ended["state"], ended["instance"]) == ("claimed", "") and ended["end"] is not None


def test_residency_of_an_address_that_moved_often_is_paginated(
    api: Caller, pool: dict[str, Any], cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parts(**query: str) -> list[Any]:
        residency = api.get(f"/v1/resources/{address}/residency?{urlencode(query)}").body
        before = parts(**query | {"to": residency["next_to"]}) if residency["next_to"] else []
        return [*before, residency["intervals"]]

    ports = [make_instance(api), make_instance(api, "two")]
    address = reserve(api)["id"]
    for port in (*ports, *ports, ports[0]):
        attach(api, "www", port, move=True)
    api.post("public-addresses/www/actions/detach")
    api.post("public-addresses/www/actions/attach", {"network": "lan"})
    Node.objects.update(state="unreachable")
    assert egress_gateways.reconcile() == 1
    (whole,) = parts()
    assert len(whole) == 6
    for size in (1, 2, 4, 5):
        monkeypatch.setattr(public_address_residency, "MAX_USES", size)
        intervals = parts()
        assert [each for part in intervals for each in part] == whole and len(intervals) == -(-6 // size)
        some = parts(**{"from": whole[2]["start"], "to": whole[4]["end"]})
        assert [each["start"] for part in some for each in part] == [each["start"] for each in whole[2:5]]


def test_residency_of_an_egress_address_is_where_its_gateways_were(
    api: Caller, stranger: Caller, pool: dict[str, Any], cloud: Cloud
) -> None:
    def intervals(query: str = "") -> Any:
        return api.get(f"/v1/resources/{address}/residency{query}").body["intervals"]

    make_instance(api)
    node, address = cloud.machine.row, reserve(api)["id"]
    api.post("public-addresses/www/actions/attach", {"network": "lan"})
    (now,) = intervals()
    assert (now["role"], now["zone"], now["node"], now["state"]) == ("netedge", "fr-idf-1", str(node.pk), "claimed")
    assert (now["end"], now["instance"]) == (None, "")
    for state in ("unreachable", "ready"):
        Node.objects.filter(pk=node.pk).update(state=state)
        assert egress_gateways.reconcile() == 1
    before, after = intervals("?role=netedge")
    assert (before["start"], before["end"] < after["start"], after["end"]) == (now["start"], True, None)
    assert intervals(f"?from={before['end']}&to={after['start']}") == [], "no node was the gateway"
    (part,) = intervals(f"?from={after['start']}")
    assert part == after
    api.post("public-addresses/www/actions/detach")
    api.post("public-addresses/www/actions/attach", {"network": "lan"})
    first, second, third = intervals()
    assert second["end"] < third["start"] and third["end"] is None
    assert stranger.get(f"/v1/resources/{address}/residency").status == 404


def test_released_suspended_address_stays_reserved_until_resumed(
    api: Caller, operator: Caller, pool: dict[str, Any], cloud: Cloud
) -> None:
    address = reserve(api)
    of_platform = f"/v1/public-addresses/{address['ip']}/actions"
    operator.post(f"{of_platform}/suspend", {"reason": "spam"})
    assert api.delete("public-addresses/www").status == 204
    assert api.get("public-addresses").body["items"] == []
    assert [api.get(f"public-addresses/{each}").status for each in ("www", address["ip"], address["id"])] == [404] * 3
    assert api.post("public-addresses", {"pool": "public", "ip": address["ip"]}).problem[1].endswith(".taken")
    assert reserve(api)["ip"] == "203.0.113.1", "the name is free, and the address is not"
    (item,) = operator.get(f"/v1/public-addresses?ip={address['ip']}").body["items"]
    assert (item["suspended_reason"], item["project"]["name"]) == ("spam", "alpha")
    assert item["released_at"] is not None
    assert operator.get(f"{POOLS}/public").body["used"] == 2
    assert operator.post(f"{of_platform}/suspend", {"reason": "again"}).status == 404
    assert api.delete("public-addresses/www").status == 204
    assert quota_drift.reconcile() == []
    with pytest.raises(ProjectInUse, match="1 resources: network/lan"):
        project_delete(SYSTEM, cloud.tenant.project)
    assert operator.post(f"{of_platform}/resume").body["state"] == "detached"
    assert operator.get("/v1/public-addresses").body["items"] == []
    assert operator.post(f"{of_platform}/resume").status == 404
