"""Requests by the OpenAPI document against a real control plane: a small part of what `make fuzz` does."""

import argparse

import pytest

from scripts.fuzz import PHASES, fuzz, fuzz_world

pytestmark = pytest.mark.slow

ONLY = "^(network|session|event)_(list|get|create|update|delete)$"


def test_nothing_is_found() -> None:
    with fuzz_world() as world:
        found = fuzz(world, argparse.Namespace(requests=1, seconds=600, seed=1, examples=1, phases=PHASES, only=ONLY))
    assert found.findings == []
    assert found.requests > 300
    assert {"200", "201", "400", "404"} <= found.statuses.keys()
    assert len(found.operations) >= 8
