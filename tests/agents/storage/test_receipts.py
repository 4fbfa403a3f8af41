"""Receipts of a storage agent over a cluster in memory: what it did under a permit, once, also after a kill."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from agents.node.errors import BadRequest
from agents.node.locks import ResourceLocks
from agents.node.rpc.peer_roles import check_peer
from agents.node.state_store import StateStore
from agents.node.trust.clock import Clock, kept_elsewhere
from agents.node.trust.documents import Authority as Trusted
from agents.node.trust.keys import NodeKey, checker, root_verifier
from agents.node.trust.receipts import Receipts
from agents.protocol import storage_pb2 as pb
from agents.storage.admission import Admission
from agents.storage.effects import Effects
from agents.storage.errors import ClusterSilent
from agents.storage.flattening import Flattening
from agents.storage.images import Images
from agents.storage.servicer import Lanes, Servicer
from agents.storage.trash import Trash
from agents.storage.unfinished_reverts import UnfinishedReverts
from agents.storage.worker.data_frames import HEADER, OFFSET
from agents.storage.workers import Workers
from andromede_core.documents import signed
from andromede_core.permits.permit import Contents
from tests.agents.specs import MIB, ZONE, new_id
from tests.permits import Authority

STORAGE_ID = "01980000-0000-7000-8000-0000000000cc"
NODE, OTHER = "01990000-0000-7000-8000-00000000a001", "01990000-0000-7000-8000-00000000a002"
POOL, BULK = "vms", "bulk"
SIZE = 8 * MIB


class Killed(BaseException):
    """End the agent's process at once."""


@dataclass
class FakeCluster:
    """Do what worker processes do, with names in memory. `kills`: the call after whose effect the agent is killed;
    `silent`: the one whose answer is lost; `refused`: the one that has no effect.

    `images`: the ids of volumes that are there; `trash`: of those that are removed; `cloned`: volumes and snapshots
    that have clones.
    """

    present: set[tuple[str, ...]] = field(default_factory=set)
    unfinished: list[dict[str, object]] = field(default_factory=list)
    images: dict[tuple[str, str], str] = field(default_factory=dict)
    trash: dict[str, tuple[str, str]] = field(default_factory=dict)
    cloned: set[str] = field(default_factory=set)
    kills: str = ""
    silent: str = ""
    refused: str = ""

    def call(self, name: str, /, **given: Any) -> Any:
        if name == self.refused:
            raise ClusterSilent("It did not answer in time.")
        answer = getattr(self, name)(given)
        if name == self.kills:
            raise Killed
        if name == self.silent:
            raise ClusterSilent("It did not answer in time.")
        return answer

    def stream(self, name: str, /, **given: Any) -> Iterator[bytes]:
        yield HEADER.pack(SIZE, 4096)
        yield OFFSET.pack(0) + b"x" * 4096
        return {"sent_bytes": 4096, "sha256": "0" * 64}

    def ensure_volume(self, given: dict[str, Any]) -> dict[str, object]:
        self.images.setdefault((given["pool"], given["volume"]), new_id()[-12:])
        return {"size_bytes": given["size_bytes"], "watchers": []}

    def name_in_trash(self, given: dict[str, Any]) -> str:
        snapshot = given.get("snapshot", "")
        if snapshot:
            return f"{given['volume'][-12:]}@{snapshot}" if (given["pool"], snapshot) in self.present else ""
        return self.images.get((given["pool"], given["volume"]), "")

    def remove_volume(self, given: dict[str, Any]) -> bool:
        place = given["pool"], given["volume"]
        image = self.images.pop(place, "")
        if image:
            self.trash[image] = place
        return bool(image)

    def empty_trash(self, given: dict[str, Any]) -> int:
        here = {image: volume for image, (pool, volume) in self.trash.items() if pool == given["pool"]}
        gone = [image for image, volume in here.items() if volume not in self.cloned]
        for image in gone:
            del self.trash[image]
        return len(here) - len(gone)

    def erased(self, given: dict[str, Any]) -> list[str]:
        snapshots = {name[-1] for name in self.present} | self.cloned
        left = {*self.trash, *self.images.values(), *snapshots}
        return [each for each in given["names"] if each.rpartition("@")[2] not in left]

    def open_volume(self, given: dict[str, Any]) -> dict[str, object]:
        self.present.add((given["pool"], given["node"], given["volume"]))
        return {"client": "v", "key": "", "monitors": []}

    def close_volume(self, given: dict[str, Any]) -> dict[str, object]:
        was_open = self._removed(given["pool"], given["node"], given["volume"])
        return {"was_open": was_open, "fenced": [], "watchers": []}

    def ensure_snapshot(self, given: dict[str, Any]) -> dict[str, object]:
        self.present.add((given["pool"], given["snapshot"]))
        return {"snapshot_id": given["snapshot"], "size_bytes": SIZE, "taken_at_ms": 1}

    def remove_snapshot(self, given: dict[str, Any]) -> bool:
        return self._removed(given["pool"], given["snapshot"])

    def revert_volume(self, given: dict[str, Any]) -> dict[str, object]:
        names = ("volume", "snapshot", "generation")
        self.unfinished = [{name: given[name] for name in names}] if self.kills else []
        return {"size_bytes": SIZE, "watchers": []}

    def unfinished_reverts(self, given: dict[str, Any]) -> list[dict[str, object]]:
        return self.unfinished if given["pool"] == POOL else []

    def finish_revert(self, given: dict[str, Any]) -> bool:
        has_begun, self.unfinished = bool(self.unfinished), []
        return has_begun

    def image(self, given: dict[str, Any]) -> dict[str, object]:
        return {"size_bytes": SIZE, "format": "raw"}

    def remove_image(self, given: dict[str, Any]) -> bool:
        return True

    def _removed(self, *name: str) -> bool:
        was_present = name in self.present
        self.present.discard(name)
        return was_present


class Context:
    def is_active(self) -> bool:
        return True


CONTEXT = cast(grpc.ServicerContext, Context())


@dataclass
class Agent:
    """The parts of a storage agent, which `start` makes anew over the same folder."""

    folder: Path
    cluster: FakeCluster = field(default_factory=FakeCluster)
    authority: Authority = field(default_factory=Authority)
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    stores: list[StateStore] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start()
        sent = self.authority.trust(NODE, ZONE)
        given = {name: getattr(sent, name) for name in ("keyset", "deny", "floor", "facts")}
        self.admission.learn(given, [self.authority.charter(node, ZONE) for node in (NODE, OTHER)])

    def start(self) -> None:
        clock = Clock(is_kept=kept_elsewhere)
        store = StateStore(self.folder / "ledger.sqlite")
        self.stores.append(store)
        self.admission = Admission(
            store, Trusted(STORAGE_ID, ZONE, root_verifier(self.authority.root.public_pem)), clock
        )
        self.receipts = Receipts(store, NodeKey(STORAGE_ID, self.key), zone=ZONE, clock=clock)
        effects, workers = Effects(self.receipts), cast(Workers, self.cluster)
        self.reverting = UnfinishedReverts(workers, (POOL,), locks=ResourceLocks(), effects=effects, interval_s=60)
        self.trash = Trash(workers, (POOL, BULK), effects=effects, interval_s=60)
        self.servicer = Servicer(
            (POOL, BULK),
            lanes=Lanes(*[workers] * 5),
            admitting=self.admission,
            effects=effects,
            images=Images(self.folder / "incoming", workers=workers, copying=workers, max_bytes=SIZE),
            trash=self.trash,
            flattening=Flattening(workers, (), locks=ResourceLocks(), interval_s=60),
        )

    def permit(self, op: str, *, node: str = NODE, **contents: tuple[str, ...]) -> pb.Permit:
        """Return a permit for generation 3 of the first volume."""
        (resource, *_), named = contents["volumes"], Contents(**contents)
        made = self.authority.permit(op, node=node, zone=ZONE, contents=named, gen=3, resource=resource)
        return pb.Permit(document=made.document, policies=made.policies)

    def ensure(self, volume: str, pool: str = POOL, permit: pb.Permit | None = None) -> None:
        permit = permit or self.permit("volume.create", volumes=(volume,))
        request = pb.EnsureVolumeRequest(permit=permit, volume_id=volume, pool=pool, size_bytes=SIZE)
        self.servicer.EnsureVolume(request, CONTEXT)

    def open(self, volume: str, node: str = NODE, pool: str = POOL) -> None:
        permit = self.permit("instance.start", node=node, volumes=(volume,))
        self.servicer.OpenVolume(pb.OpenVolumeRequest(permit=permit, volume_id=volume, pool=pool), CONTEXT)

    def remove(self, volume: str, pool: str = POOL) -> None:
        self.servicer.RemoveVolume(pb.RemoveVolumeRequest(volume_id=volume, pool=pool), CONTEXT)

    def snapshot(self, volume: str, snapshot: str, permit: pb.Permit | None = None) -> None:
        permit = permit or self.permit("snapshot.create", volumes=(volume,), snapshots=(snapshot,))
        fields = {"volume_id": volume, "pool": POOL, "snapshot_id": snapshot, "size_bytes": SIZE}
        self.servicer.EnsureSnapshot(pb.EnsureSnapshotRequest(permit=permit, **fields), CONTEXT)

    def remove_snapshot(self, volume: str, snapshot: str) -> None:
        request = pb.RemoveSnapshotRequest(volume_id=volume, pool=POOL, snapshot_id=snapshot)
        self.servicer.RemoveSnapshot(request, CONTEXT)

    def revert(self, volume: str, snapshot: str) -> None:
        permit = self.permit("volume.revert", volumes=(volume,), snapshots=(snapshot,))
        fields = {"volume_id": volume, "pool": POOL, "snapshot_id": snapshot, "size_bytes": SIZE}
        self.servicer.RevertVolume(pb.RevertVolumeRequest(permit=permit, **fields), CONTEXT)

    def page(self, after: int = 0) -> list[pb.Receipt]:
        return list(self.servicer.ListReceipts(pb.ListReceiptsRequest(after=after), CONTEXT).receipts)

    def documents(self) -> list[dict[str, Any]]:
        """Return the contents of all receipts, whose signatures and numbers are right."""
        found = []
        for number, receipt in enumerate(self.page(), start=1):
            document = signed.read(receipt.document)
            document.check("receipt", checker(self.key.public_key()))
            assert (receipt.number, document.payload["number"]) == (number, number)
            assert (document.payload["node"], document.payload["zone"]) == (STORAGE_ID, ZONE)
            found.append(dict(document.payload))
        return found

    def events(self) -> list[tuple[str, str, str]]:
        return [(str(each["event"]), str(each["kind"]), str(each["resource"])) for each in self.documents()]


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    agent = Agent(tmp_path)
    yield agent
    for store in agent.stores:
        store.close()


@contextmanager
def killed_after(agent: Agent, call: str) -> Iterator[None]:
    """Kill the agent in the block, after the effect of the call in the cluster, and start it again."""
    agent.cluster.kills = call
    with pytest.raises(Killed):
        yield
    agent.cluster.kills = ""
    agent.start()


def jti_of(permit: pb.Permit) -> object:
    return signed.read(permit.document).payload["jti"]


def test_volume_key_and_snapshot_have_receipts(agent: Agent) -> None:
    volume, snapshot = new_id(), new_id()
    agent.ensure(volume)
    agent.open(volume)
    agent.open(volume, OTHER)
    agent.snapshot(volume, snapshot)
    agent.remove_snapshot(volume, snapshot)
    agent.servicer.CloseVolume(pb.CloseVolumeRequest(volume_id=volume, pool=POOL, node_id=NODE), CONTEXT)
    agent.remove(volume)
    assert agent.events() == [
        ("opened", "cluster-volume", volume),
        ("opened", "key", volume),
        ("opened", "key", volume),
        ("opened", "snapshot", snapshot),
        ("closed", "snapshot", snapshot),
        ("closed", "key", volume),
        ("closed", "key", volume),
        ("closed", "cluster-volume", volume),
    ]
    agent.trash.work(POOL)
    assert sorted(agent.events()[8:]) == [("erased", "cluster-volume", volume), ("erased", "snapshot", snapshot)]
    nodes = [each["measured"]["for_node"] for each in agent.documents() if each["kind"] == "key"]
    assert nodes == [NODE, OTHER, NODE, OTHER], "the last one goes with the volume"
    assert not agent.receipts.openings("key") and not agent.receipts.intents()


def test_receipt_names_permit_generation_and_place(agent: Agent) -> None:
    volume = new_id()
    permit = agent.permit("volume.create", volumes=(volume,))
    agent.ensure(volume, permit=permit)
    (receipt,) = agent.documents()
    assert (receipt["jti"], receipt["generation"]) == (jti_of(permit), 3)
    assert receipt["measured"] == {"pool": POOL, "size_bytes": SIZE, "source": None}


def test_repeated_call_has_one_receipt_for_each_permit(agent: Agent) -> None:
    volume = new_id()
    permit = agent.permit("volume.create", volumes=(volume,))
    agent.ensure(volume, permit=permit)
    agent.ensure(volume, permit=permit)
    assert len(agent.documents()) == 1
    agent.ensure(volume)
    assert len(agent.documents()) == 2


def test_volume_in_two_pools_is_closed_in_each(agent: Agent) -> None:
    volume = new_id()
    agent.ensure(volume)
    agent.ensure(volume, BULK)
    agent.open(volume)
    agent.open(volume, pool=BULK)
    agent.remove(volume)
    closed = [(each["kind"], each["measured"]["pool"]) for each in agent.documents() if each["event"] == "closed"]
    assert closed == [("key", POOL), ("cluster-volume", POOL)]
    assert [each.id for each in agent.receipts.openings("cluster-volume")] == [f"{BULK}/{volume}"]


def test_refused_call_has_no_receipt(agent: Agent) -> None:
    with pytest.raises(Exception, match="permit"):
        agent.ensure(new_id(), permit=agent.permit("volume.create", volumes=(new_id(),)))
    assert not agent.documents() and not agent.receipts.intents()


@pytest.mark.parametrize("way", ["kills", "silent"])
@pytest.mark.parametrize("next_call", ["repetition", "removal"])
def test_interrupted_effect_has_a_receipt_after_the_next_call(agent: Agent, way: str, next_call: str) -> None:
    volume, snapshot = new_id(), new_id()
    setattr(agent.cluster, way, "ensure_snapshot")
    with pytest.raises((Killed, ClusterSilent)):
        agent.snapshot(volume, snapshot)
    assert not agent.documents()
    setattr(agent.cluster, way, "")
    agent.start()
    if next_call == "repetition":
        agent.snapshot(volume, snapshot)
        assert agent.events() == [("opened", "snapshot", snapshot)]
    else:
        agent.remove_snapshot(volume, snapshot)
        agent.trash.work(POOL)
        assert agent.events() == [(event, "snapshot", snapshot) for event in ("opened", "closed", "erased")]
        assert agent.documents()[0]["measured"] == {"is_interrupted": True, "pool": POOL, "volume": volume}
    assert not agent.receipts.intents()


def test_interrupted_removal_has_a_receipt_after_its_repetition(agent: Agent) -> None:
    volume = new_id()
    agent.ensure(volume)
    agent.open(volume)
    with killed_after(agent, "remove_volume"):
        agent.remove(volume)
    agent.remove(volume)
    assert agent.events()[2:] == [("closed", "key", volume), ("closed", "cluster-volume", volume)]


def removals(agent: Agent) -> list[tuple[object, ...]]:
    """Return event, permit and measured values of the receipts that a volume is in the trash, or erased."""
    ends = (each for each in agent.documents() if (each["event"], each["kind"]) != ("opened", "cluster-volume"))
    return [(each["event"], each["jti"], each["measured"]) for each in ends]


def test_volume_has_a_receipt_when_it_is_in_the_trash_and_when_its_data_are_deleted(agent: Agent) -> None:
    volume, other = new_id(), new_id()
    permit = agent.permit("volume.create", volumes=(volume,))
    agent.ensure(volume, permit=permit)
    agent.ensure(other, BULK)
    measured = {"pool": POOL, "trash": agent.cluster.images[POOL, volume]}
    agent.cluster.cloned = {volume}
    agent.remove(volume)
    for _ in range(2):
        agent.trash.work(POOL)
    assert removals(agent) == [("closed", jti_of(permit), measured)], "its clone keeps it"
    agent.cluster.cloned.clear()
    for pool in (BULK, POOL, POOL):
        agent.trash.work(pool)
    assert removals(agent)[1:] == [("erased", jti_of(permit), measured)]
    assert not agent.receipts.intents()


def test_snapshot_with_clones_has_a_receipt_when_the_last_one_is_gone(agent: Agent) -> None:
    volume, snapshot = new_id(), new_id()
    permit = agent.permit("snapshot.create", volumes=(volume,), snapshots=(snapshot,))
    agent.snapshot(volume, snapshot, permit)
    agent.cluster.cloned = {snapshot}
    with killed_after(agent, "remove_snapshot"):
        agent.remove_snapshot(volume, snapshot)
    agent.trash.work(POOL)
    assert agent.events() == [("opened", "snapshot", snapshot)]
    agent.remove_snapshot(volume, snapshot)
    agent.cluster.cloned.clear()
    for pool in (BULK, POOL, POOL):
        agent.trash.work(pool)
    measured = {"pool": POOL, "volume": volume, "trash": f"{volume[-12:]}@{snapshot}"}
    assert removals(agent)[1:] == [(event, jti_of(permit), measured) for event in ("closed", "erased")]


def test_snapshot_that_is_erased_when_the_agent_is_killed_has_its_receipts_after_the_next_round(agent: Agent) -> None:
    volume, snapshot = new_id(), new_id()
    agent.snapshot(volume, snapshot)
    with killed_after(agent, "remove_snapshot"):
        agent.remove_snapshot(volume, snapshot)
    agent.trash.work(POOL)
    agent.remove_snapshot(volume, snapshot)
    assert agent.events() == [(event, "snapshot", snapshot) for event in ("opened", "closed", "erased")]


@pytest.mark.parametrize("killed_in", ["remove_volume", "empty_trash"])
def test_volume_that_is_erased_when_the_agent_is_killed_has_its_receipts_after_the_next_round(
    agent: Agent, killed_in: str
) -> None:
    volume = new_id()
    agent.ensure(volume)
    with killed_after(agent, killed_in):
        agent.remove(volume)
        agent.trash.work(POOL)
    agent.trash.work(POOL)
    agent.remove(volume)
    assert agent.events()[1:] == [("closed", "cluster-volume", volume), ("erased", "cluster-volume", volume)]


def test_volume_that_comes_back_while_it_is_in_the_trash_has_receipts_of_both_images(agent: Agent) -> None:
    volume = new_id()
    images = []
    agent.cluster.cloned = {volume}
    permit = agent.permit("volume.create", volumes=(volume,))
    for _ in range(2):
        agent.ensure(volume, permit=permit)
        images.append(agent.cluster.images[POOL, volume])
        agent.remove(volume)
    agent.cluster.cloned.clear()
    agent.trash.work(POOL)
    ends = [(str(event), measured["trash"]) for event, _, measured in removals(agent)]  # type: ignore[index]
    assert ends[:2] == [("closed", image) for image in images]
    assert sorted(ends[2:]) == sorted(("erased", image) for image in images)


def test_erasure_of_the_former_image_leaves_the_volume_open(agent: Agent) -> None:
    """The volume was made again under the same permit."""
    volume = new_id()
    permit = agent.permit("volume.create", volumes=(volume,))
    agent.ensure(volume, permit=permit)
    agent.remove(volume)
    agent.ensure(volume, permit=permit)
    agent.trash.work(POOL)
    assert [event for event, *_ in agent.events()] == ["opened", "closed", "opened", "erased"]


@pytest.mark.parametrize("failing", ["name_in_trash", "remove_volume"])
def test_volume_that_is_not_removed_is_not_erased(agent: Agent, failing: str) -> None:
    volume = new_id()
    agent.ensure(volume)
    agent.cluster.refused = failing
    with pytest.raises(ClusterSilent):
        agent.remove(volume)
    agent.trash.work(POOL)
    assert removals(agent) == []
    agent.cluster.refused = ""
    agent.remove(volume)
    agent.trash.work(POOL)
    assert [event for event, *_ in removals(agent)] == ["closed", "erased"]


def finish_by_call(agent: Agent, volume: str, snapshot: str) -> None:
    request = pb.FinishRevertRequest(volume_id=volume, pool=POOL, snapshot_id=snapshot, generation=3)
    agent.servicer.FinishRevert(request, CONTEXT)


def finish_by_itself(agent: Agent, volume: str, snapshot: str) -> None:
    agent.reverting.work(POOL)


@pytest.mark.parametrize("finish", [finish_by_call, finish_by_itself])
def test_interrupted_revert_has_a_receipt_when_it_is_finished(
    agent: Agent, finish: Callable[[Agent, str, str], None]
) -> None:
    volume, snapshot = new_id(), new_id()
    with killed_after(agent, "revert_volume"):
        agent.revert(volume, snapshot)
    finish(agent, volume, snapshot)
    assert agent.events() == [("opened", "revert", volume)]
    agent.revert(volume, new_id())
    assert len(agent.documents()) == 2, "another revert, under another permit"


def test_revert_that_had_not_begun_has_no_receipt(agent: Agent) -> None:
    finish_by_call(agent, new_id(), new_id())
    assert not agent.documents()


def test_content_that_leaves_has_a_receipt_before_the_first_byte(agent: Agent) -> None:
    volume, snapshot = new_id(), new_id()
    permit = agent.permit("image.create", volumes=(volume,), snapshots=(snapshot,))
    request = pb.ReadSnapshotRequest(permit=permit, volume_id=volume, pool=POOL, snapshot_id=snapshot)
    parts = agent.servicer.ReadSnapshot(request, CONTEXT)
    next(parts)
    assert agent.events() == [("opened", "reading", snapshot)]
    assert len(list(parts)) == 2
    closed = agent.documents()[1]
    assert (closed["event"], closed["jti"]) == ("closed", jti_of(permit))
    assert closed["measured"] == {
        "pool": POOL,
        "volume": volume,
        "sent_bytes": 4096,
        "sha256": "0" * 64,
        "is_whole": True,
    }


def test_reading_that_is_given_up_says_so(agent: Agent) -> None:
    volume, snapshot = new_id(), new_id()
    permit = agent.permit("image.create", volumes=(volume,), snapshots=(snapshot,))
    request = pb.ReadSnapshotRequest(permit=permit, volume_id=volume, pool=POOL, snapshot_id=snapshot)
    parts = agent.servicer.ReadSnapshot(request, CONTEXT)
    next(parts)
    cast(Any, parts).close()
    assert agent.documents()[1]["measured"] == {"pool": POOL, "volume": volume, "is_whole": False}


def test_image_is_opened_once_and_closed(agent: Agent) -> None:
    sha256 = "a" * 64
    for _ in range(2):
        permit = agent.permit("volume.create", volumes=(new_id(),), images=(sha256,))
        header = pb.ImageHeader(sha256=sha256, size_bytes=SIZE, format=pb.IMAGE_FORMAT_RAW, pool=POOL, permit=permit)
        agent.servicer.EnsureImage(iter([pb.ImagePart(header=header)]), CONTEXT)
    agent.servicer.RemoveImage(pb.RemoveImageRequest(sha256=sha256, pool=POOL), CONTEXT)
    assert agent.events() == [("opened", "image", sha256), ("closed", "image", sha256)]


def test_receipts_are_kept_until_they_are_acknowledged(agent: Agent) -> None:
    for _ in range(3):
        agent.ensure(new_id())
    assert [each.number for each in agent.page()] == [1, 2, 3]
    agent.start()
    assert [each.number for each in agent.page(2)] == [3]
    assert [each.number for each in agent.page(0)] == [3], "the others are forgotten"
    with pytest.raises(BadRequest):
        agent.page(9)


@pytest.mark.parametrize(("process", "may"), [("watcher", True), ("worker", False), ("web", False)])
def test_only_the_watcher_acknowledges(process: str, may: bool) -> None:
    peer = {"peer_uri": [f"andromede://controlplane/{process}".encode()]}
    if may:
        assert check_peer(peer, "ListReceipts") == process
    else:
        with pytest.raises(Exception, match="may not call ListReceipts"):
            check_peer(peer, "ListReceipts")
