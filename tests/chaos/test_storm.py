"""A short run of `make chaos`, with fewer acts and strikes, and with the loss of a node."""

import pytest

from scripts.chaos.run import storm
from scripts.chaos.schedule import Length
from scripts.chaos.world import chaos_world
from scripts.control_plane import ROOT

pytestmark = pytest.mark.slow

PORT = 8220  # `make chaos` has those before


def test_a_short_storm_leaves_nothing_wrong() -> None:
    with chaos_world(ROOT / "var" / "test-chaos", port=PORT) as world:
        found = storm(world, 1, Length(acts=40, strikes=10, seconds=20))
    assert found["findings"] == []
    assert found["requests"]["sent"] == 40
    assert found["operations"] > 15
    assert found["by_state"].keys() <= {"succeeded", "failed", "cancelled"}
    assert sum(found["strikes"].values()) + found["missed_strikes"] == 10
    assert found["rounds"]["fence"] == 1
    assert found["rounds"]["return"] >= 1
