"""Tunnels of the process `stream`. The fake guest echoes at each port; some guests here are sockets of the test."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from agents.node.adapters.channel import Channel
from agents.node.adapters.fake_switch import FakeSwitch
from agents.node.services import tunnels
from controlplane.compute.models import Instance
from controlplane.network.models import Port
from controlplane.placement.policies import policy_set
from tests.api.tokens import make_token
from tests.limits import PATIENCE_S
from tests.stream.conftest import LIMIT_S, Process
from tests.stream.sessions import ask, audit_entries, delete, demote, end, expired, forbid, leave, opened, read, revoke
from tests.world import Cloud

OPENED = b""  # the first message; the same again is the end of the guest's direction


def ticket(token: str = "alpha", tcp_port: int = 22) -> str:
    """Return the URL that opens a tunnel."""
    url: str = ask(token, "/web/tunnels", {"tcp_port": tcp_port})["url"]
    return url


@pytest.fixture
def guest_end(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Return the guest's end of the next tunnel: a real TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _address = server.accept()
    monkeypatch.setattr(FakeSwitch, "connect_tcp", lambda *_args, **_terms: Channel(ours))
    theirs.settimeout(PATIENCE_S)
    with theirs:
        yield theirs


def test_bytes_pass_both_ways_and_are_audited_without_their_content(consoles: Process, instance: Instance) -> None:
    with opened(consoles, ticket(tcp_port=8080)) as client:
        assert client.recv(LIMIT_S) == OPENED
        client.send(b"secret")
        assert read(client, b"secret") == b"secret"
        client.send(b"")
        assert client.recv(LIMIT_S) == b""
        assert end(client) == (1000, "")
    (opening, first), (closing, last) = audit_entries("tunnel", 2)
    assert (opening, closing) == ("tunnel.open", "tunnel.close")
    assert (first["kind"], first["address"], first["tcp_port"]) == ("tcp", "127.0.0.1", 8080)
    assert first["guest_address"] == Port.objects.get().ip
    assert (last["tunnel"], last["code"], last["sent_bytes"], last["received_bytes"]) == (first["tunnel"], 1000, 6, 6)
    assert "secret" not in json.dumps([first, last])


def test_each_direction_ends_by_itself(consoles: Process, instance: Instance, guest_end: socket.socket) -> None:
    with opened(consoles, ticket()) as client:
        assert client.recv(LIMIT_S) == OPENED
        guest_end.shutdown(socket.SHUT_WR)
        assert client.recv(LIMIT_S) == b""
        client.send(b"late")
        assert guest_end.recv(10) == b"late"
        client.send(b"")
        assert guest_end.recv(10) == b""
        assert end(client)[0] == 1000


def test_connection_to_the_guest_ends_when_the_client_hangs_up(
    consoles: Process, instance: Instance, guest_end: socket.socket
) -> None:
    with opened(consoles, ticket()) as client:
        assert client.recv(LIMIT_S) == OPENED
    assert guest_end.recv(10) == b""


def test_guest_that_floods_waits_for_the_client(
    consoles: Process, instance: Instance, guest_end: socket.socket
) -> None:
    with opened(consoles, ticket(), max_size=None, compression=None) as client:
        assert client.recv(LIMIT_S) == OPENED
        guest_end.settimeout(0.5)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 2**30:
                sent += guest_end.send(bytes(65536))
        assert sent < 256 * 2**20
        received = 0
        while received < sent:
            received += len(client.recv(LIMIT_S))
        assert received == sent


def test_message_after_the_end_of_the_direction_is_refused(consoles: Process, instance: Instance) -> None:
    with opened(consoles, ticket()) as client:
        client.send(b"")
        client.send(b"more")
        assert end(client)[0] in (1000, 1002)  # the echo's own end may be first


@pytest.mark.parametrize(
    ("failure", "words"),
    [(ConnectionRefusedError(), "accepts no connection at TCP port 22"), (TimeoutError(), "does not answer")],
)
def test_failed_connection_is_explained(
    consoles: Process, cloud: Cloud, instance: Instance, failure: Exception, words: str
) -> None:
    cloud.fake.fail_next("connect_tcp", failure)
    with opened(consoles, ticket()) as client:
        code, reason = end(client)
    assert code == 4409
    assert words in reason


def test_ticket_of_a_tunnel_is_valid_once(consoles: Process, instance: Instance) -> None:
    url = ticket()
    with opened(consoles, url) as client, opened(consoles, url) as second:
        assert client.recv(LIMIT_S) == OPENED
        assert end(second)[0] == 4401
    with opened(consoles, expired(ticket())) as client:
        assert end(client)[0] == 4401


@pytest.mark.parametrize(
    ("lose", "code"), [(revoke, 4401), (leave, 4401), (demote, 4403), (delete, 4404), (forbid, 4409)]
)
def test_user_who_loses_permission_is_disconnected(
    consoles: Process, instance: Instance, lose: Callable[[], None], code: int
) -> None:
    with opened(consoles, ticket()) as client:
        assert client.recv(LIMIT_S) == OPENED
        lose()
        assert end(client)[0] == code
    assert audit_entries("tunnel", 2)[-1][1]["code"] == code


def test_policy_that_forbids_access_to_the_guest_ends_the_tunnel(
    consoles: Process, cloud: Cloud, instance: Instance
) -> None:
    elsewhere = {"id": "con", "attr": "zone.id", "op": "in", "value": ["us-va-1"], "roles": ["console"]}
    with opened(consoles, ticket()) as client:
        assert client.recv(LIMIT_S) == OPENED
        policy_set(cloud.tenant.actor, clauses=[elsewhere], project=cloud.tenant.project)
        assert end(client)[0] == 4422


def test_stopped_guest_ends_the_tunnel(
    consoles: Process, cloud: Cloud, instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnels, "CHECK_S", 0.1)
    with opened(consoles, ticket()) as client:
        assert client.recv(LIMIT_S) == OPENED
        cloud.fake.guest_powers_off(instance.pk)
        assert end(client)[0] == 4409


def test_lost_node_ends_the_tunnel(consoles: Process, cloud: Cloud, instance: Instance) -> None:
    with opened(consoles, ticket()) as client:
        assert client.recv(LIMIT_S) == OPENED
        cloud.machine.server.stop(grace_s=5)
        assert end(client)[0] == 1012
    cloud.machine.stop_agent()
    with opened(consoles, ticket()) as client:
        assert end(client)[0] == 1013


def test_tunnels_are_limited_apart_from_consoles(consoles: Process, cloud: Cloud, instance: Instance) -> None:
    second = make_token(cloud.tenant.project, role="member")
    with ExitStack() as stack:
        for token in ("alpha", "alpha", second):
            assert stack.enter_context(opened(consoles, ticket(token))).recv(LIMIT_S) == OPENED
        assert end(stack.enter_context(opened(consoles, ticket())))[0] == 4429
        assert end(stack.enter_context(opened(consoles, ticket(second))))[0] == 4429
        url = ask("alpha", "/web/consoles", {"kind": "serial"})["url"]
        assert stack.enter_context(opened(consoles, url)).recv(LIMIT_S)
