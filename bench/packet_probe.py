"""Two ends of a stream of datagrams, each started in its network namespace, as `python packet_probe.py`:

send HOST PORT      sends a datagram every millisecond
receive PORT        prints the time (CLOCK_MONOTONIC, in seconds) of each datagram that arrives

Standard library only, since it is started without the checkout's environment.
"""

import socket
import sys
import time
from contextlib import suppress

INTERVAL_S = 0.001


def send(host: str, port: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        while True:
            with suppress(OSError):  # a route or an answer that is missing yet
                sender.sendto(b".", (host, int(port)))
            time.sleep(INTERVAL_S)


def receive(port: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("0.0.0.0", int(port)))
        print("ready", flush=True)
        while True:
            receiver.recv(16)
            print(time.monotonic(), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "send":
        send(*sys.argv[2:])
    else:
        receive(*sys.argv[2:])
