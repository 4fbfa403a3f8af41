"""Sign in with a password and a second factor, or at an OpenID provider."""

from __future__ import annotations

import os
import sys
import webbrowser
from dataclasses import dataclass, field
from datetime import UTC, datetime
from gettext import gettext as _
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from andromede_cli.error_reports import Misuse
from andromede_cli.terminal import ask_secret, print_note
from andromede_sdk import Unauthenticated

if TYPE_CHECKING:
    from andromede_sdk import Client
    from andromede_sdk.models import SessionWithSecret

SESSION = "andromede_session_"  # how the secrets of sessions begin
CODE_NEEDED = "signin.code_needed"
HOST, PATH = "127.0.0.1", "/signed-in"
PAUSE_S = 1.0


def with_password(client: Client, email: str) -> SessionWithSecret:
    """Sign in with a prompt for the password, and for a code if the account has a second factor."""
    password = ask_secret(_("Password:"))
    try:
        return client.sessions.create(email=email, password=password)
    except Unauthenticated as exc:
        if exc.code != CODE_NEEDED:
            raise
    return client.sessions.create(email=email, password=password, **ask_code())


def ask_code() -> dict[str, Any]:
    """Prompt for a code: six digits are a code of the application; other input is a recovery code."""
    code = ask_secret(_("Code of the application, or a recovery code:"))
    return {"totp": code} if code.isdecimal() else {"recovery_code": code}


def with_provider(client: Client, provider: str, port: int) -> SessionWithSecret:
    """Sign in with a browser, which returns to this machine.

    Raises:
        Misuse: it did not come back in time, the provider has refused, or the port is in use.
    """
    redirect = f"http://{HOST}:{port}{PATH}"
    begun = client.openid.sign_in_begin(provider, redirect_uri=redirect)
    state = parse_qs(urlsplit(begun.authorization_url).query)["state"][0]
    with Loopback(port, state) as back:
        print_note(_("Sign in here: {url}").format(url=begun.authorization_url))
        if _has_screen():
            webbrowser.open(begun.authorization_url)
        answer = back.wait(until=begun.expires_at)
    if "code" not in answer:
        raise Misuse(_("The provider refused the sign-in: {reason}.").format(reason=answer.get("error", "-")))
    return client.openid.session_create(
        provider, state=state, code=answer["code"], binding=begun.binding, iss=answer.get("iss")
    )


def _has_screen() -> bool:
    """Return whether a graphical browser can be opened: a browser for terminals would take over this terminal."""
    return sys.platform in ("win32", "darwin") or any(name in os.environ for name in ("DISPLAY", "WAYLAND_DISPLAY"))


@dataclass
class Loopback:
    """Local page to which the browser returns; it accepts the first visit that knows `state`."""

    port: int
    state: str
    answer: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Loopback:
        loopback = self

        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                text = loopback.take(self.path)
                self.send_response(HTTPStatus.OK if text else HTTPStatus.NOT_FOUND)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *args: Any) -> None:
                """Log nothing: the path contains the code."""

        try:
            self.server = HTTPServer((HOST, self.port), Page)
        except OSError as exc:
            text = _("Port {port} of this machine cannot be used: {reason}")
            raise Misuse(text.format(port=self.port, reason=exc)) from exc
        self.server.timeout = PAUSE_S
        return self

    def __exit__(self, *exception: object) -> None:
        self.server.server_close()

    def take(self, path: str) -> str:
        """Accept the visit and return the page; empty if its `state` is wrong."""
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path != PATH or query.get("state") != self.state:
            return ""
        self.answer = query
        return _("Signed in. You can close this page.")

    def wait(self, *, until: datetime) -> dict[str, str]:
        while not self.answer:
            if datetime.now(UTC) > until:
                raise Misuse(_("The sign-in timed out. Try again."))
            self.server.handle_request()
        return self.answer
