"""What gunicorn is told of the web process: `gunicorn --config python:controlplane.config.gunicorn …`.

The application is loaded once, before the workers are forked: they share the memory that it takes, 65 MiB each.

Its workers are several processes, and one to whoever looks at their metrics. Each counts in a file of its own, and the
one that is asked adds them up. What workers that have ended counted, stays; with gunicorn all begins anew.
"""

import shutil
from typing import Any

from controlplane.config import env, settings

logconfig_dict = settings.LOGGING
preload_app = True

# Here, since the application counts from the moment on in which it is loaded.
if settings.OBSERVE_LISTEN:
    env.set_variable("PROMETHEUS_MULTIPROC_DIR", str(settings.WEB_METRICS_DIR))
    shutil.rmtree(settings.WEB_METRICS_DIR, ignore_errors=True)
    settings.WEB_METRICS_DIR.mkdir(mode=0o700, parents=True)


def post_worker_init(_worker: Any) -> None:
    """In each worker: threads do not live on in a copy of their process."""
    from controlplane.kernel import health

    # Without Redis requests are answered all the same: what they begin is only later.
    health.start_shared("web", "database", "migrations")
