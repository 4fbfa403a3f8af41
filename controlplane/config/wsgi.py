"""The web process: `gunicorn controlplane.config.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.config.settings")  # noqa: TID251

application = get_wsgi_application()
# Not with the first request: what is wrong with the routes ends the process here.
get_resolver().url_patterns  # noqa: B018
