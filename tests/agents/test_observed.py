"""Metrics and health of an agent."""

import gzip
import signal
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from unittest.mock import patch

import httpx
from prometheus_client import REGISTRY, CollectorRegistry

from agents.node.errors import HypervisorUnavailable
from agents.node.node_metrics import NodeCollector
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, refusal
from tests.agents.test_main import fake_agent, state_dir  # noqa: F401 - a fixture
from tests.pki import Issued
from tests.ports import free_port


def seen(agent: AgentUnderTest) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(NodeCollector(agent.server.node))
    return registry


def calls(method: str, code: str) -> float:
    return REGISTRY.get_sample_value("andromede_node_calls_total", {"method": method, "code": code}) or 0


def test_guests_and_receipts_are_counted(agent: AgentUnderTest) -> None:
    running = {"state": "running"}
    assert seen(agent).get_sample_value("andromede_node_guests", running) == 0
    before = seen(agent).get_sample_value("andromede_node_receipts_waiting")
    root = specs.volume()
    agent.stub.EnsureVolume(root)
    agent.stub.EnsureInstance(specs.instance(root))
    counts = seen(agent)
    assert counts.get_sample_value("andromede_node_guests", running) == 1
    assert counts.get_sample_value("andromede_node_hypervisor_up") == 1
    assert counts.get_sample_value("andromede_node_receipts_waiting") == (before or 0) + 2


def test_node_without_its_hypervisor_reports_no_guest_counts(agent: AgentUnderTest) -> None:
    hypervisor = agent.server.node.adapters.hypervisor
    with patch.object(hypervisor, "states", side_effect=HypervisorUnavailable("libvirtd is away")):
        counts = seen(agent)
        assert counts.get_sample_value("andromede_node_hypervisor_up") == 0
        assert counts.get_sample_value("andromede_node_guests", {"state": "running"}) is None
        assert counts.get_sample_value("andromede_node_receipts_waiting") is not None


def test_calls_are_counted_by_outcome(agent: AgentUnderTest) -> None:
    missing = "agent.permit.missing"
    done, refused = calls("Describe", "ok"), calls("EnsureVolume", missing)
    agent.stub.Describe(pb.DescribeRequest())
    assert refusal(lambda: agent.stub.bare.EnsureVolume(specs.volume())).code == missing
    assert calls("Describe", "ok") == done + 1
    assert calls("EnsureVolume", missing) == refused + 1


def test_program_serves_metrics_at_its_address(state_dir: Path, worker: Issued) -> None:  # noqa: F811
    port = free_port()
    with (
        fake_agent(state_dir, worker, signal.SIGTERM, options=("--observe", f"127.0.0.1:{port}")) as (stub, _log),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=httpx.HTTPTransport(retries=6)) as client,
    ):
        stub.Describe(pb.DescribeRequest())
        assert client.get("/readyz").json() == {"is_ready": True, "missing": []}
        lines = client.get("/metrics").text.splitlines()
    assert 'andromede_node_calls_total{code="ok",method="Describe"} 1.0' in lines
    assert "andromede_node_hypervisor_up 1.0" in lines


class Collector(BaseHTTPRequestHandler):
    """Takes what is sent by OTLP over HTTP."""

    server: "CollectorServer"

    def do_POST(self) -> None:
        self.server.bodies.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


class CollectorServer(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Collector)
        self.bodies: list[tuple[str, bytes]] = []


def test_program_sends_traces_to_its_url(state_dir: Path, worker: Issued) -> None:  # noqa: F811
    with CollectorServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/v1/traces"
            with fake_agent(state_dir, worker, signal.SIGTERM, options=("--traces-url", url)) as (stub, _log):
                stub.Describe(pb.DescribeRequest())
        finally:
            server.shutdown()
            thread.join()
    assert {path for path, _ in server.bodies} == {"/v1/traces"}
    sent = b"".join(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body for _, body in server.bodies)
    assert b"andromede-agent" in sent
    assert b"Describe" in sent
