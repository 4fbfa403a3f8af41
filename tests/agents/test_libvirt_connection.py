"""The connection to libvirtd, when it is made."""

import threading

import pytest

from agents.node.adapters import libvirt_connection
from agents.node.adapters.libvirt_connection import LibvirtConnection
from tests.limits import PATIENCE_S


class Answering:
    """A libvirtd that answers."""

    def registerCloseCallback(self, *_: object) -> None: ...

    def unregisterCloseCallback(self) -> None: ...

    def close(self) -> None: ...

    def setKeepAlive(self, *_: int) -> int:
        return 0


def test_reported_event_can_be_queried_at_once_on_a_new_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The receiver of an event queries the guest: an earlier event would find no connection."""
    libvirtd = Answering()
    monkeypatch.setattr(libvirt_connection.libvirt, "open", lambda _uri: libvirtd)
    created, notified = threading.Event(), threading.Event()
    asked: list[object] = []

    def on_event(_: object) -> None:
        created.wait(PATIENCE_S)
        with connection.use() as usable:
            asked.append(usable)
        notified.set()

    connection = LibvirtConnection("any:///", prepare=lambda _: None, on_connect=on_event)
    created.set()
    assert notified.wait(PATIENCE_S)
    connection.close()
    assert asked == [libvirtd]
