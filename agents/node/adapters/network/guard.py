"""Watches over the rules: somebody else may flush them, as a restart of a firewall's service does."""

import json
import logging
import os
from collections.abc import Callable
from threading import Thread
from typing import Any

from agents.node.adapters.network import node_rules, overlay_rules, port_rules
from agents.node.adapters.network.nft_changes import Changes
from agents.node.adapters.network.tools import nft_json

log = logging.getLogger(__name__)

TABLES = frozenset({node_rules.TABLE, port_rules.TABLE, overlay_rules.TABLE})
# Beside after each change: should a message of the kernel be lost, or writing have failed.
INTERVAL_S = 5.0


class Guard:
    """Calls `look` after each change of the node's rules and every INTERVAL_S, in a thread, until it is stopped."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look
        self._hears, self._tell = os.pipe()
        self._thread = Thread(target=self._run, name="rules", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        os.write(self._tell, b".")
        self._thread.join()
        os.close(self._hears)
        os.close(self._tell)

    def _run(self) -> None:
        with Changes() as changes:
            while True:
                try:
                    self._look()
                except Exception:
                    log.exception("cannot see whether the rules are there")  # this thread must go on
                if changes.wait(INTERVAL_S, or_for=self._hears):
                    return


def rules_present() -> dict[str, list[Any]]:
    """Our tables as the kernel has them, in a form in which equal rules are equal.

    Handles and counters are left out, and what packets put into sets.
    """
    found: dict[str, list[Any]] = {}
    for each in nft_json(["ruleset"]):
        for kind, value in each.items():
            table = f"{value['family']} {value['name' if kind == 'table' else 'table']}"
            if table in TABLES:
                found.setdefault(table, []).append({kind: _comparable(value)})
    return found


def _comparable(value: dict[str, Any]) -> dict[str, Any]:
    kept = {key: field for key, field in value.items() if key != "handle"}
    if "elem" in kept:
        is_dynamic = "dynamic" in kept.get("flags", [])
        kept["elem"] = [] if is_dynamic else sorted(kept["elem"], key=json.dumps)
    elif value.get("flags") and "dynamic" in value["flags"]:
        kept["elem"] = []
    return kept
