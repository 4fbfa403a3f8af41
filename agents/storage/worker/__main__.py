"""Serve calls on the socket with this number, one after the other, until its other end is closed."""

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import rados
import rbd

from agents.node.errors import AgentError
from agents.storage.errors import ClusterFailed
from agents.storage.worker import (
    description,
    fencing,
    flattening,
    images,
    openings,
    reverts,
    snapshot_reads,
    snapshots,
    trash,
    volumes,
)
from agents.storage.worker.cluster import Cluster
from agents.storage.worker.data_frames import DATA

CALLS: Mapping[str, Callable[..., object]] = {
    "describe": description.describe,
    "image": images.find,
    "import_image": images.import_file,
    "remove_image": images.remove,
    "ensure_volume": volumes.ensure,
    "remove_volume": volumes.remove,
    "list_volumes": volumes.page,
    "empty_trash": trash.empty,
    "name_in_trash": trash.name_of,
    "erased": trash.erased,
    "ensure_snapshot": snapshots.ensure,
    "remove_snapshot": snapshots.remove,
    "list_snapshots": snapshots.page,
    "revert_volume": reverts.revert,
    "finish_revert": reverts.finish,
    "unfinished_reverts": reverts.unfinished,
    "read_snapshot": snapshot_reads.read,
    "find_clone": flattening.find,
    "flatten_clone": flattening.flatten,
    "open_volume": openings.open_volume,
    "close_volume": openings.close_volume,
    "fence": fencing.fence_addresses,
    "unfence": fencing.unfence_addresses,
}
PROGRESS, PROGRESS_S = b'{"progress": true}', 0.5


def main() -> None:
    connection = Connection(int(sys.argv[1]))
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    access: dict[str, Any] = json.loads(connection.recv_bytes())
    cluster = Cluster(**access, progress=_progress(connection), send=partial(_send, connection))
    threading.Thread(target=_read, args=(connection, requests, cluster), daemon=True).start()
    connection.send_bytes(PROGRESS)
    while True:
        request = requests.get()
        cluster.request = request["number"]
        answer = _answer(cluster, request["call"], request["arguments"])
        connection.send_bytes(json.dumps(answer).encode())


def _read(connection: Connection, requests: "queue.SimpleQueue[dict[str, Any]]", cluster: Cluster) -> None:
    """Read requests in a thread of its own: this process ends with the agent, also while it waits for the cluster."""
    while True:
        try:
            message: dict[str, Any] = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            os._exit(0)
        if "stop" in message:
            cluster.stopped = message["stop"]
        else:
            requests.put(message)


def _answer(cluster: Cluster, name: str, arguments: dict[str, Any]) -> dict[str, object]:
    try:
        return {"result": CALLS[name](cluster, **arguments)}
    except AgentError as exc:
        return {"error": exc.code, "message": exc.message}
    except (rados.Error, rbd.Error) as exc:
        return {"error": ClusterFailed.code, "message": f"Ceph failed: {exc}."}


def _send(connection: Connection, data: bytes) -> None:
    connection.send_bytes(DATA + data)


def _progress(connection: Connection) -> Callable[[], None]:
    sent_at = time.monotonic()

    def progress() -> None:
        nonlocal sent_at
        if time.monotonic() - sent_at > PROGRESS_S:
            sent_at = time.monotonic()
            connection.send_bytes(PROGRESS)

    return progress


if __name__ == "__main__":
    main()
