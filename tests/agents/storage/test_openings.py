"""Keys of volumes, and fencing: each is tried with librados as the client that has the key."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from agents.lab.ceph import POOL, CephCluster
from agents.protocol import storage_pb2 as pb
from agents.storage.key_names import KeyEnds
from tests.agents.conftest import refusal
from tests.agents.specs import new_id
from tests.agents.storage.running import DESTINATION, LATER, SOURCE, StorageAgent, as_node, as_worker, command
from tests.permits import now

FENCED = "ConnectionShutdown"
EACCES = -13


def attempts(client: Any, ioctx: Any, *, own: str, other: str, data: str) -> dict[str, Callable[[], object]]:
    """Return what a broken-into node might try with a key. `data`: the name of an object of the other volume."""
    import rbd

    api = rbd.RBD()
    return {
        "list volumes": lambda: api.list(ioctx),
        "list the trash": lambda: list(api.trash_list(ioctx)),
        "open another volume": lambda: rbd.Image(ioctx, other),
        "read another volume": lambda: rbd.Image(ioctx, other, read_only=True),
        "write an object of another volume": lambda: ioctx.write_full(data, b"x"),
        "read an object of another volume": lambda: ioctx.read(data),
        "make a volume": lambda: api.create(ioctx, new_id(), 2**20),
        "remove its own": lambda: api.remove(ioctx, own),
        "remove another": lambda: api.remove(ioctx, other),
        "move its own to the trash": lambda: api.trash_move(ioctx, own),
        "rename its own": lambda: api.rename(ioctx, own, new_id()),
        "read the openings": lambda: ioctx.stat("openings"),
        "make a pool": lambda: client.create_pool("mine"),
    }


def test_key_opens_its_volume_and_nothing_else(storage: StorageAgent, ceph: CephCluster) -> None:
    import rados
    import rbd

    volume, other = storage.made(), storage.made()
    with ceph.client() as admin, admin.open_ioctx(POOL) as ioctx, rbd.Image(ioctx, other, read_only=True) as image:
        data = f"rbd_data.{image.id()}.{0:016x}"
    key = storage.open(volume)
    assert (key.client, key.pool, key.image) == (f"v-{volume}.{SOURCE[-12:]}", POOL, volume)
    with as_node(ceph, key) as (client, ioctx):
        with rbd.Image(ioctx, volume) as image:
            image.write(b"a" * 512, 0)
            image.discard(4096, 4096)
            assert image.read(0, 512) == b"a" * 512
        for what, attempt in attempts(client, ioctx, own=volume, other=other, data=data).items():
            with pytest.raises((rbd.PermissionError, rados.PermissionError, rados.PermissionDeniedError)):
                attempt()
                pytest.fail(f"it may {what}")
        ioctx.set_namespace("andromede")
        with pytest.raises((rados.PermissionError, rados.PermissionDeniedError)):
            ioctx.write_full("openings", b"")
        for prefix, arguments in (
            ("osd blocklist", {"blocklistop": "add", "addr": "127.0.0.1:0/1"}),
            ("osd blocklist range", {"blocklistop": "add", "range": "10.0.0.0/8"}),
            ("auth ls", {}),
            ("auth get-or-create", {"entity": "client.v-mine", "caps": ["mon", "allow *"]}),
            ("osd pool rm", {"pool": POOL}),
        ):
            assert command(client, prefix, **arguments) != 0, prefix


def test_agent_may_touch_no_other_key(storage: StorageAgent, ceph: CephCluster) -> None:
    (own,) = ceph.command("auth get", entity="client.andromede")
    key = pb.VolumeKey(client="andromede", key=own["key"].encode(), monitors=storage.describe().monitors)
    with as_node(ceph, key) as (client, _):
        assert command(client, "auth get", entity="client.admin") == EACCES
        assert command(client, "auth rm", entity="client.admin") == EACCES
        assert command(client, "auth ls") == EACCES
        assert command(client, "auth get-or-create", entity="client.mine", caps=["mon", "allow r"]) == EACCES
        assert command(client, "auth get-or-create", entity="client.v-mine", caps=["mon", "allow *"]) == EACCES
        assert command(client, "auth caps", entity="client.andromede", caps=["mon", "allow *"]) == EACCES


def test_key_is_the_same_until_it_is_closed(storage: StorageAgent) -> None:
    volume = storage.made()
    first = storage.open(volume)
    assert storage.open(volume) == first
    assert storage.close(volume).was_open
    assert not storage.close(volume).was_open, "closed twice"
    assert f"client.{first.client}" not in storage.entities()
    assert storage.open(volume).key != first.key


def test_nodes_of_one_millisecond_have_keys_of_their_own(storage: StorageAgent) -> None:
    volume = storage.made()
    keys = [storage.open(volume, node) for node in (DESTINATION, LATER)]
    assert keys[0].client != keys[1].client
    storage.close(volume, DESTINATION)
    assert storage.open(volume, LATER) == keys[1]


def test_key_with_the_name_of_an_earlier_release_is_kept_until_it_is_closed(
    storage: StorageAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agents.storage.worker import openings

    volume, end = storage.made(), SOURCE.replace("-", "")[:12]
    with monkeypatch.context() as patched, as_worker(storage.config.access) as cluster:
        patched.setattr(openings, "key_ends", lambda node, pool_id: KeyEnds(end, end, end))
        openings.open_volume(cluster, volume=volume, pool=POOL, node=SOURCE)
    assert storage.open(volume).client == f"v-{volume}.{end}"
    assert storage.close(volume).was_open
    assert not any(volume in name for name in storage.entities())
    assert storage.open(volume).client == f"v-{volume}.{SOURCE[-12:]}"


def test_volume_that_does_not_exist_is_not_opened(storage: StorageAgent) -> None:
    volume = new_id()
    assert refusal(lambda: storage.open(volume)).code == "storage.volume_missing"
    assert storage.close(volume) == pb.Closed()


def test_closing_fences_clients_that_still_write(
    storage: StorageAgent, ceph: CephCluster, writing: Callable[..., Any]
) -> None:
    volume = storage.made()
    writer = writing(storage.open(volume))
    closed = storage.close(volume)
    assert (closed.was_open, len(closed.fenced), list(closed.watchers)) == (True, 1, [])
    assert writer.write() == FENCED
    until = datetime.fromisoformat(blocklist(ceph)[closed.fenced[0]])
    assert until - now() > timedelta(days=29)
    assert locks(ceph, volume) == []
    with as_node(ceph, storage.open(volume, DESTINATION)) as (_, ioctx):
        write(ioctx, volume)


def test_closing_of_one_node_leaves_the_other(storage: StorageAgent, writing: Callable[..., Any]) -> None:
    """After a live migration the destination goes on, whatever the source still has open."""
    volume = storage.made()
    source = writing(storage.open(volume))
    destination = writing(storage.open(volume, DESTINATION))
    closed = storage.close(volume, SOURCE)
    assert (len(closed.fenced), len(closed.watchers)) == (1, 1)
    assert source.write() == FENCED
    assert destination.write() == "written"


def test_closing_of_the_destination_leaves_the_source(storage: StorageAgent, writing: Callable[..., Any]) -> None:
    """After a live migration that failed the source goes on."""
    volume = storage.made()
    source = writing(storage.open(volume))
    destination = writing(storage.open(volume, DESTINATION))
    assert len(storage.close(volume, DESTINATION).fenced) == 1
    assert destination.write() == FENCED
    assert source.write() == "written"


def test_dead_node_is_closed_and_its_lock_broken(
    storage: StorageAgent, ceph: CephCluster, writing: Callable[..., Any]
) -> None:
    volume = storage.made()
    writer = writing(storage.open(volume))
    writer.process.kill()
    assert len(locks(ceph, volume)) == 1
    assert len(storage.close(volume, is_dead=True).fenced) == 1
    assert locks(ceph, volume) == []
    with as_node(ceph, storage.open(volume, DESTINATION)) as (_, ioctx):
        write(ioctx, volume)


def test_first_opening_breaks_a_lock_that_no_node_has(storage: StorageAgent, ceph: CephCluster) -> None:
    """Such a lock is that of a killed worker of the agent: a node could neither break it nor write."""
    import rbd

    volume = storage.made()
    with ceph.client() as client, client.open_ioctx(POOL) as ioctx, rbd.Image(ioctx, volume) as image:
        image.write(b"x" * 512, 0)
        assert len(locks(ceph, volume)) == 1
        key = storage.open(volume)
        assert locks(ceph, volume) == []
    with as_node(ceph, key) as (_, ioctx):
        write(ioctx, volume)


def test_whole_machine_is_fenced_and_freed(storage: StorageAgent, ceph: CephCluster) -> None:
    machine = pb.FenceNodeRequest(addresses=["192.0.2.7", "2001:db8::7"], seconds=3600)
    storage.stub().FenceNode(machine)
    storage.stub().FenceNode(machine)
    assert {"192.0.2.7:0/0", "[2001:db8::7]:0/0"} <= {*blocklist(ceph)}
    storage.stub().UnfenceNode(pb.UnfenceNodeRequest(addresses=machine.addresses))
    storage.stub().UnfenceNode(pb.UnfenceNodeRequest(addresses=machine.addresses))
    assert not {"192.0.2.7:0/0", "[2001:db8::7]:0/0"} & {*blocklist(ceph)}


@pytest.mark.parametrize(
    ("addresses", "seconds", "code"),
    [
        (["127.0.0.1"], 60, "storage.own_address"),
        (["10.0.0.0/8"], 60, "agent.bad_request"),
        (["0.0.0.0"], 60, "agent.bad_request"),
        ([], 60, "agent.bad_request"),
        (["192.0.2.7"], 0, "agent.bad_request"),
    ],
)
def test_more_than_a_machine_is_not_fenced(
    storage: StorageAgent, addresses: list[str], seconds: int, code: str
) -> None:
    request = pb.FenceNodeRequest(addresses=addresses, seconds=seconds)
    assert refusal(lambda: storage.stub().FenceNode(request)).code == code


def write(ioctx: Any, volume: str) -> None:
    import rbd

    with rbd.Image(ioctx, volume) as image:
        image.write(b"y" * 512, 0)


def locks(ceph: CephCluster, volume: str) -> list[Any]:
    import rbd

    with ceph.client() as client, client.open_ioctx(POOL) as ioctx, rbd.Image(ioctx, volume, read_only=True) as image:
        found = image.list_lockers()
        return list(found["lockers"]) if found else []


def blocklist(ceph: CephCluster) -> dict[str, str]:
    """Return until when each entry holds."""
    entries: dict[str, str] = ceph.command("osd dump")["blocklist"]
    return entries
