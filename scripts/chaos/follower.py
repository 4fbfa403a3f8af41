"""Follows the event feed during the run, as a dashboard does: no event may be missing or repeated."""

import json
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

import httpx

from andromede_sdk.stream import events_of
from scripts.chaos.world import World

PAUSE_S = 0.5
# The stream sends a frame every few seconds; a longer silence is a dead connection.
SILENCE_S = 30.0
CATCH_UP_S = 30.0


@dataclass
class Follower:
    url: str
    token: str
    received: list[str] = field(default_factory=list)
    last: str = ""
    connections: int = 0
    refusals: list[str] = field(default_factory=list)
    _is_over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self._is_over.is_set():
            with suppress(httpx.TransportError):  # the stream was killed, or is not back yet
                self._listen()
            time.sleep(PAUSE_S)

    def stop(self) -> None:
        self._is_over.set()

    def findings(self, world: World) -> list[str]:
        """Compare with the stored events, after some time to catch up."""
        kept = self._kept(world)
        deadline = time.monotonic() + CATCH_UP_S
        while len(self.received) < len(kept) and time.monotonic() < deadline:
            time.sleep(PAUSE_S)
        received = self.received[: len(kept)]
        findings = list(self.refusals)
        if received != kept:
            number = next(
                (n for n, pair in enumerate(zip(received, kept, strict=False)) if pair[0] != pair[1]), len(received)
            )
            findings.append(
                f"stream: of {len(kept)} events {len(received)} came; the first that differs is number {number}"
            )
        return findings

    def _listen(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        if self.last:
            headers["Last-Event-ID"] = self.last
        self.connections += 1
        limits = httpx.Timeout(SILENCE_S)
        with httpx.stream("GET", f"{self.url}/v1/events/stream", headers=headers, timeout=limits) as answer:
            if answer.status_code not in (200, 502, 503):
                self.refusals.append(f"stream: {answer.status_code} {answer.read()[:300]!r}")
            for event in events_of(answer.iter_lines()) if answer.is_success else ():
                self.last = event.id or self.last
                if event.data:
                    self.received.append(json.loads(event.data)["id"])

    def _kept(self, world: World) -> list[str]:
        """Return all events that the token may see since the first received one, in order."""
        headers = {"Authorization": f"Bearer {self.token}"}
        kept: list[str] = []
        query = {"limit": "200"}
        with httpx.Client(base_url=world.stack.url, headers=headers, timeout=SILENCE_S) as client:
            while True:
                page = client.get("/v1/events", params=query).raise_for_status().json()
                kept += [each["id"] for each in page["items"]]
                if not page["has_more"]:
                    break
                query["after"] = page["cursor"]
        first = self.received[0] if self.received else None
        return kept[kept.index(first) :] if first in kept else kept
