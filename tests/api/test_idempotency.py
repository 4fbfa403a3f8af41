"""The same POST under the same Idempotency-Key: done once, answered as it was."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client
from pytest_django import Settings

from controlplane.compute.models import Instance
from controlplane.identity.models import ApiToken
from controlplane.kernel import clock, idempotency
from controlplane.kernel.models import IdempotencyRecord
from controlplane.network.models import Network
from controlplane.operations.models import Operation
from controlplane.reconcilers import idempotency_records
from tests.api.client import Answer, Caller
from tests.limits import PATIENCE_S
from tests.world import Cloud, make_tenant

KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"
LAN = {"name": "web", "cidr": "10.20.0.0/24"}
WEB = {"name": "web", "flavor": "tiny", "image": "tiny", "networks": ["lan"]}


def post(caller: Caller, path: str, body: Any, key: str = KEY) -> Answer:
    return caller.post(path, body, Idempotency_Key=key)


def is_replay(answer: Answer) -> bool:
    return answer.headers.get("Idempotent-Replayed") == "true"


@pytest.fixture
def alpha(db: None) -> Caller:
    make_tenant()
    return Caller(token="alpha", project="alpha")


def test_repeated_request_is_executed_once(api: Caller, cloud: Cloud) -> None:
    first, second = post(api, "instances", WEB), post(api, "instances", dict(reversed(WEB.items())))
    assert (first.status, second.status) == (201, 201)
    assert (is_replay(first), is_replay(second)) == (False, True)
    assert (first.data, first.headers["Location"]) == (second.data, second.headers["Location"])
    assert (Instance.objects.count(), Operation.objects.filter(kind="instance.create").count()) == (1, 1)


def test_requests_without_a_key_are_separate(alpha: Caller) -> None:
    assert alpha.post("networks", LAN).status == 201
    assert alpha.post("networks", LAN).problem[0] == 409
    assert not IdempotencyRecord.objects.exists()


def test_another_request_under_the_key_is_refused(alpha: Caller) -> None:
    assert post(alpha, "networks", LAN).status == 201
    other = post(alpha, "networks", LAN | {"cidr": "10.30.0.0/24"})
    assert other.problem[:2] == (422, "idempotency_key_reused")
    assert Network.objects.count() == 1


def test_key_is_scoped_to_credential_method_and_path(alpha: Caller) -> None:
    make_tenant("beta")
    beta = Caller(token="beta", project="beta")
    assert post(alpha, "networks", LAN).status == 201
    mine = post(beta, "networks", LAN)
    assert (mine.status, is_replay(mine)) == (201, False)
    group = post(alpha, "affinity-groups", {"name": "apart", "rule": "affinity"})
    assert (group.status, is_replay(group)) == (201, False)


def test_failed_request_is_retried(alpha: Caller) -> None:
    assert alpha.post("networks", LAN).status == 201
    assert post(alpha, "networks", LAN).problem[:2] == (409, "network.name_taken")
    assert alpha.delete("networks/web").status == 204
    anew = post(alpha, "networks", LAN)
    assert (anew.status, is_replay(anew)) == (201, False)


def test_dry_run_does_not_use_a_key(alpha: Caller) -> None:
    assert post(alpha, "networks?dry_run=true", LAN).status == 200
    real = post(alpha, "networks", LAN)
    assert (real.status, is_replay(real)) == (201, False)


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 256])
def test_key_with_other_characters_is_refused(alpha: Caller, key: str) -> None:
    for path in ("networks", "networks?dry_run=true"):
        assert post(alpha, path, LAN, key).problem[:2] == (400, "idempotency_key_invalid")


def test_revoked_caller_gets_no_stored_answer(alpha: Caller) -> None:
    assert post(alpha, "networks", LAN).status == 201
    ApiToken.objects.update(revoked_at=clock.now())
    assert post(alpha, "networks", LAN).problem[0] == 401


def test_stored_answer_repeats_a_secret_and_keeps_it_encrypted(alpha: Caller) -> None:
    body = {"name": "ci", "role": "member", "lifetime_days": 1}
    first, second = post(alpha, "tokens", body), post(alpha, "tokens", body)
    secret = first.body["secret"]
    assert (is_replay(second), second.body["secret"]) == (True, secret)
    record = IdempotencyRecord.objects.get()
    stored = bytes(record.answer) + bytes(record.scope) + bytes(record.request)
    assert secret.encode() not in stored
    assert b"secret" not in stored
    assert Caller(token=secret, project="alpha").get("networks").status == 200


def test_key_expires_after_a_day(alpha: Caller) -> None:
    assert post(alpha, "networks", LAN).status == 201
    _age(idempotency.KEPT - timedelta(minutes=1))
    assert is_replay(post(alpha, "networks", LAN))
    _age(timedelta(minutes=2))
    assert post(alpha, "networks", LAN).problem[:2] == (409, "network.name_taken")


def test_old_answers_are_forgotten(alpha: Caller) -> None:
    assert post(alpha, "networks", LAN).status == 201
    _age(idempotency.KEPT + timedelta(minutes=1))
    assert post(alpha, "networks", LAN | {"name": "db"}, "another").status == 201
    idempotency_records.reconcile()
    assert IdempotencyRecord.objects.count() == 1
    assert is_replay(post(alpha, "networks", LAN | {"name": "db"}, "another"))


def _age(by: timedelta) -> None:
    for record in IdempotencyRecord.objects.all():
        IdempotencyRecord.objects.filter(pk=record.pk).update(created_at=record.created_at - by)


class Crashes:
    """Middleware: dies once, when all is committed and nothing is answered."""

    is_due = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.get_response(request)
        if Crashes.is_due:
            Crashes.is_due = False
            raise SystemExit
        return answer


@pytest.mark.django_db(transaction=True)
def test_a_crash_after_the_commit_loses_no_answer(alpha: Caller, settings: Settings) -> None:
    settings.MIDDLEWARE = [f"{__name__}.{Crashes.__name__}", *settings.MIDDLEWARE]
    fragile = Caller(token="alpha", project="alpha", http=Client())
    Crashes.is_due = True
    with pytest.raises(SystemExit):
        post(fragile, "networks", LAN)
    created = Network.objects.get()
    repeated = post(fragile, "networks", LAN)
    assert (repeated.status, is_replay(repeated), repeated.body["id"]) == (201, True, str(created.pk))


@pytest.mark.django_db(transaction=True)
def test_concurrent_repetition_must_wait(alpha: Caller) -> None:
    def ask() -> Answer:
        try:
            return post(Caller(token="alpha", project="alpha"), "networks", LAN)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("LOCK TABLE network_subnet IN EXCLUSIVE MODE")
            first = threads.submit(ask)
            while not _is_waiting():
                assert not first.done(), first.result()
            second = threads.submit(ask).result()
        done = first.result()
    assert second.problem[:2] == (409, "idempotency_key_in_use")
    assert (second.body["retryable"], second.headers["Retry-After"]) == (True, "2")
    assert (done.status, is_replay(done)) == (201, False)
    third = post(alpha, "networks", LAN)
    assert (third.status, is_replay(third), third.data) == (201, True, done.data)


def _is_waiting() -> bool:
    """Tell if a transaction waits for the table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
            " WHERE datname = current_database() AND NOT granted AND relation = 'network_subnet'::regclass"
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_concurrent_repetitions_execute_once(alpha: Caller) -> None:
    start = threading.Barrier(8)

    def ask(_: int) -> Answer:
        try:
            start.wait(timeout=PATIENCE_S)
            return post(Caller(token="alpha", project="alpha"), "networks", LAN)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(8)))
    done = [answer for answer in answers if answer.status == 201 and not is_replay(answer)]
    assert len(done) == 1
    for other in answers:
        if other is not done[0]:
            assert other.data == done[0].data if other.status == 201 else other.body["code"] == "idempotency_key_in_use"
    assert Network.objects.count() == 1
