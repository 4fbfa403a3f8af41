"""Metrics of ports: rates, drops that older agents do not report, storage and retention."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controlplane.compute.models import Instance
from controlplane.identity.actor import SYSTEM
from controlplane.metrics import selectors, services, tables
from controlplane.metrics.services import PortSample
from controlplane.metrics.windows import window_of
from controlplane.network.models import Network, Port
from tests.services.metrics.conftest import NOON, SECOND, Clock
from tests.services.metrics.test_storage import rows
from tests.world import make_node

TABLES = [tier.table for tier in tables.tiers(tables.PORTS)]


@pytest.fixture
def make_port(guest: Instance) -> Callable[[str], Port]:
    network = Network.objects.create(name="lan", project=guest.project)

    def make(name: str) -> Port:
        mac = f"56:00:00:00:00:{Port.objects.count():02x}"
        return Port.objects.create(name=name, project=guest.project, network=network, instance_id=guest.pk, mac=mac)

    return make


@pytest.fixture
def port(make_port: Callable[[str], Port]) -> Port:
    return make_port("web-lan")


def sample(guest: Instance, port: Port, seconds: float, busy_s: float = 0, **other: Any) -> PortSample:
    """Return a sample this number of seconds after NOON; in each busy second the port received 1000 bytes."""
    assert guest.node_id is not None
    port_sample = PortSample(
        node_id=guest.node_id,
        port_id=port.pk,
        at=NOON + seconds * SECOND,
        network_in_bytes=int(busy_s * 1000),
        network_out_bytes=int(busy_s * 500),
        network_in_packets=int(busy_s * 4),
        network_out_packets=int(busy_s * 2),
        network_in_dropped=int(busy_s),
        network_out_dropped=0,
        security_group_in_dropped=int(busy_s * 3),
        security_group_out_dropped=0,
        bandwidth_in_dropped=0,
        bandwidth_out_dropped=int(busy_s * 5),
    )
    return replace(port_sample, **other)


def values(port: Port, time: Clock, name: str, seconds: int, resolution: str = "10s") -> list[float | None]:
    until = NOON + seconds * SECOND
    time.now = max(time.now, until)
    query = {"since": NOON.isoformat(), "until": until.isoformat(), "resolution": resolution}
    series = {each.name: each for each in selectors.port_series(SYSTEM, port, window_of(query, time.now))}
    return [value for _, value in series[name].points]


def test_port_has_its_own_rates(guest: Instance, port: Port, make_port: Callable[[str], Port], time: Clock) -> None:
    other = make_port("web-back")
    services.record_ports([sample(guest, port, 1, 0), sample(guest, port, 11, 10), sample(guest, port, 21, 15)])
    services.record_ports([sample(guest, other, 1, 0), sample(guest, other, 11, 1000)])
    assert values(port, time, "network_in_bytes_per_s", 30) == [None, 1000, 500]
    assert values(port, time, "network_out_bytes_per_s", 30) == [None, 500, 250]
    assert values(port, time, "network_in_packets_per_s", 30) == [None, 4, 2]
    assert values(port, time, "network_in_dropped_per_s", 30) == [None, 1, 0.5]
    assert values(port, time, "network_out_dropped_per_s", 30) == [None, 0, 0]
    assert values(other, time, "network_in_bytes_per_s", 30) == [None, 100_000, None]


def test_drops_of_an_older_agent_are_unknown(guest: Instance, port: Port, time: Clock) -> None:
    older = {"network_in_dropped": None, "network_out_dropped": None}
    services.record_ports([sample(guest, port, at, at - 1, **older) for at in (1, 11, 21)])
    services.record_ports([sample(guest, port, at, at - 1) for at in (31, 41)])
    assert values(port, time, "network_in_bytes_per_s", 50) == [None, 1000, 1000, 1000, 1000]
    assert values(port, time, "network_in_dropped_per_s", 50) == [None, None, None, None, 1]
    assert values(port, time, "network_in_dropped_per_s", 50, "50s") == [1], "the mean of the known time"


@pytest.mark.parametrize("reset", ["network_in_bytes", "network_out_dropped"])
def test_counter_that_began_anew_is_a_gap(guest: Instance, port: Port, time: Clock, reset: str) -> None:
    begun = [sample(guest, port, at, at, **{reset: 100}) for at in (1, 11)]
    services.record_ports([*begun, sample(guest, port, 21, 21, **{reset: 0})])
    known, gap = values(port, time, "network_out_packets_per_s", 30)[1:]
    assert known is not None and gap is None


@pytest.mark.parametrize("resolution", ["1m", "1h"])
def test_rolled_up_values_equal_those_of_the_samples(guest: Instance, port: Port, time: Clock, resolution: str) -> None:
    time.now = NOON + timedelta(hours=2)
    older = {"network_in_dropped": None, "network_out_dropped": None}
    services.record_ports(
        [sample(guest, port, at, at % 970, **(older if at < 900 else {})) for at in range(0, 7200, 10)]
    )
    series = ("network_in_bytes_per_s", "network_out_packets_per_s", "network_in_dropped_per_s")
    before = {name: values(port, time, name, 7200, resolution) for name in series}
    time.now = NOON + timedelta(hours=3)
    services.roll_up()
    sampled = tables.tiers(tables.PORTS)[0]
    for name, _ in tables.partitions(sampled):
        tables.drop_partition(name)
    assert {name: values(port, time, name, 7200, resolution) for name in series} == before
    assert all(any(points) for points in before.values())


def test_node_reports_only_ports_of_its_own_guests(guest: Instance, port: Port, time: Clock) -> None:
    assert services.record_ports([sample(guest, port, 0, node_id=make_node("node-2").pk)]) == 0
    assert services.record_ports([sample(guest, port, 0, port_id=guest.pk)]) == 0
    assert services.record_ports([sample(guest, port, 0)] * 2) == 1
    Port.objects.filter(pk=port.pk).update(instance_id=None)
    assert services.record_ports([sample(guest, port, 10)]) == 0


def test_metrics_of_deleted_ports_are_deleted(
    guest: Instance, port: Port, make_port: Callable[[str], Port], time: Clock
) -> None:
    others = [make_port(f"web-{number}") for number in range(3)]
    time.now = NOON + timedelta(hours=2, minutes=2)
    for each in (port, *others):
        services.record_ports([sample(guest, each, at, at) for at in range(0, 7200, 10)])
    services.roll_up()
    assert services.forget_deleted() == 0
    Port.objects.filter(pk__in=[port.pk, others[1].pk]).delete()
    assert services.forget_deleted() == 2 * (720 + 120 + 24 + 2)
    port_ids = {others[0].pk, others[2].pk}
    assert {row[0] for table in TABLES for row in rows(table)} == port_ids


def test_old_samples_of_ports_are_dropped_with_their_partition(guest: Instance, port: Port, time: Clock) -> None:
    services.record_ports([sample(guest, port, 0), sample(guest, port, 10, 10)])
    time.now = NOON + timedelta(minutes=5)
    services.roll_up()
    time.now = NOON + timedelta(days=2)
    services.forget_old()
    assert rows("metrics_port_sample") == []
    assert len(rows("metrics_port_minute")) == 1
