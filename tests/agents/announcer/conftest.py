"""An announcer, whose BIRD is somewhere else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.announcer.running import Announcer
from tests.permits import Authority
from tests.pki import make_ca


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def stopped(tmp_path: Path, authority: Authority) -> Announcer:
    """An announcer without BIRD that does not run."""
    return Announcer(tmp_path / "announcer", make_ca(tmp_path / "ca"), authority)


@pytest.fixture
def announcer(stopped: Announcer) -> Iterator[Announcer]:
    """An announcer without BIRD."""
    with stopped.serving():
        yield stopped
