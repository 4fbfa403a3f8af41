"""Celery's way to Redis, whose client kombu would make anew for each message that is sent, taken or acknowledged."""

from typing import Any

from kombu.transport import redis


class Channel(redis.Channel):
    """Of one thread at a time, as all channels are. It keeps its client as long as it keeps its connections."""

    _steady: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[no-untyped-call]
        if self._steady is None or self._steady.connection_pool is not self.pool:
            self._steady = super()._create_client()  # type: ignore[no-untyped-call]
        return self._steady


class Transport(redis.Transport):
    Channel = Channel
