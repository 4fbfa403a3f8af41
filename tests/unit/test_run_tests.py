"""Tests that failed run once more: real runs of pytest over small tests."""

import json
from pathlib import Path

import pytest

from scripts import run_tests

PASSES = "def test_good(): pass\n"
FAILS = "def test_bad_{n}(): assert False, 'always'\n"
AT_FIRST = """
from pathlib import Path
def test_flaky_{n}():
    seen = Path(__file__).with_name("seen_{n}")
    was_seen = seen.exists()
    seen.touch()
    assert was_seen, "only at first"
"""


def outcome(folder: Path, text: str, capfd: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    """The exit status, and what was printed."""
    (folder / "test_some.py").write_text(text)
    file = folder / "var" / "flaky.json"
    status = run_tests.main([*options, str(folder / "test_some.py")], flaky_file=file)
    return status, capfd.readouterr().out


@pytest.fixture(autouse=True)
def small_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A run of what failed has the same options, which pytest finds in the environment."""
    monkeypatch.setenv("PYTEST_ADDOPTS", f"-c /dev/null -p no:cacheprovider -p no:django --rootdir {tmp_path}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(run_tests.ROOT))


def test_a_green_run_is_green(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    status, printed = outcome(tmp_path, PASSES, capfd)
    assert (status, "1 passed" in printed, "FLAKY" in printed) == (0, True, False)


def test_test_that_passes_alone_is_flaky(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    status, printed = outcome(tmp_path, PASSES + "".join(AT_FIRST.format(n=n) for n in range(3)), capfd)
    assert status == 0
    assert printed.splitlines()[-1] == "4 passed, 0 failed"
    assert "FLAKY" in printed
    flaky = json.loads((tmp_path / "var" / "flaky.json").read_text())
    assert sorted(flaky) == [f"test_some.py::test_flaky_{n}" for n in range(3)]
    assert all("only at first" in text for text in flaky.values())


def test_test_that_fails_twice_is_red(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    status, printed = outcome(tmp_path, FAILS.format(n=1) + AT_FIRST.format(n=1), capfd)
    assert (status, "FLAKY" in printed) == (1, False)
    assert not (tmp_path / "var" / "flaky.json").exists()


def test_more_than_three_failures_are_not_retried(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    status, printed = outcome(tmp_path, "".join(AT_FIRST.format(n=n) for n in range(4)), capfd)
    assert (status, "once more" in printed) == (1, False)


@pytest.mark.parametrize(
    ("text", "status"),
    [("import nothing_of_the_kind\n", 2), ("", 5), (PASSES + "import os\ndef test_dies(): os._exit(3)\n", 3)],
    ids=["does not load", "no tests", "its process dies"],
)
def test_aborted_run_is_red(tmp_path: Path, capfd: pytest.CaptureFixture[str], text: str, status: int) -> None:
    returned, printed = outcome(tmp_path, text, capfd)
    assert (returned, "once more" in printed) == (status, False)


def test_run_with_a_dead_process_is_red(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    status, printed = outcome(tmp_path, PASSES + "import os\ndef test_dies(): os._exit(3)\n", capfd, "-n", "1")
    assert (status != 0, "once more" in printed) == (True, False)
