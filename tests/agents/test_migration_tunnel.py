"""Migration tunnel between two agents: admission of peers, permitted calls, and complete transfer."""

import contextlib
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from cryptography import x509

from agents.lab.shell import wait_until
from agents.node.adapters.migration_tunnel import listener, peer_auth, pending_connections
from agents.node.adapters.migration_tunnel.libvirt_calls import (
    FINISH,
    OPEN,
    PREPARE,
    REMOTE,
    FinishWatch,
    MigrationOnly,
)
from agents.node.adapters.migration_tunnel.listener import LIBVIRT, Address, TunnelListener
from agents.node.adapters.migration_tunnel.peer_auth import PeerRejected
from agents.node.adapters.migration_tunnel.proxy import TunnelProxy
from agents.node.errors import AdapterError
from tests.agents.specs import ZONE
from tests.limits import PATIENCE_S
from tests.permits import SigningKey
from tests.pki import TestCA, issue_node

MIB = 2**20


@dataclass
class EchoTarget:
    """Target of a tunnel listener: an echo of bytes for each channel but "nowhere"."""

    expected: set[tuple[UUID, str]] = field(default_factory=set)
    woken: list[UUID] = field(default_factory=list)
    got: bytearray = field(default_factory=bytearray)
    connections: list[bytes] = field(default_factory=list)

    def expects(self, guest_id: UUID, fingerprint: str) -> bool:
        return (guest_id, fingerprint) in self.expected

    def connect(self, guest_id: UUID, channel: str) -> socket.socket:
        if channel == "handover":
            raise PeerRejected("Nothing is called 'handover' here.")
        if channel == "nowhere":
            raise ConnectionRefusedError("nobody is there")
        ours, theirs = socket.socketpair()
        threading.Thread(target=self._echo, args=(theirs,), daemon=True).start()
        return ours

    def wake(self, guest_id: UUID) -> None:
        self.woken.append(guest_id)

    def add_connections(self, guest_id: UUID, block: bytes) -> None:
        if self.connections:
            raise PeerRejected("It has had some.")
        self.connections.append(block)

    def _echo(self, theirs: socket.socket) -> None:
        """Echo until the peer hangs up; read to the end, and answer no more."""
        with theirs, contextlib.suppress(ConnectionResetError):
            while data := theirs.recv(MIB):
                self.got += data
                with contextlib.suppress(ConnectionError):
                    theirs.sendall(data)


@dataclass
class Clock:
    now: float = 0.0


@dataclass
class TunnelPair:
    node: peer_auth.NodeCredentials
    other: peer_auth.NodeCredentials
    unexpected: peer_auth.NodeCredentials
    target: EchoTarget
    listener: TunnelListener
    guest_id: UUID
    clock: Clock

    @property
    def address(self) -> Address:
        host, port = self.listener.server_address[:2]
        return Address(str(host), int(port))

    def proxy(
        self, *, guest_id: UUID | None = None, node: peer_auth.NodeCredentials | None = None, shown: str = ""
    ) -> TunnelProxy:
        wanted = shown or self.other.fingerprint
        return TunnelProxy(guest_id or self.guest_id, node or self.node, self.address, certificate_sha256=wanted)


def enrolled(ca: TestCA, folder: Path) -> peer_auth.NodeCredentials:
    issue_node(ca, folder, node_id=uuid4(), zone=ZONE, root=SigningKey.ed25519("root").public_pem)
    return peer_auth.NodeCredentials.load(folder)


@pytest.fixture
def tunnel(ca: TestCA, tmp_path: Path) -> Iterator[TunnelPair]:
    node, other, unexpected = (enrolled(ca, tmp_path / name) for name in ("node", "other", "unexpected"))
    guest_id = uuid4()
    target = EchoTarget({(guest_id, node.fingerprint)})
    clock = Clock()
    listener = TunnelListener(Address("127.0.0.1", 0), other, target, now=lambda: clock.now)
    yield TunnelPair(node, other, unexpected, target, listener, guest_id, clock)
    listener.stop()


# ---- who is let in


def test_expected_guest_is_admitted_and_may_be_resumed(tunnel: TunnelPair) -> None:
    tunnel.proxy().knock()
    assert tunnel.target.woken == []
    tunnel.proxy().wake()
    assert tunnel.target.woken == [tunnel.guest_id]


def test_connections_arrive_before_the_guest_is_resumed(tunnel: TunnelPair) -> None:
    proxy = tunnel.proxy()
    proxy.open_handover()
    assert proxy.takes_connections
    proxy.send_connections(b"some")
    with pytest.raises(PeerRejected, match="It has had some"):
        proxy.send_connections(b"more")
    assert (tunnel.target.connections, tunnel.target.woken) == ([b"some"], [])
    proxy.wake()
    assert tunnel.target.woken == [tunnel.guest_id]
    proxy.close()


def test_lost_handover_still_resumes_the_guest(tunnel: TunnelPair) -> None:
    proxy = tunnel.proxy()
    proxy.open_handover()
    proxy.send_connections(b"some")
    tunnel.listener.throw_out(tunnel.guest_id)
    proxy.wake()
    assert tunnel.target.woken == [tunnel.guest_id]
    proxy.close()


def test_agent_of_an_earlier_release_takes_no_connections(tunnel: TunnelPair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "HANDOVER", "of a later release")
    proxy = tunnel.proxy()
    proxy.open_handover()
    assert not proxy.takes_connections
    proxy.wake()
    assert tunnel.target.woken == [tunnel.guest_id]


def test_unexpected_peer_is_refused(tunnel: TunnelPair) -> None:
    for proxy in (tunnel.proxy(guest_id=uuid4()), tunnel.proxy(node=tunnel.unexpected)):
        with pytest.raises(PeerRejected, match="is not expected here"):
            proxy.wake()
    assert tunnel.target.woken == []


def test_certificate_without_its_key_is_refused(tunnel: TunnelPair) -> None:
    thief = peer_auth.NodeCredentials(tunnel.node.credentials, tunnel.unexpected.key)
    with pytest.raises(PeerRejected, match="did not sign this"):
        tunnel.proxy(node=thief).knock()


def test_claim_is_valid_for_one_nonce_and_peer(tunnel: TunnelPair) -> None:
    claim = tunnel.node.claim("1" * 64, tunnel.guest_id, "wake", to=tunnel.other.fingerprint)
    assert peer_auth.read_claim(claim, nonce="1" * 64, to=tunnel.other.fingerprint).channel == "wake"
    for nonce, to in (("2" * 64, tunnel.other.fingerprint), ("1" * 64, tunnel.unexpected.fingerprint)):
        with pytest.raises(PeerRejected, match="another occasion"):
            peer_auth.read_claim(claim, nonce=nonce, to=to)
    altered = claim | {"document": str(claim["document"]).replace("wake", "knock")}
    with pytest.raises(PeerRejected, match="did not sign this"):
        peer_auth.read_claim(altered, nonce="1" * 64, to=tunnel.other.fingerprint)


def test_node_other_than_the_permit_names_is_refused(tunnel: TunnelPair) -> None:
    with pytest.raises(PeerRejected, match="shows the certificate"):
        tunnel.proxy(shown=tunnel.unexpected.fingerprint).knock()


def test_node_of_another_authority_is_refused(tunnel: TunnelPair, tmp_path: Path) -> None:
    from tests.pki import make_ca

    foreign = enrolled(make_ca(tmp_path / "their-ca"), tmp_path / "foreign")
    with pytest.raises(AdapterError, match="certificate verify failed"):
        tunnel.proxy(node=foreign).knock()


@contextlib.contextmanager
def slow_clients(address: Address, count: int, per_address: int) -> Iterator[list[socket.socket]]:
    """Open connections that begin with TLS and send nothing after that."""
    with contextlib.ExitStack() as stack:
        clients = []
        for number in range(count):
            source = f"127.0.1.{1 + number // per_address}"
            client = socket.create_connection((address.host, address.port), source_address=(source, 0))
            stack.enter_context(client)
            client.settimeout(30)
            client.sendall(b"\x16\x03")
            clients.append(client)
        yield clients


def is_hung_up(client: socket.socket) -> bool:
    with contextlib.suppress(ConnectionError):
        return client.recv(1) == b""
    return True


def places(tunnel: TunnelPair) -> int:
    return len(tunnel.listener.pending._places)


def test_unauthenticated_peers_do_not_exclude_other_addresses(tunnel: TunnelPair) -> None:
    with slow_clients(tunnel.address, pending_connections.PLACES, per_address=8) as clients:
        wait_until(lambda: places(tunnel) == pending_connections.PLACES, what="all places to be taken")
        for _ in range(3):
            tunnel.proxy().knock()
        assert is_hung_up(clients[0]), "the oldest one made room"
        assert places(tunnel) < pending_connections.PLACES


def test_pending_connections_of_one_address_are_limited(tunnel: TunnelPair) -> None:
    few = pending_connections.PLACES_PER_ADDRESS
    with slow_clients(tunnel.address, few + 1, per_address=few + 1) as clients:
        assert is_hung_up(clients[-1])
        wait_until(lambda: places(tunnel) == few, what="the others to have theirs")


def test_unauthenticated_peer_is_limited_in_time(tunnel: TunnelPair) -> None:
    context = tunnel.node.client_context()
    with socket.create_connection((tunnel.address.host, tunnel.address.port)) as raw:
        tls = context.wrap_socket(raw)
        tls.settimeout(0.2)

        def goes_on_talking() -> bool:
            try:
                tls.sendall(b"{")
                return tls.recv(1000) != b""
            except TimeoutError:
                return True
            except OSError:
                return False

        assert all(goes_on_talking() for _ in range(3))
        tunnel.clock.now += peer_auth.TIMEOUT_S - 1
        tunnel.listener.pending.end_late_ones()
        assert all(goes_on_talking() for _ in range(3))
        tunnel.clock.now += 1
        wait_until(lambda: not goes_on_talking(), what="the connection to be closed", within_s=PATIENCE_S)
        tls.close()
    wait_until(lambda: places(tunnel) == 0, what="the place to be free")


def test_admitted_peer_is_not_limited_in_time(tunnel: TunnelPair, tmp_path: Path) -> None:
    proxy = tunnel.proxy()
    proxy.open(tmp_path / "moves", (LIBVIRT, "memory"))
    with socket.socket(socket.AF_UNIX) as local:
        local.connect(str(tmp_path / "moves/memory"))
        local.sendall(b"1")
        assert local.recv(10) == b"1"
        tunnel.clock.now += 2 * peer_auth.TIMEOUT_S
        tunnel.listener.pending.end_late_ones()
        local.sendall(b"2")
        assert local.recv(10) == b"2"
    proxy.close()


def test_plain_text_peer_receives_nothing(tunnel: TunnelPair) -> None:
    with socket.create_connection((tunnel.address.host, tunnel.address.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert b"nonce" not in client.recv(1000)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(30)
    to = Address("127.0.0.1", listener.getsockname()[1])
    received: list[bytes] = []

    def answer() -> None:
        client, _ = listener.accept()
        with client:
            received.append(client.recv(4000))
            client.sendall(b'{"nonce": "0"}\n')

    thread = threading.Thread(target=answer)
    thread.start()
    with pytest.raises(AdapterError):
        TunnelProxy(tunnel.guest_id, tunnel.node, to, certificate_sha256=tunnel.other.fingerprint).knock()
    thread.join()
    listener.close()
    assert str(tunnel.guest_id).encode() not in received[0]


def test_only_tls_1_3_is_accepted(tunnel: TunnelPair) -> None:
    context = ssl.create_default_context(cadata=tunnel.node.credentials.ca.decode())
    context.check_hostname = False
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection((tunnel.address.host, tunnel.address.port)) as raw, pytest.raises(ssl.SSLError):
        context.wrap_socket(raw)


def test_certificate_without_key_identifiers_is_accepted(tunnel: TunnelPair) -> None:
    """Earlier releases of the authority issued such certificates."""
    assert not tunnel.node.client_context().verify_flags & ssl.VERIFY_X509_STRICT


# ---- what passes


def through(tunnel: TunnelPair, tmp_path: Path, channel: str) -> tuple[TunnelProxy, socket.socket]:
    proxy = tunnel.proxy()
    proxy.open(tmp_path / "sockets", (channel,))
    local = socket.socket(socket.AF_UNIX)
    local.settimeout(20)
    local.connect(str(tmp_path / "sockets" / channel))
    return proxy, local


def test_large_data_passes_unchanged_in_both_directions(tunnel: TunnelPair, tmp_path: Path) -> None:
    proxy, local = through(tunnel, tmp_path, "memory")
    sent = os.urandom(16 * MIB)
    threading.Thread(target=local.sendall, args=(sent,), daemon=True).start()
    back = bytearray()
    while len(back) < len(sent):
        back += local.recv(MIB)
    assert bytes(back) == sent == bytes(tunnel.target.got)
    local.close()
    proxy.close()
    assert not (tmp_path / "sockets").exists()


def test_data_sent_before_the_end_arrives(tunnel: TunnelPair, tmp_path: Path) -> None:
    proxy, local = through(tunnel, tmp_path, "memory")
    sent = os.urandom(4 * MIB)
    local.sendall(sent)
    local.close()
    wait_until(lambda: len(tunnel.target.got) == len(sent), what="all of it")
    assert bytes(tunnel.target.got) == sent
    proxy.close()


def test_rejected_peer_sees_the_connection_end(tunnel: TunnelPair, tmp_path: Path) -> None:
    proxy, local = through(tunnel, tmp_path, "memory")
    local.sendall(b"hello")
    assert local.recv(5) == b"hello"
    tunnel.listener.throw_out(tunnel.guest_id)
    assert local.recv(5) == b""
    local.close()
    proxy.close()


def test_tunnel_to_a_missing_socket_ends(tunnel: TunnelPair, tmp_path: Path) -> None:
    proxy, local = through(tunnel, tmp_path, "nowhere")
    assert local.recv(5) == b""
    local.close()
    proxy.close()


# ---- libvirt's calls


def packet(
    procedure: int, *, program: int = REMOTE, body: bytes = b"", kind: int = 0, status: int = 0, serial: int = 7
) -> bytes:
    return struct.pack(">IIIIIII", 28 + len(body), program, 1, procedure, kind, serial, status) + body


@pytest.mark.parametrize("portion", [1, 7, 28, 1000])
def test_answer_that_ends_a_migration_is_seen_in_any_portions(portion: int) -> None:
    fake_answer = packet(FINISH, kind=1)
    before = [
        packet(PREPARE, kind=1, body=b"x" * 999),
        packet(FINISH, kind=1, status=1, body=b"an error"),
        packet(FINISH, kind=0),
        packet(FINISH, kind=1, program=0x6B656570),
        packet(OPEN, kind=1, body=fake_answer * 3),
    ]
    is_whole = threading.Event()
    watch = FinishWatch(is_whole)

    def see(data: bytes, by: Callable[[bytes], None]) -> None:
        for start in range(0, len(data), portion):
            by(data[start : start + portion])

    see(packet(PREPARE, body=b"a definition") + packet(FINISH, body=b"an id"), watch.sent)
    see(b"".join(before), watch.received)
    assert not is_whole.is_set()
    see(packet(FINISH), watch.sent)
    answer = packet(FINISH, kind=1, body=b"a domain")
    see(answer[:-1], watch.received)
    assert not is_whole.is_set(), "libvirt has no answer yet"
    see(answer[-1:], watch.received)
    assert is_whole.is_set()


def test_answer_to_a_call_that_was_not_made_ends_no_migration() -> None:
    is_whole = threading.Event()
    watch = FinishWatch(is_whole)
    answer = packet(FINISH, kind=1, body=b"a domain", serial=7)
    watch.received(answer)
    watch.sent(packet(PREPARE, serial=7) + packet(FINISH, serial=8, kind=1) + packet(FINISH, serial=9))
    watch.received(answer)
    watch.received(packet(FINISH, kind=1, serial=8))
    watch.received(packet(FINISH, kind=1, status=1, serial=9) + packet(FINISH, kind=1, serial=9))
    assert not is_whole.is_set()
    watch.sent(packet(FINISH, serial=7))
    watch.received(answer)
    assert is_whole.is_set()


def test_migration_calls_pass_unchanged_in_any_portions() -> None:
    calls = packet(OPEN) + packet(PREPARE, body=b"x" * 1000) + packet(OPEN)
    gate, passed = MigrationOnly(), bytearray()
    for start in range(0, len(calls), 7):
        passed += gate.passes(calls[start : start + 7])
    assert bytes(passed) == calls


@pytest.mark.parametrize(
    "other",
    [
        packet(14),  # a domain is destroyed
        packet(OPEN, program=0x20008087),  # QEMU's monitor
        struct.pack(">IIIIIII", 2**31, REMOTE, 1, OPEN, 0, 0, 0),
        struct.pack(">IIIIIII", 4, REMOTE, 1, OPEN, 0, 0, 0),
    ],
)
def test_other_call_and_all_after_it_are_refused(other: bytes) -> None:
    gate = MigrationOnly()
    with pytest.raises(PeerRejected):
        gate.passes(packet(OPEN) + other)


def test_proxy_matches_the_answer_that_ends_a_migration_with_its_call(tunnel: TunnelPair, tmp_path: Path) -> None:
    proxy, local = through(tunnel, tmp_path, LIBVIRT)
    answer = packet(FINISH, kind=1)
    for sent, is_whole in ((answer, False), (packet(FINISH) + answer, True)):
        local.sendall(sent)
        assert local.recv(len(sent), socket.MSG_WAITALL) == sent
        local.sendall(packet(OPEN))  # which is seen after the answer
        assert local.recv(28, socket.MSG_WAITALL) == packet(OPEN)
        assert proxy.is_whole.is_set() == is_whole
    local.close()
    proxy.close()


def test_unlisted_libvirt_call_ends_the_connection(tunnel: TunnelPair, tmp_path: Path) -> None:
    proxy, local = through(tunnel, tmp_path, LIBVIRT)
    local.sendall(packet(OPEN))
    assert local.recv(100) == packet(OPEN)
    local.sendall(packet(14))
    assert local.recv(100) == b""
    assert packet(14) not in bytes(tunnel.target.got)
    local.close()
    proxy.close()


def test_addresses_are_parsed_and_printed() -> None:
    assert str(Address.parse("10.0.0.1:7441")) == "10.0.0.1:7441"
    assert str(Address.parse("[fd00::1]:7441")) == "[fd00::1]:7441"
    for bad in ("", "10.0.0.1", ":7441", "host:", "host:x", "host:70000"):
        with pytest.raises(ValueError, match="ADDRESS:PORT"):
            Address.parse(bad)


def test_fingerprint_is_that_of_the_signed_certificate(tunnel: TunnelPair) -> None:
    certificate = x509.load_pem_x509_certificate(tunnel.node.credentials.certificate)
    assert peer_auth.fingerprint(certificate) == tunnel.node.fingerprint
