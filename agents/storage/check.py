"""Ask a cluster what the storage agent's user may do: python -m agents.storage.check --pool NAME.

Prints each problem with what to do, and ends with 1 if there is one. Nothing in the cluster is different afterwards.
"""

import argparse
import errno
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rados
import rbd

from agents.storage.capabilities import of_agent
from agents.storage.server import LIMIT_S

ABSENT = "andromede-check"  # the name of an object, and of a user, that is not there
KEY = "client.v-andromede-check"
ADDRESS = "192.0.2.1:0/1"  # of no client: a network for documentation
LIMITS = ("client_mount_timeout", "rados_mon_op_timeout", "rados_osd_op_timeout")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    found = problems(options.conf, options.client, options.keyring, options.pool, limit_s=options.limit_s)
    for problem in found:
        sys.stdout.write(f"{problem}\n")
    return 1 if found else 0


def problems(conf: Path, client: str, keyring: Path, pools: Sequence[str], *, limit_s: int) -> list[str]:
    """Return what is wrong with the cluster's answers to this user, each as a sentence with the next step."""
    try:
        with _connected(conf, client, keyring, limit_s=limit_s) as connection:
            found = [*_monitors(connection), *_pools(connection, pools)]
    except (rados.PermissionDeniedError, rados.PermissionError, rados.InvalidArgumentError) as exc:
        return [f"The cluster refuses client.{client} with the key of {keyring} ({exc}): copy its keyring again."]
    except rados.TimedOut:
        return [
            f"The cluster of {conf} did not answer within {limit_s} s: check its mon_host, and let this machine reach"
            " the monitors (TCP 3300) and OSDs (TCP 6800 to 7300)."
        ]
    except rados.Error as exc:
        return [f"The cluster of {conf} cannot be asked: {exc}. Check this file, and {keyring}."]
    if found:
        caps = shlex.join(of_agent(pools))
        found.append(f"To give the user what it needs and no more: ceph auth caps client.{client} {caps}")
    return found


@contextmanager
def _connected(conf: Path, client: str, keyring: Path, *, limit_s: int) -> Iterator[Any]:
    settings = {limit: str(limit_s) for limit in LIMITS} | {"keyring": str(keyring)}
    connection = rados.Rados(name=f"client.{client}", conffile=str(conf), conf=settings)
    try:
        connection.connect()
        yield connection
    finally:
        connection.shutdown()


def _monitors(connection: Any) -> Iterator[str]:
    """Try what the user needs of the monitors, and two things that it may not do."""
    for what, prefix, arguments in (
        ("make keys of volumes", "auth get-or-create", {"entity": KEY, "caps": ["mon", "allow r"]}),
        ("remove keys of volumes", "auth rm", {"entity": KEY}),
        ("fence clients", "osd blocklist", {"blocklistop": "rm", "addr": ADDRESS}),
    ):
        if _is_refused(connection, prefix, **arguments):
            yield f"The user may not {what} ({prefix})."
    for what, prefix, entity in (
        ("read the keys of others", "auth get", "client.admin"),
        ("remove the keys of others", "auth rm", f"client.{ABSENT}"),
    ):
        if not _is_refused(connection, prefix, entity=entity):
            yield f"The user may {what} ({prefix}), which it does not need."


def _pools(connection: Any, pools: Sequence[str]) -> Iterator[str]:
    """Try to write to the agent's pools, and to read others."""
    listed = json.loads(_command(connection, "osd pool ls", detail="detail")[1])
    found = {each["pool_name"]: each["application_metadata"] for each in listed}
    for pool in pools:
        if pool not in found:
            yield f"There is no pool {pool} in the cluster: ceph osd pool create {pool}, and rbd pool init {pool}."
        elif "rbd" not in found[pool]:
            yield f"The pool {pool} is not for RBD: rbd pool init {pool}."
        elif not _may_write(connection, pool):
            yield f"The user may not read and write in the pool {pool}."
    for pool in sorted(set(found) - set(pools)):
        if _may_read(connection, pool):
            yield f"The user may read the pool {pool}, which is not among the agent's."


def _may_write(connection: Any, pool: str) -> bool:
    """Return whether the user may call a class in the pool, and remove an object that is not there."""
    with connection.open_ioctx(pool) as ioctx:
        try:
            rbd.RBD().namespace_exists(ioctx, ABSENT)
            ioctx.remove_object(ABSENT)
        except (rbd.PermissionError, rados.PermissionError, rados.PermissionDeniedError):
            return False
        except rados.ObjectNotFound:
            return True
    return True


def _may_read(connection: Any, pool: str) -> bool:
    with connection.open_ioctx(pool) as ioctx:
        try:
            ioctx.stat(ABSENT)
        except (rados.PermissionError, rados.PermissionDeniedError):
            return False
        except rados.ObjectNotFound:
            return True
    return True


def _is_refused(connection: Any, prefix: str, **arguments: object) -> bool:
    return _command(connection, prefix, **arguments)[0] in (-errno.EACCES, -errno.EPERM)


def _command(connection: Any, prefix: str, **arguments: object) -> tuple[int, bytes]:
    """Return the error number, negative, and the answer. Raises rados.TimedOut."""
    words = json.dumps({"prefix": prefix, "format": "json", **arguments})
    code, answer, remark = connection.mon_command(words, b"")
    if code == -errno.ETIMEDOUT:
        raise rados.TimedOut(remark)
    return code, answer


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agents.storage.check", description=__doc__)
    parser.add_argument("--conf", type=Path, default=Path("/etc/ceph/ceph.conf"), help="the cluster's ceph.conf")
    parser.add_argument("--client", default="andromede", metavar="NAME", help='user, without "client."')
    parser.add_argument("--keyring", type=Path, required=True, help="its keyring")
    parser.add_argument(
        "--pool", action="append", required=True, metavar="NAME", help="pool of the agent; may be repeated"
    )
    parser.add_argument("--limit-s", type=int, default=int(LIMIT_S), help="seconds without an answer that are too many")
    return parser


if __name__ == "__main__":
    sys.exit(main())
