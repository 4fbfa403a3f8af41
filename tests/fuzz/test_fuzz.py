"""Requests by the OpenAPI document against a real control plane: a small part of what `make fuzz` does."""

import argparse

import pytest

from scripts.fuzz import PHASES, fuzz
from scripts.fuzz_world import fuzz_world

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

# A password is needed, or a network on which nothing is.
NOT_TO_BE_HAD = {
    "POST /v1/sessions",
    "DELETE /v1/sessions/{session}",
    "DELETE /v1/projects/{project}/networks/{network}",
}
NETWORKS = "^network_(list|get|create|update|delete)$"
ONLY = "^(network|session|event)_(list|get|create|update|delete)$"


@pytest.mark.parametrize(("only", "chains"), [(NETWORKS, 2), (ONLY, 5)])
def test_fuzzing_finds_no_fault(only: str, chains: int) -> None:
    with fuzz_world() as world:
        asked = argparse.Namespace(seconds=600, seed=1, examples=1, chains=chains, phases=PHASES, only=only)
        outcome = fuzz(world, asked)
    assert outcome["findings"] == []
    assert outcome["is_complete"]
    assert outcome["requests"] > 30 * chains
    assert {"200", "201", "400", "404"} <= outcome["statuses"].keys()
    assert outcome["operations"] >= 4
    assert set(outcome["never_granted"]) <= NOT_TO_BE_HAD
    for caller in outcome["callers"].values():
        assert list(caller["phases"]) == PHASES.split(",")
        assert all(phase["requests"] for phase in caller["phases"].values())
