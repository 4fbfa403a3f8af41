"""Periodic jobs: one run at a time, no catching up, one leader, and metrics."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.db import connection
from prometheus_client import REGISTRY

from controlplane.config.celery import TASKS
from controlplane.config.periodic import JOBS
from controlplane.kernel import periodic
from controlplane.kernel.periodic import Job, Loop
from scripts.polling import wait_until
from telemetry.http_endpoint import NotReady
from tests.limits import PATIENCE_S
from tests.services.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_runs_are_counted() -> None:
    """Clear what another test, or the same one before, has counted."""
    for metric in (periodic.FOUND, periodic.RUNS, periodic.OVERRUNS, periodic.SUCCEEDED, periodic.SECONDS):
        metric.clear()


def value(name: str, job: str, **more: str) -> float:
    return REGISTRY.get_sample_value(f"andromede_periodic_{name}", {"job": job, **more}) or 0


def job(name: str, work: Callable[[], object], *, every_s: float = 0.01, limit_s: float = 60) -> Job:
    created = Job(name, "", every_s, limit_s, queue="test")
    created.__dict__["work"] = work
    return created


@contextmanager
def loop(*jobs: Job) -> Iterator[Loop]:
    created = Loop("test", jobs)
    created.start()
    try:
        yield created
    finally:
        created.stop()
        created.join()


def test_job_started_twice_concurrently_runs_once() -> None:
    begun, go_on = [], threading.Event()

    def work() -> None:
        begun.append(1)
        assert go_on.wait(PATIENCE_S)

    same = job("twice", work)

    def run_concurrently() -> bool:
        wait_until(lambda: bool(begun), limit_s=PATIENCE_S)
        try:
            return periodic.run(same)
        finally:
            go_on.set()

    assert at_once([lambda: periodic.run(same), run_concurrently]) == [True, False]
    assert begun == [1]
    assert value("runs_total", "twice", outcome="held") == 1
    assert periodic.run(same), "the lock is free again"


def test_job_longer_than_its_interval_skips_runs() -> None:
    begun, other, go_on = threading.Semaphore(0), threading.Semaphore(0), threading.Event()
    count = []

    def long() -> None:
        count.append(1)
        begun.release()
        go_on.wait(PATIENCE_S)

    with loop(job("long", long, every_s=0.05), job("short", other.release, every_s=0.05)):
        assert begun.acquire(timeout=PATIENCE_S)
        for _ in range(20):
            assert other.acquire(timeout=PATIENCE_S), "who hangs keeps no other waiting"
        assert len(count) == 1
        assert value("runs_total", "long", outcome="held") == 0, "it was not even tried"
        go_on.set()
        assert begun.acquire(timeout=PATIENCE_S), "it is begun again once it has ended"


def test_second_process_takes_over_the_leadership() -> None:
    runs: dict[str, threading.Semaphore] = {"a": threading.Semaphore(0), "b": threading.Semaphore(0)}
    with loop(job("led", runs["a"].release)) as first:
        assert runs["a"].acquire(timeout=PATIENCE_S)
        with loop(job("led", runs["b"].release)) as second:
            wait_until(lambda: second._next_check > 0, limit_s=PATIENCE_S)
            for _ in range(20):
                assert runs["a"].acquire(timeout=PATIENCE_S)
            assert not runs["b"].acquire(blocking=False)
            assert not second.run_now("led")
            first.stop()
            assert runs["b"].acquire(timeout=PATIENCE_S)


def test_leader_recovers_after_its_connection_ended() -> None:
    ran = threading.Semaphore(0)
    with loop(job("again", ran.release)):
        assert ran.acquire(timeout=PATIENCE_S)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
                " WHERE datname = current_database() AND locktype = 'advisory' AND classid IN (%s, %s) AND granted",
                [periodic.LEADING, periodic.RUNNING],
            )
            assert cursor.fetchone()[0] >= 1
        while ran.acquire(blocking=False):
            pass
        for _ in range(3):
            assert ran.acquire(timeout=PATIENCE_S)


def test_job_runs_now_on_request() -> None:
    ran = threading.Semaphore(0)
    with loop(job("hastened", ran.release, every_s=3600)) as created:
        assert ran.acquire(timeout=PATIENCE_S)
        assert created.run_now("hastened")
        assert ran.acquire(timeout=PATIENCE_S)
        assert not created.run_now("unknown")


def test_failure_and_success_are_counted() -> None:
    def fail() -> None:
        raise ValueError("a bug")

    assert not periodic.run(job("fails", fail))
    assert value("runs_total", "fails", outcome="failed") == 1
    assert value("last_success_timestamp_seconds", "fails") == 0
    assert periodic.run(job("works", lambda: None))
    assert value("last_success_timestamp_seconds", "works") > 0
    assert value("duration_seconds_count", "works") == 1


def test_job_over_its_limit_makes_the_process_unready() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        go_on.wait(PATIENCE_S)

    with loop(job("hangs", hang, limit_s=0), job("beside", lambda: None)) as created:
        created.check_overruns()
        assert begun.wait(PATIENCE_S)
        with pytest.raises(NotReady, match="hangs"):
            created.check_overruns()
        wait_until(lambda: value("overruns_total", "hangs") == 1, limit_s=PATIENCE_S)
        go_on.set()


def test_every_job_is_runnable_and_has_a_process() -> None:
    assert len({each.name for each in JOBS}) == len(JOBS)
    for each in JOBS:
        assert callable(each.work), each.path
        assert each.queue in TASKS
        assert each.limit_s >= each.every_s or each.every_s >= 3600, each.name


@pytest.mark.parametrize("name", ["node_liveness", "node_removals", "guest_power", "capacity_drift", "redeliver"])
def test_jobs_run_on_an_empty_cloud(name: str) -> None:
    assert periodic.run(next(each for each in JOBS if each.name == name))


def test_documented_table_of_jobs_equals_the_code() -> None:
    text = (settings.BASE_DIR / "docs" / "explanation" / "architecture.md").read_text()
    documented = {
        (row[1], row[2], float(row[3]), float(row[4]))
        for row in re.finditer(r"^\| `([a-z_]+)` \| ([a-z]+) \| ([0-9]+) s \| ([0-9]+) s \|", text, re.MULTILINE)
    }
    assert documented == {(each.name, each.queue, each.every_s, each.limit_s) for each in JOBS}
