"""Run the watcher process (`manage.py watch_nodes`). Ends on SIGTERM and SIGINT."""

import asyncio
import signal

from django.core.management.base import BaseCommand
from prometheus_client import REGISTRY

from controlplane.kernel import health
from controlplane.watcher.database_metrics import DatabaseMetrics
from controlplane.watcher.stream_registry import StreamRegistry
from controlplane.watcher.streams import watch_all


class Command(BaseCommand):
    # System checks load all routes and views, which the watcher does not need: 30 MiB.
    requires_system_checks = ()
    help = "Run the watcher: follow the event stream of every node and record heartbeats, events and usage."

    def handle(self, *args: object, **options: object) -> None:
        registry = StreamRegistry()
        REGISTRY.register(DatabaseMetrics())
        health.start("watcher", "database", "migrations", streams=registry.require_streams)
        asyncio.run(_run_until_stopped(registry))


async def _run_until_stopped(registry: StreamRegistry) -> None:
    watching = asyncio.create_task(watch_all(registry))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, watching.cancel)
    try:
        await watching
    except asyncio.CancelledError:
        return
