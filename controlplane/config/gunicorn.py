"""What gunicorn is told of the web process: `gunicorn --config python:controlplane.config.gunicorn …`.

Its workers are several processes, and one to whoever looks at their metrics. Each counts in a file of its own, and the
one that is asked adds them up. What workers that have ended counted, stays; with gunicorn all begins anew.
"""

import shutil
from typing import Any

from controlplane.config import env, settings

logconfig_dict = settings.LOGGING

if settings.OBSERVE_LISTEN:
    env.tell("PROMETHEUS_MULTIPROC_DIR", str(settings.WEB_METRICS_DIR))


def on_starting(_server: Any) -> None:
    if settings.OBSERVE_LISTEN:
        shutil.rmtree(settings.WEB_METRICS_DIR, ignore_errors=True)
        settings.WEB_METRICS_DIR.mkdir(mode=0o700, parents=True)
