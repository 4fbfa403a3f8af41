"""Connects a caller and a tunnel: one thread carries the caller's bytes, the call itself the guest's."""

import threading
from collections.abc import Iterator

import grpc

from agents.node.errors import AgentError
from agents.node.services.tunnels import Tunnel
from agents.protocol import agent_pb2 as pb


def carry(tunnel: Tunnel, sent: Iterator[bytes]) -> Iterator[pb.TcpOutput]:
    """Carry bytes both ways until both directions have ended."""
    threading.Thread(target=_carry_input, args=(tunnel, sent), name="tunnel-input", daemon=True).start()
    yield pb.TcpOutput()
    for data in tunnel.output():
        yield pb.TcpOutput(data=data, is_end=not data)


def _carry_input(tunnel: Tunnel, sent: Iterator[bytes]) -> None:
    try:
        for data in sent:
            tunnel.write(data)
        tunnel.end_writing()
    except AgentError as exc:
        tunnel.close(exc)
    except grpc.RpcError:
        tunnel.close()  # the caller has gone
