"""`manage.py watch_nodes`: the watcher process. Ends on SIGTERM and SIGINT."""

import asyncio
import signal

from django.core.management.base import BaseCommand
from prometheus_client import REGISTRY

from controlplane.kernel import observed
from controlplane.watcher.census import Census
from controlplane.watcher.ears import Ears
from controlplane.watcher.streams import watch_all


class Command(BaseCommand):
    # They load all routes and views, which the watcher does not need: 30 MiB.
    requires_system_checks = ()
    help = "Keep a stream open to every node and write what they say."

    def handle(self, *args: object, **options: object) -> None:
        ears = Ears()
        REGISTRY.register(Census())
        observed.start("watcher", "database", "migrations", streams=ears.need)
        asyncio.run(_until_told(ears))


async def _until_told(ears: Ears) -> None:
    watching = asyncio.create_task(watch_all(ears))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, watching.cancel)
    try:
        await watching
    except asyncio.CancelledError:
        return
