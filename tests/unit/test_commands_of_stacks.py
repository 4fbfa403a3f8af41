"""Commands that run in copies of one process: each begins anew, and is told from the others by nothing."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest

from scripts.forked_commands import ForkedCommands, limits_of, program_of
from scripts.polling import wait_until
from tests.limits import PATIENCE_S

LEAVE = "import os, sys; sys.modules['left'] = sys; print(os.getpid(), os.getppid(), sys.stdin.read())"
LOOK = "import os, sys; print(os.getpid(), os.getppid(), 'left' in sys.modules, repr(sys.stdin.read()))"


@pytest.fixture(scope="module")
def commands() -> Iterator[ForkedCommands]:
    created = ForkedCommands(dict(os.environ))
    yield created
    created.close()


def shell(commands: ForkedCommands, code: str, *, stdin: str | None = None) -> list[str]:
    result = commands.run(("shell", "--no-imports", "--verbosity", "0", "--command", code), stdin=stdin)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.split()


def test_each_command_runs_in_a_clean_copy(commands: ForkedCommands) -> None:
    pid, parent, text = shell(commands, LEAVE, stdin="été")
    assert text == "été"
    other, same, remaining, nothing = shell(commands, LOOK)
    assert (same, remaining, nothing) == (parent, "False", "''")
    assert other != pid
    commands.close()
    assert not psutil.pid_exists(int(parent))


def test_a_process_that_does_not_end_is_killed(commands: ForkedCommands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.forked_commands.END_LIMIT_S", 0.1)
    parent = int(shell(commands, LOOK)[1])
    psutil.Process(parent).suspend()
    commands.close()
    assert not psutil.pid_exists(parent)


def test_failed_command_has_its_error_and_the_next_one_runs(commands: ForkedCommands) -> None:
    unknown = commands.run(("nonsense",), stdin=None)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "Unknown command: 'nonsense'" in unknown.stderr
    broken = commands.run(("shell", "--no-imports", "--command", "1 / 0"), stdin=None)
    assert broken.returncode == 1
    assert "ZeroDivisionError" in broken.stderr
    assert shell(commands, "print(1)") == ["1"]


def test_a_process_is_a_copy_with_a_session_and_a_log_of_its_own(commands: ForkedCommands, tmp_path: Path) -> None:
    pid = commands.begin("worker", ["celery", "--version"], tmp_path / "log", tmp_path / "pid")
    wait_until(lambda: not psutil.pid_exists(pid), limit_s=PATIENCE_S)  # a zombie would still be there
    assert version("celery") in (tmp_path / "log").read_text()


def test_long_running_command_has_its_database_limits(commands: ForkedCommands, tmp_path: Path) -> None:
    command = ["/somewhere/python", "manage.py", "watch_nodes"]
    pid = commands.begin("watcher", [*command, "--help"], tmp_path / "log", tmp_path / "pid")
    wait_until(lambda: not psutil.pid_exists(pid), limit_s=PATIENCE_S)
    assert "Run the watcher" in (tmp_path / "log").read_text()
    assert " -c lock_timeout=2s" in limits_of(command)
    assert limits_of(["celery", "worker"]) == ""
    assert program_of(["/somewhere/python", "-m", "agents.node.main"]) is None


def test_forked_process_survives_its_parent(commands: ForkedCommands, tmp_path: Path) -> None:
    command = ["uvicorn", "--uds", str(tmp_path / "socket"), "nothing:at_all"]
    pid = commands.begin("stream", command, tmp_path / "log", tmp_path / "pid")
    copy = psutil.Process(pid)
    assert json.loads((tmp_path / "pid").read_text()) == {"pid": pid, "started": copy.create_time()}
    copy.suspend()
    assert os.getsid(pid) == pid
    commands.close()
    assert copy.is_running()
    copy.kill()


def test_process_of_an_interrupted_caller_is_noted(
    commands: ForkedCommands, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The pid file is a pipe, so that the answer waits until the caller has been interrupted."""
    parent, pipe, noted = psutil.Process(int(shell(commands, LOOK)[1])), tmp_path / "pid", list[int]()
    os.mkfifo(pipe)

    def interrupt() -> None:
        wait_until(lambda: parent.children() != [], limit_s=PATIENCE_S)
        os.kill(os.getpid(), signal.SIGINT)
        noted.append(json.loads(pipe.read_text())["pid"])

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    command = ["python", "manage.py", "shell", "--no-imports", "--command", "import signal; signal.pause()"]
    with pytest.raises(KeyboardInterrupt):
        commands.begin("stream", command, tmp_path / "log", pipe)
    interrupter.join(PATIENCE_S)
    psutil.Process(noted[0]).kill()
    assert capfd.readouterr().err == ""
    assert shell(commands, "print('mine')") == ["mine"]  # not the answer that the caller did not wait for


def test_failed_start_differs_from_a_failed_command(capfd: pytest.CaptureFixture[str]) -> None:
    commands = ForkedCommands({**os.environ, "DJANGO_SETTINGS_MODULE": "nowhere"})
    with pytest.raises(SystemExit, match="has ended"):
        commands.run(("help",), stdin=None)
    assert "No module named 'nowhere'" in capfd.readouterr().err
    commands.close()
