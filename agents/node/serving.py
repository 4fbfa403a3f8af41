"""Parts of a process that serves calls: signals, the lock of its state folder, and its gRPC server."""

import fcntl
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

import grpc

from agents.node import pki
from agents.node.rpc.interceptor import AgentInterceptor

MAX_MESSAGE_BYTES = 16 * 2**20
# Of agents that are called one call at a time: announcers (the largest document has some 6 MiB) and storage agents.
OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.http2.min_ping_interval_without_data_ms", 4_000),
    ("grpc.so_reuseport", 0),  # a second agent on the port must fail, not share it
)


def open_signal_pipe(*signals: signal.Signals) -> int:
    """Return a file that receives one byte, the signal's number, for each signal.

    An Event misses a signal just before the wait.
    """
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    signal.set_wakeup_fd(writes)
    for number in signals:
        signal.signal(number, lambda *_: None)
    return reads


def lock_alone(state_dir: Path, kind: str) -> TextIO:
    """Lock the state folder: two processes on one state store would each assume to be alone. `kind`: agent, announcer.

    The lock ends with the process.

    Raises:
        RuntimeError: another process has it.
    """
    lock = (state_dir / f"{kind}.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        lock.close()
        raise RuntimeError(f"Another {kind} uses {state_dir}.") from exc
    return lock


def listen(
    address: str,
    credentials: pki.Credentials,
    *,
    threads: int,
    calls_at_once: int,
    options: Sequence[tuple[str, int]],
) -> tuple[grpc.Server, int]:
    """Return a server with mutual TLS, which has not started, and its port. `address`: port 0 takes a free one."""
    server = grpc.server(
        ThreadPoolExecutor(threads, thread_name_prefix="rpc"),
        interceptors=[AgentInterceptor(calls_at_once=calls_at_once)],
        options=options,
    )
    tls = grpc.ssl_server_credentials(
        [(credentials.key, credentials.certificate)],
        root_certificates=credentials.ca,
        require_client_auth=True,
    )
    return server, server.add_secure_port(address, tls)
