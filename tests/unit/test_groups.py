"""Distribution of tests to processes."""

import subprocess
import sys
from pathlib import Path

from scripts.control_plane import ROOT
from tests.limits import PATIENCE_S

DIES = """
import os

def test_dies(): os._exit(3)
def test_one(): pass
def test_another(): pass
def test_one_more(): pass
"""


def test_dead_test_process_is_replaced(tmp_path: Path) -> None:
    """The test in which it died has failed, and is not retried."""
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_xdist_make_scheduler\n")
    (tmp_path / "test_dying.py").write_text(DIES)
    options = ["-n", "2", "-c", "pyproject.toml"]
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path / "test_dying.py")]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert ran.stdout.count("replacing crashed worker") == 1, ran.stdout + ran.stderr
    assert "1 failed, 3 passed" in ran.stdout
