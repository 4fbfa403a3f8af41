"""Run the metadata service: python -m agents.node.metadata DESCRIPTOR, the end of its channel from the agent."""

import asyncio
import os
import resource
import socket
import sys
import threading

from agents.node.metadata.channel import receive
from agents.node.metadata.server import Server

NOBODY = 65534
MAX_FILES = 8192
MAX_MEMORY_BYTES = 2**30


def main(descriptor: str) -> None:
    channel = socket.socket(fileno=int(descriptor))
    drop_privileges()
    asyncio.run(_serve(channel))


def drop_privileges() -> None:
    """Become a user without rights. The sockets come from the agent, so nothing has to be opened."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_FILES, MAX_FILES))
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        resource.setrlimit(resource.RLIMIT_NPROC, (64, 64))


async def _serve(channel: socket.socket) -> None:
    """Serve until the agent closes its end of the channel."""
    server, loop, ended = Server(), asyncio.get_running_loop(), asyncio.Event()

    def read() -> None:
        try:
            while (received := receive(channel)) is not None:
                asyncio.run_coroutine_threadsafe(server.handle(*received), loop).result()
        finally:
            loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=read, name="channel", daemon=True).start()
    await ended.wait()


if __name__ == "__main__":
    main(sys.argv[1])
