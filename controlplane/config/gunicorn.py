"""Configuration of gunicorn for the web process: `gunicorn --config python:controlplane.config.gunicorn …`.

The application is loaded once, before the workers are forked: they share its memory, 65 MiB each.

The workers are several processes with common metrics: each counts in a file of its own, and the worker that is scraped
adds them up. Counts of ended workers remain; a restart of gunicorn resets all.
"""

import shutil
from typing import Any

from controlplane.config import env, settings

logconfig_dict = settings.LOGGING
preload_app = True

# Set here, since the application's metrics are created when it is loaded.
if settings.OBSERVE_LISTEN:
    env.set_variable("PROMETHEUS_MULTIPROC_DIR", str(settings.WEB_METRICS_DIR))
    shutil.rmtree(settings.WEB_METRICS_DIR, ignore_errors=True)
    settings.WEB_METRICS_DIR.mkdir(mode=0o700, parents=True)


def post_worker_init(_worker: Any) -> None:
    """Start the threads of each worker: threads do not survive a fork."""
    from controlplane.kernel import health

    # Without Redis requests are still answered; their operations only begin later.
    health.start_shared("web", "database", "migrations")
