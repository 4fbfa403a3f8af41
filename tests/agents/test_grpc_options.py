"""Options of gRPC servers and channels."""

from importlib.util import find_spec
from pathlib import Path

from agents.node import main, serving
from controlplane.nodes import channels, service_agents


def test_grpc_library_knows_every_option() -> None:
    """gRPC ignores an option that it does not know."""
    (library,) = Path(str(find_spec("grpc._cython.cygrpc").origin)).parent.glob("cygrpc*.so")
    known = library.read_bytes()
    options = {*main.OPTIONS, *serving.OPTIONS, *channels.CHANNEL_OPTIONS, *service_agents.channel_options("agent")}
    assert [name for name, _ in options if name.encode() not in known] == []


def test_agents_accept_the_keepalive_pings_of_their_callers() -> None:
    """A server that gets pings more often than it allows, while it sends nothing, ends all calls of the connection."""
    every_ms = dict(channels.CHANNEL_OPTIONS)["grpc.keepalive_time_ms"]
    for options in (main.OPTIONS, serving.OPTIONS):
        assert dict(options)["grpc.http2.min_ping_interval_without_data_ms"] < every_ms
