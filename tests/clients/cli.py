"""The installed command as people and scripts run it: in a process of its own, in a pipe or on a terminal."""

import io
import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from andromede_cli import app
from tests.clients.conftest import Live
from tests.limits import PATIENCE_S


@dataclass(frozen=True)
class CliResult:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def yaml_free_lines(self) -> list[str]:
        return self.out.splitlines()


@dataclass
class Cli:
    """The command. `home` has the configuration; of the environment of the tests only the PATH is passed on."""

    program: Path
    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        own = {"PATH": os.environ["PATH"], "HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home / "config")}
        return {**own, "LANG": "C.UTF-8", **self.variables, **(more or {})}

    def __call__(self, *words: str, stdin: str = "", **more: str) -> CliResult:
        result = subprocess.run(
            [self.program, *words],
            input=stdin,
            env=self.environment(more),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert "Traceback" not in result.stderr, result.stderr
        return CliResult(result.returncode, result.stdout, result.stderr)

    def ok(self, *words: str, **options: str) -> CliResult:
        result = self(*words, **options)
        assert result.code == 0, result.err
        return result


def signed_in(program: Path, home: Path, live: Live, *, token: str | None = None) -> "Inside":
    """Return the command in the process of the tests, whose `program` can be started too: by `apart`, on a terminal."""
    known = {"ANDROMEDE_URL": live.url, "ANDROMEDE_TOKEN": token or live.token, "ANDROMEDE_PROJECT": "demo"}
    return Inside(program, home, known)


@dataclass
class Terminal:
    """A command on a terminal of its own; this object has its screen and keyboard."""

    process: subprocess.Popen[bytes]
    end: int
    seen: bytes = b""

    def wait_for(self, text: str) -> None:
        while text.encode() not in self.seen:
            assert self._read(), f"It ended without {text!r}: {self.seen!r}"

    def type(self, text: str) -> None:
        os.write(self.end, text.encode())

    def finish(self) -> int:
        while self._read():
            pass
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.end)

    def _read(self) -> bool:
        """Read output; False at the end."""
        ready, _, _ = select.select([self.end], [], [], PATIENCE_S)
        assert ready, f"Nothing more came: {self.seen!r}"
        try:
            piece = os.read(self.end, 65536)
        except OSError:  # that is how the end of a terminal reads
            return False
        self.seen += piece
        return bool(piece)


def on_terminal(cli: Cli, *words: str, **more: str) -> Terminal:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [cli.program, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=cli.environment({"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40", **more}),
        start_new_session=True,
        preexec_fn=_take_terminal,
    )
    os.close(theirs)
    return Terminal(process, ours)


def _take_terminal() -> None:
    """Take the terminal, so that Ctrl-C reaches the command."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@dataclass
class Inside(Cli):
    """Runs the command in the process of the tests, which is quicker; in one language, with text as its input."""

    @property
    def apart(self) -> Cli:
        """The same command as a process of its own."""
        return Cli(self.program, self.home, self.variables)

    def __call__(self, *words: str, stdin: str = "", **more: str) -> CliResult:
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, self.environment(more), clear=True),
            mock.patch.object(sys, "stdin", io.StringIO(stdin)),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            code = app.run(words)
        assert "Internal error" not in err.getvalue(), err.getvalue()
        return CliResult(int(code), out.getvalue(), err.getvalue())


def inside(home: Path, live: Live, token: str, **more: str) -> Inside:
    return Inside(Path("andromede"), home, {"ANDROMEDE_URL": live.url, "ANDROMEDE_TOKEN": token, **more})
