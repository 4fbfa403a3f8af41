"""Two-way byte channel to a guest: a connected socket of its serial console, its display, or one of its TCP ports."""

import select
import socket
import threading
from contextlib import suppress

READ_BYTES = 64 * 1024
RECHECK_S = 1.0  # whether it was closed, while the guest takes nothing


class Channel:
    """One thread reads, and releases the channel at the end; any number of threads write; any thread may close it.

    `is_reset`: the other side aborted the connection.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._socket.setblocking(False)
        self._number = connected.fileno()
        self._is_released = False
        self.is_reset = False
        self._lock = threading.Lock()

    def read(self, timeout_s: float | None = None) -> bytes:
        """Return bytes as soon as there are some; empty at the end.

        Raises:
            TimeoutError: nothing came.
        """
        if not self._wait(select.POLLIN, timeout_s):
            raise TimeoutError
        try:
            return self._socket.recv(READ_BYTES)
        except OSError as exc:
            self.is_reset = self.is_reset or isinstance(exc, ConnectionError)
            return b""

    def write(self, data: bytes) -> None:
        """Write; returns when the guest has taken all bytes, however long that takes, or has gone."""
        left = memoryview(data)
        while left:
            self._wait(select.POLLOUT, RECHECK_S)
            with self._lock:
                if self._is_released:
                    return
                try:
                    left = left[self._socket.send(left) :]
                except BlockingIOError:
                    continue
                except OSError as exc:
                    self.is_reset = self.is_reset or isinstance(exc, ConnectionError)
                    return

    def end_writing(self) -> None:
        """Tell the other side that nothing more comes; reading goes on."""
        with self._lock, suppress(OSError):  # the other side may have been faster
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the channel; readers get the end."""
        with self._lock, suppress(OSError):  # the other side may have been faster
            self._socket.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        with self._lock:
            self._is_released = True
            self._socket.close()

    def _wait(self, event: int, timeout_s: float | None) -> bool:
        poll = select.poll()
        poll.register(self._number, event)
        return bool(poll.poll(None if timeout_s is None else timeout_s * 1000))
