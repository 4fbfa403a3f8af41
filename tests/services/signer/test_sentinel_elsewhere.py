"""A sentinel on another machine than the control plane: it has its role and its keys, reaches PostgreSQL over TLS, as
docs/how-to/rotate-keys.md has it, and no Redis."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from django.conf import settings as configured
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from andromede_core.documents import signed
from controlplane.nodes import pki
from scripts import database_template, services
from scripts.polling import wait_until
from tests.limits import PATIENCE_S
from tests.processes import running
from tests.services.signer.conftest import Waiting, fresh
from tests.services.telemetry.test_process_endpoints import free_port
from tests.world import Cloud, cloud_in

# Nobody else's on the loopback, so that the port may be PostgreSQL's own.
HOST = f"127.83.{os.getpid() // 250 % 250 + 1}.{os.getpid() % 250 + 1}"
SENTINEL = "andromede_sentinel"
RULES = f"""
local all all trust
hostssl andromede {SENTINEL} 127.0.0.0/8 cert map=andromede-tls
"""
NAMES = f"andromede-tls sentinel {SENTINEL}\n"


@dataclass(frozen=True)
class Far:
    """`var`: of a PostgreSQL with TLS. `folder`: what the machine of the sentinel has."""

    var: Path
    folder: Path

    def sessions(self) -> str:
        """Return the roles of remote sessions, and whether they use TLS."""
        query = "SELECT DISTINCT usename, ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
        return services.sql(self.var, "andromede", f"{query} WHERE client_addr IS NOT NULL")

    def connect(self, **changes: str) -> None:
        options = {"dbname": "andromede", "user": SENTINEL, "host": HOST, "sslmode": "verify-full"}
        options |= {"sslrootcert": "ca.crt", "sslcert": "database.crt", "sslkey": "database.key"} | changes
        files = {name: str(self.folder / options[name]) for name in ("sslrootcert", "sslcert", "sslkey")}
        psycopg.connect(**options | files).close()


def request(folder: Path, name: str) -> Path:
    """A key that stays there, and what it asks for; as the documents have it."""
    command = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=any", "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.csr"]
    subprocess.run(command, check=True, capture_output=True)
    return folder / f"{name}.csr"


def serve(var: Path) -> None:
    """PostgreSQL lets the sentinel in over TLS, and nobody else but by its socket."""
    (var / "pg" / "pg_hba.conf").write_text(RULES)
    (var / "pg" / "pg_ident.conf").write_text(NAMES)
    for file in var.glob("pg/*.*"):
        os.chown(file, (var / "pg").stat().st_uid, -1)
    own = {"listen_addresses": f"'{HOST}'", "ssl": "on", "ssl_ca_file": "'ca.crt'"}
    services.start(var, is_durable=False, postgresql=own)


@pytest.fixture
def far(
    transactional_db: None, tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> Iterator[Far]:
    """All that this process writes goes into that database, whose schema is there."""
    settings.PKI_DIR = authority = tmp_path / "pki"
    pki.create_authority(authority)

    def certified(csr: Path, *whose: str) -> None:
        capsys.readouterr()
        call_command("issue_certificate", "--csr", str(csr), *whose)
        csr.with_suffix(".crt").write_text(capsys.readouterr().out)

    with TemporaryDirectory() as name:
        var, folder = Path(name), tmp_path / "sentinel"
        var.chmod(0o755)  # PostgreSQL's user comes by
        database_template.copy_cluster_into(var)
        folder.mkdir()
        certified(request(folder, "database"), "--sentinel")
        certified(request(var / "pg", "server"), "--database", HOST)
        for target in (folder, var / "pg"):
            shutil.copy(authority / "ca.crt", target)
        serve(var)
        here = {key: connection.settings_dict[key] for key in ("HOST", "NAME")}
        try:
            connection.close()
            connection.settings_dict.update(HOST=str(var / "run"), NAME="andromede")
            yield Far(var, folder)
        finally:
            connection.close()
            connection.settings_dict.update(here)
            services.stop(var)


@pytest.fixture
def cloud(far: Far, tmp_path: Path, settings: Settings) -> Iterator[Cloud]:
    settings.IMAGES_DIR = tmp_path / "images"
    with cloud_in(tmp_path) as created:
        yield created


def test_remote_sentinel_signs_over_tls_as_its_role_without_redis(
    cosigning: Waiting, far: Far, settings: Settings
) -> None:
    for key in settings.PKI_DIR.glob("sentinel*.key"):
        shutil.copy(key, far.folder)
    port = free_port()
    own = {"DB_HOST": HOST, "DB_USER": SENTINEL, "DB_HAS_TLS": "true", "PKI_DIR": str(far.folder), "SECRET_KEY": ""}
    own |= {"REDIS_URL": "redis+socket:///nowhere/redis.sock", "OBSERVE_LISTEN": f"127.0.0.1:{port}"}
    environment = os.environ | {f"ANDROMEDE_{name}": value for name, value in own.items()}
    command = [sys.executable, "-m", "controlplane.config.run_sentinel"]
    log = far.folder / "log"
    with log.open("wb") as file:
        options = {"cwd": configured.BASE_DIR, "env": environment, "stdout": file, "stderr": file}
        with running(command, **options) as process:
            wait_until(lambda: fresh(cosigning.row.pk).state != "cosigning", limit_s=PATIENCE_S, or_else=log.read_text)
            row = fresh(cosigning.row.pk)
            assert row.state == "signed", row.error
            assert signed.read(bytes(row.sentinel_signature or b"")).key_id.startswith("sentinel-")
            assert far.sessions() == f"{SENTINEL}|t"
            process.terminate()
            assert process.wait(PATIENCE_S) == 0, log.read_text()


def test_remote_sentinel_connection_is_authenticated_on_both_sides(far: Far) -> None:
    far.connect()
    pki.issue_process(far.folder.parent / "pki", "worker")
    for name in ("worker.crt", "worker.key"):
        shutil.copy(far.folder.parent / "pki" / name, far.folder)
    for reason, changes in {
        "no pg_hba.conf entry": {"user": "andromede_worker"},
        'certificate authentication failed for user "andromede_sentinel"': {
            "sslcert": "worker.crt",
            "sslkey": "worker.key",
        },
        "requires a valid client certificate": {"sslcert": "none.crt", "sslkey": "none.key"},
        "no encryption": {"sslmode": "disable"},
        "does not match host name": {"host": "control.example.org", "hostaddr": HOST},
    }.items():
        with pytest.raises(psycopg.OperationalError, match=reason):
            far.connect(**changes)
