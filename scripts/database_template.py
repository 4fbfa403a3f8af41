"""A PostgreSQL cluster with the schema, made once and copied for processes that do not need durability.

Tests use it, and clouds without fsync. Making and migrating a cluster takes some ten seconds of processor time, a copy
none.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from controlplane.kernel import database_roles
from scripts import services

ROOT = Path(__file__).resolve().parent.parent
VAR = ROOT / "var" / "prepared"


def copy_cluster_into(var: Path) -> bool:
    """Copy a cluster to DIR/pg for services.start(), unless there is one. Other processes may do the same at once.

    Returns whether it was copied: then it has the schema and the rights of each process.
    """
    if (var / "pg").exists():
        return False
    var.mkdir(parents=True, exist_ok=True)
    VAR.parent.mkdir(exist_ok=True)
    with VAR.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        digest, stamp = schema_digest(), VAR / "stamp"
        if not stamp.exists() or stamp.read_text() != digest:
            make_cluster()
            stamp.write_text(digest)
        subprocess.run(["cp", "--archive", "--reflink=auto", str(VAR / "pg"), str(var / "pg")], check=True)
    return True


def schema_digest(apps: Path = ROOT / "controlplane") -> str:
    """Return a digest of all sources of the schema, and of its owner."""
    digest = hashlib.sha256(f"{services.binary('postgres')} {os.getuid()}\n".encode())
    migrations = sorted(apps.glob("*/migrations/*.py"))
    for path in (
        *migrations,
        ROOT / "requirements.txt",
        Path(services.__file__),
        Path(database_roles.__file__),
        Path(__file__),
    ):
        digest.update(f"{path}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def make_cluster() -> None:
    """Make the cluster in VAR and migrate it; replaces a former one."""
    services.stop(VAR)
    shutil.rmtree(VAR, ignore_errors=True)
    others = {name: value for name, value in os.environ.items() if not name.startswith("ANDROMEDE_")}
    ours = {"ANDROMEDE_VAR_DIR": str(VAR), "ANDROMEDE_SECRET_KEY": "only-to-migrate"}
    try:
        services.start(VAR, is_durable=False)
        for command in (["migrate", "--verbosity", "0"], ["grant_database_roles"]):
            manage = [sys.executable, "manage.py", *command]
            subprocess.run(
                manage,
                cwd=ROOT,
                env={**others, **ours},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                check=True,
            )
        services.end_postgresql(VAR)
    finally:
        services.stop(VAR)
