"""Metrics of a port's rules: what they drop, and the packets that rules that log let begin a connection."""

from datetime import timedelta
from uuid import UUID

import pytest

from controlplane.compute.models import Instance
from controlplane.identity.actor import SYSTEM
from controlplane.metrics import selectors, services, tables
from controlplane.metrics.selectors import Series
from controlplane.metrics.services import RuleSample
from controlplane.metrics.windows import window_of
from controlplane.network.models import Network, Port, PortSecurityGroup, SecurityGroup, SecurityGroupRule
from tests.services.metrics.conftest import NOON, SECOND, Clock
from tests.services.metrics.test_ports import sample, values
from tests.services.metrics.test_storage import rows
from tests.world import make_node

HITS = "rule_hits_per_s"


@pytest.fixture
def port(guest: Instance) -> Port:
    network = Network.objects.create(name="lan", project=guest.project)
    return Port.objects.create(
        name="web-lan", project=guest.project, network=network, instance_id=guest.pk, mac="56:00:00:00:00:01"
    )


@pytest.fixture
def group(port: Port) -> SecurityGroup:
    group = SecurityGroup.objects.create(name="web", project=port.project)
    for is_selected in (True, False):  # for both reasons
        PortSecurityGroup.objects.create(port=port, group=group, is_selected=is_selected)
    return group


def a_rule(group: SecurityGroup, *, is_logged: bool = True) -> SecurityGroupRule:
    number = SecurityGroupRule.objects.count()
    return SecurityGroupRule.objects.create(
        group=group, direction="in", family="ipv4", protocol="tcp", is_logged=is_logged, fingerprint=str(number)
    )


def hits(guest: Instance, port: Port, rule: SecurityGroupRule, at_s: int, count: int) -> RuleSample:
    assert guest.node_id is not None
    return RuleSample(guest.node_id, port.pk, rule.pk, NOON + at_s * SECOND, count)


def series(port: Port, time: Clock, seconds: int, resolution: str = "10s") -> list[Series]:
    until = NOON + seconds * SECOND
    time.now = max(time.now, until)
    query = {"since": NOON.isoformat(), "until": until.isoformat(), "resolution": resolution}
    return selectors.port_series(SYSTEM, port, window_of(query, time.now))


def shown(all_series: list[Series]) -> dict[UUID | None, list[float | None]]:
    return {each.rule_id: [value for _, value in each.points] for each in all_series if each.name == HITS}


def test_each_rule_that_logs_has_a_series(guest: Instance, port: Port, group: SecurityGroup, time: Clock) -> None:
    first, second, silent = a_rule(group), a_rule(group), a_rule(group, is_logged=False)
    counted = [hits(guest, port, first, at, count) for at, count in ((1, 5), (11, 25), (21, 3))]
    assert services.record_rules([*counted, hits(guest, port, silent, 1, 1)]) == 3
    all_series = series(port, time, 30)
    assert shown(all_series) == {first.pk: [None, 2, None], second.pk: [None] * 3}, "counters that began anew are a gap"
    assert all(each.rule_id is None for each in all_series if each.name != HITS)
    PortSecurityGroup.objects.all().delete()
    assert shown(series(port, time, 30)) == {}


def test_nodes_report_rules_of_their_own_ports_alone(
    guest: Instance, port: Port, group: SecurityGroup, time: Clock
) -> None:
    own, foreign = a_rule(group), a_rule(SecurityGroup.objects.create(name="other", project=port.project))
    elsewhere = RuleSample(make_node("node-2").pk, port.pk, own.pk, NOON, 1)
    assert services.record_rules([hits(guest, port, foreign, 0, 1), elsewhere]) == 0
    assert services.record_rules([hits(guest, port, own, 0, 1)] * 2) == 1


@pytest.mark.parametrize("resolution", ["1m", "1h"])
def test_rolled_up_hits_equal_those_of_the_samples(
    guest: Instance, port: Port, group: SecurityGroup, time: Clock, resolution: str
) -> None:
    rule = a_rule(group)
    time.now = NOON + timedelta(hours=2)
    services.record_rules([hits(guest, port, rule, at, at % 970) for at in range(0, 7200, 10)])
    before = shown(series(port, time, 7200, resolution))
    time.now = NOON + timedelta(hours=3)
    services.roll_up()
    for name, _ in tables.partitions(tables.tiers(tables.RULES)[0]):
        tables.drop_partition(name)
    assert shown(series(port, time, 7200, resolution)) == before
    assert any(before[rule.pk])
    Port.objects.all().delete()
    services.forget_deleted()
    assert all(rows(tier.table) == [] for tier in tables.tiers(tables.RULES))


def test_counters_of_rules_begin_anew_apart_from_the_cards(guest: Instance, port: Port, time: Clock) -> None:
    unread = dict.fromkeys(tables.PORT_RULE_DROPS)
    begun, anew = [sample(guest, port, at, at - 1) for at in (1, 11)], {"security_group_in_dropped": 0}
    services.record_ports(
        [
            *begun,
            sample(guest, port, 21, 20, **anew),
            sample(guest, port, 31, 30, **unread),
            sample(guest, port, 41, 40),
        ]
    )
    assert values(port, time, "security_group_in_dropped_per_s", 20) == [None, 3]
    assert values(port, time, "bandwidth_out_dropped_per_s", 50) == [None, 5, None, None, None]
    assert values(port, time, "network_in_bytes_per_s", 50) == [None, 1000, 1000, 1000, 1000]
    assert values(port, time, "network_in_dropped_per_s", 50) == [None, 1, 1, 1, 1]
