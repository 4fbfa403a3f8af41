"""Ports with several addresses, networks with several subnets, and network cards of running guests."""

import sqlite3
from contextlib import closing
from ipaddress import ip_address, ip_network
from pathlib import Path
from uuid import UUID

import pytest

from agents.node.adapters.network_specs import NetworkSpec, PortSpec, SubnetSpec, tap_name
from agents.node.errors import AdapterError
from agents.node.specs import Subject
from agents.node.state_store import MIGRATIONS, StateStore
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, refusal

IPV4 = pb.Subnet(cidr="10.10.0.0/24", gateway_ip="10.10.0.1", dns_servers=["9.9.9.9"])
SECOND = pb.Subnet(cidr="10.11.0.0/24", gateway_ip="10.11.0.1")
IPV6 = pb.Subnet(cidr="fd00:1::/64", gateway_ip="fd00:1::1", dns_servers=["2620:fe::9"])


def port(
    *addresses: str, number: int = 11, subnets: tuple[pb.Subnet, ...] = (IPV4, SECOND, IPV6)
) -> pb.EnsurePortRequest:
    request = specs.port(number)
    request.network.subnets.extend(subnets)
    request.addresses.extend(addresses)
    request.ip = next((each for each in addresses if "." in each), "")
    return request


def held(agent: AgentUnderTest, request: pb.EnsurePortRequest) -> PortSpec:
    return agent.fake.ports[UUID(request.subject.id)]


def cards(agent: AgentUnderTest, spec: pb.EnsureInstanceRequest) -> list[str]:
    """Return the taps of the running guest."""
    running = agent.fake.guests[UUID(spec.subject.id)].running
    assert running is not None
    return [nic.device for nic in running.nics]


def taps(*requests: pb.EnsurePortRequest) -> list[str]:
    return [tap_name(UUID(request.subject.id)) for request in requests]


# ---- networks and addresses


def test_port_has_addresses_of_several_subnets(agent: AgentUnderTest) -> None:
    request = port("10.10.0.11", "10.11.0.11", "fd00:1::b", "fd00:1::c")
    assert agent.stub.EnsurePort(request).ip == "10.10.0.11"
    spec = held(agent, request)
    assert [str(each) for each in spec.addresses] == list(request.addresses)
    assert [str(each.cidr) for each in spec.network.subnets] == ["10.10.0.0/24", "10.11.0.0/24", "fd00:1::/64"]
    assert spec.network.subnets[2].dns_servers == (ip_address("2620:fe::9"),)


def test_port_of_an_older_control_plane_has_one_address(agent: AgentUnderTest) -> None:
    request = specs.port()
    agent.stub.EnsurePort(request)
    assert held(agent, request).addresses == (ip_address("10.10.0.11"),)
    assert [str(each.gateway_ip) for each in held(agent, request).network.subnets] == ["10.10.0.1"]


def test_port_without_addresses_and_network_without_subnets(agent: AgentUnderTest) -> None:
    request = port(subnets=())
    for field in ("cidr", "gateway_ip", "dns_servers"):
        request.network.ClearField(field)
    assert agent.stub.EnsurePort(request).ip == ""
    assert held(agent, request).network.subnets == ()


@pytest.mark.parametrize(
    ("addresses", "field"),
    [
        (["10.10.0.1"], "addresses"),
        (["10.12.0.5"], "addresses"),
        (["fd00:2::5"], "addresses"),
        (["fd00:1::1"], "addresses"),
        (["fd00:1::"], "addresses"),
        (["fd00:1::b%eth0"], "addresses"),
        (["fd00:1::b%} accept\n"], "addresses"),
        (["ten"], "addresses"),
        (["10.10.0.11", "10.10.0.11"], "addresses"),
        ([f"fd00:1::{number:x}" for number in range(16, 50)], "addresses"),
    ],
)
def test_address_that_is_no_guest_s_is_refused(agent: AgentUnderTest, addresses: list[str], field: str) -> None:
    refused = refusal(lambda: agent.stub.EnsurePort(port(*addresses)))
    assert (refused.code, refused.message.split()[0].rstrip(":")) == ("agent.bad_request", field)
    assert not agent.fake.ports


@pytest.mark.parametrize(
    ("subnet", "field"),
    [
        (pb.Subnet(cidr="10.10.0.128/25", gateway_ip="10.10.0.129"), "network.subnets"),
        (pb.Subnet(cidr="10.12.0.1/24", gateway_ip="10.12.0.1"), "network.subnets.cidr"),
        (pb.Subnet(cidr="10.12.0.0/24", gateway_ip="10.13.0.1"), "network.subnets.gateway_ip"),
        (pb.Subnet(cidr="10.12.0.0/24", gateway_ip="fd00:1::1"), "network.subnets.gateway_ip"),
        (pb.Subnet(cidr="fd00:2::/48", gateway_ip="fd00:2::1"), "network.subnets.cidr"),
        (pb.Subnet(cidr="fe80::/64", gateway_ip="fe80::2"), "network.subnets.cidr"),
        (pb.Subnet(cidr="::ffff:0:0/96", gateway_ip="::ffff:0:1"), "network.subnets.cidr"),
        (pb.Subnet(cidr="ff00::/64", gateway_ip="ff00::1"), "network.subnets.cidr"),
        (pb.Subnet(cidr="fd00:2::/64", gateway_ip="fd00:2::1%lan"), "network.subnets.gateway_ip"),
        (pb.Subnet(cidr="fd00:2::/64", gateway_ip="fd00:2::1", dns_servers=["x"]), "network.subnets.dns_servers"),
    ],
)
def test_subnet_that_cannot_be_routed_is_refused(agent: AgentUnderTest, subnet: pb.Subnet, field: str) -> None:
    refused = refusal(lambda: agent.stub.EnsurePort(port("10.10.0.11", subnets=(IPV4, subnet))))
    assert (refused.code, refused.message.split()[0].rstrip(":")) == ("agent.bad_request", field)


def test_ipv6_needs_an_mtu_that_carries_it(agent: AgentUnderTest) -> None:
    request = port("10.10.0.11")
    request.network.mtu = 1000
    assert "network.mtu" in refusal(lambda: agent.stub.EnsurePort(request)).message


def test_permit_lists_each_address(agent: AgentUnderTest) -> None:
    request = port("10.10.0.11", "fd00:1::b")
    fewer = port("10.10.0.11")
    fewer.subject.id = request.subject.id
    request.permit.CopyFrom(agent.stub.permit_for(fewer))
    refused = refusal(lambda: agent.stub.EnsurePort(request))
    assert refused.code == "agent.permit.not_listed"
    assert "fd00:1::b" in refused.message


def test_new_subnet_is_known_to_all_ports_of_the_network_also_after_a_restart(agent: AgentUnderTest) -> None:
    first, second = specs.port(11), port("10.10.0.12", "fd00:1::c", number=12)
    agent.stub.EnsurePort(first)
    agent.stub.EnsurePort(second)
    agent.restart()
    assert held(agent, first).network == held(agent, second).network
    assert len(held(agent, first).network.subnets) == 3
    assert agent.stub.EnsurePort(first).ip == "10.10.0.11", "its own spec is the one that was sent"


def test_ports_of_an_earlier_agent_are_read(tmp_path: Path) -> None:
    path, port_id, network_id = tmp_path / "ledger.sqlite", UUID(specs.new_id()), UUID(specs.NETWORK_ID)
    past = next(number for number, step in enumerate(MIGRATIONS) if "several subnets" in step)
    old = (
        f'{{"hostname":"web-1","id":"{port_id}","ip":"10.10.0.11","mac":"52:54:00:00:00:0b","network":'
        f'{{"cidr":"10.10.0.0/24","dns_servers":["9.9.9.9"],"gateway_ip":"10.10.0.1","id":"{network_id}","mtu":1450}}}}'
    )
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for step in MIGRATIONS[:past]:
            database.executescript(step)
        row = "INSERT INTO resource (kind, id, generation, phase, wish) VALUES ('port', ?, 1, 'present', ?)"
        database.execute(row, (str(port_id), old))
        database.execute(f"PRAGMA user_version = {past}")
    ledger = StateStore(path)
    subnet = SubnetSpec(ip_network("10.10.0.0/24"), ip_address("10.10.0.1"), (ip_address("9.9.9.9"),))
    network = NetworkSpec(network_id, (subnet,), 1450)
    spec = PortSpec(port_id, network, "52:54:00:00:00:0b", (ip_address("10.10.0.11"),), "web-1")
    before = ledger.ports.accept(Subject(port_id, 1), spec, uses=())
    assert before is not None
    assert before.spec == spec
    ledger.close()


# ---- cards of running guests


@pytest.fixture
def three() -> list[pb.EnsurePortRequest]:
    return [port(f"10.10.0.{number}", number=number) for number in (11, 12, 13)]


@pytest.fixture
def spec(agent: AgentUnderTest, three: list[pb.EnsurePortRequest]) -> pb.EnsureInstanceRequest:
    """A running guest with the first two of three ports."""
    root = specs.volume()
    agent.stub.EnsureVolume(root)
    for request in three:
        agent.stub.EnsurePort(request)
    spec = specs.instance(root, *three[:2])
    agent.stub.EnsureInstance(spec)
    return spec


def with_ports(
    before: pb.EnsureInstanceRequest, *requests: pb.EnsurePortRequest, **changes: object
) -> pb.EnsureInstanceRequest:
    spec = specs.next_generation(before, **changes)
    spec.ClearField("permit")
    spec.port_ids[:] = [request.subject.id for request in requests]
    return spec


def test_running_guest_gets_and_loses_cards(
    agent: AgentUnderTest, three: list[pb.EnsurePortRequest], spec: pb.EnsureInstanceRequest
) -> None:
    first, second, third = three
    changed = with_ports(spec, first, third)
    for _ in range(2):
        assert agent.stub.EnsureInstance(changed).power == pb.POWER_RUNNING
        assert cards(agent, spec) == taps(first, third)
    assert agent.fake.guests[UUID(spec.subject.id)].starts == 1
    assert agent.stub.RemovePort(specs.removal(second.subject)).was_present
    assert refusal(lambda: agent.stub.RemovePort(specs.removal(third.subject))).code == "agent.port_in_use"


def test_card_under_a_permit_for_ports(
    agent: AgentUnderTest, three: list[pb.EnsurePortRequest], spec: pb.EnsureInstanceRequest
) -> None:
    for op, ports in (("port.attach", three), ("port.detach", three[:1])):
        spec = with_ports(spec, *ports)
        spec.permit.CopyFrom(agent.stub.permit_for(spec, op=op))
        agent.stub.EnsureInstance(spec)
        assert cards(agent, spec) == taps(*ports)


def test_guest_that_keeps_a_card_keeps_the_port_in_use(
    agent: AgentUnderTest, three: list[pb.EnsurePortRequest], spec: pb.EnsureInstanceRequest
) -> None:
    first, second, _ = three
    agent.fake.ignore_detach = True
    changed = with_ports(spec, first)
    for _ in range(2):
        pending = refusal(lambda: agent.stub.EnsureInstance(changed))
        assert (pending.code, pending.is_retryable) == ("agent.detach_pending", True)
        assert refusal(lambda: agent.stub.RemovePort(specs.removal(second.subject))).code == "agent.port_in_use"
        agent.restart()
    agent.fake.ignore_detach = False
    agent.stub.EnsureInstance(changed)
    assert agent.stub.RemovePort(specs.removal(second.subject)).was_present


def test_detachment_can_be_undone(
    agent: AgentUnderTest, three: list[pb.EnsurePortRequest], spec: pb.EnsureInstanceRequest
) -> None:
    first, second, _ = three
    agent.fake.ignore_detach = True
    changed = with_ports(spec, first)
    refusal(lambda: agent.stub.EnsureInstance(changed))
    agent.stub.EnsureInstance(with_ports(changed, first, second))
    assert cards(agent, spec) == taps(first, second)


def test_stopped_guest_frees_its_port_at_once(
    agent: AgentUnderTest, three: list[pb.EnsurePortRequest], spec: pb.EnsureInstanceRequest
) -> None:
    first, second, third = three
    stopped = with_ports(spec, first, third, power=pb.POWER_OFF)
    stopped.permit.CopyFrom(agent.stub.permit_for(stopped, op="port.detach"))
    agent.stub.EnsureInstance(stopped)
    assert agent.stub.RemovePort(specs.removal(second.subject)).was_present
    agent.stub.EnsureInstance(with_ports(stopped, first, third, power=pb.POWER_RUNNING))
    assert cards(agent, spec) == taps(first, third)


def test_guest_that_shuts_down_keeps_its_cards_until_it_is_off(
    agent: AgentUnderTest, three: list[pb.EnsurePortRequest], spec: pb.EnsureInstanceRequest
) -> None:
    first, second, _ = three
    agent.fake.ignore_detach = agent.fake.ignore_shutdown = True
    changed = with_ports(spec, first)
    refusal(lambda: agent.stub.EnsureInstance(changed))
    down = specs.next_generation(changed, power=pb.POWER_SHUTDOWN)
    assert agent.stub.EnsureInstance(down).power == pb.POWER_RUNNING
    assert refusal(lambda: agent.stub.RemovePort(specs.removal(second.subject))).code == "agent.port_in_use"
    agent.stub.EnsureInstance(specs.next_generation(down, power=pb.POWER_OFF))
    assert agent.stub.RemovePort(specs.removal(second.subject)).was_present


def test_failed_plug_is_repeated(
    agent: AgentUnderTest, three: list[pb.EnsurePortRequest], spec: pb.EnsureInstanceRequest
) -> None:
    agent.fake.fail_next("plug_card", AdapterError("no slot", retryable=True))
    changed = with_ports(spec, *three)
    assert refusal(lambda: agent.stub.EnsureInstance(changed)).is_retryable
    agent.stub.EnsureInstance(changed)
    assert cards(agent, spec) == taps(*three)
