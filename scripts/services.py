"""A private PostgreSQL cluster and a private Redis under one folder: `python -m scripts.services start|stop [--var
DIR]`.

Both listen on sockets in DIR/run alone. PostgreSQL refuses to run as root, so root starts it as the user postgres.
"""

import argparse
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from controlplane.kernel import database_roles

SOCKET_PATH_MAX = 100
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["start", "stop"])
    parser.add_argument("--var", type=Path, default=Path("var"))
    parser.add_argument("--no-fsync", action="store_true", help="for tests: a power cut may lose everything")
    arguments = parser.parse_args()
    var = arguments.var.resolve()
    if arguments.action == "start":
        start(var, is_durable=not arguments.no_fsync)
    else:
        stop(var)
    return 0


def start(var: Path, *, is_durable: bool = True, postgresql: Mapping[str, str] = NO_SETTINGS) -> None:
    """Start both, unless they run. Returns when both answer. `postgresql`: settings of postgresql.conf that differ."""
    if len(str(var / "run" / ".s.PGSQL.5432.lock")) > SOCKET_PATH_MAX:
        raise SystemExit(f"{var} is too long a path for sockets; use a shorter one.")
    for folder in ("run", "log", "redis"):
        (var / folder).mkdir(parents=True, exist_ok=True)
    _start_postgresql(var, {**_settings(var, is_durable=is_durable), **postgresql})
    _start_redis(var)


def stop(var: Path) -> None:
    """Stop what `start` started; nothing to stop is fine."""
    if (var / "pg" / "postmaster.pid").exists():
        crash_postgresql(var)
    pid_file = var / "run" / "redis.pid"
    if pid_file.exists():
        _end(int(pid_file.read_text()), b"redis-server")
        pid_file.unlink(missing_ok=True)


def is_up(var: Path) -> bool:
    """Return whether both run, answering or not."""
    redis = var / "run" / "redis.pid"
    return (
        redis.exists()
        and _is_running(int(redis.read_text() or 0), b"redis-server")
        and _as_database_user(var, [binary("pg_ctl"), "-D", str(var / "pg"), "status"], check=False) == 0
    )


def crash_postgresql(var: Path) -> None:
    """Stop PostgreSQL without a checkpoint: at its next start it recovers from its log."""
    _as_database_user(var, [binary("pg_ctl"), "-D", str(var / "pg"), "-m", "immediate", "-w", "stop"], check=False)


def end_postgresql(var: Path) -> None:
    """Stop PostgreSQL properly: its folder can be copied."""
    _as_database_user(var, [binary("pg_ctl"), "-D", str(var / "pg"), "-m", "fast", "-w", "stop"])


def _start_postgresql(var: Path, own: Mapping[str, str]) -> None:
    data = var / "pg"
    if _as_database_user(var, [binary("pg_ctl"), "-D", str(data), "status"], check=False) == 0:
        return
    if os.getuid() == 0:
        for folder in (var / "run", var / "log"):
            shutil.chown(folder, "postgres")
    if not data.exists():
        _make_cluster(var)
    settings = "".join(f"{name} = {value}\n" for name, value in own.items())
    (data / "postgresql.auto.conf").write_text(settings)
    (data / "postmaster.pid").unlink(missing_ok=True)
    log = str(var / "log" / "postgresql.log")
    _as_database_user(var, [binary("pg_ctl"), "-D", str(data), "-l", log, "-w", "-t", "60", "start"])
    if sql(var, "postgres", "SELECT 1 FROM pg_database WHERE datname = 'andromede'") != "1":
        sql(var, "postgres", "CREATE DATABASE andromede")
    there = set(sql(var, "postgres", "SELECT rolname FROM pg_roles").split())
    for role in sorted({database_roles.PREFIX + name for name in database_roles.ROLES} - there):
        sql(var, "postgres", f"CREATE ROLE {role} LOGIN")


def _make_cluster(var: Path) -> None:
    data = var / "pg"
    data.mkdir(mode=0o700)
    if os.getuid() == 0:
        shutil.chown(data, "postgres")
    options = ["-U", "andromede", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
    _as_database_user(var, [binary("initdb"), "-D", str(data), *options])


def _settings(var: Path, *, is_durable: bool) -> dict[str, str]:
    """Write the settings.

    Every user who reaches the socket is trusted (initdb -A trust), so only its owner and root reach it.
    """
    durable = "on" if is_durable else "off"
    return {
        "listen_addresses": "''",
        "unix_socket_directories": f"'{var}/run'",
        "unix_socket_permissions": "0700",
        "max_connections": "200",
        # Of sessions that say nothing else, such as people's.
        "idle_in_transaction_session_timeout": "60s",
        "shared_buffers": "64MB",
        # Whom it refuses something.
        "log_line_prefix": "'%m [%p] %u '",
        "fsync": durable,
        "synchronous_commit": durable,
        "full_page_writes": durable,
    }


def _start_redis(var: Path) -> None:
    pid_file = var / "run" / "redis.pid"
    if pid_file.exists() and _is_running(int(pid_file.read_text()), b"redis-server"):
        return
    socket = var / "run" / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"]
    command += ["--daemonize", "yes", "--pidfile", str(pid_file), "--dir", str(var / "redis"), "--save", ""]
    command += ["--appendonly", "no", "--logfile", str(var / "log" / "redis.log")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    for _ in range(100):
        ping = subprocess.run(["redis-cli", "-s", str(socket), "ping"], capture_output=True, text=True, check=False)
        if ping.stdout.strip() == "PONG":
            return
        time.sleep(0.05)
    raise SystemExit(f"Redis does not answer; see {var}/log/redis.log.")


def sql(var: Path, database: str, statement: str) -> str:
    """Return psql's output for a statement."""
    command = [binary("psql"), "-h", str(var / "run"), "-U", "andromede", "-d", database, "-Atqc", statement]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _as_database_user(var: Path, command: list[str], *, check: bool = True) -> int:
    if os.getuid() == 0:
        command = [
            "setpriv",
            "--reuid=postgres",
            f"--regid={pwd.getpwnam('postgres').pw_gid}",
            "--clear-groups",
            *command,
        ]
    result = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/")
    if check and result.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{result.stdout}")
    return result.returncode


def binary(name: str) -> str:
    """Return the program's path: Debian has a folder for each version; the newest is used."""
    paths = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    if not paths:
        raise SystemExit("PostgreSQL is not installed: run `make setup` as root.")
    return str(paths[-1])


def _is_running(pid: int, name: bytes) -> bool:
    try:
        return name in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _end(pid: int, name: bytes) -> None:
    if not _is_running(pid, name):
        return
    os.kill(pid, signal.SIGTERM)
    for _ in range(100):
        if not _is_running(pid, name):
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
