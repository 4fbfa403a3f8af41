"""How many threads of this process send webhooks of one project: slow receivers of one project leave threads to the
others."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.conf import settings

_sending: Counter[UUID] = Counter()
_lock = threading.Lock()


@contextmanager
def project_thread(project_id: UUID) -> Iterator[bool]:
    """Count the caller's thread as one of the project's while the block lasts. Gives False, and counts nothing, when
    settings.WEBHOOK_THREADS_PER_PROJECT others are at it."""
    with _lock:
        is_free = _sending[project_id] < settings.WEBHOOK_THREADS_PER_PROJECT
        if is_free:
            _sending[project_id] += 1
    try:
        yield is_free
    finally:
        if is_free:
            with _lock:
                _sending[project_id] -= 1
                if not _sending[project_id]:
                    del _sending[project_id]
