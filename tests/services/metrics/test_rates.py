"""Rates from counters, with gaps, equal at every resolution."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from controlplane.compute.models import Instance
from controlplane.identity.actor import SYSTEM
from controlplane.metrics import selectors, services
from controlplane.metrics.services import Sample
from controlplane.metrics.windows import window_of
from controlplane.nodes.models import Node
from tests.services.metrics.conftest import MIB, NOON, SECOND, Clock, keep, sample, steadily


def values(guest: Instance, time: Clock, name: str, seconds: int, resolution: str = "10s") -> list[float | None]:
    """Return the values of a series from NOON on."""
    until = NOON + seconds * SECOND
    time.now = max(time.now, until)
    query = {"since": NOON.isoformat(), "until": until.isoformat(), "resolution": resolution}
    series = {each.name: each for each in selectors.instance_series(SYSTEM, guest, window_of(query, time.now))}
    return [value for _, value in series[name].points]


def test_rate_is_counter_growth_over_time(guest: Instance, time: Clock) -> None:
    services.record([sample(guest, 1, 0), sample(guest, 11, 10), sample(guest, 21, 15)])
    assert values(guest, time, "cpu_used_ratio", 30) == [None, 0.5, 0.25], "of two vCPUs"
    assert values(guest, time, "disk_read_bytes_per_s", 30) == [None, MIB, MIB / 2]
    assert values(guest, time, "disk_write_bytes_per_s", 30) == [None, 0, 0]
    assert values(guest, time, "network_in_bytes_per_s", 30) == [None, 1000, 500]
    assert values(guest, time, "network_out_packets_per_s", 30) == [None, 1, 0.5]


def test_memory_is_the_reported_gauge(guest: Instance, time: Clock) -> None:
    services.record([sample(guest, 1), sample(guest, 11, memory_used_mib=None), sample(guest, 21, memory_used_mib=500)])
    assert values(guest, time, "memory_used_mib", 30) == [300, None, 500]
    assert values(guest, time, "memory_resident_mib", 30) == [900, 900, 900]
    assert values(guest, time, "memory_used_mib", 30, "30s") == [400], "the mean of those that said it"


def test_partial_interval_gives_no_higher_rate(guest: Instance, time: Clock) -> None:
    services.record([sample(guest, 1, 0), sample(guest, 13, 12), sample(guest, 21, 20)])
    assert values(guest, time, "cpu_used_ratio", 30) == [None, 0.5, 0.5]


@pytest.mark.parametrize(
    "restarted",
    [
        {"busy_s": 2},
        {"busy_s": 30, "network_out_bytes": 1},
        {"busy_s": 30, "devices": 8},
    ],
)
def test_restart_or_new_device_is_a_gap(guest: Instance, time: Clock, restarted: dict[str, float]) -> None:
    started = sample(guest, 21, **restarted)
    services.record(
        [sample(guest, 1, 0), sample(guest, 11, 10), started, sample(guest, 31, 40, devices=started.devices)]
    )
    rates = values(guest, time, "cpu_used_ratio", 40)
    assert rates[:3] == [None, 0.5, None]
    assert rates[3] is not None and rates[3] > 0
    assert values(guest, time, "memory_used_mib", 40) == [300] * 4


def test_missing_samples_are_unknown_and_a_single_one_is_bridged(guest: Instance, time: Clock) -> None:
    services.record([sample(guest, 1, 0), sample(guest, 21, 20), sample(guest, 61, 60), sample(guest, 71, 70)])
    assert values(guest, time, "cpu_used_ratio", 80) == [None, None, 0.5, None, None, None, None, 0.5]


def test_coarser_step_is_the_mean_of_known_values(guest: Instance, time: Clock) -> None:
    services.record([sample(guest, 1, 0), sample(guest, 11, 10), sample(guest, 21, 10), sample(guest, 81, 10)])
    assert values(guest, time, "cpu_used_ratio", 120, "1m") == [0.25, None]


def everything(guest: Instance, since_s: int, until_s: int) -> list[Sample]:
    """With restarts, gaps, and other devices, which are no multiples of anything."""
    samples, busy = [], 0.0
    for number, at in enumerate(range(since_s, until_s, 10)):
        busy = 0 if number % 97 == 0 else busy + (number % 11) / 2
        if number % 41 not in (3, 4, 5, 6):
            samples.append(sample(guest, at + number % 7, busy, devices=number // 203, memory_used_mib=number % 500))
    return samples


@pytest.mark.parametrize("resolution", ["1m", "5m", "15m", "1h"])
def test_rolled_up_values_equal_those_of_the_samples(guest: Instance, time: Clock, resolution: str) -> None:
    keep(time, everything(guest, 0, 2 * 3600))
    names = ("cpu_used_ratio", "memory_used_mib", "disk_read_bytes_per_s", "network_in_packets_per_s")
    before = {name: values(guest, time, name, 2 * 3600, resolution) for name in names}
    time.now = NOON + timedelta(hours=3)
    services.roll_up()
    forget_samples()
    assert {name: values(guest, time, name, 2 * 3600, resolution) for name in names} == before
    assert [value for value in before["cpu_used_ratio"] if value]


def test_values_not_yet_rolled_up_are_read_from_samples(guest: Instance, time: Clock) -> None:
    keep(time, steadily(guest, 0, 3600, share=1))
    time.now = NOON + timedelta(minutes=30)
    services.roll_up()
    minute, five = services.tables.tiers()[1:3]
    assert services.done_until(minute) == NOON + timedelta(minutes=29)
    assert services.done_until(five) == NOON + timedelta(minutes=25)
    assert values(guest, time, "cpu_used_ratio", 3600, "5m") == [0.5] * 12
    assert values(guest, time, "cpu_used_ratio", 3600, "1h") == [0.5]


def test_node_values_are_the_sum_of_its_guests(make_guest: Callable[..., Instance], time: Clock) -> None:
    one, other = make_guest("web-1"), make_guest("web-2")
    elsewhere = make_guest("db-1", node=None, state="building")
    services.record([*steadily(one, 0, 60, share=1), *steadily(other, 0, 30, share=2)])
    assert elsewhere.node_id is None
    time.now = NOON + 60 * SECOND
    window = window_of({"since": NOON.isoformat(), "resolution": "10s"}, time.now)
    node = Node.objects.select_related("inventory").get(pk=one.node_id)
    by_name = {each.name: [value for _, value in each.points] for each in selectors.node_series(SYSTEM, node, window)}
    assert by_name["cpu_used_ratio"] == [None, 0.375, 0.375, 0.125, 0.125, 0.125], "of eight cores"
    assert by_name["memory_used_mib"] == [600, 600, 600, 300, 300, 300]
    assert by_name["network_in_bytes_per_s"] == [None, 3000, 3000, 1000, 1000, 1000]


def forget_samples() -> None:
    sampled = services.tables.tiers()[0]
    for name, _ in services.tables.partitions(sampled):
        services.tables.drop_partition(name)
