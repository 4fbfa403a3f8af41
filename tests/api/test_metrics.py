"""Metrics over the API: who sees which, and what a question that makes no sense is answered. How rates come about is in
tests/services/metrics."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from controlplane.compute.models import Instance
from controlplane.kernel import clock
from controlplane.metrics import services
from controlplane.metrics.tables import floor
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.cases import in_one_cloud
from tests.world import Cloud

TURN = timedelta(seconds=10)
NAMES = {
    "cpu_used_ratio": "ratio",
    "memory_used_mib": "MiB",
    "memory_resident_mib": "MiB",
    "disk_read_bytes_per_s": "bytes/s",
    "disk_write_bytes_per_s": "bytes/s",
    "disk_read_requests_per_s": "requests/s",
    "disk_write_requests_per_s": "requests/s",
    "network_in_bytes_per_s": "bytes/s",
    "network_out_bytes_per_s": "bytes/s",
    "network_in_packets_per_s": "packets/s",
    "network_out_packets_per_s": "packets/s",
}
PORT_NAMES = {name: unit for name, unit in NAMES.items() if name.startswith("network_")} | {
    "network_in_dropped_per_s": "packets/s",
    "network_out_dropped_per_s": "packets/s",
    "security_group_in_dropped_per_s": "packets/s",
    "security_group_out_dropped_per_s": "packets/s",
    "bandwidth_in_dropped_per_s": "packets/s",
    "bandwidth_out_dropped_per_s": "packets/s",
}


def some_minutes(cloud: Cloud, minutes: int = 5) -> datetime:
    """Store the usage of some minutes until now. Returns the beginning."""
    began = floor(clock.now(), TURN) - timedelta(minutes=minutes)
    for number in range(minutes * 6 + 1):
        cloud.machine.use(began + number * TURN)
    return began


def series(body: Any, name: str) -> list[float | None]:
    return [value for each in body["series"] if each["name"] == name for _, value in each["points"]]


def test_all_series_have_the_same_times(api: Caller, instance: Instance, cloud: Cloud) -> None:
    since = some_minutes(cloud)
    body = api.get(f"instances/web/metrics?since={since:%Y-%m-%dT%H:%M:%SZ}").body
    assert body["resolution_s"] == 10
    assert {each["name"]: each["unit"] for each in body["series"]} == NAMES
    (moments,) = {tuple(moment for moment, _ in each["points"]) for each in body["series"]}
    read = [datetime.fromisoformat(moment) for moment in moments]
    assert body["since"] == moments[0] == f"{since:%Y-%m-%dT%H:%M:%SZ}"
    assert datetime.fromisoformat(body["until"]) == read[-1] + TURN
    assert {later - earlier for earlier, later in pairwise(read)} == {TURN}
    used = series(body, "cpu_used_ratio")
    assert used[0] is None, "there is nothing before that it could be compared with"
    assert used[1:31] == [0.25] * 30
    assert series(body, "memory_used_mib")[:31] == [32] * 31


def test_metrics_default_to_the_last_hour(api: Caller, instance: Instance) -> None:
    asked_at = clock.now()
    body = api.get("instances/web/metrics").body
    assert body["resolution_s"] == 10
    assert len(series(body, "cpu_used_ratio")) in (360, 361)
    assert set(series(body, "cpu_used_ratio")) == {None}
    since, until = datetime.fromisoformat(body["since"]), datetime.fromisoformat(body["until"])
    assert since < asked_at - timedelta(minutes=59) and asked_at <= until


@in_one_cloud(
    ("hours", "resolution_s"),
    [(1, 10), (3, 30), (6, 60), (25, 300), (24 * 6, 3600), (24 * 90, 6 * 3600), (24 * 399, 86400)],
)
def test_longer_period_has_a_coarser_resolution(api: Caller, instance: Instance, hours: int, resolution_s: int) -> None:
    since = clock.now() - timedelta(hours=hours)
    body = api.get(f"instances/web/metrics?since={since:%Y-%m-%dT%H:%M:%SZ}").body
    assert body["resolution_s"] == resolution_s
    assert len(series(body, "cpu_used_ratio")) <= 402


def moment(hours: float) -> str:
    return f"{clock.now() - timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"


@in_one_cloud(
    ("query", "parameter", "words"),
    [
        ({"since": "yesterday"}, "since", "2026-05-01T12:00:00Z"),
        ({"until": "2026-05-01"}, "until", "2026-05-01T12:00:00Z"),
        ({"since": moment(1), "until": moment(2)}, "since", "earlier"),
        ({"since": moment(-1)}, "since", "earlier"),
        ({"since": moment(24 * 401)}, "since", "400 days"),
        ({"until": moment(24 * 401)}, "until", "400 days"),
        ({"resolution": "fine"}, "resolution", "multiple of 10 s"),
        ({"resolution": "15s"}, "resolution", "multiple of 10 s"),
        ({"resolution": "0"}, "resolution", "multiple of 10 s"),
        ({"since": moment(3), "resolution": "10s"}, "resolution", "of at most 1000"),
        ({"since": moment(25), "until": moment(24.5), "resolution": "10s"}, "resolution", "24 h"),
        ({"since": moment(24 * 8), "until": moment(24 * 7.9), "resolution": "1m"}, "resolution", "multiple of 300 s"),
        ({"step": "10s"}, "step", "There is no query parameter"),
    ],
)
def test_invalid_period_is_refused_with_its_parameter(
    api: Caller, instance: Instance, query: dict[str, str], parameter: str, words: str
) -> None:
    answer = api.get("instances/web/metrics?" + "&".join(f"{name}={text}" for name, text in query.items()))
    assert (answer.status, answer.body["errors"][0]["parameter"]) == (400, parameter)
    assert words in answer.body["detail"]


def test_resolution_can_be_requested(api: Caller, instance: Instance, cloud: Cloud) -> None:
    since = some_minutes(cloud, minutes=6)
    url = f"instances/web/metrics?since={since:%Y-%m-%dT%H:%M:%SZ}&resolution"
    for text, seconds in (("60", 60), ("1m", 60), ("90s", 90), ("1h", 3600), ("1d", 86400)):
        body = api.get(f"{url}={text}").body
        assert body["resolution_s"] == seconds
        assert 0.25 in series(body, "cpu_used_ratio")


def test_readers_of_an_instance_read_its_metrics(
    api: Caller, viewer: Caller, stranger: Caller, operator: Caller, instance: Instance
) -> None:
    path = "/v1/projects/alpha/instances/web/metrics"
    assert [each.get(path).status for each in (api, viewer, operator, stranger)] == [200, 200, 200, 404]
    assert Caller(token=None).get(path).status == 401
    assert api.get("instances/db/metrics").problem == (404, "compute.instance.not_found", None)


def test_port_has_metrics_of_its_own(
    api: Caller, viewer: Caller, stranger: Caller, operator: Caller, instance: Instance, cloud: Cloud
) -> None:
    since = some_minutes(cloud)
    (port,) = api.get("ports?instance=web").body["items"]
    path = f"/v1/projects/alpha/ports/{port['name']}/metrics"
    body = api.get(f"{path}?since={since:%Y-%m-%dT%H:%M:%SZ}").body
    assert {each["name"]: each["unit"] for each in body["series"]} == PORT_NAMES
    assert body["resolution_s"] == 10
    assert series(body, "network_in_dropped_per_s")[:31] == [None] + [0.2] * 30
    assert [each.get(path).status for each in (api, viewer, operator, stranger)] == [200, 200, 200, 404]
    assert Caller(token=None).get(path).status == 401
    assert api.get("ports/db/metrics").problem == (404, "network.port.not_found", None)
    assert api.get(f"{path}?resolution=15s").body["errors"][0]["parameter"] == "resolution"


def test_metrics_of_a_port_outlive_its_attachment_and_end_with_it(
    api: Caller, instance: Instance, cloud: Cloud
) -> None:
    port = api.post("ports", {"network": "lan", "name": "own"}).body
    finish(api.post("ports/own/actions/attach", {"instance": "web"}))
    since = some_minutes(cloud)
    finish(api.post("ports/own/actions/detach"))
    path = f"ports/own/metrics?since={since:%Y-%m-%dT%H:%M:%SZ}"
    assert any(series(api.get(path).body, "network_in_bytes_per_s"))
    assert api.call("DELETE", "ports/own").status == 204
    assert api.get(f"ports/{port['id']}/metrics").status == 404
    assert services.forget_deleted() > 0


def test_metrics_of_a_deleted_instance_are_not_found(api: Caller, instance: Instance, cloud: Cloud) -> None:
    some_minutes(cloud)
    finish(api.call("DELETE", "instances/web"))
    assert api.get("instances/web/metrics").status == 404
    assert api.get(f"instances/{instance.pk}/metrics").status == 404
    finish(api.post("instances", {"name": "web", "flavor": "tiny", "image": "tiny", "networks": ["lan"]}))
    assert set(series(api.get("instances/web/metrics").body, "cpu_used_ratio")) == {None}


def test_operators_read_the_metrics_of_a_node(api: Caller, operator: Caller, instance: Instance, cloud: Cloud) -> None:
    some_minutes(cloud)
    answer = operator.get("/v1/nodes/node-1/metrics?resolution=10s")
    assert {each["name"]: each["unit"] for each in answer.body["series"]} == NAMES
    assert 0.25 / cloud.fake.capacity.cores in [
        pytest.approx(value, abs=1e-4) for value in series(answer.body, "cpu_used_ratio") if value is not None
    ]
    assert api.get("/v1/nodes/node-1/metrics").problem[0] == 403


def test_samples_and_rollups_give_equal_metrics(
    api: Caller, instance: Instance, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    since = some_minutes(cloud, minutes=20)
    url = f"instances/web/metrics?since={since:%Y-%m-%dT%H:%M:%SZ}&until={since + 15 * 6 * TURN:%Y-%m-%dT%H:%M:%SZ}"
    before = api.get(f"{url}&resolution=1m").body
    services.roll_up()
    assert api.get(f"{url}&resolution=1m").body == before
    monkeypatch.setattr(services.counter_deltas, "COMPARED", services.counter_deltas.COMPARED + " AND false")
    assert api.get(f"{url}&resolution=1m").body == before
