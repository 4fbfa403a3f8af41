"""The process `stream`: what happens is told at once, to those who may know, and who comes again has lost nothing."""

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import httpx
import pytest
import redis
from django.db import connection
from django.test import Client

from controlplane.events import wakeups
from controlplane.events.services import publish_event
from controlplane.identity.models import ApiToken, Membership, User
from controlplane.identity.tokens import token_issue
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from tests.stream.conftest import LIMIT_S, Process, following
from tests.world import Tenant, make_tenant

TOKENS = {"alpha": "Bearer alpha", "beta": "Bearer beta"}


def create(name: str, *, token: str = "alpha") -> None:
    """Through the API."""
    answer = Client().post(
        f"/v1/projects/{token}/networks",
        {"name": name, "cidr": "10.0.0.0/24"},
        content_type="application/json",
        headers={"Authorization": TOKENS[token]},
    )
    assert answer.status_code == 201, answer.content


def test_change_through_the_api_is_streamed_at_once(stream: Process, tenant: Tenant) -> None:
    with following(stream) as follower:
        follower.is_ready()
        for name in ("one", "two"):
            create(name)
            event = follower.event()
            assert (event["kind"], event["event"]) == ("network.created", "network.created")
            assert (event["resource"]["name"], event["cursor"]) == (name, follower.last_id)


def test_reconnected_reader_loses_no_event(stream: Process, tenant: Tenant) -> None:
    with following(stream) as follower:
        follower.is_ready()
        create("one")
        assert follower.event()["resource"]["name"] == "one"
        last_id = follower.last_id
    for name in ("two", "three"):
        create(name)
    with following(stream, last_id=last_id) as follower:
        create("four")
        assert [follower.event()["resource"]["name"] for _ in range(3)] == ["two", "three", "four"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_restarted_process_loses_no_event(stream: Process, tenant: Tenant, how: int) -> None:
    with following(stream) as follower:
        last_id = follower.is_ready()
        create("one")
        assert follower.event()["resource"]["name"] == "one"
        stream.kill(how)
        while follower.frame() is not None:
            pass
        last_id = follower.last_id
    create("two")
    stream.start()
    with following(stream, last_id=last_id) as follower:
        assert follower.event()["resource"]["name"] == "two"


def test_stream_polls_without_wakeups(stream: Process, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wakeups, "CHANNEL", "nobody-listens")
    with following(stream) as follower:
        follower.is_ready()
        create("one")
        assert follower.event()["resource"]["name"] == "one"


def test_stream_survives_a_redis_disconnect(stream: Process, tenant: Tenant) -> None:
    with following(stream) as follower:
        follower.is_ready()
        with redis.Redis.from_url(wakeups.redis_url()) as broker:
            broker.flushall()
            broker.client_kill_filter(_type="pubsub")
        for name in ("one", "two"):
            create(name)
            assert follower.event()["resource"]["name"] == name


def test_unreadable_event_is_streamed_later(stream: Process, tenant: Tenant) -> None:
    with following(stream) as follower:
        follower.is_ready()
        while "id" not in (follower.frame() or {}):
            pass  # it looks once more at the beginning
        with nobody_signs_in():
            publish_event(tenant.actor, "network.created", new_id(), project_id=tenant.project.pk, name="one")
            waited = 0
            while waited < 3:  # one of them because of the event
                waited += "waiting" in (follower.frame() or {}).values()
        assert follower.frame() is not None, "it has looked again"
        publish_event(tenant.actor, "network.created", new_id(), project_id=tenant.project.pk, name="two")
        names = [follower.event()["resource"]["name"]]
        while names[-1] != "two":
            names.append(follower.event()["resource"]["name"])
        assert names == ["one", "two"]


@contextmanager
def nobody_signs_in() -> Iterator[None]:
    """Make authentication fail like with a lost database; wake-ups still arrive."""
    table = ApiToken._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
        try:
            yield
        finally:
            cursor.execute(f"ALTER TABLE elsewhere RENAME TO {table}")


def test_each_reader_receives_only_own_events(stream: Process, tenant: Tenant) -> None:
    make_tenant("beta")
    with following(stream, "alpha") as alpha, following(stream, "beta") as beta:
        alpha.is_ready()
        beta.is_ready()
        publish_event(None, "node.ready", new_id(), project_id=None)
        create("of-alpha", token="alpha")
        create("of-beta", token="beta")
        assert alpha.event()["resource"]["name"] == "of-alpha"
        assert beta.event()["resource"]["name"] == "of-beta"


def test_events_are_filtered_by_kind_and_project(stream: Process, tenant: Tenant) -> None:
    with following(stream, kind="ssh_key.*,network.deleted", project="alpha") as follower:
        follower.is_ready()
        create("one")
        publish_event(None, "ssh_key.created", new_id(), project_id=tenant.project.pk, name="laptop")
        assert follower.event()["resource"]["name"] == "laptop"


def test_a_revoked_token_ends_its_stream(stream: Process, tenant: Tenant) -> None:
    with following(stream) as follower:
        follower.is_ready()
        ApiToken.objects.update(revoked_at=clock.now())
        end = follower.event()
        assert (end["event"], end["code"]) == ("end", "identity.token.revoked")
        assert follower.frame() is None


def test_removed_member_receives_no_more_events(stream: Process, tenant: Tenant) -> None:
    """Also when nothing happens."""
    with following(stream) as follower:
        follower.is_ready()
        Membership.objects.all().delete()
        assert follower.event()["code"] == "unauthenticated"


def test_idle_reader_receives_keepalives(stream: Process, tenant: Tenant) -> None:
    with following(stream) as follower:
        place = follower.is_ready()
        publish_event(None, "node.ready", new_id(), project_id=None)
        while follower.last_id == place:
            frame = follower.frame()
            assert frame is not None
            assert "event" not in frame, "the place goes on, though nothing is told"


@pytest.mark.parametrize(
    ("query", "headers", "status", "code"),
    [
        ("", {}, 401, "unauthenticated"),
        ("", {"Authorization": "Bearer nobody"}, 401, "unauthenticated"),
        ("?kind=x", {"Authorization": "Bearer alpha"}, 400, "invalid_parameter"),
        ("?project=other", {"Authorization": "Bearer alpha"}, 422, "identity.project.not_found"),
        ("", {"Authorization": "Bearer alpha", "Last-Event-ID": "x"}, 410, "events.cursor_expired"),
    ],
)
def test_refusals_equal_those_of_the_api(
    stream: Process, tenant: Tenant, query: str, headers: dict[str, str], status: int, code: str
) -> None:
    answer = httpx.get(stream.url + query, headers=headers, timeout=LIMIT_S)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_other_routes_are_not_found(stream: Process, tenant: Tenant) -> None:
    for path in ("/v1/projects", "/v1/projects/alpha/networks", "/"):
        answer = httpx.get(f"http://127.0.0.1:{stream.port}{path}", headers={"Authorization": "Bearer alpha"})
        assert (answer.status_code, answer.json()["code"]) == (404, "route_not_found")
    answer = httpx.post(stream.url, headers={"Authorization": "Bearer alpha"})
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def test_a_credential_has_a_bounded_number_of_streams(stream: Process, tenant: Tenant) -> None:
    make_tenant("beta")
    with following(stream) as one, following(stream) as two:
        with following(stream) as three:
            for follower in (one, two, three):
                follower.is_ready()
            answer = httpx.get(stream.url, headers={"Authorization": "Bearer alpha"}, timeout=LIMIT_S)
            assert (answer.status_code, answer.json()["code"]) == (429, "events.too_many_streams")
            assert answer.headers["Retry-After"]
            with following(stream, "beta") as other:
                other.is_ready()
        pause = threading.Event()
        for _ in range(LIMIT_S * 10):
            answer_status = _status(stream)
            if answer_status == 200:
                break
            pause.wait(0.1)
        assert answer_status == 200, "one that was closed makes room"


def test_streams_of_one_organization_are_limited(stream: Process, tenant: Tenant) -> None:
    make_tenant("beta")
    lifetime, headers = timedelta(days=1), {"Authorization": "Bearer alpha"}
    _, second = token_issue(
        User.objects.get(email="alpha@example.org"),
        project=tenant.project,
        name="second",
        role="member",
        lifetime=lifetime,
    )
    with ExitStack() as open_streams:
        for token in ("alpha", second, second, second):
            open_streams.enter_context(following(stream, token)).is_ready()
        with httpx.stream("GET", stream.url, headers=headers, timeout=LIMIT_S) as answer:
            assert answer.status_code == 429
            answer.read()
            assert answer.json()["code"] == "events.too_many_streams_of_organization"
        open_streams.enter_context(following(stream, "beta")).is_ready()


def _status(stream: Process) -> int:
    with httpx.stream("GET", stream.url, headers={"Authorization": "Bearer alpha"}, timeout=LIMIT_S) as answer:
        return answer.status_code


def test_streams_that_wait_hold_no_connections(
    transactional_db: None, tmp_path_factory: pytest.TempPathFactory, tenant: Tenant
) -> None:
    process = Process(tmp_path_factory.mktemp("many"), STREAM_CHECK_S="1", STREAMS_PER_CREDENTIAL="500")
    process.start()
    try:
        with httpx.Client(timeout=LIMIT_S, limits=httpx.Limits(max_connections=None)) as client:
            headers = {"Authorization": "Bearer alpha"}
            answers = [
                client.send(client.build_request("GET", process.url, headers=headers), stream=True) for _ in range(100)
            ]
            assert {answer.status_code for answer in answers} == {200}
            assert _connections() <= 4
            for answer in answers:
                answer.close()
    finally:
        process.kill()


def _connections() -> int:
    """Count the connections of PostgreSQL but this test's own."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        (count,) = cursor.fetchone()
    return int(count)
