"""The one source of the present moment: timezone-aware UTC."""

from datetime import datetime

from django.utils import timezone


def now() -> datetime:
    return timezone.now()
