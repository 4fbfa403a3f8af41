"""Limit of this process's threads per project: slow receivers of one project leave threads to the others."""

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
    """Count the caller's thread for the project while the block runs.

    Yields False, and counts nothing, when settings.WEBHOOK_THREADS_PER_PROJECT other threads send for it.
    """
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
