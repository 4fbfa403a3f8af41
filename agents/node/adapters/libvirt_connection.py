"""One connection to libvirtd that reconnects when it is lost, and libvirt's event loop."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import libvirt

from agents.node.errors import AdapterError, HypervisorUnavailable

log = logging.getLogger(__name__)

FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0
FIRST_ANSWER_S = 5.0  # how long the first calls wait for the first connection
KEEPALIVE_INTERVAL_S = 5
KEEPALIVE_MISSES = 3

# Repeating these calls changes nothing: the definition or the request itself is wrong, or the node cannot do it.
LASTING = frozenset(
    {
        libvirt.VIR_ERR_CONFIG_UNSUPPORTED,
        libvirt.VIR_ERR_INVALID_ARG,
        libvirt.VIR_ERR_NO_DOMAIN,
        libvirt.VIR_ERR_NO_SUPPORT,
        libvirt.VIR_ERR_XML_DETAIL,
        libvirt.VIR_ERR_XML_ERROR,
        libvirt.VIR_ERR_XML_INVALID_SCHEMA,
    }
)
TRANSPORT = frozenset({libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE})


class LibvirtConnection:
    """A connection. `prepare` is called with each new connection before any use, `on_connect` right after."""

    def __init__(self, uri: str, *, prepare: Callable[[Any], None], on_connect: Callable[[Any], None]) -> None:
        self.uri = uri
        self._prepare = prepare
        self._on_connect = on_connect
        self._connection: Any = None
        self._problem = "not connected yet"
        self._first = threading.Event()
        self._lost = threading.Event()
        self._stopping = threading.Event()
        _event_loop()
        self._keeper = threading.Thread(target=self._keep, name="libvirt-keeper", daemon=True)
        self._keeper.start()

    @contextmanager
    def use(self) -> Iterator[Any]:
        """Yield the virConnect; libvirt's errors leave as AdapterError.

        Raises:
            HypervisorUnavailable: libvirtd does not answer, or went away in the middle of the work.
        """
        self._first.wait(FIRST_ANSWER_S)
        connection = self._connection
        if connection is None:
            raise HypervisorUnavailable(f"libvirtd does not answer: {self._problem}")
        try:
            yield connection
        except libvirt.libvirtError as exc:
            raise self._translated(exc) from exc

    def close(self) -> None:
        self._stopping.set()
        self._lost.set()
        self._keeper.join()

    def _translated(self, error: Any) -> AdapterError:
        if error.get_error_domain() in TRANSPORT or self._connection is None:
            return HypervisorUnavailable(f"The connection to libvirtd was lost: {error}")
        return AdapterError(f"libvirt: {error}", retryable=error.get_error_code() not in LASTING)

    def _keep(self) -> None:
        backoff_s = FIRST_BACKOFF_S
        while not self._stopping.is_set():
            if self._open():
                backoff_s = FIRST_BACKOFF_S
                self._lost.wait()
                self._drop()
            else:
                self._stopping.wait(backoff_s)
                backoff_s = min(backoff_s * 2, MAX_BACKOFF_S)

    def _open(self) -> bool:
        self._lost.clear()
        if self._stopping.is_set():
            return False
        try:
            connection = libvirt.open(self.uri)
            connection.registerCloseCallback(lambda *_: self._lost.set(), None)
            if connection.setKeepAlive(KEEPALIVE_INTERVAL_S, KEEPALIVE_MISSES) == -1:
                log.info("libvirt keepalive is not supported", extra={"facts": {"uri": self.uri}})
            self._problem = "it has just started and is taking over its guests"
            self._prepare(connection)
        except libvirt.libvirtError as exc:
            self._problem = str(exc)
            return False
        self._connection = connection
        self._first.set()
        log.info("libvirt connected", extra={"facts": {"uri": self.uri}})
        try:
            self._on_connect(connection)
        except libvirt.libvirtError as exc:
            log.info(
                "libvirt connection lost during setup", extra={"facts": {"problem": str(exc)}}
            )  # the next connection shows the state
        return True

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._problem = "the connection was lost"
        log.info("libvirt disconnected", extra={"facts": {"is_stopping": self._stopping.is_set()}})
        try:
            connection.unregisterCloseCallback()
            connection.close()
        except libvirt.libvirtError as exc:
            log.info("libvirt close failed", extra={"facts": {"problem": str(exc)}})


@contextmanager
def own_connection(uri: str) -> Iterator[Any]:
    """Open a connection for one call that takes its time: libvirtd runs five calls of a connection at a time.

    Raises:
        AdapterError: libvirtd does not answer, or an error of libvirt leaves the block.
    """
    _event_loop()
    try:
        connection = libvirt.open(uri)
        connection.setKeepAlive(KEEPALIVE_INTERVAL_S, KEEPALIVE_MISSES)
    except libvirt.libvirtError as exc:
        raise AdapterError(f"libvirt: {exc}", retryable=True) from exc
    try:
        yield connection
    except libvirt.libvirtError as exc:
        raise AdapterError(f"libvirt: {exc}", retryable=True) from exc
    finally:
        try:
            connection.close()
        except libvirt.libvirtError as exc:
            log.info("libvirt connection lost", extra={"facts": {"problem": str(exc)}})


@cache
def _event_loop() -> threading.Thread:
    """Start the event loop, once per process and before the first connection.

    A connection binds to the loop that exists when it opens.
    """
    libvirt.registerErrorHandler(lambda *_: None, None)  # else each error is printed on stderr, besides being raised
    libvirt.virEventRegisterDefaultImpl()

    def loop() -> None:
        while True:
            libvirt.virEventRunDefaultImpl()

    thread = threading.Thread(target=loop, name="libvirt-events", daemon=True)
    thread.start()
    return thread
