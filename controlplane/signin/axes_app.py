"""django-axes without its signals and checks: they belong to django.contrib.auth, which is not installed (ADR 0016)."""

from axes.apps import AppConfig


class Axes(AppConfig):  # type: ignore[misc]
    def ready(self) -> None:
        """Do nothing: lockout.py calls the handler itself."""
