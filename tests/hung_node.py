"""A node that is hung: it accepts connections and never answers."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hung_address() -> Iterator[str]:
    """Yield the HOST:PORT of one, for the duration of the block."""
    accepted: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                accepted.append(server.accept()[0])
            except OSError:
                return  # it was shut down

    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for each in accepted:
                each.close()
