"""Transfers of volumes between the folders of two nodes, by qemu-img and qemu-nbd through the tunnel of the agents."""

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID, uuid4

import psutil
import pytest

from agents.node.adapters.interfaces import BaseImage, GuestDisk, ImageFormat
from agents.node.adapters.migration_tunnel.listener import VOLUME, Address, TunnelListener
from agents.node.adapters.migration_tunnel.peer_auth import NodeCredentials, PeerRejected
from agents.node.adapters.migration_tunnel.proxy import TunnelProxy
from agents.node.adapters.migrations import MigrationTarget
from agents.node.adapters.qemu_img import FileDisks
from agents.node.adapters.storage import files
from agents.node.adapters.storage.copying import Copying
from agents.node.adapters.volume_transfers import VolumeTransfers
from agents.node.errors import AdapterError
from agents.node.guest_users import GuestUsers
from tests.agents.specs import MIB
from tests.agents.test_migration_tunnel import enrolled
from tests.agents.test_volume_copies_real import content_of, fill
from tests.pki import TestCA

SIZE = 64 * MIB
IMAGE = "ab" * 32


@dataclass
class Inside:
    """Answer the tunnel's listener as the migrations of a node do, which take no guest here."""

    volumes: VolumeTransfers

    def expects(self, guest_id: UUID, fingerprint: str) -> bool:
        return self.volumes.expects(guest_id, fingerprint)

    def connect(self, guest_id: UUID, channel: str) -> socket.socket:
        assert channel == VOLUME
        return self.volumes.connect(guest_id)

    def keep_volume(self, volume_id: UUID) -> None:
        self.volumes.keep(volume_id)

    def wake(self, guest_id: UUID) -> None:
        raise AssertionError(guest_id)

    def add_connections(self, guest_id: UUID, block: bytes) -> None:
        raise AssertionError(guest_id)

    def keep_variables(self, guest_id: UUID, variables: bytes) -> None:
        raise AssertionError(guest_id)


@dataclass
class End:
    """A node: its folder, and its part of transfers."""

    folder: Path
    node: NodeCredentials
    disks: FileDisks
    transfers: VolumeTransfers

    def path(self, volume_id: UUID) -> Path:
        return self.folder / f"volumes/{volume_id}.qcow2"

    def files(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "volumes").iterdir())


@dataclass
class Ends:
    source: End
    destination: End
    target: MigrationTarget
    volume_id: UUID = field(default_factory=uuid4)
    kept: list[UUID] = field(default_factory=list)

    def expect(self) -> None:
        def keep(publish: Callable[[], None]) -> None:
            publish()
            self.kept.append(self.volume_id)

        fingerprint = self.source.node.fingerprint
        transfers = self.destination.transfers
        transfers.expect(self.volume_id, size_bytes=SIZE, certificate_sha256=fingerprint, keep=keep)

    def send(self, disk: GuestDisk | None = None, **terms: object) -> None:
        disk = disk or self.source.disks.engine().disk(self.volume_id)
        options: dict[str, object] = {"max_bytes_per_s": 0, "on_progress": lambda percent: None}
        copying = Copying(size_bytes=SIZE, base=None, is_stopped=lambda: False, **(options | terms))  # type: ignore[arg-type]
        self.source.transfers.send(disk, self.target, copying)


def end(ca: TestCA, folder: Path, address: Address | None) -> End:
    node = enrolled(ca, folder)
    users = GuestUsers() if os.geteuid() == 0 else None
    return End(folder, node, FileDisks(folder), VolumeTransfers(folder, node, address, users=users))


@pytest.fixture
def short() -> Iterator[Path]:
    """Return a folder with a short name, as sockets need it, and a comma, which QEMU's options need doubled."""
    with TemporaryDirectory(prefix="of,") as folder:
        Path(folder).chmod(0o711)  # as the folder of an agent is
        yield Path(folder)


@pytest.fixture
def ends(ca: TestCA, short: Path) -> Iterator[Ends]:
    source = end(ca, short / "source", None)
    destination = end(ca, short / "destination", Address("127.0.0.1", 0))
    listener = TunnelListener(Address("127.0.0.1", 0), destination.node, Inside(destination.transfers))
    host, port = listener.server_address[:2]
    uri = f"andromede://{Address(str(host), int(port))}"
    yield Ends(source, destination, MigrationTarget(uri, destination.node.fingerprint))
    source.transfers.close()
    destination.transfers.close()
    listener.stop()


@pytest.fixture
def content(ends: Ends) -> bytes:
    ends.source.disks.engine().create(ends.volume_id, size_bytes=SIZE)
    return fill(ends.source.path(ends.volume_id))


def test_volume_arrives_whole_and_sparse(ends: Ends, content: bytes) -> None:
    percents: list[int] = []
    ends.expect()
    ends.send(on_progress=percents.append)
    there = ends.destination.path(ends.volume_id)
    assert content_of(there) == content
    files.check_whole(there)
    assert there.stat().st_mode & 0o777 == 0o600
    assert there.stat().st_blocks * 512 < SIZE / 4, "holes are not written"
    assert (ends.kept, percents[-1]) == ([ends.volume_id], 100)
    assert ends.destination.files() == [there.name]
    assert [list((each.folder / "transfers").iterdir()) for each in (ends.source, ends.destination)] == [[], []]


def test_server_of_a_volume_runs_as_a_user_that_owns_its_file_alone(ends: Ends, content: bytes) -> None:
    assert os.geteuid() == 0, "only root changes the user of a process, as the agent does"
    ends.expect()
    user = next(GuestUsers().candidates(ends.volume_id))
    with ends.destination.transfers.connect(ends.volume_id):
        (unfinished,) = (ends.destination.folder / "volumes").iterdir()
        servers = [each for each in psutil.Process().children() if each.name() == "qemu-nbd"]
        assert [each.uids() for each in servers] == [(user, user, user)]
        assert (unfinished.stat().st_uid, unfinished.stat().st_mode & 0o777) == (user, 0o600)
    ends.send()
    assert ends.destination.path(ends.volume_id).stat().st_uid == 0


def test_layer_arrives_with_what_its_image_has(ends: Ends) -> None:
    content = os.urandom(MIB)
    image = ends.source.folder / f"images/{IMAGE}"
    image.write_bytes(content.ljust(SIZE, b"\0"))
    base = BaseImage(IMAGE, ImageFormat.RAW)
    ends.source.disks.engine().create(ends.volume_id, size_bytes=SIZE, base=base)
    ends.expect()
    ends.send(ends.source.disks.engine().disk(ends.volume_id, base=base))
    there = ends.destination.path(ends.volume_id)
    files.check_whole(there)
    assert content_of(there)[:MIB] == content


def test_nothing_has_the_volumes_name_before_all_of_it_arrived(ends: Ends, content: bytes) -> None:
    ends.expect()
    seen: list[list[str]] = []
    ends.send(on_progress=lambda percent: seen.append(ends.destination.files()))
    assert seen
    assert all(not name.startswith(str(ends.volume_id)) for names in seen for name in names)


def test_stopped_transfer_leaves_nothing_and_can_be_repeated(ends: Ends, content: bytes) -> None:
    ends.expect()
    percents: list[int] = []
    with pytest.raises(AdapterError, match="stopped"):
        ends.source.transfers.send(
            ends.source.disks.engine().disk(ends.volume_id),
            ends.target,
            Copying(SIZE, None, MIB, percents.append, lambda: True),
        )
    assert ends.kept == []
    ends.send()
    assert content_of(ends.destination.path(ends.volume_id)) == content


def test_volume_is_not_kept_before_it_has_arrived(ends: Ends) -> None:
    ends.expect()
    proxy = TunnelProxy(
        ends.volume_id,
        ends.source.node,
        Address.parse(ends.target.uri.removeprefix("andromede://")),
        certificate_sha256=ends.target.certificate_sha256,
    )
    with pytest.raises(PeerRejected, match="not arrived completely"):
        proxy.confirm_volume()
    assert (ends.kept, ends.destination.files()) == ([], [])


def test_refused_volume_leaves_nothing(ends: Ends, content: bytes) -> None:
    ends.expect()
    with pytest.raises(AdapterError):
        ends.send(on_progress=lambda percent: ends.destination.transfers.refuse(ends.volume_id))
    with pytest.raises(AdapterError, match="not expected"):
        ends.send()
    assert (ends.kept, ends.destination.files()) == ([], [])


def test_other_node_may_not_send_the_volume(ends: Ends, content: bytes, ca: TestCA, tmp_path: Path) -> None:
    ends.expect()
    ends.source.transfers = VolumeTransfers(ends.source.folder, enrolled(ca, tmp_path / "third"), None)
    with pytest.raises(AdapterError, match="not from this node"):
        ends.send()


def test_source_sends_to_the_named_node_alone(ends: Ends, content: bytes) -> None:
    ends.expect()
    ends.target = MigrationTarget(ends.target.uri, "ab" * 32)
    with pytest.raises(AdapterError, match="as the permit says"):
        ends.send()


def test_kept_volume_is_not_replaced(ends: Ends, content: bytes) -> None:
    ends.expect()
    ends.send()
    ends.expect()
    with pytest.raises(AdapterError):
        ends.send()
    assert content_of(ends.destination.path(ends.volume_id)) == content


def test_node_without_an_address_accepts_none(ends: Ends) -> None:
    assert (ends.source.transfers.accepts_incoming(), ends.destination.transfers.accepts_incoming()) == (False, True)
    with pytest.raises(AdapterError, match="no migration address"):
        ends.source.transfers.expect(ends.volume_id, size_bytes=SIZE, certificate_sha256="", keep=lambda publish: None)
