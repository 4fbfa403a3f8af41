"""Long polls: an answer that waits until there is something to say."""

import re
import time
from collections.abc import Callable

from rest_framework.request import Request

from controlplane.kernel.listing import invalid
from controlplane.kernel.reasons import Reason

WAIT_MAX_S = 60
POLL_FIRST_S = 0.02
POLL_MAX_S = 0.2


def wait_s(request: Request) -> int:
    """What the query parameter `wait` says, 0 without it; raises InvalidParameter."""
    text = request.query_params.get("wait", "0s")
    if not re.fullmatch(r"[0-9]{1,2}s?", text) or int(text.rstrip("s")) > WAIT_MAX_S:
        raise invalid("wait", Reason("it must be 0s to {limit_s}s.", limit_s=WAIT_MAX_S))
    return int(text.rstrip("s"))


def wait_until(is_so: Callable[[], bool], *, limit_s: float) -> None:
    """Return once it is so, or the time is over. Between two looks nothing is held, no transaction either."""
    deadline, pause_s = time.monotonic() + limit_s, POLL_FIRST_S
    while not is_so() and time.monotonic() < deadline:
        time.sleep(pause_s)
        pause_s = min(POLL_MAX_S, pause_s * 1.5)
