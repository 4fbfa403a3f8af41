"""The cookies of the dashboard: the session, which no script can read, and the preferences."""

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

# With this prefix browsers accept the cookie only over TLS and only from this host: no page of a sibling host, and none
# without TLS, can replace it.
SESSION = "__Host-andromede_session" if settings.ARE_COOKIES_SECURE else "andromede_session"
THEME = "andromede_theme"
THEMES = ("light", "dark")
A_YEAR_S = 365 * 24 * 3600


def read_session_secret(request: HttpRequest) -> str:
    """Return the session's secret, or an empty string."""
    return request.COOKIES.get(SESSION, "")


def set_session(response: HttpResponseBase, secret: str) -> None:
    """Set the session cookie, until the browser is closed or the session ends."""
    response.set_cookie(SESSION, secret, httponly=True, samesite="Lax", secure=settings.ARE_COOKIES_SECURE)


def delete_session(response: HttpResponseBase) -> None:
    response.delete_cookie(SESSION, samesite="Lax")


def theme_of(request: HttpRequest) -> str:
    """Return the theme; empty: the system's default."""
    theme = request.COOKIES.get(THEME, "")
    return theme if theme in THEMES else ""


def set_preference(response: HttpResponseBase, name: str, value: str) -> None:
    if not value:
        response.delete_cookie(name, samesite="Lax")
        return
    response.set_cookie(name, value, max_age=A_YEAR_S, samesite="Lax", secure=settings.ARE_COOKIES_SECURE)
