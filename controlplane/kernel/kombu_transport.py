"""Celery's transport to Redis with one client per channel; kombu makes a new client for each message that is sent,
received or acknowledged.
"""

from typing import Any

from kombu.transport import redis


class Channel(redis.Channel):
    """Channel that keeps its client as long as its connections. One thread uses it at a time, as all channels."""

    _steady: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[no-untyped-call]
        if self._steady is None or self._steady.connection_pool is not self.pool:
            self._steady = super()._create_client()  # type: ignore[no-untyped-call]
        return self._steady


class Transport(redis.Transport):
    Channel = Channel
