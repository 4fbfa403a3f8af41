"""Uploads of unbounded size occupy a thread of `web` while they last: their number and duration are limited."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from controlplane.kernel.errors import Unavailable

GRACE_S = 60
SOCKET = "gunicorn.socket"


class UploadsExhausted(Unavailable):
    code = "uploads_exhausted"
    detail = "The cloud receives the maximum number of uploads. Try again later."


@contextmanager
def upload_slot(body: HttpRequest, length: int) -> Iterator[None]:
    """Read a body of `length` bytes inside the block.

    When the average rate is below UPLOAD_MIN_BYTES_PER_S, reads end as if the client had disconnected.

    Raises:
        UploadsExhausted: UPLOADS_PER_PROCESS other uploads are running.
    """
    if not _places().acquire(blocking=False):
        raise UploadsExhausted()
    connection = body.META.get(SOCKET)
    limit = threading.Timer(GRACE_S + length / settings.UPLOAD_MIN_BYTES_PER_S, _hang_up, [connection])
    limit.daemon = True
    if connection is not None:
        limit.start()
    try:
        yield
    finally:
        limit.cancel()
        _places().release()


@cache
def _places() -> threading.Semaphore:
    return threading.Semaphore(settings.UPLOADS_PER_PROCESS)


def _hang_up(connection: Any) -> None:
    with suppress(OSError):  # the connection has ended meanwhile
        connection.shutdown(socket.SHUT_RD)
