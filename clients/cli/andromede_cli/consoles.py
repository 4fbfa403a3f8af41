"""Carry bytes between the websocket of a guest's console and a terminal, a pipe or a VNC viewer."""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from gettext import gettext as _
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urljoin, urlsplit

from andromede_cli.error_reports import ConsoleEnded, Misuse
from andromede_cli.replay_filter import without_questions
from andromede_cli.session import Session
from andromede_sdk import Unreachable

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

LEAVE = b"\x1d"  # Ctrl+]
READ_BYTES = 65536
OPEN_LIMIT_S = 20
STALL_LIMIT_S = 60
QUIET_S = 2.0  # after the end of what is piped in: how long the guest may be silent before that was all
INTERRUPT_POLL_S = 0.5  # how often a listening command looks for a signal that did not wake it
PLAIN_ENDS = (1000, 1001)


def opened(me: Session, name: str, kind: str) -> ClientConnection:
    """Open the websocket.

    Raises:
        ApiError: it cannot be opened.
        Misuse: what was typed would travel in the clear.
        Unreachable
    """
    return connected(me, me.client.instances.console_open(name, kind=kind).url, stall_limit_s=STALL_LIMIT_S)


def connected(
    me: Session, ticket_url: str, *, stall_limit_s: float, compression: str | None = "deflate"
) -> ClientConnection:
    """Connect to the URL of a ticket. The connection is lost when a side reads nothing for `stall_limit_s`.

    Raises:
        Misuse: what is sent would travel in the clear.
        Unreachable
    """
    import ssl

    from websockets import WebSocketException
    from websockets.sync.client import connect

    from andromede_cli import language

    url = address(me.client.url, ticket_url)
    own = me.profile.ca_file if url.startswith("wss:") else ""
    options: dict[str, Any] = {"ssl": ssl.create_default_context(cafile=own) if own else None}
    options |= {"additional_headers": {"Accept-Language": language.current()}, "max_size": None}
    options |= {"open_timeout": OPEN_LIMIT_S, "ping_timeout": stall_limit_s, "compression": compression}
    try:
        opened: ClientConnection = connect(url, **options)
        return opened
    except (OSError, WebSocketException) as exc:
        raise Unreachable(str(exc)) from exc


def address(base: str, url: str) -> str:
    """Return the websocket's address: the API's own, unless the answer names another. Raises Misuse."""
    whole = urlsplit(urljoin(f"{base}/", url))
    scheme = {"http": "ws", "https": "wss"}.get(whole.scheme, whole.scheme)
    if scheme not in ("ws", "wss") or (scheme == "ws" and urlsplit(base).scheme == "https"):
        raise Misuse(_("The URL {url} is not encrypted. Use a control plane with https.").format(url=url))
    return whole._replace(scheme=scheme).geturl()


# -- a terminal or a pipe


def converse(guest: ClientConnection) -> None:
    """Carry bytes until the guest hangs up, the user types Ctrl+], or piped input has ended and the guest is silent.

    Raises:
        ConsoleEnded
    """
    shown, over = _Shown(), threading.Event()
    woken, wake = os.pipe()
    reader = threading.Thread(target=_show, args=(guest, shown, over, wake), daemon=True)
    with _raw():
        reader.start()  # input is possible as soon as output is visible
        _type(guest, woken, is_terminal=sys.stdin.isatty())
    if not over.is_set() and not sys.stdin.isatty():
        shown.wait_for_silence(over)
    guest.close()
    reader.join()
    if sys.stdin.isatty():
        sys.stdout.write("\n")
    check_end(guest)


def check_end(guest: ClientConnection) -> None:
    """Check that this side hung up; raises ConsoleEnded otherwise."""
    if guest.close_code not in PLAIN_ENDS:
        raise ConsoleEnded(guest.close_reason or _("The connection was lost."))


class _Shown:
    """Records the time of the last output."""

    def __init__(self) -> None:
        self._news = threading.Event()

    def note(self) -> None:
        self._news.set()

    def wait_for_silence(self, over: threading.Event) -> None:
        while self._news.wait(QUIET_S) and not over.is_set():
            self._news.clear()


def _show(guest: ClientConnection, shown: _Shown, over: threading.Event, wake: int) -> None:
    from websockets import ConnectionClosed

    out: BinaryIO = sys.stdout.buffer
    is_replay = sys.stdout.isatty()  # the first message is what the guest wrote before
    with suppress(ConnectionClosed, BrokenPipeError):
        while True:
            data = guest.recv()
            data = data if isinstance(data, bytes) else data.encode()
            out.write(without_questions(data) if is_replay else data)
            out.flush()
            is_replay = False
            shown.note()
    over.set()
    shown.note()
    os.close(wake)


def _type(guest: ClientConnection, woken: int, *, is_terminal: bool) -> None:
    """Send the input until it ends or the connection is closed."""
    from websockets import ConnectionClosed

    with suppress(ConnectionClosed):
        while True:
            ready, _none, _none = select.select([sys.stdin, woken], [], [])
            if woken in ready:
                return
            data = os.read(sys.stdin.fileno(), READ_BYTES)
            typed, leave, _rest = data.partition(LEAVE) if is_terminal else (data, b"", b"")
            if typed:
                guest.send(typed)
            if leave or not data:
                return


@contextmanager
def _raw() -> Iterator[None]:
    """Set the terminal to raw mode: every key goes to the guest, Ctrl-C too."""
    if not sys.stdin.isatty():
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    tty.setraw(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


# -- programs that connect to an address here


def serve(
    open_one: Callable[[], ClientConnection],
    listen_address: tuple[str, int],
    on_listening: Callable[[str, int], None],
    *,
    carry: Callable[[ClientConnection, socket.socket], None],
) -> None:
    """Give each program that connects a session of its own, which `carry` serves, until Ctrl-C.

    `on_listening` receives the address to connect to. Raises Misuse: nothing can listen there.
    """
    try:
        server = socket.create_server(listen_address)
    except OSError as exc:
        words = _("Cannot listen on {host}:{port}: {reason}")
        raise Misuse(words.format(host=listen_address[0], port=listen_address[1], reason=exc.strerror or exc)) from exc
    server.settimeout(INTERRUPT_POLL_S)  # a signal just before accept(), or in another thread, does not interrupt it
    with server, suppress(KeyboardInterrupt):
        on_listening(*server.getsockname()[:2])
        while True:
            try:
                client, _address = server.accept()
            except TimeoutError:
                continue
            threading.Thread(target=_join, args=(open_one, client, carry), daemon=True).start()


def _join(
    open_one: Callable[[], ClientConnection],
    client: socket.socket,
    carry: Callable[[ClientConnection, socket.socket], None],
) -> None:
    from andromede_cli.error_reports import lines_of
    from andromede_cli.terminal import print_error
    from andromede_sdk import AndromedeError

    with client:
        try:
            with open_one() as guest:
                carry(guest, client)
        except (AndromedeError, Misuse) as exc:
            for line in lines_of(exc):
                print_error(line, is_first=True)
        with suppress(OSError):  # the thread that reads from the program ends
            client.shutdown(socket.SHUT_RDWR)


def carry_display(guest: ClientConnection, viewer: socket.socket) -> None:
    """Carry bytes until one end hangs up. Raises ConsoleEnded: that was the control plane."""
    from websockets import ConnectionClosed

    def to_guest() -> None:
        with suppress(ConnectionClosed, OSError):
            while data := viewer.recv(READ_BYTES):
                guest.send(data)
        guest.close()

    threading.Thread(target=to_guest, daemon=True).start()
    with suppress(ConnectionClosed, OSError):
        while True:
            data = guest.recv()
            viewer.sendall(data if isinstance(data, bytes) else data.encode())
    with suppress(OSError):
        viewer.shutdown(socket.SHUT_RDWR)
    check_end(guest)
