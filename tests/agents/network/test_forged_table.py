"""The table of forged frames itself, and its page."""

from collections import Counter
from pathlib import Path

from tests.agents.network.forged_table import CONTROLS, TABLE, page

PAGE = Path(__file__).parents[3] / "docs/reference/forged-frames.md"
KINDS = [kind for _, kinds in TABLE.values() for kind in kinds]


def test_each_kind_is_there_once() -> None:
    assert [name for name, count in Counter(kind.name for kind in KINDS).items() if count > 1] == []
    twice = {each for each, count in Counter((kind.sender, kind.frame) for kind in KINDS).items() if count > 1}
    assert [kind.name for kind in KINDS if (kind.sender, kind.frame) in twice] == []


def test_each_kind_has_an_honest_frame_like_it() -> None:
    assert {kind.control for kind in KINDS} <= set(CONTROLS)
    assert [kind.name for kind in KINDS if kind.frame == CONTROLS[kind.control]] == []


def test_the_page_shows_the_table() -> None:
    assert PAGE.read_text() == page()
