"""A subscription to a multicast group of netlink(7), of the namespaces of routers too."""

import errno
import socket
from typing import Self

SOL_NETLINK, LISTEN_ALL_NSID = 270, 8
MESSAGE_BYTES = 65536


class Subscription:
    """Messages whose content makes no difference: one that arrives says that something has changed."""

    def __init__(self, messages: socket.socket, *, groups: int) -> None:
        """Subscribe the socket to these multicast groups, a bit each, and own it."""
        self._socket = messages
        self._socket.setsockopt(SOL_NETLINK, LISTEN_ALL_NSID, 1)
        self._socket.bind((0, groups))
        self._socket.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor that is readable after a message."""
        return self._socket.fileno()

    def forget(self) -> None:
        """Discard the received messages.

        Those that did not fit into the buffer make no difference: all mean the same.
        """
        while True:
            try:
                self._socket.recv(MESSAGE_BYTES)
            except BlockingIOError:
                return
            except OSError as exc:
                if exc.errno != errno.ENOBUFS:
                    raise
