"""Volumes to which several nodes write at once, with clients at addresses of their own."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from agents.lab.ceph import POOL, CephCluster
from agents.lab.shell import run
from agents.protocol import storage_pb2 as pb
from tests.agents.conftest import refusal
from tests.agents.permit_checks import permit_code
from tests.agents.storage.conftest import Writer
from tests.agents.storage.running import DESTINATION, LATER, SOURCE, StorageAgent
from tests.agents.storage.test_openings import FENCED

NET = f"198.18.{os.getpid() % 250}"
MACHINE = f"{NET}.1"
ADDRESSES = {SOURCE: f"{NET}.2", DESTINATION: f"{NET}.3", LATER: f"{NET}.4"}
BRIDGE = f"storage{os.getpid() % 10**7}"


def open_shared(storage: StorageAgent, volume: str, node: str = SOURCE, *more: str, **changes: Any) -> pb.VolumeKey:
    """Open the volume for the node at its address, and at `more`."""
    permit = storage.permit(volume, op="instance.start", node=node, shared=(volume,))
    fields = {"permit": permit, "is_shared": True, "addresses": [ADDRESSES[node], *more]} | changes
    key: pb.VolumeKey = storage.stub().OpenVolume(pb.OpenVolumeRequest(volume_id=volume, pool=POOL, **fields))
    return key


@pytest.fixture(scope="module")
def namespaces() -> Iterator[dict[str, str]]:
    """Return the namespace of each node, on one bridge with this machine."""
    names = {node: f"{BRIDGE}-{number}" for number, node in enumerate(ADDRESSES)}
    with ExitStack() as stack:
        run(["ip", "link", "add", BRIDGE, "type", "bridge"])
        stack.callback(run, ["ip", "link", "del", BRIDGE])
        run(["ip", "address", "add", f"{MACHINE}/24", "dev", BRIDGE])
        run(["ip", "link", "set", BRIDGE, "up"])
        for number, (node, name) in enumerate(names.items()):
            run(["ip", "netns", "add", name])
            stack.callback(run, ["ip", "netns", "del", name])
            port = f"st{os.getpid() % 10**7}-{number}"
            run(["ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name])
            run(["ip", "link", "set", port, "master", BRIDGE, "up"])
            run(["ip", "-n", name, "address", "add", f"{ADDRESSES[node]}/24", "dev", "eth0"])
            run(["ip", "-n", name, "link", "set", "eth0", "up"])
        yield names


@pytest.fixture(scope="module")
def networked(
    make_ceph: Callable[[str], CephCluster],
    namespaces: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[StorageAgent]:
    """Serve a cluster that the nodes reach from their own addresses."""
    cluster = make_ceph("networked")
    cluster.start(address=MACHINE)
    agent = StorageAgent(tmp_path_factory.mktemp("networked") / "agent", cluster)
    with agent.serving():
        agent.learn(*ADDRESSES)
        yield agent
    cluster.stop()


@pytest.mark.lab
def test_closing_of_one_node_leaves_the_others(
    networked: StorageAgent, namespaces: dict[str, str], writing: Callable[..., Writer]
) -> None:
    """In any order of openings and closings, also clients that came later, as of a guest that was restarted."""
    volume = networked.made(is_multi_attach=True)

    def opened(node: str) -> Writer:
        return writing(open_shared(networked, volume, node), within=namespaces[node])

    first, second, third = [opened(node) for node in (SOURCE, DESTINATION, LATER)]
    first.process.kill()
    first = opened(SOURCE)
    closed = networked.close(volume, DESTINATION)
    assert hosts(closed.fenced) == [ADDRESSES[DESTINATION]]
    assert ADDRESSES[LATER] in hosts(closed.watchers)
    assert [each.write() for each in (first, second, third)] == ["written", FENCED, "written"]
    assert hosts(networked.close(volume, LATER, is_dead=True).fenced) == [ADDRESSES[LATER]]
    second = opened(DESTINATION)
    assert [each.write() for each in (first, second, third)] == ["written", "written", FENCED]
    assert {*hosts(networked.close(volume, SOURCE).fenced)} == {ADDRESSES[SOURCE]}
    assert [each.write() for each in (first, second)] == [FENCED, "written"]
    assert hosts(networked.close(volume, DESTINATION).fenced) == [ADDRESSES[DESTINATION]]
    assert networked.remove(volume)


@pytest.mark.lab
def test_client_at_an_address_of_no_other_node_is_fenced(
    networked: StorageAgent, namespaces: dict[str, str], writing: Callable[..., Writer]
) -> None:
    """A node that has another address than its row says has nothing open after it was closed."""
    volume = networked.made(is_multi_attach=True)
    strange = writing(open_shared(networked, volume, SOURCE), within=namespaces[LATER])
    known = writing(open_shared(networked, volume, DESTINATION), within=namespaces[DESTINATION])
    assert hosts(networked.close(volume, SOURCE).fenced) == [ADDRESSES[LATER]]
    assert [strange.write(), known.write()] == [FENCED, "written"]


def test_key_is_the_same_with_another_address(storage: StorageAgent) -> None:
    volume = storage.made(is_multi_attach=True)
    first = open_shared(storage, volume)
    assert open_shared(storage, volume, SOURCE, f"{NET}.9") == first
    assert open_shared(storage, volume) == first
    refused = refusal(lambda: open_shared(storage, volume, DESTINATION, f"{NET}.9"))
    assert (refused.code, f"{NET}.9" in refused.message) == ("storage.opening_conflict", True)
    storage.close(volume)
    assert open_shared(storage, volume, DESTINATION, f"{NET}.9").client != first.client


@pytest.mark.parametrize(("is_shared", "node"), [(True, SOURCE), (True, DESTINATION), (False, SOURCE)])
def test_volume_is_not_open_shared_and_unshared_at_once(storage: StorageAgent, node: str, *, is_shared: bool) -> None:
    volume = storage.made(is_multi_attach=True)
    first, second = (open_shared, StorageAgent.open) if is_shared else (StorageAgent.open, open_shared)
    first(storage, volume)
    assert refusal(lambda: second(storage, volume, node)).code == "storage.opening_conflict"
    storage.close(volume)
    second(storage, volume, node)


def test_volume_that_was_not_made_for_it_is_not_shared(storage: StorageAgent) -> None:
    volume = storage.made()
    assert refusal(lambda: open_shared(storage, volume)).code == "storage.opening_conflict"
    assert not storage.close(volume).was_open


def test_permit_lists_the_volume_as_shared(storage: StorageAgent) -> None:
    volume = storage.made(is_multi_attach=True)
    alone = storage.permit(volume, op="instance.start")
    assert permit_code(refusal(lambda: open_shared(storage, volume, permit=alone))) == "not_listed"


@pytest.mark.parametrize(
    ("is_shared", "addresses"), [(True, []), (False, ["192.0.2.7"]), (True, ["192.0.2.0/24"]), (True, ["0.0.0.0"])]
)
def test_shared_opening_has_the_addresses_of_a_machine(
    storage: StorageAgent, addresses: list[str], *, is_shared: bool
) -> None:
    volume = storage.made(is_multi_attach=True)
    refused = refusal(lambda: open_shared(storage, volume, is_shared=is_shared, addresses=addresses))
    assert (refused.code, "addresses" in refused.message) == ("agent.bad_request", True)


def test_snapshot_of_a_shared_volume_is_taken_while_no_node_has_it_open(storage: StorageAgent) -> None:
    """Each client learns of a snapshot at another moment, so that it would not be of one."""
    volume = storage.made(is_multi_attach=True)
    open_shared(storage, volume)
    refused = refusal(lambda: storage.snapshot(volume))
    assert (refused.code, "close it" in refused.message) == ("agent.volume_in_use", True)
    storage.close(volume)
    assert storage.snapshot(volume).volume_id == volume


def test_clone_has_one_writer_unless_it_is_made_for_several(storage: StorageAgent) -> None:
    shared = storage.snapshot(storage.made(is_multi_attach=True))
    alone = storage.clone(shared)
    assert refusal(lambda: open_shared(storage, alone)).code == "storage.opening_conflict"
    open_shared(storage, storage.clone(shared, is_multi_attach=True))
    open_shared(storage, storage.clone(storage.snapshot(storage.made()), is_multi_attach=True))


def hosts(clients: Any) -> list[str]:
    return sorted(each.partition(":")[0] for each in clients)
