"""Watches the rules: other programs may flush them, as a restart of a firewall's service does."""

import logging
import os
from collections.abc import Callable
from threading import Thread

from agents.node.adapters.network.nft_changes import Changes

log = logging.getLogger(__name__)

# Beside after each change: should a message of the kernel be lost, or writing have failed.
INTERVAL_S = 5.0


class RuleWatcher:
    """Calls `check` in a thread until it is stopped.

    The calls come after each change of the rules of the node or of a router, and every INTERVAL_S.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._wake_pipe, self._stop_pipe = os.pipe()
        self._thread = Thread(target=self._run, name="rules", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        os.write(self._stop_pipe, b".")
        self._thread.join()
        os.close(self._wake_pipe)
        os.close(self._stop_pipe)

    def _run(self) -> None:
        with Changes() as changes:
            while True:
                try:
                    self._check()
                except Exception:
                    log.exception("packet filter check failed")  # this thread must go on
                if changes.wait(INTERVAL_S, or_for=self._wake_pipe):
                    return
