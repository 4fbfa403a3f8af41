"""State store of the agent, and the locks that separate two callers."""

import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network
from pathlib import Path
from uuid import UUID

import pytest

from agents.node import codec
from agents.node.adapters.interfaces import GuestDisk
from agents.node.adapters.network_specs import SubnetSpec
from agents.node.errors import GenerationReused, NotFound, StaleGeneration
from agents.node.locks import ResourceLocks
from agents.node.rpc import decoding
from agents.node.schema import MIGRATIONS, OLDEST_READER
from agents.node.specs import IncomingSpec, InstanceSpec, Peer, Subject, VolumeSpec
from agents.node.state_store import GuestProgress, Phase, StateStore
from agents.protocol import agent_pb2 as pb
from andromede_core.permits.dhcp_options import DhcpOptions, StaticRoute
from tests.agents import specs
from tests.limits import PATIENCE_S

ID = UUID(specs.new_id())
ROUTED = IPv4Network("10.40.0.0/16")
SMALL, LARGE = VolumeSpec(512, ""), VolumeSpec(1024, "")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[StateStore]:
    with closing(StateStore(tmp_path / "ledger.sqlite")) as opened:
        yield opened


def test_spec_is_read_back_by_the_next_process(ledger: StateStore, tmp_path: Path) -> None:
    root, port = specs.volume(), specs.port()
    instance = decoding.instance(specs.instance(root, port, restart=pb.Restart(count=3, kind=pb.RESTART_KIND_RESET)))
    port_spec = decoding.port(port)
    ledger.instances.accept(Subject(ID, 1), instance, uses=[])
    ledger.ports.accept(Subject(port_spec.id, 1), port_spec, uses=[])
    ledger.record_progress(ID, GuestProgress(3, has_started=True))
    ledger.close()
    with closing(StateStore(tmp_path / "ledger.sqlite")) as later:
        assert later.instances.require(ID).spec == instance
        assert later.ports.require(port_spec.id).spec == port_spec
        assert later.guest_progress(ID) == GuestProgress(3, has_started=True)


def test_user_data_of_any_bytes_is_remembered() -> None:
    guest = decoding.instance(specs.instance(specs.volume()))
    text = codec.dumps(guest)
    assert codec.loads(InstanceSpec, text) == guest
    assert codec.dumps(codec.loads(InstanceSpec, text)) == text


def test_guests_of_the_release_before_get_metadata_and_keep_their_spec(tmp_path: Path) -> None:
    request = specs.instance(specs.volume())
    request.guest_data.MergeFrom(pb.GuestData(ssh_public_keys=['ssh-rsa AA "a\\b"'], user_data=bytes(range(256))))
    instance = decoding.instance(request)
    arrival = IncomingSpec(instance, Peer(ID, "00"), ())
    path, kinds = tmp_path / "ledger.sqlite", {"instance": "$.guest_data", "arrival": "$.instance.guest_data"}
    with closing(StateStore(path)) as ledger:
        ledger.instances.accept(Subject(ID, 1), instance, uses=[])
        ledger.arrivals.accept(Subject(ID, 1), arrival, uses=[])
    with closing(sqlite3.connect(path, isolation_level=None)) as older:
        for kind, at in kinds.items():
            older.execute(f"UPDATE resource SET wish = json_remove(wish, '{at}.metadata') WHERE kind = ?", [kind])
        older.execute("DROP TABLE freeze")
        older.execute("DROP TABLE pivot")
        past = next(number for number, step in enumerate(MIGRATIONS) if "Who in a guest may read" in step)
        older.execute(f"PRAGMA user_version = {past}")
    with closing(StateStore(path)) as ledger:
        ledger.instances.accept(Subject(ID, 1), instance, uses=[])
        ledger.arrivals.accept(Subject(ID, 1), arrival, uses=[])
        assert ledger.instances.require(ID).spec == instance


def test_volume_without_later_features_is_stored_as_by_the_release_before() -> None:
    spec = VolumeSpec(512, "", "shared", is_taken_over=True)
    assert set(json.loads(codec.dumps(spec))) == {"size_bytes", "image_sha256", "pool", "is_taken_over"}
    assert codec.loads(VolumeSpec, codec.dumps(spec)) == spec


@pytest.mark.parametrize("image", [None, Path("/images/x")])
def test_optional_fields_are_read_back(image: Path | None) -> None:
    disk = GuestDisk(UUID(int=1), Path("/volumes/x"), image=image)
    assert codec.loads(GuestDisk, codec.dumps(disk)) == disk


def test_resource_is_accepted_updated_and_removed(ledger: StateStore) -> None:
    shelf = ledger.volumes
    assert shelf.accept(Subject(ID, 1), SMALL, uses=[("image", "x")]) is None
    shelf.confirm(ID)
    assert shelf.require(ID).phase is Phase.PRESENT
    assert ledger.users_of("image", "x", "volume") == [ID]
    shelf.begin_removal(Subject(ID, 2))
    assert [entry.phase for entry in shelf.held()] == [Phase.REMOVING]
    with pytest.raises(NotFound):
        shelf.require(ID)
    shelf.finish_removal(ID)
    assert shelf.held() == []
    assert ledger.users_of("image", "x", "volume") == []
    with pytest.raises(StaleGeneration):
        shelf.accept(Subject(ID, 2), SMALL, uses=[])
    before = shelf.accept(Subject(ID, 3), LARGE, uses=[])
    assert before is not None
    assert (before.phase, before.generation) == (Phase.REMOVED, 2)


def test_generations_only_increase(ledger: StateStore) -> None:
    shelf = ledger.volumes
    shelf.accept(Subject(ID, 5), SMALL, uses=[])
    shelf.accept(Subject(ID, 5), SMALL, uses=[])
    with pytest.raises(StaleGeneration):
        shelf.accept(Subject(ID, 4), SMALL, uses=[])
    with pytest.raises(GenerationReused):
        shelf.accept(Subject(ID, 5), LARGE, uses=[])
    with pytest.raises(StaleGeneration):
        shelf.begin_removal(Subject(ID, 4))
    shelf.accept(Subject(ID, 6), LARGE, uses=[])
    assert shelf.require(ID).spec == LARGE


def test_a_failed_transaction_leaves_no_trace(ledger: StateStore) -> None:
    with pytest.raises(RuntimeError), ledger.transaction():
        ledger.volumes.accept(Subject(ID, 1), SMALL, uses=[])
        raise RuntimeError
    assert ledger.volumes.get(ID) is None
    ledger.volumes.accept(Subject(ID, 1), SMALL, uses=[])
    assert ledger.volumes.require(ID).generation == 1


def make_newer(path: Path, *statements: str, oldest_reader: int | None) -> None:
    """Give the database the schema 99 of a newer agent."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)
        db.execute("DELETE FROM memory WHERE name = 'oldest_reader'")
        if oldest_reader is not None:
            db.execute("INSERT INTO memory (name, value) VALUES ('oldest_reader', ?)", [str(oldest_reader)])
        db.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize("oldest_reader", [None, len(MIGRATIONS) + 1])
def test_agent_refuses_a_schema_that_it_cannot_use(
    ledger: StateStore, tmp_path: Path, oldest_reader: int | None
) -> None:
    ledger.close()
    make_newer(tmp_path / "ledger.sqlite", oldest_reader=oldest_reader)
    with pytest.raises(RuntimeError, match="schema 99 of a newer agent.*Install the newer release again"):
        StateStore(tmp_path / "ledger.sqlite")


def test_agent_uses_a_newer_schema_that_only_adds(ledger: StateStore, tmp_path: Path) -> None:
    path, port = tmp_path / "ledger.sqlite", decoding.port(specs.port())
    ledger.ports.accept(Subject(port.id, 1), port, uses=[])
    ledger.record_progress(ID, GuestProgress(3, has_started=True))
    ledger.close()
    make_newer(
        path,
        "CREATE TABLE more (id TEXT PRIMARY KEY)",
        *(f"ALTER TABLE {table} ADD COLUMN more TEXT NOT NULL DEFAULT ''" for table in ("resource", "guest", "use")),
        "UPDATE resource SET wish = json_set(wish, '$.network.subnets[0].more', 'new')",
        oldest_reader=len(MIGRATIONS),
    )
    with closing(StateStore(path)) as older:
        assert older.ports.require(port.id).spec == port
        before = older.ports.accept(Subject(port.id, 1), port, uses=[("network", "x")])
        assert before is not None and before.generation == 1
        assert older.guest_progress(ID) == GuestProgress(3, has_started=True)
        older.record_progress(ID, GuestProgress(4))
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (99,), "the newer agent finds its own schema again"


def test_scripts_after_the_oldest_reader_only_add() -> None:
    adding = re.compile(r"\s*(CREATE (TABLE|INDEX) .*|ALTER TABLE \w+\s+ADD COLUMN [^;]* DEFAULT .*)?", re.DOTALL)
    assert len(MIGRATIONS) >= OLDEST_READER
    for script in MIGRATIONS[OLDEST_READER:]:
        statements = re.sub("--.*", "", script).split(";")
        assert all(adding.fullmatch(statement) for statement in statements), script


def test_field_that_a_later_release_added_is_left_out_while_it_has_its_default() -> None:
    subnet = SubnetSpec(ip_network("10.0.0.0/24"), ip_address("10.0.0.1"))
    assert set(json.loads(codec.dumps(subnet))) == {"cidr", "gateway_ip", "dns_servers"}
    options = DhcpOptions(domain_search=("a.example",), static_routes=(StaticRoute(ROUTED, IPv4Address("10.0.0.4")),))
    for each in (subnet, replace(subnet, options=options)):
        assert codec.loads(SubnetSpec, codec.dumps(each)) == each


def test_database_is_readable_by_its_owner_only(ledger: StateStore, tmp_path: Path) -> None:
    assert (tmp_path / "ledger.sqlite").stat().st_mode & 0o077 == 0


def test_lock_excludes_callers_of_one_resource_only() -> None:
    locks, entered = ResourceLocks(), threading.Event()

    def second() -> None:
        with locks.hold(("volume", "a"), ("instance", "b")):
            entered.set()

    thread = threading.Thread(target=second)
    with locks.hold(("instance", "b"), ("instance", "b")):
        thread.start()
        with locks.hold(("volume", "c")):
            assert not entered.is_set()
    thread.join(timeout=PATIENCE_S)
    assert entered.is_set()


def test_concurrent_callers_in_any_order_do_not_deadlock() -> None:
    locks, count = ResourceLocks(), 0
    names = [("volume", "a"), ("instance", "b"), ("attachment", "c"), ("network", "d")]

    def work(turn: int) -> None:
        nonlocal count
        for step in range(50):
            chosen = [names[(turn + step + offset) % 4] for offset in range(4)]
            with locks.hold(*chosen):
                seen = count
                count = seen + 1

    threads = [threading.Thread(target=work, args=(turn,)) for turn in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=PATIENCE_S)
    assert count == 400
