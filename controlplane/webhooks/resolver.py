"""Look-up of receivers' addresses with a time limit.

getaddrinfo(3) takes as long as the name servers let it, and cannot be interrupted. Each look-up therefore has a thread
of its own that is never joined: asyncio waits for its own threads when a loop ends.
"""

import asyncio
import threading
from collections.abc import Collection
from concurrent.futures import Future

import httpx

from controlplane.kernel import safe_http
from controlplane.kernel.safe_http import Address

# Look-ups that may hang at once in a process. Beyond that, names count as unresolvable.
HANGING_MAX = 64
free_lookups = threading.BoundedSemaphore(HANGING_MAX)


async def addresses(url: httpx.URL, *, private_hosts: Collection[str]) -> list[Address]:
    """Return the same as safe_http.addresses; a cancellation returns at once, and the look-up ends by itself.

    Raises:
        ValueError, Unresolvable: as safe_http.addresses.
    """
    free = free_lookups
    if not free.acquire(blocking=False):
        raise safe_http.Unresolvable(url.host)
    future: Future[list[Address]] = Future()
    future.set_running_or_notify_cancel()

    def look_up() -> None:
        try:
            future.set_result(safe_http.addresses(url, private_hosts=private_hosts))
        except (ValueError, OSError) as exc:
            future.set_exception(exc)
        finally:
            free.release()

    threading.Thread(target=look_up, name="webhook-resolver", daemon=True).start()
    return await asyncio.wrap_future(future)
