"""Entry point of the web process: `gunicorn controlplane.config.wsgi`."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.config.settings")  # noqa: TID251

application = get_wsgi_application()
# Loaded now and not with the first request: an error in the routes ends the process here.
get_resolver().url_patterns  # noqa: B018

# Freeze what is loaded: the workers share it (gunicorn.py), and the garbage collector does not write into frozen
# objects. It also does not examine them again, which takes a tenth of a second for the requests of that moment. Objects
# of a request are freed by their reference counts, a page of rows at once.
gc.freeze()
gc.set_threshold(10_000, 10, 10)
