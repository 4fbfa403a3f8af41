"""The web process: `gunicorn controlplane.config.wsgi`."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.config.settings")  # noqa: TID251

application = get_wsgi_application()
# Not with the first request: what is wrong with the routes ends the process here.
get_resolver().url_patterns  # noqa: B018

# The workers share what is frozen (gunicorn.py): the garbage collector does not write into it. What is loaded by now
# stays, and is not looked through again for what is garbage: that takes a tenth of a second, and the requests that it
# falls on wait. What a request leaves dies with it, a page of rows in one go.
gc.freeze()
gc.set_threshold(10_000, 10, 10)
