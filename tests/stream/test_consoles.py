"""Consoles of the process `stream`: a ticket opens one, once; what goes wrong ends it and says why."""

import json
import signal
import struct
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from websockets import InvalidStatus

from agents.node.adapters.migrations import MigrationPhase
from agents.node.state_store import Migration
from controlplane.api.open_session import OpenSession
from controlplane.api.session_ends import Ended
from controlplane.compute.guest_sessions import GuestSession, Kind
from controlplane.compute.models import Instance
from controlplane.kernel.ids import new_id
from controlplane.placement.policies import policy_set
from tests.api.tokens import make_token
from tests.stream.conftest import LIMIT_S, PAGE, Process
from tests.stream.sessions import ask, audit_entries, delete, demote, end, expired, forbid, leave, opened, read, revoke
from tests.world import Cloud

BOOTED = b"The fake guest has booted.\n"


def ticket(token: str = "alpha", kind: str = "serial") -> str:
    """Return the URL that opens a console."""
    url: str = ask(token, "/web/consoles", {"kind": kind})["url"]
    return url


def test_console_passes_bytes_both_ways_and_is_audited(consoles: Process, cloud: Cloud, instance: Instance) -> None:
    with opened(consoles, ticket(), subprotocols=["binary"]) as socket:
        assert socket.subprotocol == "binary"
        assert socket.recv(LIMIT_S) == BOOTED
        socket.send(b"secret\r")
        read(socket, b"secret\r\nsecret\r\n")
        socket.send("text too\r")
        read(socket, b"text too\r\ntext too\r\n")
    (opening, first), (closing, last) = audit_entries("console", 2)
    assert (opening, closing) == ("console.open", "console.close")
    assert (first["kind"], first["address"], first["is_read_only"]) == ("serial", "127.0.0.1", False)
    assert (last["console"], last["code"], last["typed_bytes"]) == (first["console"], 1000, 16)
    assert last["shown_bytes"] > len(BOOTED)
    assert "secret" not in json.dumps([first, last])


def test_two_viewers_receive_the_same_output(consoles: Process, instance: Instance) -> None:
    with opened(consoles, ticket()) as ada, opened(consoles, ticket()) as bob:
        assert ada.recv(LIMIT_S) == bob.recv(LIMIT_S) == BOOTED
        ada.send(b"hello\r")
        assert read(ada, b"hello\r\nhello\r\n") and read(bob, b"hello\r\nhello\r\n")


def test_screen_console_speaks_rfb(consoles: Process, instance: Instance) -> None:
    with opened(consoles, ticket(kind="vnc")) as socket:
        assert read(socket, b"\n") == b"RFB 003.008\n"
        socket.send(b"RFB 003.008\n")
        assert read(socket, b"\x01") == b"\x01\x01"
        socket.send(b"\x01")
        assert read(socket, bytes(4)) == bytes(4)
        socket.send(b"\x01")
        assert struct.unpack(">HH", read(socket, b"A fake guest")[:4]) == (64, 48)


def test_input_of_a_read_only_viewer_is_dropped(consoles: Process, cloud: Cloud, instance: Instance) -> None:
    viewer = make_token(cloud.tenant.project, role="viewer")
    assert ask(viewer, "/web/consoles", {"kind": "serial"})["is_read_only"] is True
    with opened(consoles, ticket(viewer)) as reader, opened(consoles, ticket()) as writer:
        assert reader.recv(LIMIT_S) == BOOTED
        reader.send(b"unheard\r")
        read(writer, BOOTED)
        writer.send(b"heard\r")
        assert b"unheard" not in read(reader, b"heard\r\nheard\r\n")
    assert b"unheard" not in cloud.fake.consoles[instance.pk]


def test_ticket_is_valid_once(consoles: Process, instance: Instance) -> None:
    url = ticket()
    with opened(consoles, url) as socket:
        assert socket.recv(LIMIT_S) == BOOTED
        with opened(consoles, url) as second:
            assert end(second) == (
                4401,
                "The ticket was already used, or is older than 30 seconds. Request a new one.",
            )
        socket.send(b"x")
        read(socket, b"x")


@pytest.mark.parametrize("spoilt", [expired, lambda url: url[:-1] + "!", lambda url: "/v1/consoles/"])
def test_invalid_ticket_opens_no_console(consoles: Process, instance: Instance, spoilt: Callable[[str], str]) -> None:
    with opened(consoles, spoilt(ticket())) as socket:
        assert end(socket)[0] == 4401


def test_foreign_origin_is_refused(consoles: Process, instance: Instance) -> None:
    url = ticket()
    for page in ("https://evil.example", "null", "http://[", f"{PAGE}.evil.example"):
        with pytest.raises(InvalidStatus) as refused, opened(consoles, url, origin=page):
            pass
        assert refused.value.response.status_code == 403
    for page in (PAGE, "http://127.0.0.1:1"):
        with opened(consoles, ticket(), origin=page) as socket:
            assert socket.recv(LIMIT_S) == BOOTED


def test_other_paths_serve_no_websocket(consoles: Process) -> None:
    with pytest.raises(InvalidStatus), opened(consoles, "/v1/events/stream"):
        pass


@pytest.mark.parametrize(
    ("lose", "code", "words"),
    [
        (revoke, 4401, "revoked"),
        (leave, 4401, ""),
        (demote, 4403, "member"),
        (delete, 4404, "no instance"),
        (forbid, 4409, "is not running"),
    ],
)
def test_viewer_who_loses_permission_is_disconnected(
    consoles: Process, instance: Instance, lose: Callable[[], None], code: int, words: str
) -> None:
    with opened(consoles, ticket()) as socket:
        assert socket.recv(LIMIT_S) == BOOTED
        lose()
        ended = end(socket)
    assert ended[0] == code
    assert words in ended[1]
    assert audit_entries("console", 2)[-1][1]["code"] == code


def test_policy_that_forbids_the_console_ends_it(consoles: Process, cloud: Cloud, instance: Instance) -> None:
    """The policy is about consoles alone: the guest keeps running."""
    elsewhere = {"id": "con", "attr": "zone.id", "op": "in", "value": ["us-va-1"], "roles": ["console"]}
    with opened(consoles, ticket()) as socket:
        assert socket.recv(LIMIT_S) == BOOTED
        policy_set(cloud.tenant.actor, clauses=[elsewhere], project=cloud.tenant.project)
        assert end(socket)[0] == 4422
    assert audit_entries("console", 2)[-1][1]["code"] == 4422


@pytest.mark.parametrize(("name", "words"), [("last", "idle for too long"), ("began", "maximum duration")])
def test_console_ends_after_its_time_limits(name: str, words: str) -> None:
    console = GuestSession(new_id(), Kind.SERIAL, new_id(), new_id(), None, new_id(), False, "")
    line = OpenSession(console, None, None)
    line.check_time()
    setattr(line, name, getattr(line, name) - 13 * 3600)
    with pytest.raises(Ended) as ended:
        line.check_time()
    assert ended.value.end.code == 4408
    assert words in ended.value.end.reason


def test_ticket_ends_with_the_token_of_its_owner(consoles: Process, instance: Instance) -> None:
    url = ticket()
    revoke()
    with opened(consoles, url) as socket:
        assert end(socket)[0] == 4401
    assert audit_entries("console", 0) == []


def test_stopped_guest_ends_the_console(consoles: Process, cloud: Cloud, instance: Instance) -> None:
    with opened(consoles, ticket()) as socket:
        assert socket.recv(LIMIT_S) == BOOTED
        cloud.fake.guest_powers_off(instance.pk)
        assert end(socket) == (
            4409,
            "The guest is not running. Start the instance; its earlier output is in its console log.",
        )


def test_guest_started_without_consoles_is_reported(consoles: Process, cloud: Cloud, instance: Instance) -> None:
    cloud.fake.guests[instance.pk].consoles = None
    with opened(consoles, ticket()) as socket:
        code, words = end(socket)
    assert code == 4409
    assert "Stop the instance and start it again" in words


def test_unreachable_node_ends_the_console(consoles: Process, cloud: Cloud, instance: Instance) -> None:
    cloud.machine.stop_agent()
    with opened(consoles, ticket()) as socket:
        assert end(socket)[0] == 1013


def test_agent_restart_ends_the_console(consoles: Process, cloud: Cloud, instance: Instance) -> None:
    with opened(consoles, ticket()) as socket:
        assert socket.recv(LIMIT_S) == BOOTED
        cloud.machine.server.stop(grace_s=5)
        assert end(socket)[0] == 1012


def test_migration_ends_the_console(consoles: Process, cloud: Cloud, instance: Instance) -> None:
    """Its guest ends here while the node knows that it is on its way."""
    with opened(consoles, ticket()) as socket:
        assert socket.recv(LIMIT_S) == BOOTED
        cloud.machine.server.node.state_store.record_migration(
            instance.pk, Migration(1, MigrationPhase.RUNNING, ends_at=2**40)
        )
        cloud.machine.fake.guest_powers_off(instance.pk)
        code, words = end(socket)
    assert code == 1012
    assert "is migrating to another node" in words


def test_stopping_process_ends_the_console(consoles: Process, instance: Instance) -> None:
    with opened(consoles, ticket()) as socket:
        assert socket.recv(LIMIT_S) == BOOTED
        consoles.kill(signal.SIGTERM)
        assert end(socket)[0] == 1012
    assert [verb for verb, _ in audit_entries("console", 2)] == ["console.open", "console.close"]


def test_consoles_of_one_user_are_limited(consoles: Process, instance: Instance) -> None:
    with opened(consoles, ticket()) as first, opened(consoles, ticket()) as second:
        assert first.recv(LIMIT_S) == second.recv(LIMIT_S) == BOOTED
        with opened(consoles, ticket()) as third:
            assert end(third)[0] == 4429


def test_consoles_of_one_organization_are_limited(consoles: Process, cloud: Cloud, instance: Instance) -> None:
    second = make_token(cloud.tenant.project, role="member")
    with ExitStack() as open_consoles:
        for token in ("alpha", "alpha", second):
            assert open_consoles.enter_context(opened(consoles, ticket(token))).recv(LIMIT_S) == BOOTED
        assert end(open_consoles.enter_context(opened(consoles, ticket(second))))[0] == 4429


def test_oversized_message_ends_the_console(consoles: Process, instance: Instance) -> None:
    with opened(consoles, ticket()) as socket:
        assert socket.recv(LIMIT_S) == BOOTED
        socket.send(bytes(2**20 + 1))
        assert end(socket)[0] == 1009


def test_close_reasons_are_in_the_language_of_the_viewer(consoles: Process, instance: Instance) -> None:
    french = {"Accept-Language": "fr"}
    with opened(consoles, "/v1/consoles/x", additional_headers=french) as socket:
        assert end(socket)[1] == "Le ticket a déjà servi, ou a plus de 30 secondes. Demandez-en un nouveau."
