"""Cost of identity documents for the signer: all of them new, all renewed, and none due. Nodes are pretended.

Nothing is sent. The floor is as many signatures by the same key: two for each document.
"""

import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.common import UNLIMITED, bench_database, print_progress
from scripts.control_plane import ROOT, Stack

PORT = 8020


def measure(instances: int) -> dict[str, Any]:
    """Measure with so many instances that run and let their guests read metadata."""
    stack = Stack(ROOT / "var" / "bench-identity-documents", port=PORT, settings=UNLIMITED)
    with bench_database(stack):
        from bench import sample_project  # with Django
        from controlplane.compute.instance_metadata import METADATA
        from controlplane.nodes.models import Node

        print_progress(f"{instances} instances")
        sample_project.fill(instances)
        Node.objects.update(traits=[METADATA])
        stack.manage("init_pki", "--sentinel")
        stack.manage("keyset_publish", "--root-key", str(stack.root_key))
        return {"instances": instances, **_measure(instances)}


def _measure(instances: int) -> dict[str, Any]:
    from controlplane.compute.models import MetadataDocument
    from controlplane.kernel import clock
    from controlplane.signer import instance_metadata as signer

    def sign_all() -> int:
        return sum(iter(signer.sign_all, 0))

    def renewed() -> int:
        MetadataDocument.objects.update(renew_at=clock.now())
        return sign_all()

    found = {"floor_signatures": _cost(lambda: _signatures(2 * instances))}
    found |= {
        name: _cost(call) for name, call in (("new", sign_all), ("renewed", renewed), ("none_due", signer.sign_all))
    }
    assert MetadataDocument.objects.count() == instances, "each has one row"
    return found


def _signatures(count: int) -> int:
    from controlplane.nodes import trust_documents
    from controlplane.nodes.signing_keys import signing_key

    keyset, denied = trust_documents.keys()
    zone = sorted(next(iter(keyset.keys.values())).zones)[0]
    key = signing_key(keyset, denied, zone="fr-idf-1" if zone == "*" else zone, classifications=())
    for number in range(count):
        key.sign_bytes(b"%600d" % number)
    return count


def _cost(call: Callable[[], int]) -> dict[str, Any]:
    """Return the processor time of this process and of its database connection, wall time, and bytes of the log."""
    own, base, log, begun = _own_s(), _database_s(), _log_bytes(), time.perf_counter()
    count = call()
    return {
        "count": count,
        "wall_s": round(time.perf_counter() - begun, 2),
        "own_cpu_s": round(_own_s() - own, 2),
        "database_cpu_s": round(_database_s() - base, 2),
        "wal_mib": round((_log_bytes() - log) / 2**20, 1),
    }


def _own_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _database_s() -> float:
    (pid,) = _row("SELECT pg_backend_pid()")
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / 100  # USER_HZ


def _log_bytes() -> int:
    (count,) = _row("SELECT pg_current_wal_insert_lsn() - '0/0'")
    return int(count)


def _row(statement: str) -> Any:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()
