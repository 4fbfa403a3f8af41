"""Connects a caller and a console: one thread carries the caller's input, the call itself the guest's output."""

import threading
from collections.abc import Iterator

import grpc

from agents.node.errors import AgentError
from agents.node.services.consoles import Viewer
from agents.protocol import agent_pb2 as pb


def conversation(viewer: Viewer, typed: Iterator[bytes]) -> Iterator[pb.ConsoleOutput]:
    """Carry bytes both ways until one of the two ends hangs up."""
    threading.Thread(target=_carry, args=(viewer, typed), name="console-input", daemon=True).start()
    yield pb.ConsoleOutput(data=viewer.scrollback)
    while data := viewer.read():
        yield pb.ConsoleOutput(data=data)


def _carry(viewer: Viewer, typed: Iterator[bytes]) -> None:
    try:
        for data in typed:
            viewer.write(data)
    except AgentError as exc:
        viewer.close(exc)
    except grpc.RpcError:
        pass  # the caller has gone
    finally:
        viewer.close()
