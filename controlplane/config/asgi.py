"""Entry point of the process `stream`: `uvicorn controlplane.config.asgi:application`."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.config.settings")  # noqa: TID251
django.setup(set_prefix=False)

from controlplane.api.stream import Streams  # noqa: E402 - once the apps are there
from controlplane.dashboard.event_stream import for_pages  # noqa: E402
from controlplane.kernel import health  # noqa: E402

application = for_pages(Streams())
health.start("stream", "database", "migrations")
