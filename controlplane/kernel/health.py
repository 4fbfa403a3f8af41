"""Health endpoints of each process of the control plane, on the address in ANDROMEDE_OBSERVE_LISTEN."""

from collections.abc import Mapping
from functools import cache

from django.conf import settings
from django.db import Error, connection, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from controlplane.kernel import redis
from controlplane.kernel.certificate_metrics import CertificateMetrics
from telemetry import logs, traces
from telemetry.http_endpoint import Need, NotReady, ProcessHealth, serve_health


def check_database() -> None:
    """Raise NotReady if the database does not answer."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as exc:
        raise NotReady(str(exc).strip()) from exc


@cache
def _of_code() -> frozenset[tuple[str, str]]:
    """Return all migrations in the code of this process, by app and name."""
    return frozenset(MigrationLoader(None).disk_migrations)


def check_migrations() -> None:
    """Raise NotReady if the database lacks migrations of this code.

    A database that is ahead of the code is accepted: during an upgrade, the next release has migrated already.
    """
    try:
        waiting = sorted(_of_code() - set(MigrationRecorder(connection).applied_migrations()))
    except Error:
        return  # check_database() reports that it does not answer
    if waiting:
        raise NotReady(f"not applied: {', '.join('.'.join(key) for key in waiting)}")


NEEDS: Mapping[str, Need] = {"database": check_database, "migrations": check_migrations, "redis": redis.check_redis}


def start(process: str, *names: str, **own: Need) -> None:
    """Start the endpoint.

    `process`: its name in the log. `names`: the entries of NEEDS that it depends on; `own`: further dependencies.
    """
    _begin(process)
    if listen := _address(process):
        needs = {name: NEEDS[name] for name in names} | own
        REGISTRY.register(CertificateMetrics())
        serve_health(listen, ProcessHealth(needs, after=connections.close_all))


def start_shared(process: str, *names: str) -> None:
    """Start one endpoint for several processes: any of them answers for all (config/gunicorn.py)."""
    _begin(process)
    if listen := _address(process):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        registry.register(CertificateMetrics())
        look = ProcessHealth({name: NEEDS[name] for name in names}, registry, after=connections.close_all)
        serve_health(listen, look, is_shared=True)


def _address(process: str) -> str:
    """Return host and port, or None for an empty address: no endpoint."""
    return settings.OBSERVE_LISTEN.get(process) or settings.OBSERVE_LISTEN.get("", "")


def _begin(process: str) -> None:
    logs.set_process_fields(process=process)
    if settings.TRACES_URL:
        traces.begin(process, settings.TRACES_URL)
