"""Benchmark of operations, in small, over a running control plane: its counts are right."""

import argparse

from andromede_sdk import Client
from bench import operation_backlog, throughput
from bench.operation_load import OperationLoad
from scripts.api import Api
from tests.clients.conftest import Live


def asker(live: Live) -> OperationLoad:
    return OperationLoad(live.cloud, Api(live.url, live.token, project="demo"), project="demo")


def test_operations_are_measured_with_their_baseline(live: Live, client: Client) -> None:
    options = argparse.Namespace(workers=[2], operations=3, rounds=1)
    found = throughput.by_workers(live.cloud, asker(live), options)["workers_2"]
    assert set(found) == {"instances", "volumes"}
    for kind in found.values():
        assert kind["answered"]["n"] == 3
        assert kind["per_s"] > 0
        assert kind["ratio"] > 0
        assert kind["cpu_ms_each"]["worker"] > 0
    assert client.instances.list().count() == 3


def test_queued_operations_are_executed_exactly_once(live: Live, client: Client) -> None:
    found = operation_backlog.worked_off(live.cloud, asker(live), 4)
    assert found["states"] == {"succeeded": 4}
    assert (found["told_once"], found["told_otherwise"]) == (4, 0)
    assert set(found["memory_mib"]) == {"begin", "half", "end"}
    assert client.volumes.list().count() == 4
