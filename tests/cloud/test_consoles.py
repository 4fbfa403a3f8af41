"""Consoles over the whole cloud: from a ticket of the API through `stream` and the agent of a node to a guest."""

import pytest
from websockets.sync.client import ClientConnection, connect

from scripts.polling import wait_until
from tests.agents.viewers import picture, shake_hands
from tests.cloud.conftest import Tenant
from tests.limits import PATIENCE_S

pytestmark = [pytest.mark.lab, pytest.mark.nightly]


class WebViewer:
    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.seen = b""

    def type(self, data: bytes) -> None:
        self.socket.send(data)

    def take(self, count: int) -> bytes:
        while len(self.seen) < count:
            self.read()
        taken, self.seen = self.seen[:count], self.seen[count:]
        return taken

    def wait_for(self, words: bytes) -> None:
        while words not in self.seen:
            self.read()

    def read(self) -> None:
        data = self.socket.recv(PATIENCE_S)
        assert isinstance(data, bytes)
        self.seen += data


def open_console(tenant: Tenant, kind: str) -> ClientConnection:
    url = tenant.api.post("instances/web/consoles", {"kind": kind})["url"]
    return connect(url, subprotocols=["binary"], open_timeout=PATIENCE_S, proxy=None)  # type: ignore[list-item]


def test_guest_serves_serial_and_screen_consoles(tenant: Tenant) -> None:
    tenant.api.wait(tenant.create("web")["operation"])
    wait_until(lambda: "web login:" in tenant.api.text("instances/web/console-log"), limit_s=PATIENCE_S)
    with open_console(tenant, "serial") as socket:
        shell = WebViewer(socket)
        shell.wait_for(b"web login:")
        shell.type(b"root\r")
        shell.wait_for(b"~ #")
        shell.type(b"echo hi-$((6*7))\r")
        shell.wait_for(b"hi-42")
    with open_console(tenant, "vnc") as socket:
        screen = WebViewer(socket)
        width, height, _name = shake_hands(screen)
        assert len(set(picture(screen, width, height))) > 1
    deeds = [entry["verb"] for entry in tenant.api.get("audit/deeds", limit="200")["items"]]
    assert deeds.count("console.open") == 2
