"""Metrics and health of a process."""

import logging
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from telemetry.address import parse_address
from telemetry.http_endpoint import HealthServer, NotReady, ProcessHealth, serve_health

SECRET = "password=hunter2"


class Broken:
    is_there = True
    left = 0

    def need(self) -> None:
        if not self.is_there:
            raise NotReady(f"no connection with {SECRET}")

    def after(self) -> None:
        self.left += 1


@pytest.fixture
def broken() -> Broken:
    return Broken()


@pytest.fixture
def server(broken: Broken) -> Iterator[HealthServer]:
    registry = CollectorRegistry()
    Counter("deeds_total", "Deeds.", registry=registry).inc(3)
    look = ProcessHealth({"redis": broken.need, "database": lambda: None}, registry, broken.after)
    server = serve_health("127.0.0.1:0", look)
    yield server
    server.shutdown()
    server.server_close()


def get(server: HealthServer, path: str) -> tuple[int, str]:
    answer = httpx.get(f"http://127.0.0.1:{server.server_port}{path}", trust_env=False)
    return answer.status_code, answer.text


def test_metrics_are_served(server: HealthServer) -> None:
    status, text = get(server, "/metrics")
    assert status == 200
    assert "deeds_total 3.0" in text.splitlines()


def test_missing_dependency_is_named_without_details(
    server: HealthServer, broken: Broken, caplog: pytest.LogCaptureFixture
) -> None:
    assert get(server, "/readyz") == (200, '{"is_ready": true, "missing": []}\n')
    broken.is_there = False
    with caplog.at_level(logging.WARNING):
        assert get(server, "/readyz") == (503, '{"is_ready": false, "missing": ["redis"]}\n')
    assert SECRET in caplog.text
    assert get(server, "/healthz") == (200, "ok\n")
    assert broken.left == 3


def test_other_paths_are_not_found(server: HealthServer) -> None:
    assert get(server, "/v1/me")[0] == 404


def test_used_address_is_reported_with_a_remedy(server: HealthServer) -> None:
    with pytest.raises(OSError, match="cannot be listened on: .*Each process needs an address of its own"):
        serve_health(f"127.0.0.1:{server.server_port}", ProcessHealth({}))


def test_addresses_are_parsed() -> None:
    assert parse_address("127.0.0.1:9100") == ("127.0.0.1", 9100)
    assert parse_address("[::1]:9100") == ("::1", 9100)
    for wrong in ("9100", ":9100", "localhost", "localhost:http", "localhost:65536"):
        with pytest.raises(ValueError, match="ADDRESS:PORT"):
            parse_address(wrong)
