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
        outcome = storm(world, 1, Length(acts=40, strikes=10, seconds=20))
    assert outcome["findings"] == []
    assert outcome["requests"]["sent"] == 40
    assert outcome["operations"] > 15
    assert outcome["by_state"].keys() <= {"succeeded", "failed", "cancelled"}
    assert sum(outcome["strikes"].values()) + outcome["missed_strikes"] == 10
    assert outcome["rounds"]["fence"] == 1
    assert outcome["rounds"]["return"] >= 1
