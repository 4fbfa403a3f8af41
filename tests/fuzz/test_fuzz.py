"""Requests by the OpenAPI document against a real control plane: a small part of what `make fuzz` does."""

import argparse

import pytest

from scripts.fuzz import PHASES, fuzz
from scripts.fuzz_world import fuzz_world

pytestmark = pytest.mark.slow

# A password is needed, or a network on which nothing is.
NOT_TO_BE_HAD = {
    "POST /v1/sessions",
    "DELETE /v1/sessions/{session}",
    "DELETE /v1/projects/{project}/networks/{network}",
}
NETWORKS = "^network_(list|get|create|update|delete)$"
ONLY = "^(network|session|event)_(list|get|create|update|delete)$"


@pytest.mark.parametrize(("only", "chains"), [(NETWORKS, 2), pytest.param(ONLY, 5, marks=pytest.mark.nightly)])
def test_fuzzing_finds_no_fault(only: str, chains: int) -> None:
    with fuzz_world() as world:
        asked = argparse.Namespace(seconds=600, seed=1, examples=1, chains=chains, phases=PHASES, only=only)
        found = fuzz(world, asked)
    assert found["findings"] == []
    assert found["is_complete"]
    assert found["requests"] > 30 * chains
    assert {"200", "201", "400", "404"} <= found["statuses"].keys()
    assert found["operations"] >= 4
    assert set(found["never_granted"]) <= NOT_TO_BE_HAD
    for caller in found["callers"].values():
        assert list(caller["phases"]) == PHASES.split(",")
        assert all(phase["requests"] for phase in caller["phases"].values())
