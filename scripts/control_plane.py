"""The processes of a control plane on one machine, under one folder: for the demo, the benchmarks and the tests of
faults.

var/run    sockets and the pid of every process     var/log    what they print
var/pki    certificates                              var/images the image store
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from agents.lab.shell import PATIENCE_S
from controlplane.catalog import signing_keys
from controlplane.config import workers
from controlplane.kernel import database_roles
from scripts import database_template, nginx, services
from scripts.forked_commands import ForkedCommands, program_of, record_pid

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
OFFICER = "Officer of the demo"
# Processes that are one in what they are trusted with.
TRUSTS = {"transfer": "worker", "periodic": "worker"}
# They seal nothing, and sign with keys of their own.
WITHOUT_SECRET_KEY = ("signer", "sentinel", "watcher")
STOP_LIMIT_S = 10


@dataclass
class Stack:
    """A control plane. `settings`: ANDROMEDE_* variables that differ from the defaults, without the prefix.

    `has_front`: nginx has the port, so that pages, API and stream are one site; else the API has it.
    """

    var: Path
    port: int = 8000
    is_durable: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)
    worker_threads: int = 8
    has_front: bool = False
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _commands: ForkedCommands | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def stream_port(self) -> int:
        return self.port + 1

    @property
    def stream_url(self) -> str:
        """Return the URL of GET /v1/events/stream and of consoles, which a proxy would serve beside the rest."""
        return f"http://127.0.0.1:{self.stream_port}"

    def environment(self) -> dict[str, str]:
        own = {"VAR_DIR": str(self.var), "SECRET_KEY_FILE": str(self.var / "secret-key"), **self._on_loopback()}
        own |= self.settings
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANDROMEDE_")},
            "DJANGO_SETTINGS_MODULE": "controlplane.config.settings",
            **{f"ANDROMEDE_{name}": value for name, value in own.items()},
        }

    def _on_loopback(self) -> dict[str, str]:
        """Return the settings of a site on loopback, without TLS. Without nginx the stream is a site of its own."""
        apart = {"STREAM_URL": self.stream_url.replace("http", "ws", 1)}
        return {"ARE_COOKIES_SECURE": "false", **({"TRUSTED_PROXIES": "unix,127.0.0.1"} if self.has_front else apart)}

    def prepare(self) -> None:
        """Prepare PostgreSQL, Redis, the schema, certificates, keys and the catalogue; repeating it changes nothing."""
        self.var.mkdir(parents=True, exist_ok=True)
        key = self.var / "secret-key"
        if not key.exists():
            key.touch(mode=0o600)
            key.write_text(secrets.token_urlsafe(48))
        is_migrated = not self.is_durable and database_template.copy_cluster_into(self.var)
        services.start(self.var, is_durable=self.is_durable)
        if not is_migrated:
            self.migrate()
        self.manage("init_pki", "--sentinel")
        fixtures = ROOT / "controlplane" / "catalog" / "fixtures"
        catalogue = str(fixtures / "catalogue.json")
        self.manage("import_catalogue", catalogue, "--key", str(self._officer()), "--attested-at", "now")
        self.manage("import_offers", str(fixtures / "offers.json"))
        self.manage("import_classifications")
        self.manage("keyset_publish", "--root-key", str(self.root_key))

    def migrate(self) -> None:
        """Bring the schema up to date, and the rights of each process in it."""
        self.manage("migrate", "--verbosity", "0")
        self.manage("grant_database_roles")

    @property
    def root_key(self) -> Path:
        """Return the root key, which in production is on a machine of its own."""
        return self.var / "pki" / "root.key"

    @property
    def officer_key(self) -> Path:
        """Return the key of the one officer of this cloud, who signs facts."""
        return self.var / "pki" / "officer.key"

    def _officer(self) -> Path:
        """Return the officer's key, which is registered."""
        path = self.officer_key
        key = signing_keys.read_private_key(path) if path.exists() else signing_keys.create_private_key(path)
        self.manage("officer_key", "register", "-", "--officer", OFFICER, stdin=signing_keys.public_part(key))
        return path

    def commands(self) -> dict[str, list[str]]:
        web = [
            "--bind",
            f"unix:{self._web_socket}" if self.has_front else f"127.0.0.1:{self.port}",
            "--worker-class",
            "gthread",
            "--workers",
            "2",
            "--threads",
            "16",
            "--log-level",
            "warning",
            "--config",
            "python:controlplane.config.gunicorn",
        ]
        stream = ["--host", "127.0.0.1", "--port", str(self.stream_port), "--log-level", "warning"]
        stream += ["--no-access-log", "--timeout-graceful-shutdown", "2", "--ws-max-size", str(2**20)]
        stream += ["--ws-ping-timeout", "300"]
        return {
            "web": [str(BIN / "gunicorn"), *web, "controlplane.config.wsgi"],
            **{name: [str(BIN / "celery"), *workers.arguments(name, self._threads(name))] for name in workers.WORKERS},
            "stream": [str(BIN / "uvicorn"), *stream, "controlplane.config.asgi:application"],
            "watcher": [str(BIN / "python"), "manage.py", "watch_nodes"],
            **self._front(),
        }

    def _threads(self, name: str) -> int:
        return self.worker_threads if name == "worker" else 0

    def _front(self) -> dict[str, list[str]]:
        if not self.has_front:
            return {}
        run = self.var / "run"
        return {
            "front": nginx.command(
                run, port=self.port, web=f"unix:{self._web_socket}", stream=f"127.0.0.1:{self.stream_port}"
            )
        }

    @property
    def _web_socket(self) -> Path:
        return self.var / "run" / "web.sock"

    def start(self) -> None:
        """Start the processes that do not run, and return when the API answers and they all run."""
        for name in self.commands():
            self.start_process(name)
        self.wait_for_api()
        for name in self.commands():
            if self.process(name) is None:
                raise SystemExit(f"The process {name} has ended; see {self.var}/log/{name}.log.")

    def start_process(self, name: str) -> None:
        if self.process(name) is None:
            self.spawn(name, self.commands()[name])

    def spawn(self, name: str, command: Sequence[str]) -> None:
        """Start a process of that name; stop() ends it too."""
        self._reap(name)
        log = self.var / "log" / f"{name}.log"
        # As a copy of one process that has loaded what it needs, and so shares its memory, where that can be.
        (self._copy if program_of(command) else self._process)(name, command, log)

    def _copy(self, name: str, command: Sequence[str], log: Path) -> None:
        has_secret_key = name not in WITHOUT_SECRET_KEY
        self._loaded().begin(name, command, log, self._pid_file(name), user=_user(name), has_secret_key=has_secret_key)

    def _process(self, name: str, command: Sequence[str], log: Path) -> None:
        with log.open("ab") as file:
            self.children[name] = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment() | _own(name),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        record_pid(self.children[name].pid, self._pid_file(name))

    def wait_for_api(self) -> None:
        """Wait for the API. Raises SystemExit: it does not answer in time, or web has ended."""
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers():
            if self.process("web") is None or time.monotonic() > deadline:
                raise SystemExit(f"The API does not answer; see {self.var}/log/web.log.")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/v1/healthz", timeout=2).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def manage(self, *arguments: str, stdin: str | None = None) -> str:
        """Run a manage.py command and return its output; its failure ends this program with its output."""
        return _printed(self._loaded().run(arguments, stdin=stdin), arguments)

    def _loaded(self) -> ForkedCommands:
        """Return the preloaded process, with the current settings."""
        environment = self.environment()
        if self._commands is not None and _settings(self._commands.environment) != _settings(environment):
            self._commands.close()
            self._commands = None
        if self._commands is None:
            self._commands = ForkedCommands(environment)
        return self._commands

    @property
    def loaded_pid(self) -> int | None:
        """Return the pid of the preloaded process, which workers and commands are copies of."""
        return self._commands.pid if self._commands is not None else None

    def python(self, *arguments: str) -> str:
        """Run any Python program in the environment of the processes, and return its output."""
        command = [str(BIN / "python"), *arguments]
        result = subprocess.run(command, cwd=ROOT, env=self.environment(), capture_output=True, text=True, check=False)
        return _printed(result, arguments)

    def process(self, name: str) -> psutil.Process | None:
        """Return the process started under this name, if it still runs; a reused pid is not it."""
        try:
            recorded = json.loads(self._pid_file(name).read_text())
            process = psutil.Process(recorded["pid"])
            same = abs(process.create_time() - recorded["started"]) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except (FileNotFoundError, psutil.NoSuchProcess):
            return None
        return process if same else None

    def kill(self, name: str) -> None:
        """Kill the process and its children (SIGKILL), as the kernel does when memory runs out."""
        process = self.process(name)
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(STOP_LIMIT_S)
        self._reap(name)

    def stop(self) -> None:
        """Stop all started processes."""
        names = [path.name.removesuffix(".json") for path in (self.var / "run").glob("*.json")]
        running = {name: process for name in names if (process := self.process(name)) is not None}
        for process in running.values():
            process.terminate()
        psutil.wait_procs(list(running.values()), timeout=STOP_LIMIT_S)
        for name in names:
            self.kill(name)
            self._pid_file(name).unlink(missing_ok=True)
        if self._commands is not None:
            self._commands.close()
        services.stop(self.var)

    def _reap(self, name: str) -> None:
        """Reap ended child processes, which would stay zombies."""
        if (child := self.children.pop(name, None)) is not None:
            child.wait(STOP_LIMIT_S)

    def _pid_file(self, name: str) -> Path:
        return self.var / "run" / f"{name}.json"


def _user(name: str) -> str | None:
    """Return the database user of the process, as in the playbook; None: it does not use the database."""
    trust = TRUSTS.get(name, name)
    return database_roles.PREFIX + trust if trust in database_roles.ROLES else None


def _own(name: str) -> dict[str, str]:
    """Return the environment of this process alone."""
    user = _user(name)
    own = {"ANDROMEDE_DB_USER": user} if user is not None else {}
    if name in WITHOUT_SECRET_KEY:
        own |= {"ANDROMEDE_SECRET_KEY": "", "ANDROMEDE_SECRET_KEY_FILE": os.devnull}
    return own | ({"ANDROMEDE_PROCESS": "web"} if name == "web" else {})


def _settings(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith("ANDROMEDE_")}


def _printed(result: subprocess.CompletedProcess[str], arguments: Sequence[str]) -> str:
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{result.stderr}")
    return result.stdout.strip()
