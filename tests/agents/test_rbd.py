"""Volumes in a Ceph cluster, on a node with the fake adapter: keys, refusals, and what the node reports."""

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from uuid import UUID

import grpc
import pytest

from agents.node.adapters.interfaces import DomainFacts, Power
from agents.node.adapters.storage import monitors
from agents.node.errors import AdapterError
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, refusal
from tests.agents.specs import MIB
from tests.agents.test_receipts import inventory

OTHER = "01980000-0000-7000-8000-0000000000d9"
KEY = base64.b64encode(b"a secret of the volume")


def opened(volume: pb.EnsureVolumeRequest, *, generation: int = 1, size_mib: int = 64) -> pb.EnsureVolumeRequest:
    request, volume_id = pb.EnsureVolumeRequest(), volume.subject.id
    request.CopyFrom(volume)
    request.subject.generation, request.size_bytes, request.pool = generation, size_mib * MIB, "fast"
    client = f"v-{volume_id}.019800000000"
    rbd = pb.RbdSource(pool="vms", image=volume_id, monitors=["10.0.0.1:3300"], client=client, key=KEY)
    request.rbd.CopyFrom(rbd)
    return request


def size_of(agent: AgentUnderTest, volume_id: str) -> int:
    (state,) = agent.stub.Describe(pb.DescribeRequest(ids=[volume_id])).volumes
    assert state.pool == "fast"
    return int(state.size_bytes)


def test_volume_is_open_until_its_key_is_gone(agent: AgentUnderTest) -> None:
    root = opened(specs.volume())
    agent.stub.EnsureVolume(root)
    guest = specs.instance(root, power=pb.POWER_OFF)
    agent.stub.EnsureInstance(guest)
    assert size_of(agent, root.subject.id) == 64 * MIB

    agent.fake.opened.clear()  # as a boot of the node does it
    assert size_of(agent, root.subject.id) == 0
    started = specs.next_generation(guest, power=pb.POWER_RUNNING)
    error = refusal(lambda: agent.stub.EnsureInstance(started))
    assert (error.code, error.is_retryable) == ("agent.volume_key_missing", True)
    agent.stub.EnsureVolume(root)
    assert agent.stub.EnsureInstance(started).power == pb.POWER_RUNNING


def test_key_is_in_no_file_of_the_agent(agent: AgentUnderTest) -> None:
    agent.stub.EnsureVolume(opened(specs.volume()))
    kept = b"".join(file.read_bytes() for file in agent.state_dir.glob("ledger.sqlite*"))
    assert b"v-0" in kept
    assert KEY not in kept
    assert base64.b64decode(KEY) not in kept


def test_disk_of_a_running_guest_grows_by_the_hypervisor(agent: AgentUnderTest) -> None:
    root, data = specs.volume(), opened(specs.volume())
    guest = specs.instance(root)
    for request in (root, data):
        agent.stub.EnsureVolume(request)
    agent.stub.EnsureInstance(guest)
    agent.stub.EnsureAttachment(specs.attachment(guest, data))
    for _ in range(2):
        agent.stub.EnsureVolume(opened(data, generation=2, size_mib=96))
    assert agent.fake.call_counts["grow_disk"] == 1
    assert size_of(agent, data.subject.id) == 96 * MIB
    error = refusal(lambda: agent.stub.EnsureVolume(opened(data, generation=3, size_mib=64)))
    assert error.code == "agent.volume_would_shrink"


@pytest.mark.parametrize("call", ["ForgetVolume", "RemoveVolume"])
def test_forgotten_volume_leaves_no_key(agent: AgentUnderTest, call: str) -> None:
    volume = opened(specs.volume())
    agent.stub.EnsureVolume(volume)
    assert agent.fake.opened
    assert getattr(agent.stub, call)(specs.removal(volume.subject, 2)).was_present
    assert agent.fake.is_clean()


def test_other_monitors_and_clients_are_taken_and_another_pool_is_not(agent: AgentUnderTest) -> None:
    volume = opened(specs.volume())
    agent.stub.EnsureVolume(volume)
    later = opened(volume, generation=2)
    later.rbd.monitors[:] = ["10.0.0.2:3300", "[fd00::1]:3300"]
    later.rbd.client = later.rbd.client[:-1] + "1"
    agent.stub.EnsureVolume(later)
    later.subject.generation, later.rbd.pool = 3, "other"
    assert refusal(lambda: agent.stub.EnsureVolume(later)).code == "agent.conflict"


def test_volume_is_opened_anew_at_its_generation_by_another_client(agent: AgentUnderTest) -> None:
    root = opened(specs.volume())
    agent.stub.EnsureVolume(root)
    guest = specs.instance(root, power=pb.POWER_OFF)
    agent.stub.EnsureInstance(guest)
    root.rbd.client = root.rbd.client[:-1] + "1"
    agent.stub.EnsureVolume(root)
    agent.stub.EnsureInstance(specs.next_generation(guest, power=pb.POWER_RUNNING))
    (disk,) = agent.fake.guests[UUID(guest.subject.id)].spec.disks
    assert disk.rbd is not None and disk.rbd.client == root.rbd.client


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pool", "a/b"),
        ("pool", "a:conf=/tmp/x"),
        ("image", OTHER),
        ("client", "admin"),
        ("client", f"v-{OTHER}.019800000000"),
        ("key", b""),
        ("key", b"no base64!"),
        ("key", base64.b64encode(b"x" * 300)),
        ("monitors", []),
        ("monitors", ["10.0.0.1:3300"] * 2),
        ("monitors", ["/run/a.sock"]),
        ("monitors", ["host;x=1:3300"]),
    ],
)
def test_other_sources_are_refused(agent: AgentUnderTest, field: str, value: object) -> None:
    request = opened(specs.volume())
    if isinstance(value, list):
        request.rbd.monitors[:] = value
    else:
        setattr(request.rbd, field, value)
    error = refusal(lambda: agent.stub.EnsureVolume(request))
    assert (error.status, error.code) == (grpc.StatusCode.INVALID_ARGUMENT, "agent.bad_request")
    assert error.message.startswith(f"rbd.{field}: ")
    assert not agent.fake.opened


def test_storage_agent_makes_it_of_an_image_and_not_the_node(agent: AgentUnderTest) -> None:
    request = opened(specs.volume())
    request.image_sha256 = "0" * 64
    assert refusal(lambda: agent.stub.EnsureVolume(request)).message.startswith("rbd: ")
    request = opened(specs.volume())
    request.pool = ""
    assert refusal(lambda: agent.stub.EnsureVolume(request)).message.startswith("rbd: ")


def test_open_image_in_a_pool_of_tenants_makes_a_domain_suspect(agent: AgentUnderTest) -> None:
    volume = opened(specs.volume())
    agent.stub.EnsureVolume(volume)
    agent.fake.foreign_domains += ["thief", "own"]
    for name, pool in (("thief", "vms"), ("own", "operator")):
        facts = DomainFacts(Power.RUNNING, 512, "<domain/>", (f"rbd:{pool}/{volume.subject.id}",))
        agent.fake.unmanaged.facts[name] = facts
    found = {each.name: each.is_harmless for each in agent.stub.Describe(pb.DescribeRequest()).strays}
    assert found == {"thief": False, "own": True}


def test_signed_inventory_names_the_volume(agent: AgentUnderTest) -> None:
    root = opened(specs.volume())
    agent.stub.EnsureVolume(root)
    guest = specs.instance(root)
    agent.stub.EnsureInstance(guest)
    (domain,) = inventory(agent)["domains"]
    assert (domain["id"], domain["disks"]) == (guest.subject.id, [root.subject.id])


# ---- monitors


@contextmanager
def monitor(greeting: bytes) -> Iterator[str]:
    """Run a monitor that greets so, and then is silent."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection, suppress(ConnectionResetError):
                connection.sendall(greeting)
                connection.recv(1)

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_one_monitor_that_greets_is_enough() -> None:
    with monitor(b"ceph v2\n") as working:
        monitors.check(["127.0.0.1:9", working])


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-x\r\n"])
def test_cluster_without_a_monitor_that_greets_is_refused_in_time(greeting: bytes) -> None:
    with monitor(greeting) as stopped, pytest.raises(AdapterError, match="No monitor") as caught:
        monitors.check([stopped], limit_s=0.05)
    assert caught.value.retryable


def test_monitor_at_an_ipv6_address_is_named_without_brackets() -> None:
    assert monitors.address("[fd00::1]:3300") == ("fd00::1", 3300)
