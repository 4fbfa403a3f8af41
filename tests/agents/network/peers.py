"""Two ends of a conversation, each started in the namespace it is to speak from.

peers.py serve PORT       prints "ready"; answers every line with the address that it comes from
peers.py ask HOST PORT    prints "open", "refused", "unreachable" or "silent"; then sends each line of its
                          stdin, and prints the answer
"""

import socket
import sys
import threading

TIMEOUT_S = 1.0


def serve(port: str) -> None:
    with socket.create_server(("0.0.0.0", int(port))) as server:
        print("ready", flush=True)
        while True:
            connection, (address, _) = server.accept()
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
        with connection, connection.makefile("rw") as conversation:
            for line in sys.stdin:
                conversation.write(line)
                conversation.flush()
                print(conversation.readline().strip(), flush=True)


def _answer_lines(connection: socket.socket, address: str) -> None:
    with connection, connection.makefile("rw") as conversation:
        for _ in conversation:
            conversation.write(f"{address}\n")
            conversation.flush()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        ask(sys.argv[2], sys.argv[3])
