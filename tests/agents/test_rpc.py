"""The agent as the control plane sees it: real gRPC with mutual TLS over the fake node."""

from collections.abc import Iterator
from itertools import islice
from threading import Thread
from typing import Any
from uuid import UUID

import grpc
import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from agents.node.adapters.interfaces import NO_LIMITS, IoLimits, NetworkProblems
from agents.node.errors import AdapterError, HypervisorUnavailable
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, image_stream, refusal
from tests.limits import PATIENCE_S
from tests.pki import TestCA, issue, issue_controlplane, make_ca


def build(agent: AgentUnderTest) -> pb.EnsureInstanceRequest:
    """A running guest with a root volume and a port."""
    root, port = specs.volume(), specs.port()
    agent.stub.EnsureVolume(root)
    agent.stub.EnsurePort(port)
    spec = specs.instance(root, port)
    assert agent.stub.EnsureInstance(spec).power == pb.POWER_RUNNING
    return spec


def guest(agent: AgentUnderTest, spec: pb.EnsureInstanceRequest) -> Any:
    return agent.fake.guests[UUID(spec.subject.id)]


# ---- the whole life


def test_guest_is_created_and_removed_completely(agent: AgentUnderTest) -> None:
    spec = build(agent)
    assert guest(agent, spec).running.vcpus == 1
    assert agent.stub.RemoveInstance(specs.removal(spec.subject)).was_present
    assert agent.stub.RemovePort(pb.RemoveRequest(subject=specs.subject(spec.port_ids[0]))).was_present
    assert agent.stub.RemoveVolume(pb.RemoveRequest(subject=specs.subject(spec.root_volume_id))).was_present
    assert agent.fake.is_clean()
    assert not agent.stub.Describe(pb.DescribeRequest()).instances


def test_repeated_calls_have_one_effect(agent: AgentUnderTest) -> None:
    spec = build(agent)
    first = agent.stub.EnsureInstance(spec)
    assert agent.stub.EnsureInstance(spec) == first
    assert guest(agent, spec).starts == 1
    assert agent.stub.RemoveInstance(specs.removal(spec.subject)).was_present
    assert not agent.stub.RemoveInstance(specs.removal(spec.subject)).was_present


def test_guest_is_restarted_only_while_expected_and_unchanged(
    agent: AgentUnderTest,
) -> None:
    spec = build(agent)
    guest_id, guard = UUID(spec.subject.id), agent.server.node.adapters.restarts.guard
    removal = Thread(target=lambda: agent.stub.RemoveInstance(specs.removal(spec.subject)))
    with guard(guest_id) as is_expected:
        assert is_expected
        removal.start()
        removal.join(0.3)
        assert removal.is_alive() and guest_id in agent.fake.guests
    removal.join()
    with guard(guest_id) as is_expected:
        assert not is_expected
    stopped = specs.next_generation(build(agent), power=pb.POWER_OFF)
    agent.stub.EnsureInstance(stopped)
    with guard(UUID(stopped.subject.id)) as is_expected:
        assert not is_expected


def test_removal_of_an_unknown_resource_is_recorded(agent: AgentUnderTest) -> None:
    request = specs.volume(generation=3)
    assert not agent.stub.RemoveVolume(specs.removal(request.subject)).was_present
    assert refusal(lambda: agent.stub.EnsureVolume(request)).code == "agent.permit.stale_generation"


# ---- generations


def test_an_older_generation_is_refused(agent: AgentUnderTest) -> None:
    spec = build(agent)
    agent.stub.EnsureInstance(specs.next_generation(spec, vcpus=2))
    late = refusal(lambda: agent.stub.EnsureInstance(spec))
    assert (late.status, late.code, late.is_retryable) == (
        grpc.StatusCode.PERMISSION_DENIED,
        "agent.permit.stale_generation",
        False,
    )


def test_removed_generation_stays_removed_after_a_restart(agent: AgentUnderTest) -> None:
    spec = build(agent)
    agent.stub.RemoveInstance(specs.removal(spec.subject))
    agent.restart()
    assert refusal(lambda: agent.stub.EnsureInstance(spec)).code == "agent.permit.stale_generation"
    assert agent.stub.EnsureInstance(specs.next_generation(spec)).power == pb.POWER_RUNNING


def test_changed_content_of_one_generation_is_refused(agent: AgentUnderTest) -> None:
    spec = build(agent)
    spec.memory_mib += 64
    assert refusal(lambda: agent.stub.EnsureInstance(spec)).code == "agent.generation_reused"


# ---- authority


def test_a_peer_that_is_no_control_plane_is_refused(agent: AgentUnderTest) -> None:
    uri = x509.UniformResourceIdentifier(f"andromede://zone/fr-par-1/node/{specs.NODE_ID}")
    stranger = agent.connect(issue(agent.ca, [uri], ExtendedKeyUsageOID.CLIENT_AUTH))
    for call in (stranger.Describe, lambda r: next(iter(stranger.Watch(pb.WatchRequest())))):
        refused = refusal(lambda call=call: call(pb.DescribeRequest()))
        assert (refused.status, refused.code) == (grpc.StatusCode.PERMISSION_DENIED, "agent.unknown_peer")


@pytest.mark.parametrize(
    ("process", "may"),
    [
        ("watcher", ["Describe", "EnsureTrust", "RenewLease", "Watch"]),
        ("web", ["ReadConsole"]),
        ("stream", ["OpenConsole", "OpenTcp"]),
        ("worker", ["Describe", "EnsureTrust", "ReadConsole", "RemoveVolume", "EnsureInstance"]),
        ("somebody", []),
    ],
)
def test_process_may_make_only_the_calls_of_its_role(agent: AgentUnderTest, process: str, may: list[str]) -> None:
    caller = agent.connect(issue_controlplane(agent.ca, agent.ca.folder / process, process=process))
    nobody = str(specs.NODE_ID)
    opening = pb.ConsoleInput(header=pb.ConsoleHeader(instance_id=nobody, kind=pb.CONSOLE_KIND_SERIAL))
    calls = {
        "Describe": lambda: caller.Describe(pb.DescribeRequest()),
        "Watch": lambda: next(iter(caller.Watch(pb.WatchRequest()))),
        "EnsureTrust": lambda: caller.EnsureTrust(pb.EnsureTrustRequest()),
        "RenewLease": lambda: caller.RenewLease(pb.RenewLeaseRequest()),
        "ReadConsole": lambda: caller.ReadConsole(pb.ReadConsoleRequest(instance_id=nobody)),
        "OpenConsole": lambda: next(caller.OpenConsole(iter([opening]))),
        "OpenTcp": lambda: next(caller.OpenTcp(iter([pb.TcpInput()]))),
        "RemoveVolume": lambda: caller.RemoveVolume(pb.RemoveRequest()),
        "EnsureInstance": lambda: caller.EnsureInstance(pb.EnsureInstanceRequest()),
    }
    for name in sorted(calls.keys() - set(may)):
        assert refusal(calls[name]).code == "agent.unknown_peer"
    let_in = {"ReadConsole": "agent.not_found", "OpenConsole": "agent.not_found"}
    let_in |= dict.fromkeys(("RemoveVolume", "EnsureInstance", "RenewLease", "OpenTcp"), "agent.bad_request")
    for name in sorted(may):
        if name in let_in:
            assert refusal(calls[name]).code == let_in[name]
        else:
            calls[name]()


def test_dns_name_that_looks_like_a_role_is_refused(agent: AgentUnderTest) -> None:
    stranger = agent.connect(
        issue(agent.ca, [x509.DNSName("andromede://controlplane/worker")], ExtendedKeyUsageOID.CLIENT_AUTH)
    )
    assert refusal(lambda: stranger.Describe(pb.DescribeRequest())).code == "agent.unknown_peer"


def test_another_ca_is_refused_before_any_call(agent: AgentUnderTest, tmp_path_factory: pytest.TempPathFactory) -> None:
    other: TestCA = make_ca(tmp_path_factory.mktemp("other-ca"))
    uri = x509.UniformResourceIdentifier("andromede://controlplane/worker")
    forged = issue(other, [uri], ExtendedKeyUsageOID.CLIENT_AUTH)
    stub = agent.connect(type(forged)(forged.key, forged.certificate, agent.caller.ca))
    assert refusal(lambda: stub.Describe(pb.DescribeRequest())).status is grpc.StatusCode.UNAVAILABLE


# ---- input


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hostname", "a;reboot"),
        ("hostname", "-a"),
        ("hostname", "a\n"),
        ("mac", "53:54:00:00:00:01"),
        ("mac", "52:54:00:00:00:01\n"),
        ("ip", "10.11.0.4"),
        ("ip", "10.10.0.1"),
        ("ip", "10.10.0.300"),
    ],
)
def test_a_port_with_a_bad_field_is_refused(agent: AgentUnderTest, field: str, value: str) -> None:
    request = specs.port()
    setattr(request, field, value)
    refused = refusal(lambda: agent.stub.EnsurePort(request))
    assert (refused.status, refused.code) == (grpc.StatusCode.INVALID_ARGUMENT, "agent.bad_request")
    assert refused.message.startswith(field)
    assert agent.fake.is_clean()


@pytest.mark.parametrize(
    "resource_id", ["", "../../etc", "01980000-0000-7000-8000-00000000A001", f"{{{specs.NODE_ID}}}"]
)
def test_an_id_must_be_a_canonical_uuid(agent: AgentUnderTest, resource_id: str) -> None:
    request = specs.volume()
    request.subject.id = resource_id
    assert refusal(lambda: agent.stub.EnsureVolume(request)).code == "agent.bad_request"


def test_sizes_of_zero_or_absurd_are_refused(agent: AgentUnderTest) -> None:
    spec = build(agent)
    for changes in ({"vcpus": 100_000}, {"memory_mib": 2**50}):
        changed = specs.next_generation(spec, **changes)
        assert refusal(lambda changed=changed: agent.stub.EnsureInstance(changed)).code == "agent.bad_request"
    empty = specs.volume(size_mib=0)
    assert refusal(lambda: agent.stub.EnsureVolume(empty)).code == "agent.bad_request"


def test_user_data_has_a_limit(agent: AgentUnderTest) -> None:
    spec = specs.next_generation(build(agent))
    spec.guest_data.user_data = b"#" * (64 * 1024 + 1)
    assert refusal(lambda: agent.stub.EnsureInstance(spec)).code == "agent.bad_request"


# ---- images


def test_image_is_stored_once(agent: AgentUnderTest) -> None:
    content = b"\0" * 200_000
    header = specs.image_header(content)
    assert not agent.stub.EnsureImage(image_stream(header, content)).was_cached
    assert agent.stub.EnsureImage(iter([pb.ImagePart(header=header)])).was_cached
    assert agent.stub.EnsureImage(image_stream(header, content)).was_cached
    assert agent.fake.images == {header.sha256: len(content)}


@pytest.mark.parametrize(
    ("announced", "sent"), [(b"a" * 1000, b"a" * 999), (b"a" * 1000, b"a" * 1001), (b"a" * 9, b"b" * 9)]
)
def test_image_with_another_digest_is_not_stored(agent: AgentUnderTest, announced: bytes, sent: bytes) -> None:
    refused = refusal(lambda: agent.stub.EnsureImage(image_stream(specs.image_header(announced), sent)))
    assert refused.code == "agent.image_refused"
    assert not agent.fake.images
    assert not agent.stub.Describe(pb.DescribeRequest()).images


def test_image_in_use_by_a_volume_is_kept(agent: AgentUnderTest) -> None:
    content = b"\0" * 4096
    header = specs.image_header(content)
    agent.stub.EnsureImage(image_stream(header, content))
    clone = specs.volume(image=header.sha256)
    agent.stub.EnsureVolume(clone)
    request = pb.RemoveImageRequest(sha256=header.sha256)
    assert refusal(lambda: agent.stub.RemoveImage(request)).code == "agent.image_in_use"
    agent.stub.RemoveVolume(specs.removal(clone.subject))
    assert agent.stub.RemoveImage(request).was_present
    assert not agent.stub.RemoveImage(request).was_present


# ---- volumes


def test_clone_needs_its_image_and_enough_space(agent: AgentUnderTest) -> None:
    content = b"\0" * (2 * specs.MIB)
    header = specs.image_header(content)
    missing = refusal(lambda: agent.stub.EnsureVolume(specs.volume(image=header.sha256)))
    assert (missing.status, missing.code) == (grpc.StatusCode.NOT_FOUND, "agent.not_found")
    agent.stub.EnsureImage(image_stream(header, content))
    small = specs.volume(image=header.sha256, size_mib=1)
    assert refusal(lambda: agent.stub.EnsureVolume(small)).code == "agent.volume_would_shrink"


def test_a_volume_grows_and_never_shrinks(agent: AgentUnderTest) -> None:
    request = specs.volume(size_mib=64)
    agent.stub.EnsureVolume(request)
    grown = specs.volume(request.subject.id, generation=2, size_mib=128)
    assert agent.stub.EnsureVolume(grown).size_bytes == 128 * specs.MIB
    shrunk = specs.volume(request.subject.id, generation=3, size_mib=64)
    assert refusal(lambda: agent.stub.EnsureVolume(shrunk)).code == "agent.volume_would_shrink"
    assert agent.fake.volumes[UUID(request.subject.id)] == 128 * specs.MIB


def test_the_volume_of_a_running_guest_grows_through_the_hypervisor(agent: AgentUnderTest) -> None:
    spec = build(agent)
    agent.stub.EnsureVolume(specs.volume(spec.root_volume_id, generation=2, size_mib=256))
    assert (agent.fake.call_counts["grow_disk"], agent.fake.call_counts["grow_volume"]) == (1, 0)


def test_limits_of_a_volume_reach_its_running_guest_and_its_next_start(agent: AgentUnderTest) -> None:
    spec = build(agent)
    limited = specs.volume(spec.root_volume_id, generation=2)
    limited.limits.CopyFrom(pb.IoLimits(iops=500, bytes_per_s=10**8))
    for _ in range(2):
        agent.stub.EnsureVolume(limited)
    running = agent.fake.guests[UUID(spec.subject.id)].running
    assert running is not None and running.disks[0].limits == IoLimits(500, 10**8)
    stopped = specs.next_generation(spec, power=pb.POWER_OFF)
    agent.stub.EnsureInstance(stopped)
    agent.stub.EnsureVolume(specs.volume(spec.root_volume_id, generation=3))
    agent.stub.EnsureInstance(specs.next_generation(stopped, power=pb.POWER_RUNNING))
    running = agent.fake.guests[UUID(spec.subject.id)].running
    assert running is not None and running.disks[0].limits == NO_LIMITS


def test_limits_beyond_all_disks_are_refused(agent: AgentUnderTest) -> None:
    request = specs.volume()
    request.limits.iops = 2**63
    assert refusal(lambda: agent.stub.EnsureVolume(request)).status is grpc.StatusCode.INVALID_ARGUMENT


def test_lost_volume_is_not_replaced_by_an_empty_one(agent: AgentUnderTest) -> None:
    request = specs.volume()
    agent.stub.EnsureVolume(request)
    agent.fake.volumes.clear()
    refused = refusal(lambda: agent.stub.EnsureVolume(request))
    assert (refused.status, refused.is_retryable) == (grpc.StatusCode.INTERNAL, False)


def test_volume_and_port_in_use_are_kept(agent: AgentUnderTest) -> None:
    spec = build(agent)
    volume = pb.RemoveRequest(subject=specs.subject(spec.root_volume_id))
    port = pb.RemoveRequest(subject=specs.subject(spec.port_ids[0]))
    assert refusal(lambda: agent.stub.RemoveVolume(volume)).code == "agent.volume_in_use"
    assert refusal(lambda: agent.stub.RemovePort(port)).code == "agent.port_in_use"
    described = agent.stub.Describe(pb.DescribeRequest())
    assert [state.attached_to for state in described.volumes] == [spec.subject.id]


# ---- power


def test_shutdown_waits_for_the_guest_and_off_does_not(agent: AgentUnderTest) -> None:
    spec = build(agent)
    agent.fake.ignore_shutdown = True
    asked = specs.next_generation(spec, power=pb.POWER_SHUTDOWN)
    assert agent.stub.EnsureInstance(asked).power == pb.POWER_RUNNING
    agent.fake.ignore_shutdown = False
    assert agent.stub.EnsureInstance(asked).power == pb.POWER_OFF
    started = specs.next_generation(asked, power=pb.POWER_RUNNING)
    assert agent.stub.EnsureInstance(started).power == pb.POWER_RUNNING
    assert agent.stub.EnsureInstance(specs.next_generation(started, power=pb.POWER_OFF)).power == pb.POWER_OFF


def test_a_restart_happens_once(agent: AgentUnderTest) -> None:
    spec = build(agent)
    restarted = specs.next_generation(spec, restart=pb.Restart(count=1, kind=pb.RESTART_KIND_RESET))
    assert agent.stub.EnsureInstance(restarted).restart_count == 1
    agent.stub.EnsureInstance(restarted)
    agent.restart()
    agent.stub.EnsureInstance(restarted)
    assert guest(agent, spec).restarts == 1


def test_failed_restart_is_retried(agent: AgentUnderTest) -> None:
    spec = build(agent)
    restarted = specs.next_generation(spec, restart=pb.Restart(count=1, kind=pb.RESTART_KIND_REBOOT))
    agent.fake.fail_next("reboot", AdapterError("no", retryable=True))
    assert refusal(lambda: agent.stub.EnsureInstance(restarted)).is_retryable
    agent.stub.EnsureInstance(restarted)
    assert guest(agent, spec).restarts == 1


def test_restart_of_a_stopped_guest_starts_it(agent: AgentUnderTest) -> None:
    spec = build(agent)
    stopped = specs.next_generation(spec, power=pb.POWER_OFF)
    agent.stub.EnsureInstance(stopped)
    both = specs.next_generation(stopped, power=pb.POWER_RUNNING, restart=pb.Restart(count=4))
    assert agent.stub.EnsureInstance(both).restart_count == 4
    assert (guest(agent, spec).starts, guest(agent, spec).restarts) == (2, 0)


def test_a_new_size_waits_for_the_next_start(agent: AgentUnderTest) -> None:
    spec = build(agent)
    resized = specs.next_generation(spec, vcpus=4)
    agent.stub.EnsureInstance(resized)
    assert (guest(agent, spec).spec.vcpus, guest(agent, spec).running.vcpus) == (4, 1)
    stopped = specs.next_generation(resized, power=pb.POWER_OFF)
    agent.stub.EnsureInstance(stopped)
    agent.stub.EnsureInstance(specs.next_generation(stopped, power=pb.POWER_RUNNING))
    assert guest(agent, spec).running.vcpus == 4


def test_a_guest_that_vanished_with_the_node_counts_as_crashed(agent: AgentUnderTest) -> None:
    spec = build(agent)
    agent.fake.guests.clear()
    (state,) = agent.stub.Describe(pb.DescribeRequest(ids=[spec.subject.id])).instances
    assert state.power == pb.POWER_CRASHED
    assert agent.stub.EnsureInstance(spec).power == pb.POWER_RUNNING


# ---- attachments


def test_volume_is_plugged_into_and_unplugged_from_a_running_guest(agent: AgentUnderTest) -> None:
    spec, data = build(agent), specs.volume()
    agent.stub.EnsureVolume(data)
    request = specs.attachment(spec, data)
    state = agent.stub.EnsureAttachment(request)
    assert state.serial == data.subject.id.replace("-", "")[:20]
    assert [str(d.volume_id) for d in guest(agent, spec).running.disks] == [spec.root_volume_id, data.subject.id]
    assert agent.stub.EnsureAttachment(request) == state
    assert agent.stub.RemoveAttachment(specs.removal(request.subject)).was_present
    assert not agent.stub.RemoveAttachment(specs.removal(request.subject)).was_present
    assert len(guest(agent, spec).running.disks) == len(guest(agent, spec).spec.disks) == 1


def test_a_volume_has_one_user(agent: AgentUnderTest) -> None:
    spec, data = build(agent), specs.volume()
    agent.stub.EnsureVolume(data)
    agent.stub.EnsureAttachment(specs.attachment(spec, data))
    assert refusal(lambda: agent.stub.EnsureAttachment(specs.attachment(spec, data))).code == "agent.volume_in_use"
    other = specs.instance(data)
    assert refusal(lambda: agent.stub.EnsureInstance(other)).code == "agent.volume_in_use"


def test_a_guest_that_keeps_a_disk_keeps_the_volume_in_use(agent: AgentUnderTest) -> None:
    spec, data = build(agent), specs.volume()
    agent.stub.EnsureVolume(data)
    request = specs.attachment(spec, data)
    agent.stub.EnsureAttachment(request)
    agent.fake.ignore_detach = True
    pending = refusal(lambda: agent.stub.RemoveAttachment(specs.removal(request.subject)))
    assert (pending.code, pending.is_retryable) == ("agent.detach_pending", True)
    removal = specs.removal(data.subject)
    assert refusal(lambda: agent.stub.RemoveVolume(removal)).code == "agent.volume_in_use"
    agent.fake.ignore_detach = False
    assert agent.stub.RemoveAttachment(specs.removal(request.subject)).was_present
    assert agent.stub.RemoveVolume(removal).was_present


def test_attachments_survive_a_stop_and_outlive_their_instance(agent: AgentUnderTest) -> None:
    spec, data = build(agent), specs.volume()
    agent.stub.EnsureVolume(data)
    request = specs.attachment(spec, data)
    agent.stub.EnsureAttachment(request)
    stopped = specs.next_generation(spec, power=pb.POWER_OFF)
    agent.stub.EnsureInstance(stopped)
    agent.stub.EnsureInstance(specs.next_generation(stopped, power=pb.POWER_RUNNING))
    assert len(guest(agent, spec).running.disks) == 2
    agent.stub.RemoveInstance(pb.RemoveRequest(subject=specs.subject(spec.subject.id, 9)))
    assert agent.stub.RemoveAttachment(specs.removal(request.subject)).was_present
    assert agent.stub.RemoveVolume(specs.removal(data.subject)).was_present


# ---- faults


def test_unavailable_hypervisor_is_a_retryable_error(agent: AgentUnderTest) -> None:
    root = specs.volume()
    agent.stub.EnsureVolume(root)
    spec = specs.instance(root)
    agent.fake.fail_next("start", HypervisorUnavailable("libvirtd does not answer"))
    refused = refusal(lambda: agent.stub.EnsureInstance(spec))
    assert (refused.status, refused.is_retryable) == (grpc.StatusCode.UNAVAILABLE, True)
    assert agent.stub.EnsureInstance(spec).power == pb.POWER_RUNNING


def test_unexpected_error_hides_its_details(agent: AgentUnderTest) -> None:
    agent.fake.fail_next("create_volume", ZeroDivisionError("secret"))
    refused = refusal(lambda: agent.stub.EnsureVolume(specs.volume()))
    assert (refused.status, refused.code) == (grpc.StatusCode.INTERNAL, "agent.internal")
    assert "secret" not in refused.message


def test_ports_are_restored_when_the_agent_starts(agent: AgentUnderTest) -> None:
    spec = build(agent)
    agent.fake.ports.clear()
    agent.restart()
    assert [str(port_id) for port_id in agent.fake.ports] == list(spec.port_ids)


def test_a_second_agent_on_the_same_state_is_refused(agent: AgentUnderTest) -> None:
    with pytest.raises(RuntimeError, match="Another agent"):
        AgentUnderTest(agent.state_dir, agent.fake, agent.ca, agent.caller).start()


# ---- watching


def events(agent: AgentUnderTest, heartbeat_interval_ms: int = 100) -> Any:
    return agent.stub.Watch(pb.WatchRequest(heartbeat_interval_ms=heartbeat_interval_ms), timeout=PATIENCE_S)


def heartbeats(stream: Iterator[pb.NodeEvent], count: int) -> list[pb.NodeEvent]:
    return list(islice((event for event in stream if event.WhichOneof("event") == "heartbeat"), count))


def test_heartbeat_reports_network_problems(agent: AgentUnderTest) -> None:
    agent.fake.network_problems = NetworkProblems(connections="It is almost full.", rules="They were gone.")
    stream = events(agent)
    (event,) = heartbeats(stream, 1)
    stream.cancel()
    report = event.heartbeat.networks
    assert (report.connections_problem, report.rules_problem) == ("It is almost full.", "They were gone.")


def test_watch_starts_with_a_heartbeat_and_repeats_it(agent: AgentUnderTest) -> None:
    spec = build(agent)
    stream = events(agent)
    first, second = heartbeats(stream, 2)
    assert first.heartbeat.inventory.node_id == str(specs.NODE_ID)
    assert first.heartbeat.inventory.zone == specs.ZONE
    assert [state.subject.id for state in second.heartbeat.instances] == [spec.subject.id]
    stream.cancel()


def test_crash_is_reported_at_once(agent: AgentUnderTest) -> None:
    spec = build(agent)
    stream = events(agent, heartbeat_interval_ms=3_600_000)
    heartbeats(stream, 1)
    agent.fake.crash(UUID(spec.subject.id), "It panicked.")
    event = next(event for event in stream if event.WhichOneof("event") == "instance")
    assert (event.instance.power, event.instance.reason) == (pb.POWER_CRASHED, "It panicked.")
    stream.cancel()


def test_watchers_do_not_starve_calls(agent: AgentUnderTest) -> None:
    streams = [events(agent) for _ in range(4)]
    for stream in streams:
        next(stream)
    fifth = events(agent)
    assert refusal(lambda: next(fifth)).status is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert agent.stub.Describe(pb.DescribeRequest()).inventory.cores == 64
    for stream in streams:
        stream.cancel()


# ---- reading


def test_the_console_is_read_from_both_ends(agent: AgentUnderTest) -> None:
    spec = build(agent)
    whole = agent.stub.ReadConsole(pb.ReadConsoleRequest(instance_id=spec.subject.id))
    assert b"booted" in whole.data
    end = agent.stub.ReadConsole(pb.ReadConsoleRequest(instance_id=spec.subject.id, offset=-8, max_bytes=4))
    assert (end.data, end.offset) == (whole.data[-8:-4], whole.total_bytes - 8)
    unknown = pb.ReadConsoleRequest(instance_id=specs.new_id())
    assert refusal(lambda: agent.stub.ReadConsole(unknown)).status is grpc.StatusCode.NOT_FOUND


def test_describe_reports_unmanaged_domains_and_accepts_a_filter(agent: AgentUnderTest) -> None:
    spec = build(agent)
    agent.fake.foreign_domains.append("somebody-elses")
    everything = agent.stub.Describe(pb.DescribeRequest())
    assert list(everything.unknown_domains) == ["somebody-elses"]
    only = agent.stub.Describe(pb.DescribeRequest(ids=[spec.subject.id]))
    assert (len(only.instances), len(only.volumes), len(only.ports)) == (1, 0, 0)
