"""Two ends of a conversation, each started in its namespace.

peers.py serve PORT [HOST]   prints "ready"; answers every line with the address that it comes from
peers.py ask HOST PORT    prints "open", "refused", "unreachable" or "silent"; then sends each line of its
                          stdin, and prints the answer
peers.py push PORT HOST   prints "ready"; sends each line of its stdin to the one client that connects
peers.py receive HOST PORT   prints "open", and then each line that arrives; sends nothing
peers.py probe [HOST]:PORT|HOST ...   tries all at once, by TCP or by a ping; prints those that answer
peers.py hold HOST PORT COUNT   opens connections one after the other, up to COUNT or to the first that nobody answers;
                          prints how many are open, and keeps them until stdin ends
peers.py reopen HOST PORT COUNT   the same, but closes each before it opens the next, not faster than the kernel forgets
                          closed ones
"""

import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

TIMEOUT_S = 1.0
PROBE_S = 1.6  # beyond the 1 s after which TCP sends a lost first segment again
PATIENCE_S = 5.0
KERNEL_FORGETS_S = 0.01  # "ct count" forgets at most 8 closed connections in a tick


def serve(port: str, host: str = "0.0.0.0") -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, int(port)), family=family) as server:
        print("ready", flush=True)
        while True:
            connection, (address, *_) = server.accept()
            threading.Thread(target=_answer_lines, args=(connection, address), daemon=True).start()


def ask(host: str, port: str) -> None:
    try:
        connection = socket.create_connection((host, int(port)), timeout=TIMEOUT_S)
    except ConnectionRefusedError:
        print("refused")
    except TimeoutError:
        print("silent")
    except OSError as exc:
        print(f"unreachable ({exc})")
    else:
        print("open", flush=True)
        connection.settimeout(None)
        with connection, connection.makefile("rw") as conversation:
            for line in sys.stdin:
                conversation.write(line)
                conversation.flush()
                print(conversation.readline().strip(), flush=True)


def push(port: str, host: str) -> None:
    with socket.create_server((host, int(port))) as server:
        print("ready", flush=True)
        connection, _ = server.accept()
        with connection:
            for line in sys.stdin:
                connection.sendall(line.encode())


def receive(host: str, port: str) -> None:
    with socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as connection:
        print("open", flush=True)
        connection.settimeout(None)
        with connection.makefile("r") as lines:
            for line in lines:
                print(line.strip(), flush=True)


def probe(*targets: str) -> None:
    from concurrent.futures import ThreadPoolExecutor  # costs as much as all other imports

    with ThreadPoolExecutor(len(targets)) as pool:
        print(*(target for target, answers in zip(targets, pool.map(_answers, targets), strict=True) if answers))


def _answers(target: str) -> bool:
    host, bracket, port = target.rpartition("]:")
    if not bracket:
        import subprocess

        return subprocess.run(["ping", "-c", "1", "-W", "1", target], capture_output=True, check=False).returncode == 0
    with suppress(OSError), socket.create_connection((host.removeprefix("["), int(port)), timeout=PROBE_S):
        return True
    return False


def hold(host: str, port: str, count: str) -> None:
    connections: list[socket.socket] = []
    with suppress(TimeoutError):
        while len(connections) < int(count):
            connections.append(socket.create_connection((host, int(port)), timeout=PATIENCE_S))
    print(len(connections), flush=True)
    sys.stdin.read()


def reopen(host: str, port: str, count: str) -> None:
    opened = 0
    with suppress(TimeoutError):
        while opened < int(count):
            socket.create_connection((host, int(port)), timeout=TIMEOUT_S).close()
            opened += 1
            time.sleep(KERNEL_FORGETS_S)
    print(opened)


def _answer_lines(connection: socket.socket, address: str) -> None:
    with connection, connection.makefile("rw") as conversation:
        for _ in conversation:
            conversation.write(f"{address}\n")
            conversation.flush()


if __name__ == "__main__":
    programs: dict[str, Callable[..., None]] = {
        each.__name__: each for each in (serve, ask, push, receive, probe, hold, reopen)
    }
    programs[sys.argv[1]](*sys.argv[2:])
