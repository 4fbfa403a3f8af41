"""Watches rules and routes: other programs may flush them, as a restart of a firewall's service does."""

import logging
import os
import select
import time
from collections.abc import Callable
from threading import Thread

from agents.node.adapters.network.nft_changes import Changes
from agents.node.adapters.network.route_losses import RouteLosses
from agents.node.adapters.network.subscription import Subscription

log = logging.getLogger(__name__)

# Beside after each change: should a message of the kernel be lost, or writing have failed.
INTERVAL_S = 5.0
ROUTES_INTERVAL_S = 30.0  # reading all routes costs more than reading the generation of the rules
ROUTES_PAUSE_S = 1.0  # after losses, at least: a check may lose routes itself, and other programs change routing rules


class RuleWatcher:
    """Calls `check_rules` and `check_routes` in a thread until it is stopped.

    The calls come after each change of the rules of the node or of a router, or each loss of routes, and at intervals.
    """

    def __init__(self, check_rules: Callable[[], None], check_routes: Callable[[], None]) -> None:
        self._check_rules, self._check_routes = check_rules, check_routes
        self._wake_pipe, self._stop_pipe = os.pipe()
        self._thread = Thread(target=self._run, name="rules", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        os.write(self._stop_pipe, b".")
        self._thread.join()
        os.close(self._wake_pipe)
        os.close(self._stop_pipe)

    def _run(self) -> None:
        routes_at = checked_at = 0.0
        with Changes() as changes, RouteLosses() as losses:
            watched: list[Subscription | int] = [changes, losses, self._wake_pipe]
            while True:
                _try(self._check_rules)
                if time.monotonic() >= routes_at:
                    _try(self._check_routes)
                    checked_at = time.monotonic()
                    routes_at = checked_at + ROUTES_INTERVAL_S
                pause_s = max(0.0, routes_at - time.monotonic())
                ready, _, _ = select.select(watched, [], [], min(INTERVAL_S, pause_s))
                if self._wake_pipe in ready:
                    return
                changes.forget()
                losses.forget()
                if losses in ready:
                    routes_at = min(routes_at, checked_at + ROUTES_PAUSE_S)


def _try(check: Callable[[], None]) -> None:
    try:
        check()
    except Exception:
        log.exception("check of rules and routes failed")  # the thread must go on
